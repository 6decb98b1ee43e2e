/* product.c - matrix products with stored weights, spread over the threads. Under encode.c and decode.c.
 *
 * Weights stay in the model file in their type. A product of many rows is cut into tiles of TILE weight rows, which
 * a task decodes into its scratch and multiplies with gemm->f32 (or OpenBLAS, where that was asked for). A product of
 * few rows streams the stored weights once through kernels->rows, which adds in the same order. Where there are int8
 * weights packed.c does it. Tiles have fixed sizes and every sum is within one task, so the bits do
 * not depend on the number of threads. */
#include "backend/cpu/packed.h"
#include "backend/cpu/product.h"
#include "backend/cpu/run.h"

/* Large products: rows of x a task takes at most. Smaller blocks decode the weights more often. */
#define BLOCK_ROWS 768
/* Few rows: weight rows a task takes; more for the vocabulary's matrix, which has tens of thousands. */
#define SLICE 64
#define WIDE_SLICE 256
/* Many: weight rows that are decoded and multiplied as one task. */
#define TILE 128

/* A tile of the longest rows: the MLP's, 4 d (a convolution's have fewer, and are floats). */
size_t wh_cpu_product_scratch(const wh_backend *b)
{
    return TILE * wh_f32_stride(4 * (size_t)b->model->n_text_state);
}

/* y[m][n] (+)= x[m][k] w[n][k]^T, all floats, in the calling thread. */
static void multiply(const wh_backend *backend, int m, int n, int k, const float *x, size_t ldx, const float *w,
                     size_t ldw, float *y, size_t ldy, int add)
{
    if (backend->sgemm) { /* BLAS wants ldx >= k; a convolution's rows overlap */
        for (int at = 0, length; at < k; at += length) {
            length = (size_t)(k - at) < ldx ? k - at : (int)ldx;
            backend->sgemm(WH_ROW_MAJOR, WH_NO_TRANS, WH_TRANS, m, n, length, 1.0f, x + at, (int)ldx, w + at, (int)ldw,
                           add || at ? 1.0f : 0.0f, y, (int)ldy);
        }
        return;
    }
    backend->gemm->f32(x, ldx, (size_t)m, w, ldw, (size_t)n, (size_t)k, y, ldy, add);
}

/* Add the bias and do what follows, for rows x columns of y; b is the first column's bias, or NULL. */
static void finish(const wh_kernels *kernels, const wh_product *p, float *y, int rows, int columns, const float *b)
{
    for (int r = 0; r < rows; r++, y += p->ldy)
        if (p->after == WH_GELU)
            kernels->bias_gelu(y, b, (size_t)columns);
        else if (b)
            kernels->add(y, b, (size_t)columns);
}

/* ---- how a product is cut into tasks ---- */

static int n_weights(const wh_product *p)
{
    return (int)p->linear.w->shape[0];
}

static int slice_rows(const wh_product *p)
{
    if (p->m <= WH_FEW_ROWS)
        return n_weights(p) > 8192 ? WIDE_SLICE : SLICE;
    return TILE;
}

