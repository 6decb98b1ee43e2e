/* vec_body.h - the kernels' text, compiled once a level by vec_....c, which has defined the vectors (vec_types.h) and
 * fma_vec, load_half, half_to_float, load_bytes and sum16 for its instructions. Ends with `table`. */
/* ---- stored types: LANES elements from element i of a row on ---- */

INLINE vec load_f32(const char *row, size_t i)
{
    return load((const float *)row + i);
}

INLINE vec load_f16(const char *row, size_t i)
{
    return load_half((const uint16_t *)row + i);
}

INLINE vec load_bf16(const char *row, size_t i)
{
    return (vec)(load_u16((const uint16_t *)row + i) << 16);
}

INLINE vec load_q8_0(const char *row, size_t i)
{
    const char *block = row + i / 32 * 34;
    uint16_t scale;
    memcpy(&scale, block, sizeof scale);
    return load_bytes((const int8_t *)block + 2 + i % 32) * half_to_float(scale);
}

/* The last n < 16 elements of a row from element i on, followed by zeros. */
INLINE vec16 tail_f32(const char *row, size_t i, size_t n)
{
    float last[16] = {0};
    vec16 v;
    memcpy(last, row + 4 * i, 4 * n);
    memcpy(&v, last, sizeof v);
    return v;
}

INLINE vec16 tail_f16(const char *row, size_t i, size_t n)
{
    uint16_t last[16] = {0};
    vec16 v;
    memcpy(last, row + 2 * i, 2 * n);
    for (int p = 0; p < PARTS; p++)
        v.part[p] = load_f16((const char *)last, (size_t)(p * LANES));
    return v;
}

INLINE vec16 tail_bf16(const char *row, size_t i, size_t n)
{
    uint16_t last[16] = {0};
    vec16 v;
    memcpy(last, row + 2 * i, 2 * n);
    for (int p = 0; p < PARTS; p++)
        v.part[p] = load_bf16((const char *)last, (size_t)(p * LANES));
    return v;
}

INLINE vec16 tail_q8_0(const char *row, size_t i, size_t n)
{
    (void)row, (void)i, (void)n; /* whole blocks only: there is no tail */
    return (vec16){{{0}}};
}

/* ---- rows: few rows of x against many stored rows ---- */

