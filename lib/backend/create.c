/* create.c - the backend that a name asks for: checks what holds for all of them and calls the implementation. A backend
 * more is a row here, and its name in the table of options. */
#include <limits.h>
#include <string.h>

#include "backend/ops.h"

#define MAX_SLOTS 4096
#define CACHE_BYTES (512u << 20) /* keys and values of a batch on a CPU, at most, where batch_size is auto */

wh_compute wh_compute_named(const char *name)
{
    return !strcmp(name, "f32")    ? WH_COMPUTE_F32
           : !strcmp(name, "bf16") ? WH_COMPUTE_BF16
           : !strcmp(name, "int8") ? WH_COMPUTE_INT8
                                   : WH_COMPUTE_AUTO;
}

/* What holds for every implementation. */
static int check(const whisp_model *m, const wh_backend_config *config)
{
    if (config->n_slots < 1 || config->n_slots > MAX_SLOTS)
        return wh_fail(WHISP_ERR_ARGUMENT, "%d sequences at once: a backend takes 1 to %d", config->n_slots, MAX_SLOTS);
    if (m->n_audio_state != m->n_text_state || m->n_audio_state % m->n_audio_head || m->n_text_state % m->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "model %s: %d and %d channels do not fit %d and %d heads",
                       m->name ? m->name : "without a name", m->n_audio_state, m->n_text_state, m->n_audio_head,
                       m->n_text_head);
    return WHISP_OK;
}

static int make_cuda(const char *name, const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    (void)name;
    return wh_cuda_backend_new(model, config, backend);
}

/* "auto" is the CPU until the CUDA kernels have run on a GPU (docs/cuda.md). */
static const struct kind {
    const char *name;
    int (*make)(const char *name, const whisp_model *model, const wh_backend_config *config, wh_backend **backend);
    int takes_int8; /* models that are stored as int8 */
    int batch;      /* sequences at a time that are worth it, where memory allows; 0: as many as there are */
} kinds[] = {
    {"auto", wh_cpu_backend_new, 1, 8},
    {"cpu", wh_cpu_backend_new, 1, 8},
    {"blas", wh_cpu_backend_new, 0, 8},
    {"cuda", make_cuda, 0, 0},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < WH_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

int wh_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    *backend = NULL;
    int rc = check(model, config);
    if (rc)
        return rc;
    const struct kind *kind = find_kind(name);
    if (!kind)
        return wh_fail(WHISP_ERR_BACKEND, "there is no backend '%s'", name);
    if (model->is_int8 &&
        (!kind->takes_int8 || (config->compute != WH_COMPUTE_INT8 && config->compute != WH_COMPUTE_AUTO)))
        return wh_fail(WHISP_ERR_BACKEND,
                       "model %s is stored as int8, which only the backend cpu with "
                       "compute_type int8 (or auto) can use: take a file of another type",
                       model->name ? model->name : "without a name");
    return kind->make(name, model, config, backend);
}

/* Bytes of one sequence's keys and values, its window's included, in float32. */
static size_t sequence_bytes(const whisp_model *m)
{
    return (size_t)m->n_text_layer * (size_t)m->n_text_state * 2 * sizeof(float) *
           ((size_t)m->n_audio_ctx + (size_t)m->n_text_ctx);
}

int wh_backend_batch(const char *name, const whisp_model *model)
{
    const struct kind *kind = find_kind(name);
    if (!kind || !kind->batch)
        return INT_MAX;
    size_t fit = CACHE_BYTES / WH_MAX(sequence_bytes(model), 1);
    return (int)WH_MAX(2, WH_MIN(fit, (size_t)kind->batch));
}
