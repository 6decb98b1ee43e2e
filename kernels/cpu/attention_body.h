/* attention_body.h - attention of many queries over all keys, without a matrix of scores. Part of vec_body.h, so
 * compiled once a level; vec_....c defines ATTEND_TILE, the keys or channels of a register tile.
 *
 * Keys go by in blocks; each query keeps the largest score so far, the sum of its exponentials and the weighted sum of
 * values, and scales the latter two down when a block brings a larger score (the online softmax of Milakov and
 * Gimelshein, "Online normalizer calculation for softmax", 2018, blocked as in Dao et al., "FlashAttention", 2022). A
 * lane is a query: scores of a block are stored [key][query], so that maximum, exponential and sum need no exchange
 * between lanes, and both products broadcast one number of K or V to all queries of the block. A query's bits depend
 * neither on the queries beside it nor on the width of a vector. */
#define ATTEND_VECS 3 /* vectors of queries that go through the keys together */
#define ATTEND_ROWS (ATTEND_VECS * LANES)

_Static_assert(ATTEND_ROWS <= WH_ATTEND_ROWS && ATTEND_TILE <= WH_ATTEND_TILE && WH_ATTEND_KEYS % ATTEND_TILE == 0,
               "a level's tiles fit what callers set aside");

typedef struct attend_state {
    float *peak, *sum; /* of the scores so far, in powers of two; of 2^(score - peak) */
    float *scores;     /* [key][query] of a block */
    float *q, *out;    /* [channel][query], q scaled */
} attend_state;

/* k[n][d_head], rows ldk apart, as [n / ATTEND_TILE][d_head][ATTEND_TILE], the last tile filled up with zeros. */
static void pack_keys(const float *k, size_t ldk, int n, int d_head, float *out)
{
    for (int first = 0; first < n; first += ATTEND_TILE)
        for (int c = 0; c < d_head; c++)
            for (int t = 0; t < ATTEND_TILE; t++)
                *out++ = first + t < n ? k[(size_t)(first + t) * ldk + (size_t)c] : 0.0f;
}

/* Scores of a tile of keys, of which the first `valid` exist, for V vectors of queries. */
INLINE void tile_scores(const int V, const float *q, const float *k, int d_head, int valid, float *scores, vec *peak)
{
    vec sum[ATTEND_TILE][ATTEND_VECS];
    for (int t = 0; t < ATTEND_TILE; t++)
        for (int v = 0; v < V; v++)
            sum[t][v] = (vec){0};
    for (int c = 0; c < d_head; c++, q += V * LANES, k += ATTEND_TILE) {
        vec x[ATTEND_VECS];
        for (int v = 0; v < V; v++)
            x[v] = load(q + v * LANES);
        for (int t = 0; t < ATTEND_TILE; t++)
            for (int v = 0; v < V; v++)
                sum[t][v] = fma_vec(x[v], spread(k[t]), sum[t][v]);
    }
    for (int t = 0; t < ATTEND_TILE; t++)
        for (int v = 0; v < V; v++)
            store(scores + (t * V + v) * LANES, sum[t][v]);
    if (valid == ATTEND_TILE) {
        for (int t = 0; t < ATTEND_TILE; t++)
            for (int v = 0; v < V; v++)
                peak[v] = select_vec(sum[t][v] > peak[v], sum[t][v], peak[v]);
        return;
    }
    for (int t = 0; t < valid; t++)
        for (int v = 0; v < V; v++) {
            vec s = load(scores + (t * V + v) * LANES);
            peak[v] = select_vec(s > peak[v], s, peak[v]);
        }
}

/* out[T channels][query] = out * shrink + sum over n keys of p[key][query] v[key][channel] */
INLINE void tile_values(const int T, const int V, const float *p, const float *values, int d_head, int n,
                        const vec *shrink, float *out)
{
    vec sum[ATTEND_TILE][ATTEND_VECS];
    for (int t = 0; t < T; t++)
        for (int v = 0; v < V; v++)
            sum[t][v] = load(out + (t * V + v) * LANES) * shrink[v];
    for (int j = 0; j < n; j++, p += V * LANES, values += d_head) {
        vec x[ATTEND_VECS];
        for (int v = 0; v < V; v++)
            x[v] = load(p + v * LANES);
        for (int t = 0; t < T; t++)
            for (int v = 0; v < V; v++)
                sum[t][v] = fma_vec(x[v], spread(values[t]), sum[t][v]);
    }
    for (int t = 0; t < T; t++)
        for (int v = 0; v < V; v++)
            store(out + (t * V + v) * LANES, sum[t][v]);
}

