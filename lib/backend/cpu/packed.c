/* packed.c - products in 8-bit integers or bfloat16: x is rounded row by row, then tiles of a group's rows (12, or 32)
 * by 32 outputs are multiplied and finished (kernels/cpu/gemm.h). Under product.c, for weights that weights.c has packed.
 *
 * With integers, of the decoder's rows also what rounding lost is kept, as a second row of integers: 16 bits
 * together. Its products wait for the weights to come from memory, so twice the arithmetic costs little, and a
 * decoder whose rows have 8 bits makes mistakes that can be heard of (docs/speed.md). The two rows' tiles are added.
 *
 * Sums of integers are exact, those of bfloat16 have an order that depends on k alone, and everything after them
 * belongs to one output, so the same bits come out for any number of rows and threads. */
#include <string.h>

#include "backend/cpu/packed.h"
#include "backend/cpu/run.h"

/* A task: so many groups of rows (the quantized rows stay in the second-level cache) and so many panels (each stays in
 * the first-level cache while the groups pass, or is read once where there are few rows). */
#define GROUPS_A_TASK 10
#define PANELS_A_TASK 8
/* Where groups are large and arithmetic is fast: so many bytes of rounded rows that they and a few panels stay in the
 * second-level cache, of 2 MiB where there is AMX; but at least, and at most, so many groups. */
#define LARGE_TASK ((size_t)512 << 10)
#define LEAST_LARGE_GROUPS 4
#define MOST_LARGE_GROUPS 12
#define FEW_PANELS 2
/* Bytes of the MLP's inside in the least block of block.c: with more, reading weights so often costs more than it saves. */
#define MOST_WIDE_BYTES ((size_t)3 << 19)

/* Bytes of the longest row of x that is rounded: 4 d columns (the MLP's; conv2 has 3 d) of two bytes, as bfloat16 or as
 * an integer and what is left of it. */
static size_t longest_row(const wh_backend *b)
{
    return 2 * 4 * (size_t)b->model->n_audio_state;
}

int wh_cpu_in_blocks(const wh_backend *b)
{
    size_t least = WH_BLOCK_GROUPS * (size_t)b->gemm->rows * 4 * (size_t)b->model->n_audio_state * sizeof(float);
    return b->config.compute != WH_COMPUTE_F32 && least <= MOST_WIDE_BYTES;
}

/* Rows of m, filled up to whole groups. A wide row is two of a group's, one of bfloat16 as long as two. */
static size_t rounded_rows(const wh_backend *b, int m)
{
    return 2 * (size_t)m + 2 * (size_t)b->gemm->rows;
}

/* A product has the rows of a window or of a decoder's pass. */
size_t wh_cpu_packed_rows(const wh_backend *b)
{
    return rounded_rows(b, WH_MAX(b->model->n_audio_ctx, b->ledger.most_rows));
}

/* Of a window those of conv2, 3 d long, where layers go by in blocks, which have a place of their own; of a pass, and
 * else, those of the MLP. */
size_t wh_cpu_packed_size(const wh_backend *b)
{
    size_t d = (size_t)b->model->n_audio_state;
    size_t window = rounded_rows(b, b->model->n_audio_ctx) * wh_steps((wh_cpu_in_blocks(b) ? 3 : 4) * d);
    return 4 * WH_MAX(window, rounded_rows(b, b->ledger.most_rows) * wh_steps(4 * d));
}

size_t wh_cpu_packed_scratch(const wh_backend *b)
{
    return (size_t)b->gemm->rows * longest_row(b) / sizeof(float) + (size_t)b->model->n_audio_state;
}

/* Group g of x's quantized rows. */
static int8_t *group_at(const wh_backend *b, const wh_rounded *x, int g, size_t steps)
{
    return x->rows + (size_t)(g * b->gemm->rows) * steps * 4;
}

