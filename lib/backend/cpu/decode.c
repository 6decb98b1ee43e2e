/* decode.c - a pass of the decoder: rows (slot, position, token) to logits.
 *
 * openai/whisper's TextDecoder (model.py): embedding and position, pre-norm blocks with causal self-attention over the
 * slot's cache and cross-attention to its window, a last layer norm, and the token embedding again as the output
 * matrix. Passes of at most WH_FEW_ROWS rows use kernels->rows for every product, so a row's numbers do not depend on
 * the others; longer ones are prompts of one slot and use the large product. */
#include <string.h>

#include "backend/cpu/decode.h"
#include "backend/cpu/product.h"
#include "backend/cpu/run.h"

/* Query rows that are one task of the cross-attention at most. */
#define PROMPT_ROWS 64
/* Token embeddings that are one task when logits are computed. */
#define LOGITS_SLICE 256

/* Floats from one row of scores of n keys to the next: kernels->kv_scores writes whole vectors. */
static size_t score_stride(int n)
{
    return ((size_t)n + 15) / 16 * 16;
}

size_t wh_cpu_decode_scratch(const wh_backend *b)
{
    size_t self = score_stride(b->model->n_text_ctx), cross = PROMPT_ROWS * score_stride(b->model->n_audio_ctx);
    return WH_MAX(WH_MAX(self, cross), WH_FEW_ROWS * (size_t)LOGITS_SLICE);
}

typedef struct layer_call {
    wh_backend *backend;
    int n; /* rows in the pass */
    int layer;
    int n_groups;
    int ends; /* nobody asks for more of the pass than this layer's keys, values and scores */
} layer_call;

static int head_size(const whisp_model *model)
{
    return model->n_text_state / model->n_text_head;
}

static float head_scale(const whisp_model *model)
{
    return 1.0f / __builtin_sqrtf((float)head_size(model));
}

/* Row j of packed weights as floats. */
static void embed_packed(const wh_packed *w, int32_t j, float *x)
{
    const int8_t *q = w->w + ((size_t)j / WH_PANEL * w->steps * WH_PANEL + (size_t)j % WH_PANEL) * 4;
    for (size_t c = 0; c < w->k && !w->is_bf16; c++)
        x[c] = (float)q[c / 4 * WH_PANEL * 4 + c % 4] * w->scale[j];
    for (size_t c = 0; c < w->k && w->is_bf16; c++) {
        uint16_t bits;
        memcpy(&bits, q + c / 2 * WH_PANEL * 4 + c % 2 * 2, sizeof bits);
        x[c] = wh_bf16_float(bits);
    }
}

static void embed(wh_backend *backend, int n)
{
    const whisp_model *model = backend->model;
    size_t d = (size_t)model->n_text_state;
    wh_storage storage = wh_cpu_storage(model->token_embedding->type);
    const wh_packed *packed = wh_weights_find(backend->weights, model->token_embedding);
    for (int r = 0; r < n; r++) {
        const wh_row *row = &backend->rows[r];
        float *x = backend->x + (size_t)r * d;
        if (packed) /* so that nothing of the file stays in memory */
            embed_packed(packed, row->token, x);
        else
            backend->kernels->decode[storage](wh_cpu_row(model->token_embedding, row->token), x, d);
        backend->kernels->add(x, model->text_positions + (size_t)row->position * d, d);
    }
}

/* One row, one head: all positions of the slot up to the row's own. */
static void self_attention_task(void *context, size_t task, int worker)
{
    const layer_call *c = context;
    const wh_backend *backend = c->backend;
    const wh_kernels *kernels = backend->kernels;
    const whisp_model *model = backend->model;
    wh_kv type = backend->self_type;
    int head = (int)(task % (size_t)model->n_text_head), d_head = head_size(model);
    const wh_row *row = &backend->rows[task / (size_t)model->n_text_head];
    size_t d = (size_t)model->n_text_state;
    size_t channel = task / (size_t)model->n_text_head * d + (size_t)(head * d_head);
    size_t at = wh_cpu_kv_at(model, type, model->n_text_ctx, c->layer, head);
    const wh_kv_store *self = &backend->self[row->slot];
    int n = row->position + 1;
    float *scores = wh_cpu_scratch(backend, worker); /* [n] */

    kernels->kv_scores[type](backend->q + channel, d, 1, (char *)self->k + at, n, d_head, scores, score_stride(n));
    kernels->softmax(scores, head_scale(model), (size_t)n);
    kernels->kv_values[type](scores, score_stride(n), 1, (char *)self->v + at, n, d_head, backend->heads + channel, d);
}

