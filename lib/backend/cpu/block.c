/* block.c - see block.h.
 *
 * From one attention to the next all that a row becomes depends on that row alone. So a task takes a block of rows
 * through the attention's projection, the MLP and the next layer's Q, K and V: what is in between (the MLP's inside is
 * four times as wide as a row) stays in the second-level cache, and threads meet once a layer instead of seven times.
 * The price is that each block reads all of a layer's weights. Sums are those of packed.c: the same bits. */
#include <string.h>

#include "backend/cpu/block.h"
#include "backend/cpu/packed.h"
#include "backend/cpu/run.h"

/* Bytes of a block's widest floats, which share a cache of 1 or 2 MiB with rounded rows and a few panels; but
 * WH_BLOCK_GROUPS at least, for the weights that each block reads, and so many at most, for all threads to have some. */
#define WIDE_BYTES ((size_t)1 << 20)
#define MOST_GROUPS 12

/* Floats in whole cache lines. */
static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 16;
}

static size_t wide_row(const wh_backend *b)
{
    return 4 * (size_t)b->model->n_audio_state;
}

/* Groups of a block, at most. */
static size_t block_groups(const wh_backend *b)
{
    size_t fit = WIDE_BYTES / ((size_t)b->gemm->rows * wide_row(b) * sizeof(float));
    return WH_MIN(WH_MAX(fit, WH_BLOCK_GROUPS), MOST_GROUPS);
}

/* What a task has to itself. */
typedef struct own_room {
    wh_rounded rounded; /* of the widest rows */
    float *wide;        /* [rows][4 d] */
} own_room;

static size_t block_rows(const wh_backend *b)
{
    return block_groups(b) * (size_t)b->gemm->rows;
}

static size_t rounded_row(const wh_backend *b)
{
    return 4 * wh_steps(b->config.compute == WH_COMPUTE_BF16 ? 2 * wide_row(b) : wide_row(b));
}

static size_t before_room(const wh_backend *b)
{
    return lines(wh_cpu_packed_scratch(b) * sizeof(float));
}

size_t wh_cpu_block_scratch(const wh_backend *b)
{
    size_t rows = wh_cpu_in_blocks(b) ? block_rows(b) : 0;
    return before_room(b) + lines(rows * sizeof(float)) + lines(rows * rounded_row(b)) +
           lines(rows * wide_row(b) * sizeof(float));
}

static own_room room_of(const wh_backend *b, int worker)
{
    size_t rows = block_rows(b);
    float *scale = wh_cpu_scratch(b, worker) + before_room(b), *rounded = scale + lines(rows * sizeof *scale);
    return (own_room){{(int8_t *)rounded, scale}, rounded + lines(rows * rounded_row(b))};
}

/* ---- n rows cut into blocks, as many for each thread ---- */

typedef struct cut {
    int n, group, groups, blocks;
} cut;

static cut cut_rows(const wh_backend *b, int n)
{
    int group = b->gemm->rows, groups = (n + group - 1) / group, most = (int)block_groups(b);
    int threads = wh_pool_threads(b->pool), blocks = (groups + most - 1) / most;
    blocks = (blocks + threads - 1) / threads * threads;
    return (cut){n, group, groups, WH_MIN(blocks, groups)};
}

static int first_row(const cut *c, size_t block)
{
    size_t group = block * (size_t)c->groups / (size_t)c->blocks;
    return WH_MIN((int)group * c->group, c->n);
}

/* ---- between two attentions ---- */

typedef struct between_call {
    const wh_backend *backend;
    const wh_between *between;
    cut cut;
} between_call;

/* A layer from its attention's output to its end, rows r .. r+m-1. */
static void end_layer(const wh_backend *b, const wh_between *between, int r, int m, const own_room *room, int worker)
{
    const wh_block *block = between->before;
    size_t d = (size_t)b->model->n_audio_state, at = (size_t)r * d;
    float *x = b->audio_x + at;
    const wh_product project = {
        .x = between->heads + at, .ldx = d, .m = m, .linear = block->attn.out, .y = x, .ldy = d, .after = WH_ADD};
    wh_cpu_packed_here(b, &project, 1, &room->rounded, worker);
    const wh_product up = {.x = x,
                           .ldx = d,
                           .m = m,
                           .linear = block->mlp_up,
                           .y = room->wide,
                           .ldy = 4 * d,
                           .after = WH_GELU,
                           .norm = block->mlp_ln};
    wh_cpu_packed_here(b, &up, 1, &room->rounded, worker);
    const wh_product down = {
        .x = room->wide, .ldx = 4 * d, .m = m, .linear = block->mlp_down, .y = x, .ldy = d, .after = WH_ADD};
    wh_cpu_packed_here(b, &down, 1, &room->rounded, worker);
}