/* A wide row takes two of the group's. */
static int most_rows(const wh_backend *b, const wh_packed *w)
{
    return w->is_wide ? b->gemm->rows / 2 : b->gemm->rows;
}

static int group_count(const wh_backend *b, int m, const wh_packed *w)
{
    int most = most_rows(b, w);
    return (m + most - 1) / most;
}

/* Rows of x in a group. Few rows are shared out evenly, so that the groups leave the same time to fetch weights. */
static int group_rows(const wh_backend *b, int m, const wh_packed *w)
{
    int groups = group_count(b, m, w);
    return m <= WH_FEW_ROWS ? (m + groups - 1) / groups : most_rows(b, w);
}

/* ---- x rounded ---- */

typedef struct quantize_call {
    const wh_backend *backend;
    const wh_product *product;
    const wh_packed *w;
    wh_rounded to;
} quantize_call;

/* Row r of x, where it stands or normalized into `room`. */
static const float *read_row(const quantize_call *c, int r, float *room)
{
    const wh_product *p = c->product;
    const float *x = p->x + (size_t)r * p->ldx;
    if (!p->norm.gain)
        return x;
    c->backend->kernels->layer_norm(x, p->norm.gain, p->norm.bias, room, c->w->k);
    return room;
}

static void quantize_task(void *context, size_t g, int worker)
{
    const quantize_call *c = context;
    const wh_gemm *gemm = c->backend->gemm;
    size_t k = c->w->k;
    float *room = wh_cpu_scratch(c->backend, worker);                /* [n_audio_state] */
    int8_t *q = (int8_t *)(room + c->backend->model->n_audio_state); /* [gemm->rows][row_bytes] */
    float *scale = c->to.scale + g * (size_t)gemm->rows;
    int m = c->product->m, most = group_rows(c->backend, m, c->w), first = (int)g * most,
        rows = WH_MIN(most, m - first), wide = c->w->is_wide;
    int8_t *group = group_at(c->backend, &c->to, (int)g, c->w->steps);
    if (c->w->is_bf16) {
        for (int r = 0; r < rows; r++)
            wh_bf16_round(read_row(c, first + r, room), k, (uint16_t *)(void *)q + (size_t)r * k);
        gemm->group_bf16(q, rows, c->w->row_bytes, group);
        return;
    }
    for (int r = 0; r < rows; r++) {
        int8_t *rest = wide ? q + (size_t)(rows + r) * k : NULL;
        gemm->quantize(read_row(c, first + r, room), k, q + (size_t)r * k, rest, &scale[r]);
    }
    for (int r = 0; wide && r < rows; r++)
        scale[rows + r] = scale[r] / 254.0f;
    gemm->group(q, wide ? 2 * rows : rows, k, group);
}

/* Shared out over the threads where there are many rows. */
static void quantize(wh_backend *backend, const wh_product *p, const wh_packed *w)
{
    quantize_call call = {backend, p, w, {backend->x_packed, backend->x_scale}};
    if (p->m <= WH_FEW_ROWS)
        for (int g = 0; g < group_count(backend, p->m, w); g++)
            quantize_task(&call, (size_t)g, 0);
    else
        wh_cpu_run(backend, (size_t)group_count(backend, p->m, w), (size_t)backend->gemm->rows * w->k, quantize_task,
                   &call);
}

/* ---- tiles ---- */

/* A tile that is multiplied and not yet finished. */
typedef struct done_tile {
    float tile[WH_GROUP_MOST * WH_PANEL] __attribute__((aligned(64)));
    int r, rows, j, columns; /* rows r .. r+rows-1, columns j .. j+columns-1 of y */
    int is_sums;             /* bare ones, of these scales */
    wh_scales scales;        /* not with bfloat16 */
} done_tile;

/* Where a tile belongs in y. */
static float *place(const wh_product *p, const done_tile *d)
{
    size_t j = (size_t)d->j;
    float *row = p->y + (size_t)d->r * p->ldy;
    return p->part ? row + j / p->part * p->part_stride + j % p->part : row + j;
}

