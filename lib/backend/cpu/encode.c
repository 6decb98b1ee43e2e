/* encode.c - one log-Mel window to the encoder's output, and that to each decoder layer's cross-attention K/V.
 *
 * openai/whisper's AudioEncoder (model.py): two convolutions of width 3 with GELU, positions, pre-norm blocks, a last
 * layer norm. A convolution is a matrix product whose rows of x overlap: three input rows that follow each other. */
#include <string.h>

#include "backend/cpu/encode.h"
#include "backend/cpu/product.h"
#include "backend/cpu/run.h"

/* Query rows of the attention that are one task. */
#define QUERY_ROWS 144

/* A convolution of width 3 with GELU: a product whose rows of x overlap. x: input rows of `in` channels, the first one of
 * zeros; output row r begins at input row r * stride. w is `conv`, [d][3][in] as floats, or weights' own int8 form. */
static void convolve(wh_backend *backend, const float *x, int in, int stride, const wh_tensor *conv, const float *bias,
                     float *y, int n)
{
    const wh_product p = {.x = x,
                          .ldx = (size_t)(stride * in),
                          .m = n,
                          .linear = {conv, bias},
                          .y = y,
                          .ldy = (size_t)backend->model->n_audio_state,
                          .after = WH_GELU};
    wh_cpu_products(backend, &p, 1);
}

typedef struct attention_call {
    const wh_backend *backend;
    const float *q, *k, *v; /* [ctx][d] */
    float *packed;          /* [head][packed_head]: K in the kernels' order; integers: K and V */
    float *packed_v;        /* [head][ctx][d_head]; integers: not used */
    float *out;             /* [ctx][d] */
    int ctx, d, d_head, blocks;
} attention_call;

/* Floats of one head's packed keys (integers: of its keys and values), whole cache lines. */
static size_t packed_head(const wh_backend *b)
{
    size_t ctx = (size_t)b->model->n_audio_ctx, d_head = (size_t)(b->model->n_audio_state / b->model->n_audio_head);
    size_t bytes = b->attention_int ? wh_attend_int_size(ctx, d_head) : wh_packed_keys(ctx) * d_head * sizeof(float);
    return (bytes + 63) / 64 * 16;
}

/* Where in audio_wide the packed heads begin: behind Q, K and V, on a cache line. */
static size_t packed_at(const wh_backend *b)
{
    return (3 * (size_t)b->model->n_audio_ctx * (size_t)b->model->n_audio_state + 15) / 16 * 16;
}

/* Rows of zeros before and after the window's, which the convolution reads too. */
size_t wh_cpu_mel_size(const wh_backend *b)
{
    return (1 + 2 * (size_t)b->model->n_audio_ctx + 1) * (size_t)b->model->n_mels;
}

size_t wh_cpu_encode_scratch(const wh_backend *b)
{
    size_t d_head = (size_t)(b->model->n_audio_state / b->model->n_audio_head);
    return b->attention_int ? wh_attend_int_scratch(d_head) : wh_attend_scratch(d_head);
}

size_t wh_cpu_wide_size(const wh_backend *b)
{
    size_t ctx = (size_t)b->model->n_audio_ctx, d = (size_t)b->model->n_audio_state;
    size_t heads = packed_at(b) + (size_t)b->model->n_audio_head * packed_head(b);
    return WH_MAX(heads, WH_MAX(4 * ctx, 1 + 2 * ctx) * d);
}

static float *packed_keys(const attention_call *c, size_t head)
{
    return c->packed + head * packed_head(c->backend);
}

/* One head's K and V, which all its queries read, together. */
static void pack_task(void *context, size_t head, int worker)
{
    const attention_call *c = context;
    size_t ctx = (size_t)c->ctx, d = (size_t)c->d, d_head = (size_t)c->d_head;
    (void)worker;
    if (c->backend->attention_int) {
        c->backend->attention_int->pack(c->k + head * d_head, c->v + head * d_head, d, c->ctx, c->d_head,
                                        packed_keys(c, head));
        return;
    }
    c->backend->kernels->pack_keys(c->k + head * d_head, d, c->ctx, c->d_head, packed_keys(c, head));
    for (size_t t = 0; t < ctx; t++)
        memcpy(c->packed_v + (head * ctx + t) * d_head, c->v + t * d + head * d_head, d_head * sizeof *c->v);
}

/* One head, QUERY_ROWS queries. */
static void attention_task(void *context, size_t task, int worker)
{
    const attention_call *c = context;
    size_t ctx = (size_t)c->ctx, d = (size_t)c->d, d_head = (size_t)c->d_head, head = task / (size_t)c->blocks;
    int r = (int)(task % (size_t)c->blocks) * QUERY_ROWS, rows = WH_MIN(QUERY_ROWS, c->ctx - r);
    size_t at = (size_t)r * d + head * d_head;
    if (c->backend->attention_int) {
        c->backend->attention_int->attend(c->q + at, d, rows, packed_keys(c, head), c->ctx, c->d_head, c->out + at, d,
                                          wh_cpu_scratch(c->backend, worker));
        return;
    }
    c->backend->kernels->attend(c->q + at, d, rows, packed_keys(c, head), c->packed_v + head * ctx * d_head, c->ctx,
                                c->d_head, c->out + at, d, wh_cpu_scratch(c->backend, worker));
}

