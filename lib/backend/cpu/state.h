/* state.h - what the files of the CPU backend share: its structure, and a product as encode.c and decode.c ask for it.
 *
 * From the bottom up:
 *   blas.c     OpenBLAS, where it is asked for
 *   weights.c  how weights are stored; matrices as int8 or bfloat16
 *   run.c      tasks spread over the threads, until somebody wants them to end
 *   packed.c   matrix products with those
 *   block.c    the encoder's blocks of rows, each through several such products
 *   product.c  matrix products with any stored weights, spread over the threads
 *   encode.c   log-Mel window -> encoder output -> a window's cross-attention K/V
 *   decode.c   tokens -> logits
 *   cpu.c      creation, and what the ledger of slots (slots.h) asks for
 *
 * All activations are float32, row-major, time-major ([position][channel]), in memory planned at creation. */
#ifndef WH_CPU_STATE_H
#define WH_CPU_STATE_H

#include <stdatomic.h>

#include "backend/cpu/blas.h"
#include "backend/cpu/kept.h"
#include "backend/cpu/weights.h"
#include "backend/slots.h"
#include "cpu/registry.h"
#include "util/pool.h"

/* Products with at most this many rows of x go through kernels->rows, whose results do not depend on how many. */
#define WH_FEW_ROWS 16

/* Keys and values: self-attention's of a slot, or cross-attention's of a window. */
typedef struct wh_kv_store {
    void *k, *v;  /* [n_text_layer][head][tile of n_text_ctx, or n_audio_ctx]: kernels.h, wh_kv */
    wh_kept kept; /* a window's: the positions whose keys and values these are */
} wh_kv_store;

/* Consecutive rows of a pass that attend to the same window. */
typedef struct wh_group {
    int first, n;
    const wh_kv_store *cross;
} wh_group;

struct wh_backend {
    wh_slots ledger; /* first: see slots.h */
    const whisp_model *model;
    wh_backend_config config;
    const wh_kernels *kernels;
    const wh_gemm *gemm;
    wh_sgemm_fn sgemm;                     /* OpenBLAS's, where backend blas was asked for, else NULL */
    const wh_weights *weights;             /* the matrices, packed; NULL: products are float32 */
    wh_weights *own_weights;               /* the same where the model does not keep them */
    const wh_attention_int *attention_int; /* the encoder's attention in integers; NULL: float32 */
    wh_kv self_type, cross_type;           /* how the slots' and the windows' K/V are stored */
    wh_pool *pool;
    char description[192];

    atomic_int stopped; /* cancel has said so: run.c, as what follows */
    double asked;       /* wh_now() of the last time it was asked */
    size_t work;        /* since the clock was looked at */

    float *scratch; /* [threads][scratch_size] */
    size_t scratch_size;

    /* encoder */
    wh_tensor conv1, conv2; /* [d][3 n_mels], [d][3 d]: float32, tap after tap; conv2's data NULL with int8 */
    float *mel;             /* [1 + 2 n_audio_ctx + 1][n_mels], a row of zeros before and after */
    float *audio_x;         /* [n_audio_ctx][d]: the residual stream */
    float *audio_h;         /* [n_audio_ctx][d]: normalized */
    float *audio_wide;      /* [wh_cpu_wide_size]: the MLP's inside; Q, K, V and packed K; conv1's output */

    int8_t *x_packed; /* rounded rows of the product at hand: groups of gemm->rows; NULL with float32 */
    float *x_scale;   /* [groups][gemm->rows], wh_cpu_packed_rows in all */

    /* decoder; a pass has at most ledger.most_rows rows */
    float *x, *h, *q, *k, *v, *heads; /* [most_rows][d] */
    float *wide;                      /* [most_rows][4d] */
    const wh_row *rows;               /* of the pass at hand */
    wh_group *groups;                 /* [most_rows] */

    wh_kv_store *self;  /* [slots] */
    wh_kv_store *cross; /* [windows]: NULL until first used */
};

/* y = x w^T + b, and what follows at once while the tile is in the cache */
typedef enum wh_after {
    WH_SET,  /* y = x w^T + b */
    WH_GELU, /* y = gelu(x w^T + b) */
    WH_ADD   /* y += x w^T + b */
} wh_after;

typedef struct wh_product {
    const float *x; /* [m][k], rows ldx floats apart */
    size_t ldx;
    int m;
    wh_linear linear; /* w [n][k], b [n] or NULL */
    float *y;         /* [m][n], rows ldy floats apart */
    size_t ldy;
    wh_after after;
    float *const *rows_y; /* NULL, or where each row of y stands; few rows, WH_SET */
    /* Packed weights only: 0, or y's columns stand in parts of so many, a multiple of WH_PANEL, part_stride apart. */
    size_t part, part_stride;
    wh_norm norm; /* its gain NULL, or x's rows are normalized on their way; packed weights only */
} wh_product;

/* Bytes of one head's K or V of n positions, and where those of a layer and head begin in a slot's or a window's. */
static inline size_t wh_cpu_kv_size(const whisp_model *model, wh_kv type, int n)
{
    return (size_t)((n + WH_KV_KEYS - 1) / WH_KV_KEYS) *
           wh_kv_tile(type, (size_t)(model->n_text_state / model->n_text_head));
}

static inline size_t wh_cpu_kv_at(const whisp_model *model, wh_kv type, int n, int layer, int head)
{
    return (size_t)(layer * model->n_text_head + head) * wh_cpu_kv_size(model, type, n);
}

static inline float *wh_cpu_scratch(const wh_backend *backend, int worker)
{
    return backend->scratch + (size_t)worker * backend->scratch_size;
}

#endif