static void finish(const wh_backend *backend, const wh_product *p, const wh_packed *w, done_tile *d)
{
    const wh_gemm *gemm = backend->gemm;
    const wh_scales *scales = d->is_sums ? &d->scales : NULL;
    const float *bias = p->linear.b ? p->linear.b + d->j : NULL;
    float *tile = d->tile;
    if (w->is_wide) { /* the second half's rows are what rounding lost of the first's */
        if (scales)
            gemm->store(tile, 2 * d->rows, WH_PANEL, scales, NULL, WH_STORE_SET, tile, WH_PANEL);
        gemm->store(tile + d->rows * WH_PANEL, d->rows, WH_PANEL, NULL, NULL, WH_STORE_ADD, tile, WH_PANEL);
        scales = NULL;
    }
    if (p->after == WH_GELU) {
        if (bias || scales)
            gemm->store(tile, d->rows, d->columns, scales, bias, WH_STORE_SET, tile, WH_PANEL);
        backend->kernels->bias_gelu(tile, NULL, (size_t)d->rows * WH_PANEL);
        bias = NULL;
        scales = NULL;
    }
    wh_store how = p->after == WH_ADD ? WH_STORE_ADD : WH_STORE_SET;
    if (p->rows_y) { /* each row stands where its caller wants it */
        for (int i = 0; i < d->rows; i++) {
            const wh_scales row = scales ? (wh_scales){scales->x + i, scales->w} : (wh_scales){NULL, NULL};
            gemm->store(tile + i * WH_PANEL, 1, d->columns, scales ? &row : NULL, bias, how, p->rows_y[d->r + i] + d->j,
                        0);
        }
        return;
    }
    gemm->store(tile, d->rows, d->columns, scales, bias, how, place(p, d), p->ldy);
}

/* Group g times a panel, without the ends. */
static void multiply(const wh_backend *backend, const wh_product *p, const wh_packed *w, const wh_rounded *x, int g,
                     size_t panel, const int8_t *ahead, int lines, done_tile *d)
{
    const wh_gemm *gemm = backend->gemm;
    const int8_t *packed = w->w + panel * w->steps * WH_PANEL * 4, *group = group_at(backend, x, g, w->steps);
    int most = group_rows(backend, p->m, w);
    d->r = g * most;
    d->rows = WH_MIN(most, p->m - d->r);
    d->j = (int)panel * WH_PANEL;
    d->columns = WH_MIN(WH_PANEL, (int)w->n - d->j);
    d->is_sums = 0;
    if (w->is_bf16) {
        gemm->tile_bf16(group, d->rows, packed, w->steps, ahead, lines, d->tile);
        return;
    }
    int rows = w->is_wide ? 2 * d->rows : d->rows;
    d->is_sums = wh_leaves_sums(gemm, rows);
    d->scales = (wh_scales){x->scale + g * gemm->rows, w->scale + d->j};
    gemm->tile(group, rows, packed, w->steps, w->sum + d->j, d->scales.x, d->scales.w, ahead, lines, d->tile);
}

static void panels(const wh_backend *backend, const wh_product *p, const wh_packed *w, const wh_rounded *x,
                   int first_group, int groups, size_t panel, size_t end)
{
    done_tile tile;
    for (; panel < end; panel++)
        for (int g = first_group; g < first_group + groups; g++) {
            int lines = p->m > WH_FEW_ROWS || panel + 1 == end || g > 1 ? 0 : groups == 1 ? 2 : 1;
            const int8_t *next = w->w + (panel + 1) * w->steps * WH_PANEL * 4; /* g's half of it is fetched */
            multiply(backend, p, w, x, g, panel, next + w->steps * (size_t)g * 64, lines, &tile);
            finish(backend, p, w, &tile);
        }
}

/* ---- how products are cut into tasks ---- */