/* A block of R rows by J weight rows, R and J constants at every call: R * J sums stay in registers. */
#define DEFINE_TYPE(TYPE)                                                                                              \
    INLINE void block_##TYPE(const int R, const int J, const float *x, size_t ldx, const char *w, size_t stride,       \
                             size_t k, float *y, size_t ldy, int add)                                                  \
    {                                                                                                                  \
        vec16 sum[BLOCK_ROWS][BLOCK_WEIGHTS];                                                                          \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int j = 0; j < J; j++)                                                                                \
                for (int p = 0; p < PARTS; p++)                                                                        \
                    sum[r][j].part[p] = (vec){0};                                                                      \
        size_t i = 0;                                                                                                  \
        for (; i + 16 <= k; i += 16)                                                                                   \
            for (int p = 0; p < PARTS; p++) {                                                                          \
                vec b[BLOCK_WEIGHTS];                                                                                  \
                for (int j = 0; j < J; j++)                                                                            \
                    b[j] = load_##TYPE(w + (size_t)j * stride, i + (size_t)(p * LANES));                               \
                for (int r = 0; r < R; r++) {                                                                          \
                    vec a = load(x + (size_t)r * ldx + i + p * LANES);                                                 \
                    for (int j = 0; j < J; j++)                                                                        \
                        sum[r][j].part[p] = fma_vec(a, b[j], sum[r][j].part[p]);                                       \
                }                                                                                                      \
            }                                                                                                          \
        for (int j = 0; i < k && j < J; j++) {                                                                         \
            vec16 b = tail_##TYPE(w + (size_t)j * stride, i, k - i);                                                   \
            for (int r = 0; r < R; r++) {                                                                              \
                vec16 a = tail_f32((const char *)(x + (size_t)r * ldx), i, k - i);                                     \
                for (int p = 0; p < PARTS; p++)                                                                        \
                    sum[r][j].part[p] = fma_vec(a.part[p], b.part[p], sum[r][j].part[p]);                              \
            }                                                                                                          \
        }                                                                                                              \
        for (int r = 0; r < R; r++)                                                                                    \
            for (int j = 0; j < J; j++) {                                                                              \
                float *out = y + (size_t)r * ldy + j;                                                                  \
                *out = add ? *out + sum16(&sum[r][j]) : sum16(&sum[r][j]);                                             \
            }                                                                                                          \
    }                                                                                                                  \
                                                                                                                       \
    INLINE int next_##TYPE(const int J, const float *x, size_t ldx, int rows, const char *w, size_t stride, size_t k,  \
                           float *y, size_t ldy, int add)                                                              \
    {                                                                                                                  \
        if (rows >= BLOCK_ROWS)                                                                                        \
            return block_##TYPE(BLOCK_ROWS, J, x, ldx, w, stride, k, y, ldy, add), BLOCK_ROWS;                         \
        return block_##TYPE(1, J, x, ldx, w, stride, k, y, ldy, add), 1;                                               \
    }                                                                                                                  \
                                                                                                                       \
    static void rows_##TYPE(const float *x, size_t ldx, int rows, const void *w, size_t stride, size_t n, size_t k,    \
                            float *y, size_t ldy, int add)                                                             \
    {                                                                                                                  \
        size_t j = 0;                                                                                                  \
        for (; j + BLOCK_WEIGHTS <= n; j += BLOCK_WEIGHTS)                                                             \
            for (int r = 0; r < rows;)                                                                                 \
                r += next_##TYPE(BLOCK_WEIGHTS, x + (size_t)r * ldx, ldx, rows - r, (const char *)w + j * stride,      \
                                 stride, k, y + (size_t)r * ldy + j, ldy, add);                                        \
        for (; j < n; j++)                                                                                             \
            for (int r = 0; r < rows;)                                                                                 \
                r += next_##TYPE(1, x + (size_t)r * ldx, ldx, rows - r, (const char *)w + j * stride, stride, k,       \
                                 y + (size_t)r * ldy + j, ldy, add);                                                   \
    }                                                                                                                  \
                                                                                                                       \
    static void decode_##TYPE(const void *x, float *out, size_t n)                                                     \
    {                                                                                                                  \
        size_t i = 0;                                                                                                  \
        for (; i + LANES <= n; i += LANES)                                                                             \
            store(out + i, load_##TYPE(x, i));                                                                         \
        if (i < n) {                                                                                                   \
            vec16 last = tail_##TYPE(x, i, n - i);                                                                     \
            memcpy(out + i, &last, (n - i) * sizeof *out);                                                             \
        }                                                                                                              \
    }

DEFINE_TYPE(f32)
DEFINE_TYPE(f16)
DEFINE_TYPE(bf16)
DEFINE_TYPE(q8_0)

/* ---- functions of one vector ---- */

/* exp(x) for x <= 88, relative error below 2e-7; 0 below -87. Adding 1.5 * 2^23 rounds to an integer and leaves it in
 * the low bits. The polynomial is a minimax fit of (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2. */
INLINE vec exp_vec(vec x)
{
    const float magic = 0x1.8p23f;
    vec low = select_vec(x < spread(-87.0f), spread(-87.0f), x);
    vec shifted = fma_vec(low, spread(0x1.715476p0f), spread(magic));
    vec n = shifted - magic;
    vec r = fma_vec(n, spread(-0x1.62e4p-1f), low); /* ln(2) in two pieces, the first exact when multiplied by n */
    r = fma_vec(n, spread(-0x1.7f7d1cp-20f), r);
    vec p = spread(0.0013811661629f);
    p = fma_vec(p, r, spread(0.00837013497949f));
    p = fma_vec(p, r, spread(0.0416685268283f));
    p = fma_vec(p, r, spread(0.166665092111f));
    p = fma_vec(p, r, spread(0.499999940395f));
    p = fma_vec(p, r * r, r) + 1.0f;
    ivec exponent = (ivec)(((uvec)shifted << 23) + 0x3f800000u);
    return select_vec(x < spread(-87.0f), spread(0.0f), p * (vec)exponent);
}

/* gelu(x) = x (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, with erfc(a / sqrt 2) = exp(a P(a));
 * P is a minimax fit for the error of gelu. The error is below 1e-7 max(1, |x|), on the negative side too. */
INLINE vec gelu_vec(vec x)
{
    vec a = (vec)((ivec)x & 0x7fffffff);
    vec c = select_vec(a > spread(10.0f), spread(10.0f), a);
    vec p = spread(-1.61846674e-06f);
    p = fma_vec(p, c, spread(2.33853098e-05f));
    p = fma_vec(p, c, spread(-0.000111800517f));
    p = fma_vec(p, c, spread(-0.000132878456f));
    p = fma_vec(p, c, spread(0.0049399659f));
    p = fma_vec(p, c, spread(-0.0364135243f));
    p = fma_vec(p, c, spread(-0.318291992f));
    p = fma_vec(p, c, spread(-0.797885895f));
    return select_vec(x > spread(0.0f), x, spread(0.0f)) - 0.5f * a * exp_vec(c * p);
}

static void bias_gelu(float *x, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        vec v = load_part(x + i, n - i);
        if (b)
            v += load_part(b + i, n - i);
        store_part(x + i, gelu_vec(v), n - i);
    }
}

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        store_part(y + i, load_part(y + i, n - i) + load_part(x + i, n - i), n - i);
}

/* ---- functions of a whole vector: sums run in sixteen lanes ---- */

INLINE vec16 load16(const float *x, size_t n)
{
    vec16 v;
    if (n < 16)
        return tail_f32((const char *)x, 0, n);
    memcpy(&v, x, sizeof v);
    return v;
}