/* A key that stands for k has e^score as often: log k more, which is at least 0, so that a peak before is none too large. */
INLINE void count_keys(const int V, const float *log_counts, int n, float *scores, vec *peak)
{
    for (int j = 0; j < n; j++, scores += V * LANES)
        for (int v = 0; log_counts[j] > 0 && v < V; v++) {
            vec s = load(scores + v * LANES) + log_counts[j];
            store(scores + v * LANES, s);
            peak[v] = select_vec(s > peak[v], s, peak[v]);
        }
}

/* One block of n keys for V vectors of queries. */
INLINE void attend_block(const int V, const attend_state *s, const float *k, const float *values, int n, int d_head,
                         const float *log_counts)
{
    vec peak[ATTEND_VECS], shrink[ATTEND_VECS], sum[ATTEND_VECS];
    for (int v = 0; v < V; v++)
        peak[v] = load(s->peak + v * LANES);
    for (int j = 0; j < n; j += ATTEND_TILE)
        tile_scores(V, s->q, k + j * d_head, d_head, n - j < ATTEND_TILE ? n - j : ATTEND_TILE,
                    s->scores + j * V * LANES, peak);
    if (log_counts)
        count_keys(V, log_counts, n, s->scores, peak);
    for (int v = 0; v < V; v++) {
        shrink[v] = exp2_vec(load(s->peak + v * LANES) - peak[v]);
        sum[v] = load(s->sum + v * LANES) * shrink[v];
        store(s->peak + v * LANES, peak[v]);
    }
    float *p = s->scores;
    for (int j = 0; j < n; j++)
        for (int v = 0; v < V; v++, p += LANES) {
            vec e = exp2_vec(load(p) - peak[v]);
            sum[v] += e;
            store(p, e);
        }
    for (int v = 0; v < V; v++)
        store(s->sum + v * LANES, sum[v]);
    int c = 0;
    for (; c + ATTEND_TILE <= d_head; c += ATTEND_TILE)
        tile_values(ATTEND_TILE, V, s->scores, values + c, d_head, n, shrink, s->out + c * V * LANES);
    for (; c < d_head; c++)
        tile_values(1, V, s->scores, values + c, d_head, n, shrink, s->out + c * V * LANES);
}

/* At most V vectors of queries. */
INLINE void attend_rows(const int V, const attend_state *s, const float *q, size_t ldq, int rows, const float *k,
                        const float *values, int n, int d_head, const float *log_counts, float *out, size_t ldo)
{
    const float scale = 1.44269504f / __builtin_sqrtf((float)d_head); /* log2 e: exponentials are powers of two */
    for (int c = 0; c < d_head; c++)
        for (int r = 0; r < V * LANES; r++) {
            s->q[c * V * LANES + r] = r < rows ? q[(size_t)r * ldq + (size_t)c] * scale : 0.0f;
            s->out[c * V * LANES + r] = 0.0f;
        }
    for (int r = 0; r < V * LANES; r++)
        s->peak[r] = -1e30f, s->sum[r] = 0.0f;
    for (int j = 0; j < n; j += WH_ATTEND_KEYS)
        attend_block(V, s, k + j * d_head, values + j * d_head, n - j < WH_ATTEND_KEYS ? n - j : WH_ATTEND_KEYS, d_head,
                     log_counts ? log_counts + j : NULL);
    for (int r = 0; r < rows; r++) {
        float inverse = 1.0f / s->sum[r];
        for (int c = 0; c < d_head; c++)
            out[(size_t)r * ldo + (size_t)c] = s->out[c * V * LANES + r] * inverse;
    }
}

static void attend(const float *q, size_t ldq, int rows, const float *k, const float *values, int n, int d_head,
                   const float *log_counts, float *out, size_t ldo, float *scratch)
{
    const size_t rows_size = WH_ATTEND_ROWS, head_size = (size_t)d_head * rows_size;
    attend_state state = {.peak = scratch, .sum = scratch + rows_size, .q = scratch + 2 * rows_size};
    state.out = state.q + head_size;
    state.scores = state.out + head_size;
    const attend_state *s = &state;
    for (int r = 0; r < rows; r += ATTEND_ROWS) {
        int left = rows - r;
        const float *from = q + (size_t)r * ldq;
        float *to = out + (size_t)r * ldo;
        if (left > 2 * LANES)
            attend_rows(3, s, from, ldq, left < ATTEND_ROWS ? left : ATTEND_ROWS, k, values, n, d_head, log_counts, to,
                        ldo);
        else if (left > LANES)
            attend_rows(2, s, from, ldq, left, k, values, n, d_head, log_counts, to, ldo);
        else
            attend_rows(1, s, from, ldq, left, k, values, n, d_head, log_counts, to, ldo);
    }
}