/* A layer's Q, K and V. */
static void begin_layer(const wh_backend *b, const wh_between *between, int r, int m, const own_room *room, int worker)
{
    const wh_attention *attention = &between->next->attn;
    size_t d = (size_t)b->model->n_audio_state, d_head = d / (size_t)b->model->n_audio_head;
    const wh_linear *const linear[] = {&attention->q, &attention->k, &attention->v};
    float *const to[] = {between->q, between->k, between->v};
    wh_product qkv[3];
    for (int i = 0; i < 3; i++)
        qkv[i] = (wh_product){.x = b->audio_x + (size_t)r * d,
                              .ldx = d,
                              .m = m,
                              .linear = *linear[i],
                              .y = to[i] + (size_t)r * between->ld,
                              .ldy = between->ld,
                              .part = between->ld == d ? 0 : d_head,
                              .part_stride = between->head_stride,
                              .norm = between->next->attn_ln};
    wh_cpu_packed_here(b, qkv, 3, &room->rounded, worker);
}

static void between_task(void *context, size_t task, int worker)
{
    const between_call *c = context;
    const wh_backend *b = c->backend;
    const own_room room = room_of(b, worker);
    int r = first_row(&c->cut, task), m = first_row(&c->cut, task + 1) - r;
    if (c->between->before)
        end_layer(b, c->between, r, m, &room, worker);
    if (c->between->next) {
        begin_layer(b, c->between, r, m, &room, worker);
        return;
    }
    wh_norm norm = b->model->audio_ln;
    size_t d = (size_t)b->model->n_audio_state;
    for (int end = r + m; r < end; r++)
        b->kernels->layer_norm(b->audio_x + (size_t)r * d, norm.gain, norm.bias, b->audio_h + (size_t)r * d, d);
}

void wh_cpu_between(wh_backend *backend, const wh_between *between)
{
    between_call call = {backend, between, cut_rows(backend, between->n)};
    size_t d = (size_t)backend->model->n_audio_state;
    size_t products = (between->before ? 9U : 0U) + (between->next ? 3U : 0U); /* of d x d weights */
    wh_cpu_run(backend, (size_t)call.cut.blocks, block_rows(backend) * d * (products * d + 1), between_task, &call);
}

/* ---- the decoder's keys and values ---- */

typedef struct cross_call {
    const wh_backend *backend;
    const wh_kv_store *cross;
    cut cut;
} cross_call;

/* Rows r .. r+m-1 of k and v, [m][d], to where a layer's heads are stored. */
static void store_heads(const cross_call *c, int layer, const float *k, const float *v, int r, int m)
{
    const wh_backend *b = c->backend;
    const whisp_model *model = b->model;
    int heads = model->n_text_head, d_head = model->n_text_state / heads;
    for (int head = 0; head < heads; head++) {
        size_t at = wh_cpu_kv_at(model, b->cross_type, model->n_audio_ctx, layer, head);
        size_t channel = (size_t)head * (size_t)d_head;
        b->kernels->kv_store[b->cross_type](k + channel, v + channel, (size_t)model->n_text_state, r, m, d_head,
                                            (char *)c->cross->k + at, (char *)c->cross->v + at);
    }
}

static void cross_task(void *context, size_t task, int worker)
{
    const cross_call *c = context;
    const wh_backend *b = c->backend;
    const own_room room = room_of(b, worker);
    int r = first_row(&c->cut, task), m = first_row(&c->cut, task + 1) - r;
    size_t d = (size_t)b->model->n_audio_state;
    float *k = room.wide, *v = k + (size_t)m * d;
    for (int layer = 0; layer < b->model->n_text_layer; layer++) {
        const wh_attention *attention = &b->model->text_blocks[layer].cross;
        const wh_product kv[] = {
            {.x = b->audio_h + (size_t)r * d, .ldx = d, .m = m, .linear = attention->k, .y = k, .ldy = d},
            {.x = b->audio_h + (size_t)r * d, .ldx = d, .m = m, .linear = attention->v, .y = v, .ldy = d},
        };
        wh_cpu_packed_here(b, kv, 2, &room.rounded, worker);
        store_heads(c, layer, k, v, r, m);
    }
}

void wh_cpu_block_cross(wh_backend *backend, const wh_kv_store *cross)
{
    cross_call call = {backend, cross, cut_rows(backend, cross->kept.n)};
    size_t d = (size_t)backend->model->n_audio_state, layers = (size_t)backend->model->n_text_layer;
    wh_cpu_run(backend, (size_t)call.cut.blocks, block_rows(backend) * 2 * layers * d * d, cross_task, &call);
}
