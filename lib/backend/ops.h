/* ops.h - what an implementation of backend.h provides: a table of its functions, to which ops.c passes the calls.
 *
 * A backend's own structure begins with the pointer to its table; a wh_backend * points to it. */
#ifndef WH_BACKEND_OPS_H
#define WH_BACKEND_OPS_H

#include "backend/backend.h"
#include "util/pages.h"

typedef struct wh_backend_ops {
    void (*free)(wh_backend *backend);
    const char *(*describe)(const wh_backend *backend);
    int (*encode)(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how);
    int (*leaves_out)(const wh_backend *backend, const float *mel); /* NULL: no positions of a window */
    int (*decode)(wh_backend *backend, int n, const wh_step *steps);
    int (*fork_tail)(wh_backend *backend, int dst, int src, int n_same);
    int (*truncate)(wh_backend *backend, int slot, int n_tokens);
    void (*rest)(wh_backend *backend, int slot); /* may be NULL: nothing happens */
    int (*reserve)(wh_backend *backend);         /* this and the next may be NULL: nobody shares it */
    void (*release)(wh_backend *backend);
    wh_pages *(*room)(wh_backend *backend); /* of who has reserved it: whatever he took of it last */
    int (*slots)(const wh_backend *backend);
    int (*windows)(const wh_backend *backend); /* NULL: one */
    int (*chooses)(const wh_backend *backend); /* this and the next may be NULL: it does not */
    int (*forbid)(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden);
    int (*mel_frames)(const wh_backend *backend); /* this and the next may be NULL likewise */
    int (*log_mel)(wh_backend *backend, const float *samples, int n, float *out);
} wh_backend_ops;

/* What wh_backend_room() takes its memory from. */
wh_pages *wh_backend_pages(wh_backend *backend);

/* cpu/cpu.c: "auto", "cpu" and "blas" */
int wh_cpu_backend_new(const char *name, const whisp_model *model, const wh_backend_config *config,
                       wh_backend **backend);

/* cuda/cuda.c: "cuda" */
int wh_cuda_backend_new(const whisp_model *model, const wh_backend_config *config, wh_backend **backend);

#endif
