/* dense.h - a dense layer, y = x w^T + bias, for one thread: what the nets of this room are mostly made of.
 *
 * In float32, or in int8 with a scale for each row of x and each output (kernels/cpu/gemm.h). A row of y depends on its
 * row of x alone: not on how many rows there are. In int8 all levels of instructions give the same bits. */
#ifndef WH_SPEAKERS_DENSE_H
#define WH_SPEAKERS_DENSE_H

#include "cpu/registry.h"

/* Ready for the products; immutable, for any number of threads. */
typedef struct wh_dense {
    size_t n, k; /* outputs, inputs */
    const wh_kernels *kernels;
    const wh_gemm *gemm;
    float *bias; /* [n], or NULL */
    /* in float32 */
    float *w; /* [n][ldw], or NULL */
    size_t ldw;
    /* in int8 */
    int8_t *panels; /* [n / 32][steps][32][4], or NULL */
    size_t steps;
    float *scale; /* [n rounded up to panels] */
    int32_t *sum; /* likewise: of an output's integers */
} wh_dense;

/* Of weights w, n rows of k, ldw floats apart, and bias [n] or NULL, all of them finite; both are copied.
 * WHISP_ERR_MEMORY. After an error as after success wh_dense_free() is due; it may be called for zeros, too. */
int wh_dense_make(const wh_kernels *kernels, const wh_gemm *gemm, int is_int8, const float *w, size_t ldw, size_t n,
                  size_t k, const float *bias, wh_dense *dense);
void wh_dense_free(wh_dense *dense);

/* Bytes that wh_dense_run() needs for a layer of k inputs, whatever m is; aligned to 64 (wh_alloc_aligned). */
size_t wh_dense_scratch(size_t k);

/* y[r][j] = sum of x[r][i] w[j][i] + bias[j] for m rows of x, ldx floats apart (less than k: they overlap), into rows of
 * y, ldy floats apart. */
void wh_dense_run(const wh_dense *dense, const float *x, size_t ldx, size_t m, float *y, size_t ldy, void *scratch);

#endif