static float sum_of(const float *x, size_t n)
{
    vec16 sum = {{{0}}};
    for (size_t i = 0; i < n; i += 16) {
        vec16 v = load16(x + i, n - i);
        for (int p = 0; p < PARTS; p++)
            sum.part[p] += v.part[p];
    }
    return sum16(&sum);
}

static float sum_of_squares(const float *x, size_t n)
{
    vec16 sum = {{{0}}};
    for (size_t i = 0; i < n; i += 16) {
        vec16 v = load16(x + i, n - i);
        for (int p = 0; p < PARTS; p++)
            sum.part[p] = fma_vec(v.part[p], v.part[p], sum.part[p]);
    }
    return sum16(&sum);
}

static float largest_of(const float *x, size_t n)
{
    vec m = spread(x[0]);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec v = load(x + i);
        m = select_vec(v > m, v, m);
    }
    float largest = m[0];
    for (int lane = 1; lane < LANES; lane++)
        largest = m[lane] > largest ? m[lane] : largest;
    for (; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static void softmax(float *x, float scale, size_t n)
{
    if (n == 0)
        return;
    float largest = largest_of(x, n);
    for (size_t i = 0; i < n; i += LANES)
        store_part(x + i, exp_vec((load_part(x + i, n - i) - largest) * scale), n - i);
    float inverse = 1.0f / sum_of(x, n);
    for (size_t i = 0; i < n; i += LANES)
        store_part(x + i, load_part(x + i, n - i) * inverse, n - i);
}

/* What load16() puts behind the end of so many values does not count. */
static vec16 first_of(vec16 v, size_t n)
{
    float values[16] = {0};
    memcpy(values, &v, n * sizeof *values);
    memcpy(&v, values, sizeof v);
    return v;
}

INLINE float exp_sums(const float *x, size_t n, int is_weighted, double *sum, double *weighted)
{
    float largest = largest_of(x, n);
    *sum = *weighted = 0;
    for (size_t from = 0; from < n; from += 1024) {
        size_t to = n - from < 1024 ? n : from + 1024;
        vec16 block = {{{0}}}, weights = {{{0}}};
        for (size_t i = from; i < to; i += 16) {
            vec16 v = load16(x + i, to - i), d;
            for (int p = 0; p < PARTS; p++) {
                d.part[p] = v.part[p] - largest;
                v.part[p] = exp_vec(d.part[p]);
            }
            if (to - i < 16)
                v = first_of(v, to - i);
            for (int p = 0; p < PARTS; p++) {
                block.part[p] += v.part[p];
                if (is_weighted) /* below -87 the exponential is 0, and d may be -infinity */
                    weights.part[p] += v.part[p] * select_vec(d.part[p] < spread(-87.0f), spread(-87.0f), d.part[p]);
            }
        }
        *sum += (double)sum16(&block);
        if (is_weighted)
            *weighted += (double)sum16(&weights);
    }
    return largest;
}

static float exp_sum(const float *x, size_t n, double *sum, double *weighted)
{
    double none;
    return weighted ? exp_sums(x, n, 1, sum, weighted) : exp_sums(x, n, 0, sum, &none);
}

static void layer_norm(const float *x, const float *gain, const float *bias, float *out, size_t n)
{
    float mean = sum_of(x, n) / (float)n;
    for (size_t i = 0; i < n; i += LANES)
        store_part(out + i, load_part(x + i, n - i) - mean, n - i);
    float inverse = 1.0f / __builtin_sqrtf(sum_of_squares(out, n) / (float)n + 1e-5f);
    for (size_t i = 0; i < n; i += LANES) {
        vec v = load_part(out + i, n - i) * inverse;
        store_part(out + i, fma_vec(v, load_part(gain + i, n - i), load_part(bias + i, n - i)), n - i);
    }
}

#include "cpu/vec_exp2.h"
#include "cpu/attention_body.h"
#include "cpu/kv_body.h"
#include "cpu/recurrent_body.h"
#include "cpu/filter_body.h"

static const wh_kernels table = {
    .decode = {decode_f32, decode_f16, decode_bf16, decode_q8_0},
    .rows = {rows_f32, rows_f16, rows_bf16, rows_q8_0},
    .attend = attend,
    .pack_keys = pack_keys,
    .kv_store = {kv_store_f32, kv_store_f16, kv_store_i8},
    .kv_scores = {kv_scores_f32, kv_scores_f16, kv_scores_i8},
    .kv_values = {kv_values_f32, kv_values_f16, kv_values_i8},
    .layer_norm = layer_norm,
    .softmax = softmax,
    .exp_sum = exp_sum,
    .bias_gelu = bias_gelu,
    .add = add,
    .lstm = lstm,
    .filter_pairs = filter_pairs,
    .scaled_extremes = scaled_extremes,
    .norm_columns = norm_columns,
};
