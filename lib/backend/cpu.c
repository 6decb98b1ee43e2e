/* cpu.c - the CPU backend: made from a model, its slots, and the calls of backend.h (through ops.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu.h"

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

/* A convolution's weights [d][in][3] as a matrix for each tap, [3][d][in]. */
static int split_taps(const wh_kernels *kernels, const wh_tensor *w, float **taps)
{
    size_t d = (size_t)w->shape[0], in = (size_t)w->shape[1];
    size_t stored = wh_type_row_size(w->type, 3 * w->shape[1]);
    float *row;
    if (!stored)
        return wh_fail(WHISP_ERR_MODEL, "tensor %s: a convolution's weights cannot be stored as %s", w->name,
                       wh_type_name(w->type));
    if (alloc_floats(&row, 3, in))
        return WHISP_ERR_MEMORY;
    if (alloc_floats(taps, 3 * d, in)) {
        free(row);
        return WHISP_ERR_MEMORY;
    }
    for (size_t j = 0; j < d; j++) {
        kernels->decode[wh_cpu_storage(w->type)]((const char *)w->data + j * stored, row, 3 * in);
        for (size_t i = 0; i < 3 * in; i++)
            (*taps)[(i % 3 * d + j) * in + i / 3] = row[i];
    }
    free(row);
    return WHISP_OK;
}

static int plan_encoder(wh_backend *b)
{
    const whisp_model *m = b->model;
    size_t ctx = (size_t)m->n_audio_ctx, d = (size_t)m->n_audio_state, mel = 2 * ctx + 2;
    int rc = split_taps(b->kernels, m->conv1_w, &b->conv1_w);
    if (!rc)
        rc = split_taps(b->kernels, m->conv2_w, &b->conv2_w);
    if (rc)
        return rc;
    if (alloc_floats(&b->mel, mel, (size_t)m->n_mels) || alloc_floats(&b->audio_x, ctx, d) ||
        alloc_floats(&b->audio_h, ctx, d) || alloc_floats(&b->audio_wide, ctx, times(4, d)))
        return WHISP_ERR_MEMORY;
    memset(b->mel, 0, mel * (size_t)m->n_mels * sizeof *b->mel); /* its first and last row stay zeros */
    return WHISP_OK;
}

static int plan_decoder(wh_backend *b)
{
    size_t d = (size_t)b->model->n_text_state;
    b->max_rows = WH_MAX(b->model->n_text_ctx, WH_FEW_ROWS);
    size_t n = (size_t)b->max_rows;
    float **const arrays[] = {&b->x, &b->h, &b->q, &b->k, &b->v, &b->heads};
    for (size_t i = 0; i < WH_COUNT(arrays); i++)
        if (alloc_floats(arrays[i], n, d))
            return WHISP_ERR_MEMORY;
    b->rows = wh_calloc(n, sizeof *b->rows);
    b->groups = wh_calloc(n, sizeof *b->groups);
    return b->rows && b->groups ? alloc_floats(&b->wide, n, times(4, d)) : wh_fail_memory();
}

/* What one task needs at most: a decoded tile, scores, a slice of logits. */
static int plan_scratch(wh_backend *b)
{
    const whisp_model *m = b->model;
    size_t d = (size_t)m->n_text_state, d_head = d / (size_t)m->n_text_head;
    size_t size = WH_TILE * times(4, d);
    size = WH_MAX(size, times(d_head, d));
    size = WH_MAX(size, WH_QUERY_ROWS * (size_t)m->n_audio_ctx);
    size = WH_MAX(size, (size_t)m->n_text_ctx);
    size = WH_MAX(size, WH_FEW_ROWS * (size_t)WH_LOGITS_SLICE);
    b->scratch_size = (size + 15) / 16 * 16; /* whole cache lines */
    return alloc_floats(&b->scratch, (size_t)wh_pool_threads(b->pool), b->scratch_size);
}

static size_t cache_size(const whisp_model *m)
{
    return times(times((size_t)m->n_text_layer, (size_t)m->n_text_ctx), (size_t)m->n_text_state);
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
        if (alloc_floats(&b->slots[i].k, 1, cache_size(b->model)) ||
            alloc_floats(&b->slots[i].v, 1, cache_size(b->model)))
            return WHISP_ERR_MEMORY;
    }
    return WHISP_OK;
}

/* Which products: OpenBLAS or our own, by the name asked for. */
static int choose_products(wh_backend *b, const char *name)
{
    const wh_blas *blas = wh_blas_get();
    int wants_blas = !strcmp(name, "blas");
    if (!wants_blas && strcmp(name, "auto") && strcmp(name, "cpu"))
        return wh_fail(WHISP_ERR_BACKEND, "no backend \"%s\" here; there are auto, cpu, blas and cuda", name);
    if (wants_blas && !blas->sgemm)
        return wh_fail(WHISP_ERR_BACKEND, "backend blas: %s", blas->problem);
    wh_cpu_level level = wh_cpu_detect();
    b->kernels = wh_kernels_get(level);
    b->sgemm = blas->sgemm;
    snprintf(b->description, sizeof b->description, "cpu: %s, vectors %s, %d thread%s",
             blas->sgemm ? blas->name : "own matrix products (no OpenBLAS)", wh_cpu_level_name(level),
             wh_pool_threads(b->pool), wh_pool_threads(b->pool) == 1 ? "" : "s");
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
    for (int i = 0; b->slots && i < b->config.n_slots; i++) {
        free(b->slots[i].k);
        free(b->slots[i].v);
    }
    for (int i = 0; b->cross && i < b->config.n_slots; i++) {
        free(b->cross[i].k);
        free(b->cross[i].v);
    }
    void *const arrays[] = {b->scratch, b->conv1_w, b->conv2_w, b->mel,   b->audio_x, b->audio_h, b->audio_wide,
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
    size_t size = times(wh_cpu_cross_offset(b->model, 1), (size_t)b->model->n_text_layer);
    if ((!cross->k && alloc_floats(&cross->k, 1, size)) || (!cross->v && alloc_floats(&cross->v, 1, size)))
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
    size_t d = (size_t)b->model->n_text_state, layer = (size_t)b->model->n_text_ctx * d;
    for (int i = 0; i < b->model->n_text_layer; i++) {
        size_t at = (size_t)i * layer + (size_t)n_same * d;
        size_t bytes = (size_t)(from->n_tokens - n_same) * d * sizeof(float);
        memcpy(to->k + at, from->k + at, bytes);
        memcpy(to->v + at, from->v + at, bytes);
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

static const wh_backend_ops ops = {
    .free = cpu_free,
    .describe = cpu_describe,
    .encode = cpu_encode,
    .decode = cpu_decode,
    .fork_tail = cpu_fork_tail,
    .truncate = cpu_truncate,
};
