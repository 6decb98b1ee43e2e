/* packed.c - products in 8-bit integers or bfloat16: x is rounded row by row, then tiles of 12 rows by 32 outputs
 * are multiplied and finished (kernels/cpu/gemm.h). Under product.c, for weights that weights.c has packed.
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
#define FEW_PANELS 2

/* Bytes of the longest row of x that is rounded: 4 d columns (the MLP's; conv2 has 3 d) of two bytes, as bfloat16 or as
 * an integer and what is left of it. */
static size_t longest_row(const wh_backend *b)
{
    return 2 * 4 * (size_t)b->model->n_audio_state;
}

/* A product has the rows of a window or of a decoder's pass; groups are filled up to WH_GROUP. A wide row is two of a
 * group's, one of bfloat16 as long as two. */
size_t wh_cpu_packed_rows(const wh_backend *b)
{
    int m = WH_MAX(b->model->n_audio_ctx, b->ledger.most_rows);
    return 2 * (size_t)m + 2 * WH_GROUP;
}

size_t wh_cpu_packed_size(const wh_backend *b)
{
    return wh_cpu_packed_rows(b) * wh_steps(longest_row(b) / 2) * 4;
}

size_t wh_cpu_packed_scratch(const wh_backend *b)
{
    return WH_GROUP * longest_row(b) / sizeof(float);
}

/* Group g of x's quantized rows and its scales. */
static int8_t *group_at(const wh_backend *b, int g, size_t steps)
{
    return b->x_packed + (size_t)g * WH_GROUP * steps * 4;
}

static int group_count(int m, const wh_packed *w)
{
    int most = w->is_wide ? WH_GROUP / 2 : WH_GROUP; /* a wide row takes two of the group's */
    return (m + most - 1) / most;
}

/* Rows of x in a group. Few rows are shared out evenly, so that the groups leave the same time to fetch weights. */
static int group_rows(int m, const wh_packed *w)
{
    int groups = group_count(m, w);
    return m <= WH_FEW_ROWS ? (m + groups - 1) / groups : w->is_wide ? WH_GROUP / 2 : WH_GROUP;
}

/* ---- x rounded ---- */

typedef struct quantize_call {
    const wh_backend *backend;
    const wh_product *product;
    const wh_packed *w;
} quantize_call;

static void quantize_task(void *context, size_t g, int worker)
{
    const quantize_call *c = context;
    const wh_gemm *gemm = c->backend->gemm;
    const wh_product *p = c->product;
    size_t k = c->w->k;
    int8_t *q = (int8_t *)wh_cpu_scratch(c->backend, worker); /* [WH_GROUP][row_bytes] */
    float *scale = c->backend->x_scale + g * WH_GROUP;
    int most = group_rows(p->m, c->w), first = (int)g * most, rows = WH_MIN(most, p->m - first), wide = c->w->is_wide;
    int8_t *group = group_at(c->backend, (int)g, c->w->steps);
    if (c->w->is_bf16) {
        for (int r = 0; r < rows; r++)
            wh_bf16_round(p->x + (size_t)(first + r) * p->ldx, k, (uint16_t *)(void *)q + (size_t)r * k);
        gemm->group_bf16(q, rows, c->w->row_bytes, group);
        return;
    }
    for (int r = 0; r < rows; r++) {
        int8_t *rest = wide ? q + (size_t)(rows + r) * k : NULL;
        gemm->quantize(p->x + (size_t)(first + r) * p->ldx, k, q + (size_t)r * k, rest, &scale[r]);
    }
    for (int r = 0; wide && r < rows; r++)
        scale[rows + r] = scale[r] / 254.0f;
    gemm->group(q, wide ? 2 * rows : rows, k, group);
}

static void quantize(wh_backend *backend, const wh_product *p, const wh_packed *w)
{
    quantize_call call = {backend, p, w};
    if (p->m <= WH_FEW_ROWS)
        for (int g = 0; g < group_count(p->m, w); g++)
            quantize_task(&call, (size_t)g, 0);
    else
        wh_cpu_run(backend, (size_t)group_count(p->m, w), WH_GROUP * w->k, quantize_task, &call);
}

/* ---- tiles ---- */

