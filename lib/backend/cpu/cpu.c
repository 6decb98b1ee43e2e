/* cpu.c - the CPU backend: made from a model, its slots, and the calls of backend.h (through ops.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"

#define MAX_SLOTS 4096

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
        for (size_t i = 0; i < 3 * in; i++)
            taps[3 * in * j + i % 3 * in + i / 3] = row[i];
    }
    free(row);
    *ordered = (wh_tensor){.name = w->name, .type = WH_F32, .n_dims = 2, .shape = {w->shape[0], 3 * w->shape[1], 1, 1},
                           .data = taps, .bytes = 3 * d * in * sizeof *taps};
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
    size_t ctx = (size_t)m->n_audio_ctx, d = (size_t)m->n_audio_state, mel = 2 * ctx + 2;
    int rc = order_taps(b->kernels, m->conv1_w, &b->conv1);
    if (!rc && b->config.compute != WH_COMPUTE_F32)
        rc = plan_packed(b);
    if (!rc && !wh_weights_find(b->weights, m->conv2_w))
        rc = order_taps(b->kernels, m->conv2_w, &b->conv2);
    if (rc)
        return rc;
    if (alloc_floats(&b->mel, mel, (size_t)m->n_mels) || alloc_floats(&b->audio_x, ctx, d) ||
        alloc_floats(&b->audio_h, ctx, d) || alloc_floats(&b->audio_wide, wh_cpu_wide_size(b), 1))
        return WHISP_ERR_MEMORY;
    memset(b->mel, 0, mel * (size_t)m->n_mels * sizeof *b->mel); /* its first and last row stay zeros */
    return WHISP_OK;
}

static int plan_decoder(wh_backend *b)
{
    size_t d = (size_t)b->model->n_text_state;
    size_t n = (size_t)b->max_rows;
    float **const arrays[] = {&b->x, &b->h, &b->q, &b->k, &b->v, &b->heads};
    for (size_t i = 0; i < WH_COUNT(arrays); i++)
        if (alloc_floats(arrays[i], n, d))
            return WHISP_ERR_MEMORY;
    b->rows = wh_calloc(n, sizeof *b->rows);
    b->groups = wh_calloc(n, sizeof *b->groups);
    return b->rows && b->groups ? alloc_floats(&b->wide, n, times(4, d)) : wh_fail_memory();
}

/* What one task needs at most: a decoded tile (more than a group of rounded rows), the encoder's attention, the
 * decoder's scores, a slice of logits. */
static int plan_scratch(wh_backend *b)
{
    const whisp_model *m = b->model;
    size_t d_head = (size_t)(m->n_audio_state / m->n_audio_head);
    size_t size = times(WH_TILE, wh_f32_stride(times(4, (size_t)m->n_text_state)));
    size = WH_MAX(size, WH_MAX(wh_attend_scratch(d_head), wh_attend_int_scratch(d_head)));
    size = WH_MAX(size, (size_t)m->n_text_ctx + 15);
    size = WH_MAX(size, WH_PROMPT_ROWS * ((size_t)m->n_audio_ctx + 15));
    size = WH_MAX(size, WH_FEW_ROWS * (size_t)WH_LOGITS_SLICE);
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

static int plan_slots(wh_backend *b)
{
    size_t n = (size_t)b->config.n_slots;
    b->slots = wh_calloc(n, sizeof *b->slots);
    b->cross = wh_calloc(n, sizeof *b->cross);
    if (!b->slots || !b->cross)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++) {
        b->slots[i].cross = -1;
        if (alloc_kv(b->model, b->self_type, b->model->n_text_ctx, &b->slots[i].k) ||
            alloc_kv(b->model, b->self_type, b->model->n_text_ctx, &b->slots[i].v))
            return WHISP_ERR_MEMORY;
    }
    return WHISP_OK;
}

