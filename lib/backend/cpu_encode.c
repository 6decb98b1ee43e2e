/* cpu_encode.c - one log-Mel window to the encoder's output, and that to each decoder layer's cross-attention K/V.
 *
 * openai/whisper's AudioEncoder (model.py): two convolutions of width 3 with GELU, positions, pre-norm blocks, a last
 * layer norm. A convolution is a matrix product whose rows of x overlap: three input rows that follow each other. */
#include <string.h>

#include "backend/cpu.h"

/* A convolution of width 3 with GELU: a product whose rows of x overlap. x: input rows of `in` channels, the first one of
 * zeros; output row r begins at input row r * stride. w is `conv`, [d][3][in] as floats, or weights' own int8 form. */
static void convolve(wh_backend *backend, const float *x, int in, int stride, const wh_tensor *conv, const float *bias,
                     float *y, int n)
{
    const wh_product p = {.x = x, .ldx = (size_t)(stride * in), .m = n, .linear = {conv, bias}, .y = y,
                          .ldy = (size_t)backend->model->n_audio_state, .after = WH_GELU};
    wh_cpu_products(backend, &p, 1);
}

typedef struct attention_call {
    const wh_backend *backend;
    const float *q, *k; /* [ctx][d] */
    const float *v;     /* [d][ctx] */
    float *out;         /* [ctx][d] */
    int ctx, d, d_head, blocks;
} attention_call;

/* One head, WH_QUERY_ROWS queries: scores in scratch, softmax, weighted values. */
static void attention_task(void *context, size_t task, int worker)
{
    const attention_call *c = context;
    size_t ctx = (size_t)c->ctx, d = (size_t)c->d;
    size_t channel = task / (size_t)c->blocks * (size_t)c->d_head;
    int r = (int)(task % (size_t)c->blocks) * WH_QUERY_ROWS, rows = WH_MIN(WH_QUERY_ROWS, c->ctx - r);
    float *scores = wh_cpu_scratch(c->backend, worker); /* [rows][ctx] */
    float scale = 1.0f / __builtin_sqrtf((float)c->d_head);

    wh_cpu_gemm(c->backend, rows, c->ctx, c->d_head, c->q + (size_t)r * d + channel, d, c->k + channel, d, scores, ctx,
                0);
    for (int i = 0; i < rows; i++)
        c->backend->kernels->softmax(scores + (size_t)i * ctx, scale, ctx);
    wh_cpu_gemm(c->backend, rows, c->d_head, c->ctx, scores, ctx, c->v + channel * ctx, ctx,
                c->out + (size_t)r * d + channel, d, 0);
}

static void encoder_block(wh_backend *backend, const wh_block *block)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx, d = model->n_audio_state, heads = model->n_audio_head;
    size_t size = (size_t)n * (size_t)d, ld = (size_t)d;
    float *x = backend->audio_x, *h = backend->audio_h, *wide = backend->audio_wide;
    float *q = wide, *k = wide + size, *v = wide + 2 * size, *out = wide + 3 * size;

    wh_cpu_layer_norm(backend, x, block->attn_ln, h, n, d);
    const wh_product qkv[] = {
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.q, .y = q, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.k, .y = k, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.v, .y = v, .ldy = (size_t)n, .after = WH_TRANSPOSED},
    };
    wh_cpu_products(backend, qkv, 3);
    attention_call call = {backend, q, k, v, out, n, d, d / heads, (n + WH_QUERY_ROWS - 1) / WH_QUERY_ROWS};
    wh_pool_run(backend->pool, (size_t)(heads * call.blocks), attention_task, &call);
    const wh_product project = {.x = out, .ldx = ld, .m = n, .linear = block->attn.out, .y = x, .ldy = ld,
                                .after = WH_ADD};
    wh_cpu_products(backend, &project, 1);

    wh_cpu_layer_norm(backend, x, block->mlp_ln, h, n, d);
    const wh_product up = {.x = h, .ldx = ld, .m = n, .linear = block->mlp_up, .y = wide, .ldy = 4 * ld,
                           .after = WH_GELU};
    wh_cpu_products(backend, &up, 1);
    const wh_product down = {.x = wide, .ldx = 4 * ld, .m = n, .linear = block->mlp_down, .y = x, .ldy = ld,
                             .after = WH_ADD};
    wh_cpu_products(backend, &down, 1);
}

size_t wh_cpu_cross_offset(const whisp_model *model, int layer)
{
    return (size_t)layer * (size_t)model->n_audio_ctx * (size_t)model->n_text_state;
}

/* K and V of the encoder's output for each decoder layer, laid out as wh_cross says. */
static void project_cross(wh_backend *backend, wh_cross *cross)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx, d_head = model->n_text_state / model->n_text_head;
    size_t ld = (size_t)model->n_audio_state;
    for (int layer = 0; layer < model->n_text_layer; layer++) {
        const wh_attention *attention = &model->text_blocks[layer].cross;
        size_t offset = wh_cpu_cross_offset(model, layer);
        const wh_product kv[] = {
            {.x = backend->audio_h, .ldx = ld, .m = n, .linear = attention->k, .y = cross->k + offset,
             .ldy = (size_t)d_head, .piece = d_head},
            {.x = backend->audio_h, .ldx = ld, .m = n, .linear = attention->v, .y = cross->v + offset,
             .ldy = (size_t)n, .after = WH_TRANSPOSED},
        };
        wh_cpu_products(backend, kv, 2);
    }
}

static void tap(const wh_backend *backend, const char *name, const float *data)
{
    if (backend->config.tap)
        backend->config.tap(backend->config.tap_user, name, data, backend->model->n_audio_ctx,
                            backend->model->n_audio_state);
}

void wh_cpu_encode(wh_backend *backend, const float *mel, wh_cross *cross)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx, d = model->n_audio_state, bands = model->n_mels;
    float *wide = backend->audio_wide; /* [1 + 2n][d]: conv1's output after a row of zeros */

    memcpy(backend->mel + bands, mel, 2 * (size_t)n * (size_t)bands * sizeof *mel);
    memset(wide, 0, (size_t)d * sizeof *wide);
    convolve(backend, backend->mel, bands, 1, &backend->conv1, model->conv1_b, wide + d, 2 * n);
    convolve(backend, wide, d, 2, backend->conv2.data ? &backend->conv2 : model->conv2_w, model->conv2_b,
             backend->audio_x, n);
    backend->kernels->add(backend->audio_x, model->audio_positions, (size_t)n * (size_t)d);
    for (int layer = 0; layer < model->n_audio_layer; layer++) {
        encoder_block(backend, &model->audio_blocks[layer]);
        if (layer == 0)
            tap(backend, "encoder.block0", backend->audio_x);
    }
    wh_cpu_layer_norm(backend, backend->audio_x, model->audio_ln, backend->audio_h, n, d);
    tap(backend, "encoder", backend->audio_h);
    project_cross(backend, cross);
}
