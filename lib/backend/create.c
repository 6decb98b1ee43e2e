/* create.c - the backend that a name asks for: checks what holds for all of them and calls the implementation. */
#include <string.h>

#include "backend/ops.h"

#define MAX_SLOTS 4096

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

int wh_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config, wh_backend **backend)
{
    *backend = NULL;
    int rc = check(model, config);
    if (rc)
        return rc;
    int is_cpu = !strcmp(name, "auto") || !strcmp(name, "cpu");
    if (model->is_int8 && (!is_cpu || (config->compute != WH_COMPUTE_INT8 && config->compute != WH_COMPUTE_AUTO)))
        return wh_fail(WHISP_ERR_BACKEND,
                       "model %s is stored as int8, which only the backend cpu with "
                       "compute_type int8 (or auto) can use: take a file of another type",
                       model->name ? model->name : "without a name");
    if (!strcmp(name, "cuda"))
        return wh_cuda_backend_new(model, config, backend);
    /* "auto" is the CPU until the CUDA kernels have run on a GPU (docs/cuda.md) */
    return wh_cpu_backend_new(name, model, config, backend);
}
