/* filter_body.h - filters of samples, and columns made alike, part of vec_body.h's text. */

/* What even and odd filters make of 2 half + 1 samples depends on sums and differences of samples that are as far from
 * the middle: half the products. out [half + 1][sum, difference] */
static void fold(const float *x, size_t half, float *out)
{
    for (size_t k = 0; k < half; k++) {
        out[2 * k] = x[k] + x[2 * half - k];
        out[2 * k + 1] = x[k] - x[2 * half - k];
    }
    out[2 * half] = x[half];
    out[2 * half + 1] = 0;
}

/* A sum and a difference in turn, in all lanes. */
INLINE vec spread_pair(const float *x)
{
    typedef uint64_t pairs __attribute__((vector_size(4 * LANES)));
    uint64_t pair;
    memcpy(&pair, x, sizeof pair);
    return (vec)(pair + (pairs){0});
}

/* V vectors of filters at three positions; folded: [3][steps][2] */
INLINE void filter_block(const int V, const float *folded, size_t steps, const float *w, size_t ldw, float *least,
                         float *most)
{
    vec sum[3][FILTER_VECS];
    for (int r = 0; r < 3; r++)
        for (int v = 0; v < V; v++)
            sum[r][v] = (vec){0};
    for (size_t k = 0; k < steps; k++, w += ldw) {
        vec x[3];
        for (int r = 0; r < 3; r++)
            x[r] = spread_pair(folded + 2 * ((size_t)r * steps + k));
        for (int v = 0; v < V; v++) {
            vec b = load(w + v * LANES);
            for (int r = 0; r < 3; r++)
                sum[r][v] = fma_vec(x[r], b, sum[r][v]);
        }
    }
    for (int v = 0; v < V; v++) {
        store(least + v * LANES, min_vec(min_vec(sum[0][v], sum[1][v]), sum[2][v]));
        store(most + v * LANES, max_vec(max_vec(sum[0][v], sum[1][v]), sum[2][v]));
    }
}

static void filter_pairs(const float *x, size_t stride, size_t n, const float *w, size_t half, size_t pairs,
                         float *folded, float *out)
{
    const size_t filters = 2 * pairs, steps = half + 1;
    for (size_t i = 0; i < n; i++, x += 3 * stride, out += 2 * filters) {
        for (size_t r = 0; r < 3; r++)
            fold(x + r * stride, half, folded + 2 * r * steps);
        size_t j = 0;
        for (; j + FILTER_VECS * LANES <= filters; j += FILTER_VECS * LANES)
            filter_block(FILTER_VECS, folded, steps, w + j, filters, out + j, out + filters + j);
        for (; j < filters; j += LANES)
            filter_block(1, folded, steps, w + j, filters, out + j, out + filters + j);
    }
}

/* ---- columns ---- */

/* Sums of a column run over blocks of rows, so that rounding grows less with their number. */
#define SUM_ROWS 64

/* The sum of x - mean, and of its squares. */
INLINE vec column_sums(const float *x, size_t n, size_t d, size_t width, vec mean, vec *squares)
{
    vec all = {0};
    *squares = (vec){0};
    for (size_t r = 0; r < n;) {
        vec sum = {0}, square = {0};
        for (size_t end = n - r < SUM_ROWS ? n : r + SUM_ROWS; r < end; r++) {
            vec v = load_part(x + r * d, width) - mean;
            sum += v;
            square = fma_vec(v, v, square);
        }
        all += sum;
        *squares += square;
    }
    return all;
}

/* The first sum is of differences to the first row, the second of those to that mean, which it corrects: the mean of a
 * column that hardly changes must be exact, or the division by its deviation shows what rounding did. */
static void norm_columns(float *x, size_t n, size_t d, const float *gain, const float *bias, float slope)
{
    for (size_t j = 0; j < d; j += LANES) {
        const size_t width = d - j < LANES ? d - j : LANES;
        vec squares, mean = load_part(x + j, width);
        mean += column_sums(x + j, n, d, width, mean, &squares) / (float)n;
        vec off = column_sums(x + j, n, d, width, mean, &squares) / (float)n;
        vec variance = squares / (float)n - off * off + 1e-5f;
        float root[LANES];
        mean += off;
        store(root, variance);
        for (int l = 0; l < LANES; l++)
            root[l] = __builtin_sqrtf(root[l]);
        vec factor = load_part(gain + j, width) / load(root), shift = load_part(bias + j, width);
        for (size_t r = 0; r < n; r++) {
            vec v = fma_vec(load_part(x + r * d + j, width) - mean, factor, shift);
            store_part(x + r * d + j, max_vec(v, v * slope), width);
        }
    }
}

/* The greatest of |least * factor + shift| and |most * factor + shift|. */
static void scaled_extremes(const float *extremes, size_t n, float factor, const float *shift, size_t d, float *out)
{
    for (size_t r = 0; r < n; r++, extremes += 2 * d, out += d)
        for (size_t j = 0; j < d; j += LANES) {
            size_t width = d - j < LANES ? d - j : LANES;
            vec s = load_part(shift + j, width);
            vec least = (vec)((ivec)fma_vec(load_part(extremes + j, width), spread(factor), s) & 0x7fffffff);
            vec most = (vec)((ivec)fma_vec(load_part(extremes + d + j, width), spread(factor), s) & 0x7fffffff);
            store_part(out + j, max_vec(most, least), width);
        }
}