static int row_blocks(const wh_product *p)
{
    return p->m <= WH_FEW_ROWS ? 1 : (p->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static int task_count(const wh_product *p)
{
    int slice = slice_rows(p);
    return (n_weights(p) + slice - 1) / slice * row_blocks(p);
}

/* Multiplications of a task, at most. */
static size_t task_work(const wh_product *p)
{
    return (size_t)WH_MIN(p->m, BLOCK_ROWS) * (size_t)slice_rows(p) * (size_t)p->linear.w->shape[1];
}

/* ---- the tasks ---- */

/* Weight rows j .. j+n-1 times all rows of x. */
static void few_rows(const wh_backend *backend, const wh_product *p, int j, int n)
{
    const wh_tensor *w = p->linear.w;
    size_t stride = wh_type_row_size(w->type, w->shape[1]);
    backend->kernels->rows[wh_cpu_storage(w->type)](p->x, p->ldx, p->m, wh_cpu_row(w, j), stride, (size_t)n,
                                                    (size_t)w->shape[1], p->y + j, p->ldy, p->after == WH_ADD);
    finish(backend->kernels, p, p->y + j, p->m, n, p->linear.b ? p->linear.b + j : NULL);
}

/* Weight rows j .. j+n-1 as floats, *stride apart: where they are stored as such, or decoded into scratch. */
static const float *decode_tile(const wh_backend *backend, const wh_tensor *w, int j, int n, float *scratch,
                                size_t *stride)
{
    size_t k = *stride = (size_t)w->shape[1];
    if (w->type == WH_F32)
        return wh_cpu_row(w, j);
    *stride = wh_f32_stride(k);
    for (int i = 0; i < n; i++)
        backend->kernels->decode[wh_cpu_storage(w->type)](wh_cpu_row(w, j + i), scratch + (size_t)i * *stride, k);
    return scratch;
}

/* Weight rows j .. j+n-1 times rows r .. r+m-1 of x. */
static void tile(const wh_backend *backend, const wh_product *p, int r, int m, int j, int n, float *scratch)
{
    size_t stride;
    const float *w = decode_tile(backend, p->linear.w, j, n, scratch, &stride);
    const float *x = p->x + (size_t)r * p->ldx;
    const float *b = p->linear.b ? p->linear.b + j : NULL;
    int k = (int)p->linear.w->shape[1];
    float *y = p->y + (size_t)r * p->ldy + j;
    multiply(backend, m, n, k, x, p->ldx, w, stride, y, p->ldy, p->after == WH_ADD);
    finish(backend->kernels, p, y, m, n, b);
}

typedef struct product_list {
    wh_backend *backend;
    const wh_product *products;
} product_list;

static void product_task(void *context, size_t index, int worker)
{
    const product_list *list = context;
    const wh_product *p = list->products;
    int task = (int)index;
    for (int n; task >= (n = task_count(p)); p++)
        task -= n;
    int slice = slice_rows(p), blocks = row_blocks(p);
    int j = task / blocks * slice, n = WH_MIN(slice, n_weights(p) - j);
    if (p->m <= WH_FEW_ROWS) {
        few_rows(list->backend, p, j, n);
        return;
    }
    int rows = (p->m + blocks - 1) / blocks, r = task % blocks * rows;
    tile(list->backend, p, r, WH_MIN(rows, p->m - r), j, n, wh_cpu_scratch(list->backend, worker));
}

void wh_cpu_products(wh_backend *backend, const wh_product *products, int n)
{
    if (wh_weights_find(backend->weights, products->linear.w)) {
        wh_cpu_packed_products(backend, products, n);
        return;
    }
    product_list list = {backend, products};
    int tasks = 0;
    for (int i = 0; i < n; i++)
        tasks += task_count(&products[i]);
    wh_cpu_run(backend, (size_t)tasks, task_work(products), product_task, &list);
}

/* ---- layer norm ---- */

#define NORM_ROWS 16 /* a task */

typedef struct norm_call {
    const wh_kernels *kernels;
    const float *x;
    float *out;
    wh_norm norm;
    int n, d;
} norm_call;

static void norm_task(void *context, size_t task, int worker)
{
    const norm_call *call = context;
    (void)worker;
    int end = WH_MIN((int)(task + 1) * NORM_ROWS, call->n);
    for (int r = (int)task * NORM_ROWS; r < end; r++) {
        size_t at = (size_t)r * (size_t)call->d;
        call->kernels->layer_norm(call->x + at, call->norm.gain, call->norm.bias, call->out + at, (size_t)call->d);
    }
}

void wh_cpu_layer_norm(wh_backend *backend, const float *x, wh_norm norm, float *out, int n, int d)
{
    norm_call call = {backend->kernels, x, out, norm, n, d};
    wh_cpu_run(backend, (size_t)((n + NORM_ROWS - 1) / NORM_ROWS), NORM_ROWS * (size_t)d, norm_task, &call);
}
