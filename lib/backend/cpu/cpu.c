/* cpu.c - the CPU backend: made from a model, and what it gives to the ledger of slots and to ops.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/block.h"
#include "backend/cpu/decode.h"
#include "backend/cpu/encode.h"
#include "backend/cpu/packed.h"
#include "backend/cpu/product.h"
#include "util/pages.h"

/* ---- creation: all memory but the windows' K/V is planned here ---- */

/* A product of sizes that becomes SIZE_MAX when it does not fit. */
static size_t times(size_t a, size_t b)
{
    return a && b > SIZE_MAX / a ? SIZE_MAX : a * b;
}

static int alloc_floats(float **array, size_t rows, size_t columns)
{
    size_t n = times(rows, columns);
    *array = n == SIZE_MAX ? NULL : wh_alloc_aligned(n, sizeof **array);
    return *array ? WHISP_OK : wh_fail_memory();
}

/* A convolution's weights [d][in][3] as a matrix [d][3][in]. */
static int order_taps(const wh_kernels *kernels, const wh_tensor *w, wh_tensor *ordered)
{
    size_t d = (size_t)w->shape[0], in = (size_t)w->shape[1];
    size_t stored = wh_type_row_size(w->type, 3 * w->shape[1]);
    float *row, *taps;
    if (!stored)
        return wh_fail(WHISP_ERR_MODEL, "tensor %s: a convolution's weights cannot be stored as %s", w->name,
                       wh_type_name(w->type));
    if (alloc_floats(&row, 3, in))
        return WHISP_ERR_MEMORY;
    if (alloc_floats(&taps, 3 * d, in)) {
        free(row);
        return WHISP_ERR_MEMORY;
    }
    for (size_t j = 0; j < d; j++) {
        kernels->decode[wh_cpu_storage(w->type)]((const char *)w->data + j * stored, row, 3 * in);
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < 3; tap++)
                taps[3 * in * j + tap * in + i] = row[3 * i + tap];
    }
    free(row);
    *ordered = (wh_tensor){.name = w->name,
                           .type = WH_F32,
                           .n_dims = 2,
                           .shape = {w->shape[0], 3 * w->shape[1], 1, 1},
                           .data = taps,
                           .bytes = 3 * d * in * sizeof *taps};
    return WHISP_OK;
}

/* The matrices as int8 or bfloat16, and room for the rows that they are multiplied with: of 16 bits in either case. */
static int plan_packed(wh_backend *b)
{
    b->x_packed = wh_alloc_aligned(wh_cpu_packed_size(b), 1);
    if (!b->x_packed)
        return wh_fail_memory();
    int rc = alloc_floats(&b->x_scale, wh_cpu_packed_rows(b), 1);
    if (!rc)
        rc = wh_weights_get(b->model, b->config.compute == WH_COMPUTE_BF16, b->kernels, b->gemm, b->pool, &b->weights,
                            &b->own_weights);
    return rc;
}

static int plan_encoder(wh_backend *b)
{
    const whisp_model *m = b->model;
    size_t ctx = (size_t)m->n_audio_ctx, d = (size_t)m->n_audio_state, mel = wh_cpu_mel_size(b);
    int rc = order_taps(b->kernels, m->conv1_w, &b->conv1);
    if (!rc && b->config.compute != WH_COMPUTE_F32)
        rc = plan_packed(b);
    if (!rc && !wh_weights_find(b->weights, m->conv2_w))
        rc = order_taps(b->kernels, m->conv2_w, &b->conv2);
    if (rc)
        return rc;
    if (alloc_floats(&b->mel, mel, 1) || alloc_floats(&b->audio_x, ctx, d) || alloc_floats(&b->audio_h, ctx, d) ||
        alloc_floats(&b->audio_wide, wh_cpu_wide_size(b), 1))
        return WHISP_ERR_MEMORY;
    memset(b->mel, 0, mel * sizeof *b->mel); /* its first and last row stay zeros */
    return WHISP_OK;
}

static int plan_decoder(wh_backend *b)
{
    size_t d = (size_t)b->model->n_text_state;
    size_t n = (size_t)b->ledger.most_rows;
    float **const arrays[] = {&b->x, &b->h, &b->q, &b->k, &b->v, &b->heads};
    for (size_t i = 0; i < WH_COUNT(arrays); i++)
        if (alloc_floats(arrays[i], n, d))
            return WHISP_ERR_MEMORY;
    b->groups = wh_calloc(n, sizeof *b->groups);
    return b->groups ? alloc_floats(&b->wide, n, times(4, d)) : wh_fail_memory();
}

