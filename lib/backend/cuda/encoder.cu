/* encoder.cu - windows of log-Mel to the encoder's output, and that to each decoder layer's keys and values. */
#include "backend/cuda/state.h"

static int attention_layer(wh_cuda_engine *e, void *const *w)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d, heads = s->audio_heads;
    size_t part = (size_t)heads * n * wh_cuda_padded_head(d / heads);
    TRY(engine_gemm(e, e->audio_h, d, w[WH_CUDA_QKV_W], e->audio_wide, n, 3 * d, d, false, false));
    wh_cuda_split_heads(e->audio_wide, (const float *)w[WH_CUDA_QKV_B], e->audio_heads, n, 3, d, heads, e->main);
    wh_cuda_attention(e->audio_heads, e->audio_heads + part, e->audio_heads + 2 * part, e->audio_h, n, n, d, heads,
                      e->sm, e->main);
    return engine_gemm(e, e->audio_h, d, w[WH_CUDA_OUT_W], e->audio_x, n, d, d, true, true);
}

static int mlp_layer(wh_cuda_engine *e, void *const *w)
{
    int n = e->sizes.audio_ctx, d = e->sizes.d;
    TRY(engine_gemm(e, e->audio_h, d, w[WH_CUDA_UP_W], e->audio_wide, n, 4 * d, d, false, false));
    wh_cuda_bias_gelu(e->audio_wide, (const float *)w[WH_CUDA_UP_B], n, 4 * d, e->main);
    return engine_gemm(e, e->audio_wide, 4 * d, w[WH_CUDA_DOWN_W], e->audio_x, n, d, 4 * d, true, true);
}

static void audio_norm(wh_cuda_engine *e, const void *bias, const void *gain, const void *shift)
{
    wh_cuda_residual_norm(e->audio_x, (const float *)bias, (const float *)gain, (const float *)shift, NULL, e->audio_h,
                          e->sizes.audio_ctx, e->sizes.d, e->main);
}

static int convolutions(wh_cuda_engine *e, const float *mel)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d, bands = s->n_mels;
    wh_cuda_pad_mel(mel, e->mel_half, 2 * n, bands, e->main);
    for (int tap = 0; tap < 3; tap++)
        TRY(engine_gemm(e, e->mel_half + (size_t)tap * bands, bands,
                        (const half *)e->single[WH_CUDA_CONV1_W] + (size_t)tap * d * bands, e->conv, 2 * n, d, bands,
                        true, tap > 0));
    wh_cuda_conv_gelu(e->conv, (const float *)e->single[WH_CUDA_CONV1_B], e->conv_half + d, 2 * n, d, e->main);
    for (int tap = 0; tap < 3; tap++)
        TRY(engine_gemm(e, e->conv_half + (size_t)tap * d, 2 * d,
                        (const half *)e->single[WH_CUDA_CONV2_W] + (size_t)tap * d * d, e->conv, n, d, d, true,
                        tap > 0));
    wh_cuda_conv_gelu_positions(e->conv, (const float *)e->single[WH_CUDA_CONV2_B],
                                (const float *)e->single[WH_CUDA_AUDIO_POSITIONS], e->audio_x, n, d, e->main);
    return WH_CUDA_OK;
}

/* The bias of a layer's last product is added by the norm that follows; block0 is copied after that. */
static int encode_window(wh_cuda_engine *e, const float *mel, char *window, float *block0, float *out)
{
    const wh_cuda_sizes *s = &e->sizes;
    int n = s->audio_ctx, d = s->d;
    size_t size = (size_t)n * d;
    const void *bias = NULL;
    TRY(convolutions(e, mel));
    for (int i = 0; i < s->audio_layers; i++) {
        void *const *w = e->layers[i];
        audio_norm(e, bias, w[WH_CUDA_ATTN_GAIN], w[WH_CUDA_ATTN_SHIFT]);
        if (i == 1 && block0)
            TRY(to_host(e, block0, e->audio_x, size));
        TRY(attention_layer(e, w));
        audio_norm(e, w[WH_CUDA_OUT_B], w[WH_CUDA_MLP_GAIN], w[WH_CUDA_MLP_SHIFT]);
        TRY(mlp_layer(e, w));
        bias = w[WH_CUDA_DOWN_B];
    }
    audio_norm(e, bias, e->single[WH_CUDA_AUDIO_GAIN], e->single[WH_CUDA_AUDIO_SHIFT]);
    if (s->audio_layers == 1 && block0)
        TRY(to_host(e, block0, e->audio_x, size));
    if (out) {
        wh_cuda_to_float(e->audio_h, e->conv, size, e->main);
        TRY(to_host(e, out, e->conv, size));
    }
    for (int i = 0; i < s->text_layers; i++) {
        void *const *w = e->layers[s->audio_layers + i];
        char *to = window + i * engine_window_layer(e);
        const float *kv_bias = (const float *)w[WH_CUDA_CROSS_KV_B];
        TRY(engine_gemm(e, e->audio_h, d, w[WH_CUDA_CROSS_KV_W], e->audio_wide, n, 2 * d, d, false, false));
        if (s->int8_windows)
            wh_cuda_quantize_heads(e->audio_wide, kv_bias, (int8_t *)to, n, d, s->text_heads, e->main);
        else
            wh_cuda_split_heads(e->audio_wide, kv_bias, (half *)to, n, 2, d, s->text_heads, e->main);
    }
    return WH_CUDA_OK;
}

int engine_encode(wh_cuda_engine *e, int n, const float *const *mel, const int *windows, float *block0, float *out)
{
    ENTER(e);
    size_t floats = 2 * (size_t)e->sizes.audio_ctx * e->sizes.n_mels;
    for (int i = 0; i < n; i++)
        TRY(engine_window_memory(e, windows[i]));
    for (int i = 0; i < n; i++) {
        int b = (int)(e->turn++ % BUFFERS);
        TRY(engine_check(e, cudaEventSynchronize(e->arrived[b]), "copy to the device")); /* mel_host[b] is free again */
        memcpy(e->mel_host[b], mel[i], floats * sizeof(float));
        TRY(engine_check(e, cudaStreamWaitEvent(e->copy, e->consumed[b], 0), "event"));
        TRY(engine_check(e,
                         cudaMemcpyAsync(e->mel[b], e->mel_host[b], floats * sizeof(float), cudaMemcpyHostToDevice,
                                         e->copy),
                         "copy to the device"));
        TRY(engine_check(e, cudaEventRecord(e->arrived[b], e->copy), "event"));
        WH_UNLESS_MUTANT(3, TRY(engine_check(e, cudaStreamWaitEvent(e->main, e->arrived[b], 0), "event")));
        TRY(encode_window(e, e->mel[b], e->windows[windows[i]], i == n - 1 ? block0 : NULL, i == n - 1 ? out : NULL));
        TRY(engine_check(e, cudaEventRecord(e->consumed[b], e->main), "event"));
    }
    TRY(engine_check(e, cudaGetLastError(), "encoder"));
    return engine_check(e, cudaStreamSynchronize(e->main), "encoder");
}
