/* host.h - the inside of the CUDA backend's host side: library.c opens the CUDA library (engine.h), load.c brings a
 * model's weights to the device, cuda.c makes the backend of both. */
#ifndef WH_CUDA_HOST_H
#define WH_CUDA_HOST_H

#include "backend/cuda/engine.h"
#include "backend/slots.h"

/* What a wh_backend * of this implementation points to. */
typedef struct cuda_backend {
    wh_slots ledger; /* first: see slots.h */
    const whisp_model *model;
    wh_backend_config config;
    const wh_cuda_api *api;
    wh_cuda_engine *engine;
    char description[256];
    uint32_t **masks; /* [n_masks] of what may never follow, each [(n_vocab + 31) / 32] */
    int n_masks;
} cuda_backend;

/* What the CUDA library offers, for the life of the process; NULL with the reason in `problem`. */
const wh_cuda_api *wh_cuda_library(char *problem, size_t size);

/* All of b's model to its engine. */
int wh_cuda_load(const cuda_backend *b);

/* For bench/stages.c: the ceilings of the device that such a backend computes on (engine.h). */
int wh_cuda_ceilings(wh_backend *backend, double *operations, double *bytes);

/* An engine's answer as an error of this library. */
static inline int wh_cuda_failed(const cuda_backend *b, int rc)
{
    return rc == WH_CUDA_OK       ? WHISP_OK
           : rc == WH_CUDA_MEMORY ? wh_fail(WHISP_ERR_MEMORY, "backend cuda: %s", b->api->error(b->engine))
                                  : wh_fail(WHISP_ERR_BACKEND, "backend cuda: %s", b->api->error(b->engine));
}

#endif