typedef struct product_list {
    const wh_backend *backend;
    const wh_product *products;
    const wh_packed *const *weights;
} product_list;

static int groups_a_task(const wh_backend *b, const wh_packed *w)
{
    if (b->gemm->rows == WH_GROUP)
        return GROUPS_A_TASK;
    size_t fit = LARGE_TASK / ((size_t)b->gemm->rows * w->steps * 4);
    return (int)WH_MIN(WH_MAX(fit, LEAST_LARGE_GROUPS), MOST_LARGE_GROUPS);
}

static int panels_a_task(const wh_product *p, const wh_packed *w)
{
    return p->m > WH_FEW_ROWS || w->n > 8192 ? PANELS_A_TASK : FEW_PANELS;
}

static int row_blocks(const wh_backend *b, const wh_product *p, const wh_packed *w)
{
    return (group_count(b, p->m, w) + groups_a_task(b, w) - 1) / groups_a_task(b, w);
}

static int task_count(const wh_backend *b, const wh_product *p, const wh_packed *w)
{
    int slice = panels_a_task(p, w);
    return ((int)w->panels + slice - 1) / slice * row_blocks(b, p, w);
}

/* Multiplications of a task, at most. */
static size_t task_work(const wh_backend *b, const wh_product *p, const wh_packed *w)
{
    int groups = WH_MIN(group_count(b, p->m, w), groups_a_task(b, w));
    return (size_t)(groups * b->gemm->rows) * (size_t)panels_a_task(p, w) * WH_PANEL * w->k;
}

static void product_task(void *context, size_t index, int worker)
{
    const product_list *list = context;
    const wh_backend *b = list->backend;
    int task = (int)index, i = 0;
    (void)worker;
    for (int n; task >= (n = task_count(b, &list->products[i], list->weights[i])); i++)
        task -= n;
    const wh_product *p = &list->products[i];
    const wh_packed *w = list->weights[i];
    int slices = task_count(b, p, w) / row_blocks(b, p, w), slice = panels_a_task(p, w);
    int g = task / slices * groups_a_task(b, w), first = task % slices * slice;
    const wh_rounded x = {b->x_packed, b->x_scale};
    wh_gemm_begin(b->gemm);
    panels(b, p, w, &x, g, WH_MIN(groups_a_task(b, w), group_count(b, p->m, w) - g), (size_t)first,
           WH_MIN((size_t)(first + slice), w->panels));
    wh_gemm_end(b->gemm);
}

#define MAX_TOGETHER 4

void wh_cpu_packed_products(wh_backend *backend, const wh_product *products, int n)
{
    for (int first = 0, count; first < n; first += count) { /* products of the same x go together */
        const wh_product *p = products + first;
        const wh_packed *weights[MAX_TOGETHER] = {NULL};
        int tasks = 0;
        for (count = 0; first + count < n && count < MAX_TOGETHER && p[count].x == p->x; count++) {
            weights[count] = wh_weights_find(backend->weights, p[count].linear.w);
            tasks += task_count(backend, &p[count], weights[count]);
        }
        quantize(backend, p, weights[0]);
        product_list list = {backend, p, weights};
        wh_cpu_run(backend, (size_t)tasks, task_work(backend, p, weights[0]), product_task, &list);
    }
}

void wh_cpu_packed_here(const wh_backend *backend, const wh_product *products, int n, const wh_rounded *room,
                        int worker)
{
    const wh_packed *w = wh_weights_find(backend->weights, products->linear.w);
    int groups = group_count(backend, products->m, w);
    quantize_call call = {backend, products, w, *room};
    for (int g = 0; g < groups; g++)
        quantize_task(&call, (size_t)g, worker);
    wh_gemm_begin(backend->gemm);
    for (int i = 0; i < n; i++) {
        w = wh_weights_find(backend->weights, products[i].linear.w);
        panels(backend, &products[i], w, room, 0, groups, 0, w->panels);
    }
    wh_gemm_end(backend->gemm);
}
