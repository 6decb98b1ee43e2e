/* room.cu - how much memory there is for slots, once all else has taken its own: cuBLAS takes its workspace, and a kernel the
 * memory of its code, when they are first used. */
#include "backend/cuda/state.h"

/* Each shape of product that a window or a long prompt has, once, over whatever the buffers hold. */
static int warm_products(wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d;
    const void *wide = e->layers[0][WH_CUDA_QKV_W], *up = e->layers[0][WH_CUDA_UP_W],
               *down = e->layers[0][WH_CUDA_DOWN_W];
    TRY(engine_gemm(e, e->mel_half, s->n_mels, e->single[WH_CUDA_CONV1_W], e->conv, 2 * n, d, s->n_mels, true, false));
    TRY(engine_gemm(e, e->conv_half, 2 * d, e->single[WH_CUDA_CONV2_W], e->conv, n, d, d, true, true));
    for (int rows = n; rows; rows = rows == n && n > WH_CUDA_MOST_ROWS ? WH_CUDA_MOST_ROWS : 0) {
        TRY(engine_gemm(e, e->audio_h, d, wide, e->audio_wide, rows, 3 * d, d, false, false));
        TRY(engine_gemm(e, e->audio_h, d, wide, e->audio_x, rows, d, d, true, true));
        TRY(engine_gemm(e, e->audio_h, d, up, e->audio_wide, rows, 4 * d, d, false, false));
        TRY(engine_gemm(e, e->audio_wide, 4 * d, down, e->audio_x, rows, d, 4 * d, true, true));
    }
    TRY(engine_gemm(e, e->audio_h, d, wide, e->audio_wide, n, 2 * d, d, false, false));
    return engine_check(e, cudaStreamSynchronize(e->main), "products");
}

/* Scores are taken when somebody first wants them, but promised with the rest. */
int engine_room(wh_cuda_engine *e, size_t *left, size_t *slot)
{
    size_t total, scores = (size_t)WH_CUDA_MOST_ROWS * e->sizes.n_alignment * e->sizes.audio_ctx * sizeof(float);
    ENTER(e);
    TRY(engine_end_load(e));
    TRY(warm_products(e));
    TRY(engine_try_graphs(e));
    *slot = engine_cache_size(e, e->sizes.text_ctx) * sizeof(half) + e->sizes.text_layers * engine_window_layer(e);
    TRY(engine_check(e, cudaMemGetInfo(left, &total), "device memory"));
    *left = e->scores ? *left : *left > scores ? *left - scores : 0;
    return WH_CUDA_OK;
}

int engine_take(wh_cuda_engine *e, int n, int *taken)
{
    ENTER(e);
    int rc = WH_CUDA_OK;
    for (*taken = 0; *taken < n; ++*taken)
        if ((rc = engine_slot_memory(e, *taken)) || (rc = engine_window_memory(e, *taken)))
            break;
    return rc == WH_CUDA_MEMORY ? WH_CUDA_OK : rc;
}