/* Rows r .. r+rows-1, columns j .. j+columns-1 of p's y. */
static void finish(const wh_backend *backend, const wh_product *p, float *tile, int r, int rows, int j, int columns)
{
    const wh_gemm *gemm = backend->gemm;
    const float *bias = p->linear.b ? p->linear.b + j : NULL;
    if (p->after == WH_GELU) {
        if (bias)
            gemm->store(tile, rows, columns, bias, WH_STORE_SET, tile, WH_PANEL);
        backend->kernels->bias_gelu(tile, NULL, (size_t)rows * WH_PANEL);
        bias = NULL;
    }
    wh_store how = p->after == WH_ADD ? WH_STORE_ADD : WH_STORE_SET;
    if (p->rows_y) { /* each row stands where its caller wants it */
        for (int i = 0; i < rows; i++)
            gemm->store(tile + i * WH_PANEL, 1, columns, bias, how, p->rows_y[r + i] + j, 0);
        return;
    }
    gemm->store(tile, rows, columns, bias, how, p->y + (size_t)r * p->ldy + j, p->ldy);
}

static void panels(const wh_backend *backend, const wh_product *p, const wh_packed *w, int first_group, int groups,
                   size_t panel, size_t end)
{
    float tile[WH_GROUP * WH_PANEL] __attribute__((aligned(64)));
    for (; panel < end; panel++) {
        const int8_t *packed = w->w + panel * w->steps * WH_PANEL * 4;
        int j = (int)panel * WH_PANEL, columns = WH_MIN(WH_PANEL, (int)w->n - j);
        for (int g = first_group; g < first_group + groups; g++) {
            int r = g * group_rows(p->m, w), rows = WH_MIN(group_rows(p->m, w), p->m - r);
            int lines = p->m > WH_FEW_ROWS || panel + 1 == end || g > 1 ? 0 : groups == 1 ? 2 : 1;
            const int8_t *ahead = packed + w->steps * (WH_PANEL * 4 + (size_t)g * 64); /* g's half of the next panel */
            const int8_t *group = group_at(backend, g, w->steps);
            if (w->is_bf16)
                backend->gemm->tile_bf16(group, rows, packed, w->steps, ahead, lines, tile);
            else
                backend->gemm->tile(group, w->is_wide ? 2 * rows : rows, packed, w->steps, w->sum + j,
                                    backend->x_scale + g * WH_GROUP, w->scale + j, ahead, lines, tile);
            if (w->is_wide)
                backend->gemm->store(tile + rows * WH_PANEL, rows, WH_PANEL, NULL, WH_STORE_ADD, tile, WH_PANEL);
            finish(backend, p, tile, r, rows, j, columns);
        }
    }
}

/* ---- how products are cut into tasks ---- */

typedef struct product_list {
    const wh_backend *backend;
    const wh_product *products;
    const wh_packed *const *weights;
} product_list;

static int panels_a_task(const wh_product *p, const wh_packed *w)
{
    return p->m > WH_FEW_ROWS || w->n > 8192 ? PANELS_A_TASK : FEW_PANELS;
}

static int row_blocks(const wh_product *p, const wh_packed *w)
{
    return (group_count(p->m, w) + GROUPS_A_TASK - 1) / GROUPS_A_TASK;
}

static int task_count(const wh_product *p, const wh_packed *w)
{
    int slice = panels_a_task(p, w);
    return ((int)w->panels + slice - 1) / slice * row_blocks(p, w);
}

/* Multiplications of a task, at most. */
static size_t task_work(const wh_product *p, const wh_packed *w)
{
    int groups = WH_MIN(group_count(p->m, w), GROUPS_A_TASK);
    return (size_t)groups * WH_GROUP * (size_t)panels_a_task(p, w) * WH_PANEL * w->k;
}

static void product_task(void *context, size_t index, int worker)
{
    const product_list *list = context;
    int task = (int)index, i = 0;
    (void)worker;
    for (int n; task >= (n = task_count(&list->products[i], list->weights[i])); i++)
        task -= n;
    const wh_product *p = &list->products[i];
    const wh_packed *w = list->weights[i];
    int slices = task_count(p, w) / row_blocks(p, w), slice = panels_a_task(p, w);
    int g = task / slices * GROUPS_A_TASK, first = task % slices * slice;
    panels(list->backend, p, w, g, WH_MIN(GROUPS_A_TASK, group_count(p->m, w) - g), (size_t)first,
           WH_MIN((size_t)(first + slice), w->panels));
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
            tasks += task_count(&p[count], weights[count]);
        }
        quantize(backend, p, weights[0]);
        product_list list = {backend, p, weights};
        wh_cpu_run(backend, (size_t)tasks, task_work(p, weights[0]), product_task, &list);
    }
}