/* What one task needs at most. */
static int plan_scratch(wh_backend *b)
{
    size_t size = b->weights ? wh_cpu_block_scratch(b) : wh_cpu_product_scratch(b);
    size = WH_MAX(size, WH_MAX(wh_cpu_encode_scratch(b), wh_cpu_decode_scratch(b)));
    b->scratch_size = (size + 15) / 16 * 16; /* whole cache lines */
    return alloc_floats(&b->scratch, (size_t)wh_pool_threads(b->pool), b->scratch_size);
}

/* K or V of n positions, all layers and heads. */
static int alloc_kv(const whisp_model *m, wh_kv type, int n, void **kv)
{
    size_t size = times(wh_cpu_kv_size(m, type, n), times((size_t)m->n_text_layer, (size_t)m->n_text_head));
    *kv = size == SIZE_MAX ? NULL : wh_alloc_aligned(size, 1);
    return *kv ? WHISP_OK : wh_fail_memory();
}

static int alloc_kept(const whisp_model *m, wh_kept *kept)
{
    size_t n = (size_t)m->n_audio_ctx; /* what an attempt before left is kept */
    kept->log_counts = kept->log_counts ? kept->log_counts : wh_calloc(n, sizeof *kept->log_counts);
    kept->position = kept->position ? kept->position : wh_calloc(n, sizeof *kept->position);
    kept->kept_by = kept->kept_by ? kept->kept_by : wh_calloc(n, sizeof *kept->kept_by);
    return kept->log_counts && kept->position && kept->kept_by ? WHISP_OK : wh_fail_memory();
}

static int plan_slots(wh_backend *b)
{
    size_t n = (size_t)b->ledger.n;
    int rc = wh_slots_init(&b->ledger);
    b->self = wh_calloc(n, sizeof *b->self);
    b->cross = wh_calloc(n, sizeof *b->cross);
    if (!rc && (!b->self || !b->cross))
        rc = wh_fail_memory();
    for (size_t i = 0; !rc && i < n; i++)
        if (alloc_kv(b->model, b->self_type, b->model->n_text_ctx, &b->self[i].k) ||
            alloc_kv(b->model, b->self_type, b->model->n_text_ctx, &b->self[i].v))
            rc = WHISP_ERR_MEMORY;
    return rc;
}

/* Which products, by the name and the arithmetic asked for: our own, or OpenBLAS, which is opened only then. */
static int choose_products(wh_backend *b, const char *name)
{
    static const char *const types[] = {
        [WH_COMPUTE_F32] = "float32", [WH_COMPUTE_BF16] = "bfloat16", [WH_COMPUTE_INT8] = "int8"};
    int wants_blas = !strcmp(name, "blas");
    if (!wants_blas && strcmp(name, "auto") != 0 && strcmp(name, "cpu") != 0)
        return wh_fail(WHISP_ERR_BACKEND, "no backend \"%s\" here; there are auto, cpu, blas and cuda", name);
    const wh_blas *blas = wants_blas ? wh_blas_get() : NULL;
    if (blas && !blas->sgemm)
        return wh_fail(WHISP_ERR_BACKEND, "backend blas: %s", blas->problem);
    if (blas && (b->config.compute == WH_COMPUTE_INT8 || b->config.compute == WH_COMPUTE_BF16))
        return wh_fail(WHISP_ERR_BACKEND, "backend blas multiplies in float32; %s needs the backend cpu",
                       types[b->config.compute]);
    wh_cpu cpu = wh_cpu_best();
    b->kernels = cpu.kernels;
    b->gemm = cpu.gemm;
    b->sgemm = blas ? blas->sgemm : NULL;
    if (b->config.compute == WH_COMPUTE_AUTO)
        b->config.compute = !b->model->is_int8 && (blas || !cpu.integers_pay) ? WH_COMPUTE_F32 : WH_COMPUTE_INT8;
    if (b->config.padding == WH_PADDING_AUTO)
        b->config.padding = b->config.compute == WH_COMPUTE_INT8 ? WH_PADDING_FEW : WH_PADDING_FULL;
    if (b->config.compute == WH_COMPUTE_INT8 && cpu.integers_pay)
        b->attention_int = cpu.attention;
    b->self_type = b->config.compute == WH_COMPUTE_F32 ? WH_KV_F32 : WH_KV_F16;
    b->cross_type = b->config.compute == WH_COMPUTE_INT8 ? WH_KV_I8 : b->self_type;
    snprintf(b->description, sizeof b->description, "cpu: %s%s%s, %s, %d thread%s", blas ? blas->name : "",
             blas ? ", " : "", types[b->config.compute], cpu.name, wh_pool_threads(b->pool),
             wh_pool_threads(b->pool) == 1 ? "" : "s");
    return WHISP_OK;
}

static void cpu_free(wh_backend *b);
static const wh_backend_ops ops;
static const wh_computer computer;

