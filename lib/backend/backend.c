/* backend.c - backend.h's calls: makes the implementation that a name asks for and passes calls to its table. */
#include <string.h>

#include "backend/ops.h"

#define MAX_SLOTS 4096

static const wh_backend_ops *ops_of(const wh_backend *backend)
{
    return *(const wh_backend_ops *const *)(const void *)backend;
}

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
        return wh_fail(WHISP_ERR_BACKEND, "model %s is stored as int8, which only the backend cpu with "
                       "compute_type int8 (or auto) can use: take a file of another type",
                       model->name ? model->name : "without a name");
    if (!strcmp(name, "cuda"))
        return wh_cuda_backend_new(model, config, backend);
    /* "auto" is the CPU until the CUDA kernels have run on a GPU (docs/cuda.md) */
    return wh_cpu_backend_new(name, model, config, backend);
}

void wh_backend_free(wh_backend *backend)
{
    if (backend)
        ops_of(backend)->free(backend);
}

const char *wh_backend_describe(const wh_backend *backend)
{
    return ops_of(backend)->describe(backend);
}

int wh_backend_encode(wh_backend *backend, int n, const float *const *mel, const int *slots)
{
    return ops_of(backend)->encode(backend, n, mel, slots);
}

int wh_backend_decode(wh_backend *backend, int n, const wh_step *steps)
{
    return ops_of(backend)->decode(backend, n, steps);
}

int wh_backend_slots(const wh_backend *backend)
{
    return ops_of(backend)->slots(backend);
}

int wh_backend_chooses(const wh_backend *backend)
{
    return ops_of(backend)->chooses ? ops_of(backend)->chooses(backend) : 0;
}

int wh_backend_forbid(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden)
{
    *forbidden = 0;
    return ops_of(backend)->forbid ? ops_of(backend)->forbid(backend, tokens, n, forbidden) : WHISP_OK;
}

int wh_backend_mel_frames(const wh_backend *backend)
{
    return ops_of(backend)->mel_frames ? ops_of(backend)->mel_frames(backend) : 0;
}

int wh_backend_log_mel(wh_backend *backend, const float *samples, int n, float *out)
{
    return ops_of(backend)->log_mel ? ops_of(backend)->log_mel(backend, samples, n, out) : WHISP_ERR_BACKEND;
}

int wh_backend_fork_tail(wh_backend *backend, int dst, int src, int n_same)
{
    return ops_of(backend)->fork_tail(backend, dst, src, n_same);
}

int wh_backend_fork(wh_backend *backend, int dst, int src)
{
    return wh_backend_fork_tail(backend, dst, src, 0);
}

int wh_backend_truncate(wh_backend *backend, int slot, int n_tokens)
{
    return ops_of(backend)->truncate(backend, slot, n_tokens);
}