/* Hand out the raw scores of an alignment head, for those rows that want them. scores: [group->n][lds] */
static void copy_cross_scores(const layer_call *c, const wh_group *group, int head, const float *scores, size_t lds)
{
    const whisp_model *model = c->backend->model;
    const int32_t *kept_by = group->cross->kept.kept_by;
    size_t ctx = (size_t)model->n_audio_ctx;
    float scale = head_scale(model);
    for (int a = 0; a < model->n_alignment_heads; a++) {
        if (model->alignment_heads[a].layer != c->layer || model->alignment_heads[a].head != head)
            continue;
        for (int r = 0; r < group->n; r++) {
            const wh_row *row = &c->backend->rows[group->first + r];
            float *out = row->cross_scores ? row->cross_scores + (size_t)a * row->cross_stride : NULL;
            for (size_t t = 0; out && t < ctx; t++)
                out[t] = scores[(size_t)r * lds + (size_t)kept_by[t]] * scale;
        }
    }
}

/* A key that stands for k has its score's exponential as often: log k more. */
static void count_keys(const wh_kept *kept, float *scores, float scale)
{
    for (int i = kept->n_plain; i < kept->n; i++)
        scores[i] += kept->log_counts[i] * 0.693147181f / scale;
}

/* One group of rows, one head: the window's K and V are read once for all of them. */
static void cross_attention_task(void *context, size_t task, int worker)
{
    const layer_call *c = context;
    const wh_backend *backend = c->backend;
    const wh_kernels *kernels = backend->kernels;
    const whisp_model *model = backend->model;
    wh_kv type = backend->cross_type;
    int head = (int)(task % (size_t)model->n_text_head), d_head = head_size(model), ctx = model->n_audio_ctx;
    const wh_group *group = &backend->groups[task / (size_t)model->n_text_head];
    const wh_kept *kept = &group->cross->kept;
    size_t d = (size_t)model->n_text_state, channel = (size_t)group->first * d + (size_t)(head * d_head);
    size_t at = wh_cpu_kv_at(model, type, ctx, c->layer, head), lds = score_stride(ctx);
    float *scores = wh_cpu_scratch(backend, worker); /* [group->n][lds] */

    kernels->kv_scores[type](backend->q + channel, d, group->n, (const char *)group->cross->k + at, kept->n, d_head,
                             scores, lds);
    copy_cross_scores(c, group, head, scores, lds);
    if (c->ends)
        return;
    for (int r = 0; r < group->n; r++) {
        count_keys(kept, scores + (size_t)r * lds, head_scale(model));
        kernels->softmax(scores + (size_t)r * lds, head_scale(model), (size_t)kept->n);
    }
    kernels->kv_values[type](scores, lds, group->n, (const char *)group->cross->v + at, kept->n, d_head,
                             backend->heads + channel, d);
}

/* Put neighbouring rows that attend to the same window together: it is read once for all of them. */
static int find_groups(wh_backend *backend, int n)
{
    int limit = n > WH_FEW_ROWS ? PROMPT_ROWS : WH_FEW_ROWS, count = 0;
    for (int r = 0; r < n; r++) {
        const wh_kv_store *cross = &backend->cross[backend->rows[r].window];
        if (count == 0 || backend->groups[count - 1].cross != cross || backend->groups[count - 1].n == limit)
            backend->groups[count++] = (wh_group){.first = r, .cross = cross};
        backend->groups[count - 1].n++;
    }
    return count;
}

static void store_cache(wh_backend *backend, int n, int layer)
{
    const whisp_model *model = backend->model;
    wh_kv type = backend->self_type;
    int d_head = head_size(model);
    size_t d = (size_t)model->n_text_state;
    for (int r = 0; r < n; r++)
        for (int head = 0; head < model->n_text_head; head++) {
            const wh_row *row = &backend->rows[r];
            const wh_kv_store *self = &backend->self[row->slot];
            size_t at = wh_cpu_kv_at(model, type, model->n_text_ctx, layer, head);
            size_t channel = (size_t)r * d + (size_t)(head * d_head);
            backend->kernels->kv_store[type](backend->k + channel, backend->v + channel, d, row->position, 1, d_head,
                                             (char *)self->k + at, (char *)self->v + at);
        }
}

static void product(wh_backend *backend, int n, const float *x, int k, wh_linear linear, float *y, wh_after after)
{
    const wh_product p = {
        .x = x, .ldx = (size_t)k, .m = n, .linear = linear, .y = y, .ldy = (size_t)linear.w->shape[0], .after = after};
    wh_cpu_products(backend, &p, 1);
}

/* Do any rows want what the layer's heads look at? */
static int wants_scores(const layer_call *call)
{
    const whisp_model *model = call->backend->model;
    int wanted = 0;
    for (int r = 0; r < call->n; r++)
        wanted |= call->backend->rows[r].cross_scores != NULL;
    for (int a = 0; wanted && a < model->n_alignment_heads; a++)
        if (model->alignment_heads[a].layer == call->layer)
            return 1;
    return 0;
}

/* A pass without logits, of a prompt or of a text that is aligned, ends in its last layer before the MLP. */
static int wants_logits(const wh_row *rows, int n)
{
    for (int r = 0; r < n; r++)
        if (rows[r].logits)
            return 1;
    return 0;
}

