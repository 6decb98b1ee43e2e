/* cpu_weights.h - the model's matrices as int8, in the layout of kernels/cpu/gemm.h, made once for all backends of a
 * model. For lib/backend/cpu_....c. */
#ifndef WH_CPU_WEIGHTS_H
#define WH_CPU_WEIGHTS_H

#include "cpu/gemm.h"
#include "model/model.h"
#include "util/pool.h"

/* A matrix [n][k] whose rows (output channels) have a scale each. */
typedef struct wh_i8 {
    const wh_tensor *tensor;    /* what it was made from */
    int taps;                   /* 3: a convolution's weights [n][k / 3][3], here as [n][3][k / 3]; else 1 */
    int is_wide;                /* x is quantized to 16 bits: the decoder's, which memory limits */
    size_t n, k, panels, steps;
    int8_t *w;                  /* [panels][steps][WH_PANEL][4] */
    float *scale;               /* [panels * WH_PANEL], 0 behind n */
    int32_t *sum;               /* [panels * WH_PANEL] */
} wh_i8;

/* Quantize the products' matrices of a model: all but the first convolution. Those of one model are made once, under
 * its lock, by whoever asks first, and live as long as the model; where the model has no place for them (a model of the
 * tests), *owned is what the caller frees. WHISP_ERR_MEMORY. */
typedef struct wh_weights wh_weights;
int wh_weights_get(const whisp_model *model, const wh_kernels *kernels, const wh_gemm *gemm, wh_pool *pool,
                   const wh_weights **weights, wh_weights **owned);
void wh_weights_free(wh_weights *weights);

/* The int8 form of a tensor; NULL if there is none (weights may be NULL). */
const wh_i8 *wh_weights_find(const wh_weights *weights, const wh_tensor *tensor);

#endif
