/* encode.c - one log-Mel window to the encoder's output, and that to each decoder layer's cross-attention K/V.
 *
 * openai/whisper's AudioEncoder (model.py): two convolutions of width 3 with GELU, positions, pre-norm blocks, a last
 * layer norm. A convolution is a matrix product whose rows of x overlap: three input rows that follow each other. */
#include <string.h>

#include "backend/cpu/block.h"
#include "backend/cpu/encode.h"
#include "backend/cpu/packed.h"
#include "backend/cpu/product.h"
#include "backend/cpu/run.h"

/* Query rows of the attention that are one task. */
#define QUERY_ROWS 144
/* Rows of a convolution at least: with fewer its sums would have another order. */
#define LEAST_ROWS (2 * WH_FEW_ROWS)

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
    const float *q, *k, *v; /* a head's rows ld apart, heads head_stride: [ctx][d], or [head][ctx][d_head] */
    size_t ld, head_stride;
    float *packed;              /* [head][packed_head]: K in the kernels' order; integers: K and V */
    float *packed_v;            /* [head][ctx][d_head]: a copy of v; NULL: v is so, or integers do not need it */
    float *out;                 /* [ctx][d] */
    const float *log_counts;    /* [ctx], or NULL: kernels.h, attend */
    int ctx, d, d_head, blocks; /* ctx: positions that are computed */
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
    size_t most = wh_cpu_in_blocks(b) ? 1 + 2 * ctx
                                      : WH_MAX(4 * ctx, 1 + 2 * ctx); /* conv1's output; the MLP's inside */
    return WH_MAX(heads, most * d);
}

static float *packed_keys(const attention_call *c, size_t head)
{
    return c->packed + head * packed_head(c->backend);
}

/* One head's K and V, which all its queries read, together. */
static void pack_task(void *context, size_t head, int worker)
{
    const attention_call *c = context;
    size_t ctx = (size_t)c->ctx, d_head = (size_t)c->d_head;
    const float *k = c->k + head * c->head_stride, *v = c->v + head * c->head_stride;
    (void)worker;
    if (c->backend->attention_int) {
        c->backend->attention_int->pack(k, v, c->ld, c->ctx, c->d_head, packed_keys(c, head));
        return;
    }
    c->backend->kernels->pack_keys(k, c->ld, c->ctx, c->d_head, packed_keys(c, head));
    for (size_t t = 0; c->packed_v && t < ctx; t++)
        memcpy(c->packed_v + (head * ctx + t) * d_head, v + t * c->ld, d_head * sizeof *v);
}

/* One head, QUERY_ROWS queries. */
static void attention_task(void *context, size_t task, int worker)
{
    const attention_call *c = context;
    size_t ctx = (size_t)c->ctx, d = (size_t)c->d, d_head = (size_t)c->d_head, head = task / (size_t)c->blocks;
    int r = (int)(task % (size_t)c->blocks) * QUERY_ROWS, rows = WH_MIN(QUERY_ROWS, c->ctx - r);
    const float *q = c->q + (size_t)r * c->ld + head * c->head_stride;
    float *out = c->out + (size_t)r * d + head * d_head, *scratch = wh_cpu_scratch(c->backend, worker);
    if (c->backend->attention_int) {
        c->backend->attention_int->attend(q, c->ld, rows, packed_keys(c, head), c->ctx, c->d_head, c->log_counts, out,
                                          d, scratch);
        return;
    }
    const float *v = c->packed_v ? c->packed_v + head * ctx * d_head : c->v + head * c->head_stride;
    c->backend->kernels->attend(q, c->ld, rows, packed_keys(c, head), v, c->ctx, c->d_head, c->log_counts, out, d,
                                scratch);
}

/* Q, K and V of a layer in audio_wide. Where products can write them so, a head's rows stand together. */
typedef struct heads_at {
    float *q, *k, *v;
    size_t ld, head_stride;
    int together;
} heads_at;

static heads_at place_heads(const wh_backend *backend, int n)
{
    size_t d = (size_t)backend->model->n_audio_state, d_head = d / (size_t)backend->model->n_audio_head;
    size_t size = (size_t)n * d;
    int together = wh_cpu_in_blocks(backend) && d_head % WH_PANEL == 0;
    float *q = backend->audio_wide;
    return (heads_at){q,       q + size, q + 2 * size, together ? d_head : d, together ? (size_t)n * d_head : d_head,
                      together};
}

/* A layer's attention; its heads, [n][d]. Where K's rows are a layer's, what is not needed later is written over: packed
 * V over audio_h, the heads over K. Else the heads over audio_h. */
static const float *attend(wh_backend *backend, const wh_kept *kept)
{
    int n = kept->n, d = backend->model->n_audio_state, heads = backend->model->n_audio_head;
    const heads_at at = place_heads(backend, n);
    attention_call call = {.backend = backend,
                           .q = at.q,
                           .k = at.k,
                           .v = at.v,
                           .ld = at.ld,
                           .head_stride = at.head_stride,
                           .packed = at.q + packed_at(backend),
                           .packed_v = at.together ? NULL : backend->audio_h,
                           .out = at.together ? backend->audio_h : at.k,
                           .log_counts = n > kept->n_plain ? kept->log_counts : NULL,
                           .ctx = n,
                           .d = d,
                           .d_head = d / heads,
                           .blocks = (n + QUERY_ROWS - 1) / QUERY_ROWS};
    size_t a_head = (size_t)n * (size_t)call.d_head; /* values of its K */
    wh_cpu_run(backend, (size_t)heads, 2 * a_head, pack_task, &call);
    wh_cpu_run(backend, (size_t)heads * (size_t)call.blocks, QUERY_ROWS * 2 * a_head, attention_task, &call);
    return call.out;
}

