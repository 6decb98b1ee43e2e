/* decoder.cu - rows (slot, position, token) through the decoder's layers, and to logits. Passes of at most FEW_ROWS
 * rows take the products whose rows do not depend on each other. */
#include "backend/cuda/state.h"

/* x += h w^T + bias, or the bias is left to the next norm. */
static int add_product(wh_cuda_engine *e, engine_pass *p, const half *h, const void *w, const void *bias, int k)
{
    int d = e->sizes.d;
    p->bias = NULL;
    if (p->n <= WH_CUDA_FEW_ROWS) {
        wh_cuda_few_rows(h, (const half *)w, (const float *)bias, e->x, p->n, d, k, WH_CUDA_ADD, e->sm, e->main);
        return WH_CUDA_OK;
    }
    p->bias = (const float *)bias;
    return engine_gemm(e, h, k, w, e->x, p->n, d, k, true, true);
}

static int half_product(wh_cuda_engine *e, const engine_pass *p, const void *w, int m)
{
    int d = e->sizes.d;
    if (p->n > WH_CUDA_FEW_ROWS)
        return engine_gemm(e, e->h, d, w, e->wide, p->n, m, d, false, false);
    wh_cuda_few_rows(e->h, (const half *)w, NULL, e->wide, p->n, m, d, WH_CUDA_HALF, e->sm, e->main);
    return WH_CUDA_OK;
}

static int up_product(wh_cuda_engine *e, const engine_pass *p, const void *w, const void *bias)
{
    int d = e->sizes.d;
    if (p->n > WH_CUDA_FEW_ROWS) {
        TRY(engine_gemm(e, e->h, d, w, e->wide, p->n, 4 * d, d, false, false));
        wh_cuda_bias_gelu(e->wide, (const float *)bias, p->n, 4 * d, e->main);
        return WH_CUDA_OK;
    }
    wh_cuda_few_rows(e->h, (const half *)w, (const float *)bias, e->wide, p->n, 4 * d, d, WH_CUDA_GELU, e->sm, e->main);
    return WH_CUDA_OK;
}

void engine_text_norm(wh_cuda_engine *e, const engine_pass *p, const void *gain, const void *shift)
{
    wh_cuda_residual_norm(e->x, p->bias, (const float *)gain, (const float *)shift, NULL, e->h, p->n, e->sizes.d,
                          e->main);
}

static void attend(wh_cuda_engine *e, const engine_pass *p, int layer, bool cross)
{
    const wh_cuda_sizes *s = &e->sizes;
    wh_cuda_decode_attention_call call = {};
    if (cross && p->together && !p->scores) { /* all rows have the same keys: they are read once */
        size_t size = (size_t)s->text_heads * s->audio_ctx * wh_cuda_padded_head(s->d / s->text_heads);
        const half *k = (const half *)((const char *)e->rows_host[0].cross + layer * engine_window_layer(e));
        if (s->int8_windows) { /* the encoder's buffer is free meanwhile */
            wh_cuda_dequantize_heads((const int8_t *)k, e->audio_heads, s->audio_ctx, s->d, s->text_heads, e->main);
            k = e->audio_heads;
        }
        wh_cuda_attention(e->q, k, k + size, e->h, p->n, s->audio_ctx, s->d, s->text_heads, e->sm, e->main);
        return;
    }
    call.rows = e->rows, call.q = e->q, call.out = e->h, call.partial = e->partial;
    call.n = p->n, call.d = s->d, call.heads = s->text_heads, call.layer = layer;
    call.positions = cross ? s->audio_ctx : s->text_ctx, call.cross = cross;
    call.most = cross ? s->audio_ctx : p->most;
    call.int8 = cross && s->int8_windows;
    if (cross && p->scores) {
        call.scores = e->scores, call.n_alignment = s->n_alignment;
        call.alignment = e->alignment + (size_t)layer * s->text_heads;
    }
    wh_cuda_decode_attention(&call, e->main);
}

static int decoder_layer(wh_cuda_engine *e, engine_pass *p, int layer)
{
    const wh_cuda_sizes *s = &e->sizes;
    void *const *w = e->layers[s->audio_layers + layer];
    int d = s->d;
    engine_text_norm(e, p, w[WH_CUDA_ATTN_GAIN], w[WH_CUDA_ATTN_SHIFT]);
    TRY(half_product(e, p, w[WH_CUDA_QKV_W], 3 * d));
    wh_cuda_append_heads(e->wide, (const float *)w[WH_CUDA_QKV_B], e->rows, e->q, p->n, d, s->text_heads, layer,
                         s->text_ctx, e->main);
    attend(e, p, layer, false);
    TRY(add_product(e, p, e->h, w[WH_CUDA_OUT_W], w[WH_CUDA_OUT_B], d));

    engine_text_norm(e, p, w[WH_CUDA_CROSS_GAIN], w[WH_CUDA_CROSS_SHIFT]);
    TRY(half_product(e, p, w[WH_CUDA_CROSS_Q_W], d));
    wh_cuda_split_heads(e->wide, (const float *)w[WH_CUDA_CROSS_Q_B], e->q, p->n, 1, d, s->text_heads, e->main);
    attend(e, p, layer, true);
    TRY(add_product(e, p, e->h, w[WH_CUDA_CROSS_OUT_W], w[WH_CUDA_CROSS_OUT_B], d));

    engine_text_norm(e, p, w[WH_CUDA_MLP_GAIN], w[WH_CUDA_MLP_SHIFT]);
    TRY(up_product(e, p, w[WH_CUDA_UP_W], w[WH_CUDA_UP_B]));
    return add_product(e, p, e->wide, w[WH_CUDA_DOWN_W], w[WH_CUDA_DOWN_B], 4 * d);
}

int engine_queue_layers(wh_cuda_engine *e, engine_pass *p)
{
    const wh_cuda_sizes *s = &e->sizes;
    TRY(to_device(e, e->rows, e->rows_host, p->n));
    wh_cuda_embed(e->rows, (const half *)e->single[WH_CUDA_EMBEDDING_W],
                  (const float *)e->single[WH_CUDA_TEXT_POSITIONS], e->x, p->n, s->d, e->main);
    for (int layer = 0; layer < s->text_layers; layer++)
        TRY(decoder_layer(e, p, layer));
    return WH_CUDA_OK;
}

void engine_queue_logits(wh_cuda_engine *e, const int32_t *which, int n)
{
    const wh_cuda_sizes *s = &e->sizes;
    const void *output = e->single[WH_CUDA_OUTPUT_W] ? e->single[WH_CUDA_OUTPUT_W] : e->single[WH_CUDA_EMBEDDING_W];
    wh_cuda_residual_norm(e->x, NULL, (const float *)e->single[WH_CUDA_TEXT_GAIN],
                          (const float *)e->single[WH_CUDA_TEXT_SHIFT], which, e->h, n, s->d, e->main);
    wh_cuda_few_rows(e->h, (const half *)output, NULL, e->logits, n, s->n_vocab, s->d, WH_CUDA_FLOAT, e->sm, e->main);
}
