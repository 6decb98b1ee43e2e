/* weights.c - float16 (or other) matrices of the mapped file to int8 with a scale per output channel, or to
 * bfloat16, in parallel.
 *
 * One task is a few panels of 32 rows: decode a row, quantize it (unless the file has it as int8), interleave. The
 * pages of the file that have been read are given back to the operating system soon, so that the process never
 * holds the weights twice. Each weight is read once: on the way it is seen whether all are numbers. */
#include "backend/cpu/weights.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/pages.h"

#define TASK_BYTES ((size_t)256 << 10) /* of panels, about */
#define KEPT ((size_t)16 << 20)        /* bytes of the file that may stay in the process meanwhile */

struct wh_weights {
    wh_packed *list; /* [n], by address of the tensor */
    size_t n;
    wh_pages panels; /* all of the list's */
    float *scales;   /* likewise; NULL with bfloat16, as sums */
    int32_t *sums;
    atomic_char *unsound; /* [n]: a number of the matrix is NaN or infinite */
    int is_bf16;
    struct wh_weights *next; /* another type's, of the same model */
};

wh_storage wh_cpu_storage(wh_type type)
{
    switch (type) {
    case WH_F16: return WH_ROWS_F16;
    case WH_BF16: return WH_ROWS_BF16;
    case WH_Q8_0: return WH_ROWS_Q8_0;
    default: return WH_ROWS_F32;
    }
}

const void *wh_cpu_row(const wh_tensor *w, int64_t j)
{
    return (const char *)w->data + (size_t)j * wh_type_row_size(w->type, w->shape[1]);
}

/* ---- which matrices ---- */

static void add(wh_weights *weights, const wh_tensor *tensor, int taps, int is_wide)
{
    size_t k = (size_t)tensor->shape[1] * (size_t)taps, row_bytes = weights->is_bf16 ? 2 * k : k;
    weights->list[weights->n++] = (wh_packed){.tensor = tensor,
                                              .taps = taps,
                                              .is_bf16 = weights->is_bf16,
                                              .is_wide = is_wide && !weights->is_bf16,
                                              .n = (size_t)tensor->shape[0],
                                              .k = k,
                                              .row_bytes = row_bytes,
                                              .panels = ((size_t)tensor->shape[0] + WH_PANEL - 1) / WH_PANEL,
                                              .steps = wh_steps(row_bytes)};
}

static void add_blocks(wh_weights *weights, const wh_block *blocks, int n, int is_decoder)
{
    for (int i = 0; i < n; i++) {
        const wh_attention *self = &blocks[i].attn, *cross = &blocks[i].cross;
        const wh_linear *const list[] = {&self->q,   &self->k,          &self->v,
                                         &self->out, &blocks[i].mlp_up, &blocks[i].mlp_down};
        for (size_t j = 0; j < WH_COUNT(list); j++)
            add(weights, list[j]->w, 1, is_decoder);
        if (!is_decoder)
            continue;
        add(weights, cross->q.w, 1, 1);
        add(weights, cross->out.w, 1, 1);
        add(weights, cross->k.w, 1, 0); /* of the encoder's output */
        add(weights, cross->v.w, 1, 0);
    }
}

static int by_address(const void *a, const void *b)
{
    const wh_tensor *x = ((const wh_packed *)a)->tensor, *y = ((const wh_packed *)b)->tensor;
    return (x > y) - (x < y);
}

static void list_matrices(wh_weights *weights, const whisp_model *m)
{
    add(weights, m->conv2_w, 3, 1);
    add_blocks(weights, m->audio_blocks, m->n_audio_layer, 0);
    add_blocks(weights, m->text_blocks, m->n_text_layer, 1);
    add(weights, m->token_embedding, 1, 1);
    if (m->output != m->token_embedding)
        add(weights, m->output, 1, 1);
    qsort(weights->list, weights->n, sizeof *weights->list, by_address);
}

static size_t panel_bytes(const wh_packed *t)
{
    return t->steps * WH_PANEL * 4;
}

/* A place for each matrix. */
static int place(wh_weights *weights)
{
    size_t bytes = 0, rows = 0;
    for (size_t i = 0; i < weights->n; i++) {
        bytes += weights->list[i].panels * panel_bytes(&weights->list[i]);
        rows += weights->list[i].panels * WH_PANEL;
    }
    if (wh_pages_take_plain(&weights->panels, bytes / sizeof(float), 1))
        return WHISP_ERR_MEMORY;
    if (!weights->is_bf16) {
        weights->scales = wh_calloc(rows, sizeof *weights->scales);
        weights->sums = wh_calloc(rows, sizeof *weights->sums);
        if (!weights->scales || !weights->sums)
            return wh_fail_memory();
    }
    bytes = rows = 0;
    for (size_t i = 0; i < weights->n; i++) {
        wh_packed *t = &weights->list[i];
        t->w = (int8_t *)weights->panels.at + bytes;
        t->scale = weights->scales ? weights->scales + rows : NULL;
        t->sum = weights->sums ? weights->sums + rows : NULL;
        bytes += t->panels * panel_bytes(t);
        rows += t->panels * WH_PANEL;
    }
    return WHISP_OK;
}

