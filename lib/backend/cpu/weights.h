/* weights.h - how a model's matrices are stored; and the same as int8 or bfloat16, in the layout of kernels/cpu/gemm.h,
 * made once for all backends of a model. */
#ifndef WH_CPU_WEIGHTS_H
#define WH_CPU_WEIGHTS_H

#include "cpu/gemm.h"
#include "model/model.h"
#include "util/pool.h"

/* How a tensor's rows are stored, and row j of a matrix. */
wh_storage wh_cpu_storage(wh_type type);
const void *wh_cpu_row(const wh_tensor *w, int64_t j);

/* A matrix [n][k]: int8 whose rows (output channels) have a scale each, or bfloat16. */
typedef struct wh_packed {
    const wh_tensor *tensor; /* what it was made from */
    int taps;                /* 3: a convolution's weights [n][k / 3][3], here as [n][3][k / 3]; else 1 */
    int is_bf16;
    int is_wide; /* int8: x is quantized to 16 bits: the decoder's, which memory limits */
    size_t n, k, row_bytes, panels, steps;
    int8_t *w;    /* [panels][steps][WH_PANEL][4]: four int8 or two bfloat16 */
    float *scale; /* [panels * WH_PANEL], 0 behind n; NULL with bfloat16 */
    int32_t *sum; /* likewise */
} wh_packed;

/* Pack the products' matrices of a model, all but the first convolution. Those of one model and type are made once,
 * under its lock, by whoever asks first, and live as long as the model; where the model has no place for them (a
 * model of the tests), *owned is what the caller frees. WHISP_ERR_MEMORY. */
typedef struct wh_weights wh_weights;
int wh_weights_get(const whisp_model *model, int is_bf16, const wh_kernels *kernels, const wh_gemm *gemm, wh_pool *pool,
                   const wh_weights **weights, wh_weights **owned);
void wh_weights_free(wh_weights *weights);

/* The packed form of a tensor; NULL if there is none (weights may be NULL). */
const wh_packed *wh_weights_find(const wh_weights *weights, const wh_tensor *tensor);

#endif