/* Which products, by the name and the arithmetic asked for: our own, or OpenBLAS, which is opened only then. */
static int choose_products(wh_backend *b, const char *name)
{
    static const char *const types[] = {[WH_COMPUTE_F32] = "float32", [WH_COMPUTE_BF16] = "bfloat16",
                                       [WH_COMPUTE_INT8] = "int8"};
    int wants_blas = !strcmp(name, "blas");
    if (!wants_blas && strcmp(name, "auto") && strcmp(name, "cpu"))
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

int wh_cpu_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config,
                       wh_backend **backend)
{
    *backend = NULL;
    if (config->n_slots < 1 || config->n_slots > MAX_SLOTS)
        return wh_fail(WHISP_ERR_ARGUMENT, "%d sequences at once: a backend takes 1 to %d", config->n_slots, MAX_SLOTS);
    if (model->n_audio_state != model->n_text_state || model->n_audio_state % model->n_audio_head ||
        model->n_text_state % model->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "model %s: %d and %d channels do not fit %d and %d heads",
                       model->name ? model->name : "without a name", model->n_audio_state, model->n_text_state,
                       model->n_audio_head, model->n_text_head);
    wh_backend *b = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->ops = &ops;
    b->model = model;
    b->config = *config;
    b->max_rows = WH_MAX(model->n_text_ctx, WH_FEW_ROWS);
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

static void cpu_free(wh_backend *b)
{
    if (!b)
        return;
    wh_pool_free(b->pool);
    wh_weights_free(b->own_weights);
    free((void *)b->conv1.data);
    free((void *)b->conv2.data);
    for (int i = 0; b->slots && i < b->config.n_slots; i++) {
        free(b->slots[i].k);
        free(b->slots[i].v);
    }
    for (int i = 0; b->cross && i < b->config.n_slots; i++) {
        free(b->cross[i].k);
        free(b->cross[i].v);
    }
    void *const arrays[] = {b->scratch, b->x_packed,    b->x_scale, b->mel,   b->audio_x, b->audio_h, b->audio_wide,
                            b->x,       b->h,       b->q,       b->k,     b->v,       b->heads,   b->wide,
                            b->rows,    b->groups,  b->slots,   b->cross, b};
    for (size_t i = 0; i < WH_COUNT(arrays); i++)
        free(arrays[i]);
}

static const char *cpu_describe(const wh_backend *backend)
{
    return backend->description;
}

/* ---- slots ---- */

static int check_slot(const wh_backend *b, int slot)
{
    if (slot < 0 || slot >= b->config.n_slots)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: the backend has %d", slot, b->config.n_slots);
    return WHISP_OK;
}

static void release_cross(wh_backend *b, wh_slot *slot)
{
    if (slot->cross >= 0)
        b->cross[slot->cross].users--;
    slot->cross = -1;
    slot->n_tokens = 0;
}

/* Give a slot a window's K/V of its own. There are as many as slots, so one is always free; those that have been used
 * before come first, and memory is taken only when it is needed. */
static int take_cross(wh_backend *b, wh_slot *slot)
{
    release_cross(b, slot);
    int found = 0;
    while (b->cross[found].users)
        found++;
    wh_cross *cross = &b->cross[found];
    int n = b->model->n_audio_ctx;
    if ((!cross->k && alloc_kv(b->model, b->cross_type, n, &cross->k)) ||
        (!cross->v && alloc_kv(b->model, b->cross_type, n, &cross->v)))
        return WHISP_ERR_MEMORY;
    cross->users = 1;
    slot->cross = found;
    return WHISP_OK;
}

static int cpu_encode(wh_backend *b, int n, const float *const *mel, const int *slots)
{
    for (int i = 0; i < n; i++) {
        int rc = check_slot(b, slots[i]);
        if (rc)
            return rc;
    }
    for (int i = 0; i < n; i++) {
        wh_slot *slot = &b->slots[slots[i]];
        int rc = take_cross(b, slot);
        if (rc)
            return rc;
        wh_cpu_encode(b, mel[i], &b->cross[slot->cross]);
    }
    return WHISP_OK;
}

static int cpu_fork_tail(wh_backend *b, int dst, int src, int n_same)
{
    if (check_slot(b, dst) || check_slot(b, src))
        return WHISP_ERR_ARGUMENT;
    wh_slot *to = &b->slots[dst];
    const wh_slot *from = &b->slots[src];
    if (n_same < 0 || n_same > to->n_tokens || n_same > from->n_tokens || (n_same && to->cross != from->cross))
        return wh_fail(WHISP_ERR_ARGUMENT, "slots %d and %d do not share %d tokens", dst, src, n_same);
    if (to == from)
        return WHISP_OK;
    release_cross(b, to);
    to->cross = from->cross;
    to->n_tokens = from->n_tokens;
    if (to->cross >= 0)
        b->cross[to->cross].users++;
    const whisp_model *m = b->model; /* whole tiles: what is in dst's first one is the same */
    size_t first = wh_cpu_kv_size(m, b->self_type, n_same - n_same % WH_KV_KEYS);
    size_t bytes = wh_cpu_kv_size(m, b->self_type, from->n_tokens) - first;
    for (int i = 0; i < m->n_text_layer * m->n_text_head; i++) {
        size_t at = wh_cpu_kv_at(m, b->self_type, m->n_text_ctx, 0, i) + first;
        memcpy((char *)to->k + at, (const char *)from->k + at, bytes);
        memcpy((char *)to->v + at, (const char *)from->v + at, bytes);
    }
    return WHISP_OK;
}

static int cpu_truncate(wh_backend *b, int slot, int n_tokens)
{
    if (check_slot(b, slot))
        return WHISP_ERR_ARGUMENT;
    if (n_tokens < 0 || n_tokens > b->slots[slot].n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d has %d tokens; it cannot be cut to %d", slot,
                       b->slots[slot].n_tokens, n_tokens);
    b->slots[slot].n_tokens = n_tokens;
    return WHISP_OK;
}

/* ---- decoding ---- */

static int check_step(const wh_backend *b, const wh_step *step)
{
    if (check_slot(b, step->slot))
        return WHISP_ERR_ARGUMENT;
    const wh_slot *slot = &b->slots[step->slot];
    if (slot->cross < 0)
        return wh_fail(WHISP_ERR_STATE, "slot %d: decode before encode", step->slot);
    if (slot->in_call)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d twice in a decode call", step->slot);
    if (step->n_tokens < 1 || step->n_tokens > b->model->n_text_ctx - slot->n_tokens)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d: %d tokens after %d; the decoder has %d positions", step->slot,
                       step->n_tokens, slot->n_tokens, b->model->n_text_ctx);
    for (int i = 0; i < step->n_tokens; i++)
        if (step->tokens[i] < 0 || step->tokens[i] >= b->model->n_vocab)
            return wh_fail(WHISP_ERR_ARGUMENT, "token %d is outside the vocabulary of %d", (int)step->tokens[i],
                           b->model->n_vocab);
    for (int i = 0; i < step->n_rows; i++)
        if (step->rows[i] < (i ? step->rows[i - 1] + 1 : 0) || step->rows[i] >= step->n_tokens)
            return wh_fail(WHISP_ERR_ARGUMENT, "logits of row %d: rows ascend below %d", step->rows[i], step->n_tokens);
    return WHISP_OK;
}