static void decoder_block(const layer_call *call)
{
    wh_backend *backend = call->backend;
    const whisp_model *model = backend->model;
    const wh_block *block = &model->text_blocks[call->layer];
    int n = call->n, d = model->n_text_state;
    size_t ld = (size_t)d, heads = (size_t)model->n_text_head;
    float *x = backend->x, *h = backend->h;

    wh_cpu_layer_norm(backend, x, block->attn_ln, h, n, d);
    const wh_product qkv[] = {
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.q, .y = backend->q, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.k, .y = backend->k, .ldy = ld},
        {.x = h, .ldx = ld, .m = n, .linear = block->attn.v, .y = backend->v, .ldy = ld},
    };
    wh_cpu_products(backend, qkv, 3);
    store_cache(backend, n, call->layer);
    if (call->ends && !wants_scores(call))
        return;
    wh_cpu_run(backend, (size_t)n * heads, 2 * (size_t)model->n_text_ctx * ld / heads, self_attention_task,
               (void *)call);
    product(backend, n, backend->heads, d, block->attn.out, x, WH_ADD);

    wh_cpu_layer_norm(backend, x, block->cross_ln, h, n, d);
    product(backend, n, h, d, block->cross.q, backend->q, WH_SET);
    size_t a_group = 2 * (size_t)WH_MIN(n, PROMPT_ROWS) * (size_t)model->n_audio_ctx;
    wh_cpu_run(backend, (size_t)call->n_groups * heads, a_group * ld / heads, cross_attention_task, (void *)call);
    if (call->ends)
        return;
    product(backend, n, backend->heads, d, block->cross.out, x, WH_ADD);

    wh_cpu_layer_norm(backend, x, block->mlp_ln, h, n, d);
    product(backend, n, h, d, block->mlp_up, backend->wide, WH_GELU);
    product(backend, n, backend->wide, 4 * d, block->mlp_down, x, WH_ADD);
}

/* ---- logits ---- */

/* Rows of the vocabulary's product: with packed weights the largest matrix is read once for many of them. */
#define LOGITS_ROWS 64

typedef struct logits_call {
    const wh_backend *backend;
    int n, most;                /* at most WH_FEW_ROWS, or LOGITS_ROWS */
    float *logits[LOGITS_ROWS]; /* where row i of backend->h goes */
} logits_call;

static void logits_task(void *context, size_t task, int worker)
{
    const logits_call *c = context;
    const wh_tensor *w = c->backend->model->output;
    size_t k = (size_t)w->shape[1], first = task * LOGITS_SLICE;
    size_t n = WH_MIN(LOGITS_SLICE, (size_t)w->shape[0] - first);
    float *y = wh_cpu_scratch(c->backend, worker); /* [c->n][n] */
    c->backend->kernels->rows[wh_cpu_storage(w->type)](c->backend->h, k, c->n, wh_cpu_row(w, (int64_t)first),
                                                       wh_type_row_size(w->type, w->shape[1]), n, k, y, n, 0);
    for (int i = 0; i < c->n; i++)
        memcpy(c->logits[i] + first, y + (size_t)i * n, n * sizeof *y);
}

static void flush_logits(wh_backend *backend, logits_call *call)
{
    size_t tasks = ((size_t)backend->model->n_vocab + LOGITS_SLICE - 1) / LOGITS_SLICE;
    if (call->n && wh_weights_find(backend->weights, backend->model->output)) {
        const wh_product p = {.x = backend->h,
                              .ldx = (size_t)backend->model->n_text_state,
                              .m = call->n,
                              .linear = {backend->model->output, NULL},
                              .rows_y = call->logits};
        wh_cpu_products(backend, &p, 1);
    } else if (call->n)
        wh_cpu_run(backend, tasks, (size_t)call->n * LOGITS_SLICE * (size_t)backend->model->n_text_state, logits_task,
                   call);
    call->n = 0;
}

/* Normalize the rows that are asked for into backend->h, some at a time, and multiply. */
static void write_logits(wh_backend *backend, int n)
{
    const whisp_model *model = backend->model;
    size_t d = (size_t)model->n_text_state;
    logits_call call = {.backend = backend};
    call.most = wh_weights_find(backend->weights, model->output) ? LOGITS_ROWS : WH_FEW_ROWS;
    for (int r = 0; r < n; r++) {
        if (!backend->rows[r].logits)
            continue;
        backend->kernels->layer_norm(backend->x + (size_t)r * d, model->text_ln.gain, model->text_ln.bias,
                                     backend->h + (size_t)call.n * d, d);
        call.logits[call.n++] = backend->rows[r].logits;
        if (call.n == call.most)
            flush_logits(backend, &call);
    }
    flush_logits(backend, &call);
}

int wh_cpu_decode(wh_backend *backend, int n, const wh_row *rows)
{
    wh_cpu_begin(backend);
    backend->rows = rows;
    embed(backend, n);
    int n_groups = find_groups(backend, n), last = backend->model->n_text_layer - 1;
    for (int layer = 0; layer <= last && !wh_cpu_end(backend); layer++) {
        layer_call call = {backend, n, layer, n_groups, layer == last && !wants_logits(rows, n)};
        decoder_block(&call);
    }
    write_logits(backend, n);
    return wh_cpu_end(backend);
}