const wh_packed *wh_weights_find(const wh_weights *weights, const wh_tensor *tensor)
{
    const wh_packed key = {.tensor = tensor};
    return weights ? bsearch(&key, weights->list, weights->n, sizeof *weights->list, by_address) : NULL;
}

/* ---- the work ---- */

typedef struct pack_call {
    const wh_weights *weights;
    const wh_kernels *kernels;
    const wh_gemm *gemm;
    const wh_gguf *file;
    atomic_size_t *read; /* bytes of the file */
    float *rows;         /* [threads][2][longest row] */
    int8_t *q;           /* [threads][WH_PANEL][longest row], two bytes each */
    size_t longest;
} pack_call;

static size_t panels_a_task(const wh_packed *t)
{
    return WH_MAX(TASK_BYTES / panel_bytes(t), 1);
}

static size_t task_count(const wh_packed *t)
{
    return (t->panels + panels_a_task(t) - 1) / panels_a_task(t);
}

/* Row j as floats, a convolution's taps one after the other. */
static const float *read_row(const pack_call *call, const wh_packed *t, size_t j, float *row)
{
    size_t stored = t->tensor->bytes / t->n, in = t->k / (size_t)t->taps;
    float *split = row + call->longest;
    call->kernels->decode[wh_cpu_storage(t->tensor->type)]((const char *)t->tensor->data + j * stored, row, t->k);
    if (t->taps == 1)
        return row;
    for (size_t i = 0; i < in; i++)
        for (size_t tap = 0; tap < (size_t)t->taps; tap++)
            split[tap * in + i] = *row++;
    return split;
}

/* Rows that the file has as int8 with their scales: where they stand, or a convolution's in q, its taps in order. */
static const int8_t *stored_rows(const wh_packed *t, size_t first, size_t n, int8_t *q)
{
    const int8_t *rows = (const int8_t *)t->tensor->data + first * t->k;
    size_t taps = (size_t)t->taps, in = t->k / taps;
    memcpy(t->scale + first, t->tensor->scale + first, n * sizeof *t->scale);
    if (taps == 1)
        return rows;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < taps; tap++)
                q[r * t->k + tap * in + i] = *rows++;
    return q;
}

static void round_rows(const pack_call *call, const wh_packed *t, size_t first, size_t n, float *row, int8_t *q)
{
    int is_sound = 1;
    for (size_t r = 0; r < n; r++) {
        const float *x = read_row(call, t, first + r, row);
        if (t->is_bf16) {
            wh_bf16_round(x, t->k, (uint16_t *)(void *)q + r * t->k);
            continue;
        }
        call->gemm->quantize(x, t->k, q + r * t->k, NULL, &t->scale[first + r]);
        is_sound &= !isnan(t->scale[first + r]);
    }
    if (!is_sound)
        atomic_store(&call->weights->unsound[t - call->weights->list], 1);
}

static void pack_task(void *context, size_t task, int worker)
{
    const pack_call *call = context;
    const wh_packed *t = call->weights->list;
    for (size_t n; task >= (n = task_count(t)); t++)
        task -= n;
    float *row = call->rows + (size_t)worker * 2 * call->longest;
    int8_t *q = call->q + (size_t)worker * WH_PANEL * call->longest * 2;
    size_t first = task * panels_a_task(t), last = WH_MIN(first + panels_a_task(t), t->panels);
    wh_pages_fill(t->w + first * panel_bytes(t), (last - first) * panel_bytes(t));
    for (size_t panel = first; panel < last; panel++) {
        size_t at = panel * WH_PANEL, rows = WH_MIN(WH_PANEL, t->n - at);
        const int8_t *from = q;
        if (t->tensor->type == WH_I8)
            from = stored_rows(t, at, rows, q);
        else
            round_rows(call, t, at, rows, row, q);
        wh_panel(from, (int)rows, t->row_bytes, t->w + panel * panel_bytes(t), t->is_bf16 ? NULL : t->sum + at);
    }
    /* what was read need not stay in the process; for each task alone it would cost more than it is worth */
    size_t bytes = t->tensor->bytes / t->n * (WH_MIN(last * WH_PANEL, t->n) - first * WH_PANEL);
    size_t before = atomic_fetch_add(call->read, bytes);
    if (call->file && before / KEPT != (before + bytes) / KEPT)
        wh_gguf_rest(call->file);
}