/* All steps are checked before any is run: a refused call changes nothing. */
static int check_steps(wh_backend *b, int n, const wh_step *steps)
{
    int rc = WHISP_OK, marked = 0;
    for (; marked < n; marked++) {
        rc = check_step(b, &steps[marked]);
        if (rc)
            break;
        b->slots[steps[marked].slot].in_call = 1;
    }
    for (int i = 0; i < marked; i++)
        b->slots[steps[i].slot].in_call = 0;
    return rc;
}

/* Write a step's tokens into b->rows from `first` on and count them into its slot. */
static void add_rows(wh_backend *b, const wh_step *step, int first)
{
    wh_slot *slot = &b->slots[step->slot];
    size_t ctx = (size_t)b->model->n_audio_ctx;
    for (int i = 0; i < step->n_tokens; i++) {
        b->rows[first + i] = (wh_row){.slot = slot, .position = slot->n_tokens + i, .token = step->tokens[i]};
        if (step->cross_scores) {
            b->rows[first + i].cross_scores = step->cross_scores + (size_t)i * ctx;
            b->rows[first + i].cross_stride = (size_t)step->n_tokens * ctx;
        }
    }
    for (int i = 0; i < step->n_rows; i++)
        b->rows[first + step->rows[i]].logits = step->logits + (size_t)i * (size_t)b->model->n_vocab;
    slot->n_tokens += step->n_tokens;
}

static int cpu_decode(wh_backend *b, int n, const wh_step *steps)
{
    int rc = check_steps(b, n, steps), waiting = 0;
    if (rc)
        return rc;
    for (int i = 0; i < n; i++) { /* several tokens: a pass of their own */
        if (steps[i].n_tokens == 1)
            continue;
        add_rows(b, &steps[i], 0);
        wh_cpu_decode(b, steps[i].n_tokens);
    }
    for (int i = 0; i < n; i++) { /* single tokens share passes */
        if (steps[i].n_tokens != 1)
            continue;
        add_rows(b, &steps[i], waiting++);
        if (waiting == WH_FEW_ROWS) {
            wh_cpu_decode(b, waiting);
            waiting = 0;
        }
    }
    if (waiting)
        wh_cpu_decode(b, waiting);
    return WHISP_OK;
}

static int cpu_slots(const wh_backend *b)
{
    return b->config.n_slots;
}

static const wh_backend_ops ops = {
    .free = cpu_free,
    .describe = cpu_describe,
    .encode = cpu_encode,
    .decode = cpu_decode,
    .fork_tail = cpu_fork_tail,
    .truncate = cpu_truncate,
    .slots = cpu_slots,
};
