/* kernels.h - matrices and vectors on the CPU. Knows nothing of Whisper.
 *
 * Used by lib/backend/cpu. Every kernel is written once in plain C with vector extensions (vec_body.h); each
 * instruction-set level compiles that text with its own vector width (vec_generic.c is the definition). One constant
 * table of function pointers a level (registry.h). */
#ifndef WH_KERNELS_H
#define WH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* How a matrix is stored: Q8_0 rows are blocks of 32 elements, an f16 scale then 32 int8. */
typedef enum wh_storage { WH_ROWS_F32, WH_ROWS_F16, WH_ROWS_BF16, WH_ROWS_Q8_0, WH_STORAGES } wh_storage;

/* How a decoder's keys and values are stored: in tiles of 64 keys, read from the first byte to the last. A tile of keys
 * is [d_head][64], one of values [64][d_head rounded up to 16]; for int8 a scale for each key (64 floats) follows. Both
 * take wh_kv_tile bytes. */
typedef enum wh_kv { WH_KV_F32, WH_KV_F16, WH_KV_I8, WH_KV_TYPES } wh_kv;
#define WH_KV_KEYS 64

static inline size_t wh_kv_tile(wh_kv type, size_t d_head)
{
    size_t n = WH_KV_KEYS * ((d_head + 15) / 16 * 16);
    return type == WH_KV_F32 ? 4 * n : type == WH_KV_F16 ? 2 * n : n + WH_KV_KEYS * sizeof(float);
}

typedef struct wh_kernels {
    /* out[i] = x[i] decoded, without loss; n elements (a multiple of 32 for q8_0) */
    void (*decode[WH_STORAGES])(const void *x, float *out, size_t n);

    /* y[r * ldy + j] (+)= sum_i x[r * ldx + i] * w[j][i] for any number of rows r and n weight rows j of k elements.
     * Row j of w is stored at w + j * stride (bytes). With `add` the sum is added to what is in y. Made for few rows:
     * w is read once. The order of the sum depends on k alone, not on rows, n or where the row stands. */
    void (*rows[WH_STORAGES])(const float *x, size_t ldx, int rows, const void *w, size_t stride, size_t n, size_t k,
                              float *y, size_t ldy, int add);

    /* Attention of `rows` queries over all n keys: out = softmax(q k^T / sqrt(d_head)) v for one head, the scores never
     * in memory. q and out: [rows][d_head], rows ldq and ldo floats apart; k: as pack_keys wrote it; v: [n][d_head];
     * log_counts: NULL, or log2 of how many equal keys and values each of them stands for, at least 0; scratch:
     * wh_attend_scratch(d_head) floats. A query's bits do not depend on the others. */
    void (*attend)(const float *q, size_t ldq, int rows, const float *k, const float *v, int n, int d_head,
                   const float *log_counts, float *out, size_t ldo, float *scratch);
    /* k [n][d_head], rows ldk floats apart, in the level's own order; out: wh_packed_keys(n) * d_head floats */
    void (*pack_keys)(const float *k, size_t ldk, int n, int d_head, float *out);

    /* Store keys and values number first .. first+n-1 of one head; k and v: [n][d_head], rows ld floats apart. */
    void (*kv_store[WH_KV_TYPES])(const float *k, const float *v, size_t ld, int first, int n, int d_head, void *keys,
                                  void *values);
    /* scores[r][j] = q[r] . key j for the first n keys; rows of scores have room for n rounded up to 16 */
    void (*kv_scores[WH_KV_TYPES])(const float *q, size_t ldq, int rows, const void *keys, int n, int d_head,
                                   float *scores, size_t lds);
    /* out[r] = sum over the first n keys of p[r][j] value j */
    void (*kv_values[WH_KV_TYPES])(const float *p, size_t ldp, int rows, const void *values, int n, int d_head,
                                   float *out, size_t ldo);

    /* out = (x - mean) / sqrt(variance + 1e-5) * gain + bias over n values; out may be x */
    void (*layer_norm)(const float *x, const float *gain, const float *bias, float *out, size_t n);
    /* x = softmax(x * scale) in place over n values */
    void (*softmax)(float *x, float scale, size_t n);
    /* The greatest of n values (n > 0), and *sum = sum of exp(x - greatest), added up in double every thousand values; with
     * `weighted`, *weighted = sum of exp(x - greatest) (x - greatest). NaN where a value is NaN or +infinity, or all are
     * -infinity. */
    float (*exp_sum)(const float *x, size_t n, double *sum, double *weighted);
    /* x = gelu(x + b), erf form, in place; b may be NULL */
    void (*bias_gelu)(float *x, const float *b, size_t n);
    /* y += x */
    void (*add)(float *y, const float *x, size_t n);

    /* A step of an LSTM for `rows` sequences side by side, from the states h [rows][units] before it, rows ldh floats
     * apart, to `next` [rows][units], ld_next apart, which is other memory; c [rows][units] changes in place. units is a
     * multiple of 16, and gates stand in blocks of 16 units, in each block: in, forget, cell, out. gates: what the
     * input and the biases say, [rows][units / 16][4][16], ld_gates apart; w: [units / 16][units of h][4][16]. A
     * sequence's bits do not depend on the others. */
    void (*lstm)(const float *w, size_t units, int rows, const float *gates, size_t ld_gates, const float *h,
                 size_t ldh, float *c, float *next, size_t ld_next);
    /* `pairs` (a multiple of 8) of filters of 2 * half + 1 taps, the first of a pair even (the same from both ends), the
     * second odd, at n times three positions `stride` samples apart: of each filter the least and the greatest of the
     * three, out [n][2: least, greatest][2 * pairs]. w: their first half + 1 taps, [half + 1][2 * pairs]; folded: room
     * for 6 * (half + 1) floats. */
    void (*filter_pairs)(const float *x, size_t stride, size_t n, const float *w, size_t half, size_t pairs,
                         float *folded, float *out);
    /* out[r][j] = the greater of |least * factor + shift[j]| and |greatest * factor + shift[j]|, of what filter_pairs
     * says, [n][2][d], to [n][d] */
    void (*scaled_extremes)(const float *extremes, size_t n, float factor, const float *shift, size_t d, float *out);
    /* Each column of x [n][d] to mean 0 and variance 1, times its gain plus its bias; then what is negative is
     * multiplied by slope, 0 to 1. n > 0. */
    void (*norm_columns)(float *x, size_t n, size_t d, const float *gain, const float *bias, float slope);
} wh_kernels;

/* Queries that go through the keys together at most, and keys of a tile at most, at any level. */
#define WH_ATTEND_ROWS 48
#define WH_ATTEND_TILE 8
#define WH_ATTEND_KEYS 64 /* keys of a block, a multiple of every tile */

static inline size_t wh_attend_scratch(size_t d_head)
{
    return WH_ATTEND_ROWS * (2 + 2 * d_head + WH_ATTEND_KEYS);
}

static inline size_t wh_packed_keys(size_t n)
{
    return (n + WH_ATTEND_TILE - 1) / WH_ATTEND_TILE * WH_ATTEND_TILE;
}

#endif