int wh_cpu_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config,
                       wh_backend **backend)
{
    *backend = NULL;
    wh_backend *b = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->ledger = (wh_slots){.ops = &ops,
                           .computer = &computer,
                           .model = model,
                           .n = config->n_slots,
                           .most_windows = 1,
                           .few_rows = WH_FEW_ROWS,
                           .most_rows = WH_MAX(model->n_text_ctx, WH_FEW_ROWS)};
    b->model = model;
    b->config = *config;
    int rc = wh_pool_new(config->threads, &b->pool);
    if (!rc)
        rc = choose_products(b, name);
    if (!rc)
        rc = plan_encoder(b);
    if (!rc)
        rc = plan_decoder(b);
    if (!rc)
        rc = plan_scratch(b);
    if (!rc)
        rc = plan_slots(b);
    if (rc) {
        cpu_free(b);
        return rc;
    }
    *backend = b;
    return WHISP_OK;
}

static void free_kv(wh_kv_store *stores, int n)
{
    for (int i = 0; stores && i < n; i++) {
        free(stores[i].k);
        free(stores[i].v);
        free(stores[i].kept.position);
        free(stores[i].kept.kept_by);
        free(stores[i].kept.log_counts);
    }
    free(stores);
}

static void cpu_free(wh_backend *b)
{
    if (!b)
        return;
    wh_pool_free(b->pool);
    wh_weights_free(b->own_weights);
    free((void *)b->conv1.data);
    free((void *)b->conv2.data);
    free_kv(b->self, b->ledger.n);
    free_kv(b->cross, b->ledger.n);
    wh_slots_free(&b->ledger);
    void *const arrays[] = {b->scratch, b->x_packed, b->x_scale, b->mel, b->audio_x, b->audio_h, b->audio_wide, b->x,
                            b->h,       b->q,        b->k,       b->v,   b->heads,   b->wide,    b->groups,     b};
    for (size_t i = 0; i < WH_COUNT(arrays); i++)
        free(arrays[i]);
}

static const char *cpu_describe(const wh_backend *backend)
{
    return backend->description;
}

/* ---- what the ledger of slots asks for ---- */

/* A window's memory is taken when it is first used. */
static int encode_windows(wh_backend *b, int n, const float *const *mel, const int *windows, enum wh_hearing how)
{
    int ctx = b->model->n_audio_ctx;
    for (int i = 0; i < n; i++) {
        wh_kv_store *cross = &b->cross[windows[i]];
        if ((!cross->k && alloc_kv(b->model, b->cross_type, ctx, &cross->k)) ||
            (!cross->v && alloc_kv(b->model, b->cross_type, ctx, &cross->v)) || alloc_kept(b->model, &cross->kept))
            return WHISP_ERR_MEMORY;
        int rc = wh_cpu_encode(b, mel[i], cross, how);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static int run_pass(wh_backend *b, int n, const wh_row *rows)
{
    return wh_cpu_decode(b, n, rows);
}

/* Whole tiles: what is in the first one before `first` is the same. */
static int copy_kv(wh_backend *b, int dst, int src, int first, int end)
{
    const whisp_model *m = b->model;
    size_t begin = wh_cpu_kv_size(m, b->self_type, first - first % WH_KV_KEYS);
    size_t bytes = wh_cpu_kv_size(m, b->self_type, end) - begin;
    for (int i = 0; i < m->n_text_layer * m->n_text_head; i++) {
        size_t at = wh_cpu_kv_at(m, b->self_type, m->n_text_ctx, 0, i) + begin;
        memcpy((char *)b->self[dst].k + at, (const char *)b->self[src].k + at, bytes);
        memcpy((char *)b->self[dst].v + at, (const char *)b->self[src].v + at, bytes);
    }
    return WHISP_OK;
}

/* Slots for the fallback are needed seldom, but by then have as much memory as the others. */
static void rest(wh_backend *b, int slot)
{
    size_t size = wh_cpu_kv_size(b->model, b->self_type, b->model->n_text_ctx) * (size_t)b->model->n_text_layer *
                  (size_t)b->model->n_text_head;
    wh_pages_rest(b->self[slot].k, size);
    wh_pages_rest(b->self[slot].v, size);
}

static const wh_computer computer = {
    .encode_windows = encode_windows,
    .run_pass = run_pass,
    .copy_kv = copy_kv,
    .rest = rest,
};

static const wh_backend_ops ops = {
    .free = cpu_free,
    .describe = cpu_describe,
    .encode = wh_slots_encode,
    .leaves_out = wh_cpu_leaves_out,
    .decode = wh_slots_decode,
    .fork_tail = wh_slots_fork_tail,
    .truncate = wh_slots_truncate,
    .rest = wh_slots_rest,
    .room = wh_slots_room,
    .slots = wh_slots_count,
    .windows = wh_slots_windows,
};
