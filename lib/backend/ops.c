/* ops.c - backend.h's calls, each passed to the implementation's table. */
#include "backend/ops.h"

static const wh_backend_ops *ops_of(const wh_backend *backend)
{
    return *(const wh_backend_ops *const *)(const void *)backend;
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
    return ops_of(backend)->encode(backend, n, mel, slots, WH_HEAR);
}

int wh_backend_encode_as(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how)
{
    return ops_of(backend)->encode(backend, n, mel, slots, how);
}

int wh_backend_leaves_out(const wh_backend *backend, const float *mel)
{
    return ops_of(backend)->leaves_out ? ops_of(backend)->leaves_out(backend, mel) : 0;
}

int wh_backend_decode(wh_backend *backend, int n, const wh_step *steps)
{
    return ops_of(backend)->decode(backend, n, steps);
}

int wh_backend_slots(const wh_backend *backend)
{
    return ops_of(backend)->slots(backend);
}

int wh_backend_windows(const wh_backend *backend)
{
    return ops_of(backend)->windows ? ops_of(backend)->windows(backend) : 1;
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

void wh_backend_rest(wh_backend *backend, int slot)
{
    if (ops_of(backend)->rest)
        ops_of(backend)->rest(backend, slot);
}

int wh_backend_reserve(wh_backend *backend)
{
    return ops_of(backend)->reserve ? ops_of(backend)->reserve(backend) : WHISP_OK;
}

#define KEPT ((size_t)32 << 20) /* bytes that are kept for the next one: of a window of base, not of a large model */

void wh_backend_release(wh_backend *backend)
{
    wh_pages *pages = wh_backend_pages(backend);
    if (pages->bytes > KEPT)
        wh_pages_give_back(pages);
    if (ops_of(backend)->release)
        ops_of(backend)->release(backend);
}

wh_pages *wh_backend_pages(wh_backend *backend)
{
    return ops_of(backend)->room(backend);
}

float *wh_backend_room(wh_backend *backend, size_t n, size_t m)
{
    wh_pages *pages = wh_backend_pages(backend);
    if (pages->at && n <= pages->bytes / sizeof(float) / WH_MAX(m, 1))
        return pages->at;
    wh_pages_give_back(pages);
    return wh_pages_take(pages, n, m) ? NULL : pages->at;
}