static void encoder_block(wh_backend *backend, const wh_block *block)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx, d = model->n_audio_state, heads = model->n_audio_head;
    size_t size = (size_t)n * (size_t)d, ld = (size_t)d;
    float *x = backend->audio_x, *h = backend->audio_h, *wide = backend->audio_wide;
    float *q = wide, *k = wide + size, *v = wide + 2 * size;

    wh_cpu_layer_norm(backend, x, block->attn_ln, h, n, d);
    const wh_product qkv[] = {
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.q, .y = q, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.k, .y = k, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.v, .y = v, .ldy = ld},
    };
    wh_cpu_products(backend, qkv, 3);
    attention_call call = {
        backend, q, k, v,         wide + packed_at(backend),        h,
        k,       n, d, d / heads, (n + QUERY_ROWS - 1) / QUERY_ROWS}; /* packed V goes over h, the heads over k */
    size_t a_head = (size_t)n * (size_t)call.d_head;                  /* values of its K */
    wh_cpu_run(backend, (size_t)heads, 2 * a_head, pack_task, &call);
    wh_cpu_run(backend, (size_t)heads * (size_t)call.blocks, QUERY_ROWS * 2 * a_head, attention_task, &call);
    const wh_product project = {
        .x = k, .ldx = ld, .m = n, .linear = block->attn.out, .y = x, .ldy = ld, .after = WH_ADD};
    wh_cpu_products(backend, &project, 1);

    wh_cpu_layer_norm(backend, x, block->mlp_ln, h, n, d);
    const wh_product up = {
        .x = h, .ldx = ld, .m = n, .linear = block->mlp_up, .y = wide, .ldy = 4 * ld, .after = WH_GELU};
    wh_cpu_products(backend, &up, 1);
    const wh_product down = {
        .x = wide, .ldx = 4 * ld, .m = n, .linear = block->mlp_down, .y = x, .ldy = ld, .after = WH_ADD};
    wh_cpu_products(backend, &down, 1);
}

typedef struct cross_call {
    const wh_backend *backend;
    const float *k, *v; /* [n_audio_ctx][d] */
    const wh_kv_store *cross;
    int layer;
} cross_call;

/* One head's K and V into a window's store. */
static void cross_task(void *context, size_t head, int worker)
{
    const cross_call *c = context;
    const whisp_model *model = c->backend->model;
    wh_kv type = c->backend->cross_type;
    int n = model->n_audio_ctx, d_head = model->n_text_state / model->n_text_head;
    size_t at = wh_cpu_kv_at(model, type, n, c->layer, (int)head), channel = head * (size_t)d_head;
    (void)worker;
    c->backend->kernels->kv_store[type](c->k + channel, c->v + channel, (size_t)model->n_text_state, 0, n, d_head,
                                        (char *)c->cross->k + at, (char *)c->cross->v + at);
}

/* K and V of the encoder's output for each decoder layer. */
static void project_cross(wh_backend *backend, const wh_kv_store *cross)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx;
    size_t ld = (size_t)model->n_audio_state;
    float *k = backend->audio_wide, *v = k + (size_t)n * ld;
    for (int layer = 0; layer < model->n_text_layer; layer++) {
        const wh_attention *attention = &model->text_blocks[layer].cross;
        const wh_product kv[] = {
            {.x = backend->audio_h, .ldx = ld, .m = n, .linear = attention->k, .y = k, .ldy = ld},
            {.x = backend->audio_h, .ldx = ld, .m = n, .linear = attention->v, .y = v, .ldy = ld},
        };
        wh_cpu_products(backend, kv, 2);
        cross_call call = {backend, k, v, cross, layer};
        wh_cpu_run(backend, (size_t)model->n_text_head, 2 * ld * (size_t)n / (size_t)model->n_text_head, cross_task,
                   &call);
    }
}

static void tap(const wh_backend *backend, const char *name, const float *data)
{
    if (backend->config.tap)
        backend->config.tap(backend->config.tap_user, name, data, backend->model->n_audio_ctx,
                            backend->model->n_audio_state);
}

int wh_cpu_encode(wh_backend *backend, const float *mel, const wh_kv_store *cross)
{
    const whisp_model *model = backend->model;
    int n = model->n_audio_ctx, d = model->n_audio_state, bands = model->n_mels;
    float *wide = backend->audio_wide; /* [1 + 2n][d]: conv1's output after a row of zeros */

    wh_cpu_begin(backend);
    memcpy(backend->mel + bands, mel, 2 * (size_t)n * (size_t)bands * sizeof *mel);
    memset(wide, 0, (size_t)d * sizeof *wide);
    convolve(backend, backend->mel, bands, 1, &backend->conv1, model->conv1_b, wide + d, 2 * n);
    convolve(backend, wide, d, 2, backend->conv2.data ? &backend->conv2 : model->conv2_w, model->conv2_b,
             backend->audio_x, n);
    backend->kernels->add(backend->audio_x, model->audio_positions, (size_t)n * (size_t)d);
    for (int layer = 0; layer < model->n_audio_layer; layer++) {
        encoder_block(backend, &model->audio_blocks[layer]);
        if (wh_cpu_end(backend))
            return WHISP_ERR_CANCELLED;
        if (layer == 0)
            tap(backend, "encoder.block0", backend->audio_x);
    }
    wh_cpu_layer_norm(backend, backend->audio_x, model->audio_ln, backend->audio_h, n, d);
    tap(backend, "encoder", backend->audio_h);
    project_cross(backend, cross);
    return wh_cpu_end(backend);
}