/* New memory costs a third of the time in large pages, as long as the system has them at hand. */
typedef struct enlarge_call {
    const wh_pages *pages;
    atomic_int ended;
} enlarge_call;

static void enlarge_task(void *context, size_t i, int worker)
{
    enlarge_call *call = context;
    (void)worker;
    if (!atomic_load(&call->ended) && !wh_pages_large(call->pages, i))
        atomic_store(&call->ended, 1);
}

static int pack(const wh_weights *weights, const wh_gguf *file, const wh_kernels *kernels, const wh_gemm *gemm,
                wh_pool *pool)
{
    atomic_size_t read = 0;
    pack_call call = {.weights = weights, .kernels = kernels, .gemm = gemm, .file = file, .read = &read};
    size_t threads = (size_t)wh_pool_threads(pool), tasks = 0;
    for (size_t i = 0; i < weights->n; i++) {
        tasks += task_count(&weights->list[i]);
        call.longest = WH_MAX(call.longest, (weights->list[i].k + 15) / 16 * 16);
    }
    call.rows = wh_alloc_aligned(threads * 2 * call.longest, sizeof *call.rows);
    call.q = wh_alloc_aligned(threads * WH_PANEL, call.longest * 2);
    int rc = call.rows && call.q ? WHISP_OK : wh_fail_memory();
    enlarge_call large = {.pages = &weights->panels};
    if (!rc) {
        wh_pool_run(pool, weights->panels.bytes / WH_LARGE_PAGE, enlarge_task, &large);
        wh_pool_run(pool, tasks, pack_task, &call);
    }
    free(call.rows);
    free(call.q);
    return rc;
}

/* What packing has seen of a tensor's numbers: 1 they are numbers, 0 not, -1 it has not looked at them. */
static int soundness(const void *user, const wh_tensor *tensor)
{
    const wh_weights *weights = user;
    const wh_packed *t = wh_weights_find(weights, tensor);
    return !t || weights->is_bf16 || tensor->type == WH_I8 ? -1 : !atomic_load(&weights->unsound[t - weights->list]);
}

static int make(const whisp_model *model, int is_bf16, const wh_kernels *kernels, const wh_gemm *gemm, wh_pool *pool,
                wh_weights **weights)
{
    wh_weights *made = wh_calloc(1, sizeof *made);
    if (!made)
        return wh_fail_memory();
    size_t most = 3 + 6 * (size_t)model->n_audio_layer + 10 * (size_t)model->n_text_layer;
    made->is_bf16 = is_bf16;
    made->list = wh_calloc(most, sizeof *made->list);
    made->unsound = wh_calloc(most, sizeof *made->unsound);
    int rc = made->list && made->unsound ? WHISP_OK : wh_fail_memory();
    if (!rc) {
        list_matrices(made, model);
        rc = place(made);
    }
    if (!rc)
        rc = pack(made, model->file, kernels, gemm, pool);
    if (!rc)
        wh_model_search(model, soundness, made);
    if (model->file) /* the system has mapped the neighbours of what was read, too */
        wh_gguf_rest(model->file);
    if (rc)
        wh_weights_free(made);
    else
        *weights = made;
    return rc;
}

static void free_shared(void *weights)
{
    for (wh_weights *w = weights, *next; w; w = next) {
        next = w->next;
        wh_weights_free(w);
    }
}

int wh_weights_get(const whisp_model *model, int is_bf16, const wh_kernels *kernels, const wh_gemm *gemm, wh_pool *pool,
                   const wh_weights **weights, wh_weights **owned)
{
    wh_derived *derived = model->derived;
    int rc = WHISP_OK;
    if (!derived) {
        rc = make(model, is_bf16, kernels, gemm, pool, owned);
        *weights = *owned;
        return rc;
    }
    pthread_mutex_lock(&derived->mutex);
    wh_weights *found = derived->data;
    while (found && found->is_bf16 != is_bf16)
        found = found->next;
    if (!found && !(rc = make(model, is_bf16, kernels, gemm, pool, &found))) {
        found->next = derived->data;
        derived->data = found;
        derived->free = free_shared;
    }
    *weights = found;
    pthread_mutex_unlock(&derived->mutex);
    return rc;
}

void wh_weights_free(wh_weights *weights)
{
    if (!weights)
        return;
    wh_pages_give_back(&weights->panels);
    free(weights->scales);
    free(weights->sums);
    free(weights->unsound);
    free(weights->list);
    free(weights);
}