/* A layer, product by product: float32, and what does not go by in blocks. */
static void encoder_block(wh_backend *backend, const wh_block *block, const wh_kept *kept)
{
    int n = kept->n, d = backend->model->n_audio_state;
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
    const wh_product project = {
        .x = attend(backend, kept), .ldx = ld, .m = n, .linear = block->attn.out, .y = x, .ldy = ld, .after = WH_ADD};
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
    int n = c->cross->kept.n, d_head = model->n_text_state / model->n_text_head;
    size_t at = wh_cpu_kv_at(model, type, model->n_audio_ctx, c->layer, (int)head), channel = head * (size_t)d_head;
    (void)worker;
    c->backend->kernels->kv_store[type](c->k + channel, c->v + channel, (size_t)model->n_text_state, 0, n, d_head,
                                        (char *)c->cross->k + at, (char *)c->cross->v + at);
}

/* K and V of the encoder's output for each decoder layer. */
static void project_cross(wh_backend *backend, const wh_kv_store *cross)
{
    const whisp_model *model = backend->model;
    int n = cross->kept.n;
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

static void tap(const wh_backend *backend, const char *name, const float *data, int n)
{
    if (backend->config.tap)
        backend->config.tap(backend->config.tap_user, name, data, n, backend->model->n_audio_state);
}

/* The convolutions, of the positions that are kept, with their places. Frames of padding are zeros, as what stands before
 * and behind the window: from the fourth on behind the sound both outputs are the same everywhere, and made once. */
static void convolve_window(wh_backend *backend, const float *mel, int frames, const wh_kept *kept)
{
    const whisp_model *model = backend->model;
    int bands = model->n_mels, ctx = model->n_audio_ctx, n = WH_MIN(ctx, WH_MAX(frames / 2 + 3, LEAST_ROWS));
    n = backend->sgemm ? ctx : n; /* OpenBLAS's sums depend on how many */
    size_t d = (size_t)model->n_audio_state;
    float *wide = backend->audio_wide; /* [1 + 2n][d]: conv1's output after a row of zeros */
    memcpy(backend->mel + bands, mel, 2 * (size_t)ctx * (size_t)bands * sizeof *mel);
    memset(wide, 0, d * sizeof *wide);
    convolve(backend, backend->mel, bands, 1, &backend->conv1, model->conv1_b, wide + d, 2 * n);
    convolve(backend, wide, (int)d, 2, backend->conv2.data ? &backend->conv2 : model->conv2_w, model->conv2_b,
             backend->audio_x, n);
    float *same = wide; /* of the last one, which those that follow are like; its place may be taken */
    memcpy(same, backend->audio_x + (size_t)(n - 1) * d, d * sizeof *same);
    for (int i = 0; i < kept->n; i++) {
        int at = kept->position[i];
        float *x = backend->audio_x + (size_t)i * d;
        if (at != i || at >= n)
            memmove(x, at < n ? backend->audio_x + (size_t)at * d : same, d * sizeof *x);
        backend->kernels->add(x, model->audio_positions + (size_t)at * d, d);
    }
}

/* All layers and the last norm, product by product, or from attention to attention (block.h). WHISP_ERR_CANCELLED. */
static int encode_layers(wh_backend *backend, const wh_kept *kept)
{
    const whisp_model *model = backend->model;
    const heads_at at = place_heads(backend, kept->n);
    wh_between between = {.q = at.q, .k = at.k, .v = at.v, .ld = at.ld, .head_stride = at.head_stride, .n = kept->n};
    between.next = model->audio_blocks;
    if (wh_cpu_in_blocks(backend))
        wh_cpu_between(backend, &between);
    for (int layer = 0; layer < model->n_audio_layer; layer++) {
        const wh_block *block = &model->audio_blocks[layer];
        if (wh_cpu_in_blocks(backend)) {
            between.next = layer + 1 < model->n_audio_layer ? block + 1 : NULL;
            between.before = block;
            between.heads = attend(backend, kept);
            wh_cpu_between(backend, &between);
        } else
            encoder_block(backend, block, kept);
        if (wh_cpu_end(backend))
            return WHISP_ERR_CANCELLED;
        if (layer == 0)
            tap(backend, "encoder.block0", backend->audio_x, kept->n);
    }
    if (!wh_cpu_in_blocks(backend))
        wh_cpu_layer_norm(backend, backend->audio_x, model->audio_ln, backend->audio_h, kept->n, model->n_audio_state);
    return WHISP_OK;
}

int wh_cpu_leaves_out(const wh_backend *b, const float *mel)
{
    return b->config.padding == WH_PADDING_FEW &&
           wh_kept_leaves_out(wh_kept_frames(mel, b->model->n_audio_ctx, b->model->n_mels), b->model->n_audio_ctx);
}

int wh_cpu_encode(wh_backend *backend, const float *mel, wh_kv_store *cross, enum wh_hearing how)
{
    const whisp_model *model = backend->model;
    int frames = wh_kept_frames(mel, model->n_audio_ctx, model->n_mels);
    wh_kept *kept = &cross->kept;

    wh_cpu_begin(backend);
    wh_kept_choose(kept, frames, model->n_audio_ctx, backend->config.padding == WH_PADDING_FEW ? how : WH_HEAR_FULL);
    convolve_window(backend, mel, frames, kept);
    int rc = encode_layers(backend, kept);
    if (rc)
        return rc;
    tap(backend, "encoder", backend->audio_h, kept->n);
    if (wh_cpu_in_blocks(backend))
        wh_cpu_block_cross(backend, cross);
    else
        project_cross(backend, cross);
    return wh_cpu_end(backend);
}
