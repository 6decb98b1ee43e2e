/* memory.cu - what every file of the engine calls: errors, sizes and memory; and the large products. */
#include "backend/cuda/state.h"

int engine_check(wh_cuda_engine *e, cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return WH_CUDA_OK;
    cudaGetLastError(); /* what is told is not told again; an error that stays comes back by itself */
    snprintf(e->message, sizeof e->message, "%s: %s", what, cudaGetErrorString(error));
    if (error == cudaErrorMemoryAllocation)
        return WH_CUDA_MEMORY;
    e->lost = e->lost || !e->capturing;
    return WH_CUDA_FAILED;
}

/* ---- products ---- */

int engine_gemm(wh_cuda_engine *e, const half *x, int ldx, const void *w, void *y, int n, int m, int k, bool floats,
                bool add)
{
    int status = wh_cuda_blas_gemm(e->blas, x, ldx, (const half *)w, y, n, m, k, floats, add);
    if (!status)
        return WH_CUDA_OK;
    snprintf(e->message, sizeof e->message, "cuBLAS: status %d in a product of %d x %d x %d%s", status, n, m, k,
             status == WH_CUDA_BLAS_MEMORY ? ": no device memory" : "");
    if (status == WH_CUDA_BLAS_MEMORY)
        return WH_CUDA_MEMORY;
    e->lost = true;
    return WH_CUDA_FAILED;
}

/* ---- memory ---- */

int engine_device_memory(wh_cuda_engine *e, void **memory, size_t n)
{
    *memory = NULL;
    cudaError_t error = cudaMalloc(memory, n);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        snprintf(e->message, sizeof e->message, "device memory: %.1f MiB more cannot be had on %s", (double)n / 1048576,
                 e->name);
        return WH_CUDA_MEMORY;
    }
    return engine_check(e, error, "device memory");
}

int engine_pinned_memory(wh_cuda_engine *e, void **memory, size_t n)
{
    *memory = NULL;
    return engine_check(e, cudaMallocHost(memory, n), "pinned host memory");
}

int engine_move(wh_cuda_engine *e, void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    return engine_check(e, cudaMemcpyAsync(to, from, bytes, kind, e->main),
                        kind == cudaMemcpyHostToDevice ? "copy to the device" : "copy from the device");
}

size_t engine_cache_size(const wh_cuda_engine *e, int positions)
{
    const wh_cuda_sizes *s = &e->sizes;
    return (size_t)s->text_layers * 2 * s->text_heads * positions * wh_cuda_padded_head(s->d / s->text_heads);
}

int engine_mask_words(const wh_cuda_engine *e)
{
    return (e->sizes.n_vocab + 31) / 32;
}

int engine_list_size(const wh_cuda_engine *e)
{
    return 2 * e->sizes.text_ctx + 64;
}

size_t engine_window_layer(const wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    return s->int8_windows ? wh_cuda_int8_layer(s->audio_ctx, s->d, s->text_heads)
                           : engine_cache_size(e, s->audio_ctx) / s->text_layers * sizeof(half);
}

int engine_slot_memory(wh_cuda_engine *e, int slot)
{
    return e->self[slot] ? WH_CUDA_OK : device_array(e, &e->self[slot], engine_cache_size(e, e->sizes.text_ctx));
}

int engine_window_memory(wh_cuda_engine *e, int window)
{
    return e->windows[window] ? WH_CUDA_OK
                              : device_array(e, &e->windows[window], e->sizes.text_layers * engine_window_layer(e));
}

/* ---- what an engine takes when it is opened ---- */

static int plan_choices(wh_cuda_engine *e)
{
    size_t rows = WH_CUDA_FEW_ROWS, listed = rows * engine_list_size(e);
    TRY(device_array(e, &e->logits, rows * wh_cuda_stride(e->sizes.n_vocab)));
    TRY(pinned_array(e, &e->choices_host, rows));
    TRY(pinned_array(e, &e->chosen_host, rows));
    TRY(device_array(e, &e->choices, rows));
    TRY(pinned_array(e, &e->listed_host, listed));
    TRY(device_array(e, &e->listed, listed));
    TRY(device_array(e, &e->masks, (size_t)MASKS * engine_mask_words(e)));
    TRY(device_array(e, &e->stats, wh_cuda_choose_stats((int)rows)));
    return device_array(e, &e->best, wh_cuda_choose_ids((int)rows));
}

int engine_plan(wh_cuda_engine *e)
{
    const wh_cuda_sizes *s = &e->sizes;
    size_t ctx = s->audio_ctx, d = s->d, rows = WH_CUDA_MOST_ROWS, mel = 2 * ctx * s->n_mels;
    size_t wide = 3 * (size_t)s->audio_heads * wh_cuda_padded_head(s->d / s->audio_heads);
    size_t window = 2 * (size_t)s->text_heads * wh_cuda_padded_head(s->d / s->text_heads); /* of int8, as halfs */
    for (int i = 0; i < BUFFERS; i++) {
        TRY(pinned_array(e, &e->mel_host[i], mel));
        TRY(device_array(e, &e->mel[i], mel));
        TRY(engine_check(e, cudaEventCreateWithFlags(&e->arrived[i], cudaEventDisableTiming), "event"));
        TRY(engine_check(e, cudaEventCreateWithFlags(&e->consumed[i], cudaEventDisableTiming), "event"));
    }
    TRY(device_array(e, &e->mel_half, (2 * ctx + 2) * s->n_mels));
    TRY(device_array(e, &e->conv, 2 * ctx * d));
    TRY(device_array(e, &e->conv_half, (2 * ctx + 1) * d));
    TRY(device_array(e, &e->audio_x, ctx * d));
    TRY(device_array(e, &e->audio_h, ctx * d));
    TRY(device_array(e, &e->audio_wide, ctx * 4 * d));
    TRY(device_array(e, &e->audio_heads, ctx * (wide > window ? wide : window)));
    TRY(pinned_array(e, &e->rows_host, rows));
    TRY(device_array(e, &e->rows, rows));
    TRY(pinned_array(e, &e->which_host, rows));
    TRY(device_array(e, &e->which, rows));
    TRY(device_array(e, &e->x, rows * d));
    TRY(device_array(e, &e->h, rows * d));
    TRY(device_array(e, &e->wide, rows * 4 * d));
    TRY(device_array(e, &e->q, rows * s->text_heads * wh_cuda_padded_head(s->d / s->text_heads)));
    size_t positions = s->audio_ctx > s->text_ctx ? s->audio_ctx : s->text_ctx;
    TRY(device_array(e, &e->partial,
                     wh_cuda_partial_floats((int)rows, s->text_heads, s->d / s->text_heads, (int)positions)));
    TRY(plan_choices(e));
    return engine_check(e, cudaMemsetAsync(e->conv_half, 0, d * sizeof(half), e->main), "memset");
}
