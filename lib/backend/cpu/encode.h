/* encode.h - the encoder and each decoder layer's cross-attention K/V. */
#ifndef WH_CPU_ENCODE_H
#define WH_CPU_ENCODE_H

#include "backend/cpu/state.h"

/* Floats of the backend's mel, of audio_wide (all that is put there) and of what a task needs. */
size_t wh_cpu_mel_size(const wh_backend *backend);
size_t wh_cpu_wide_size(const wh_backend *backend);
size_t wh_cpu_encode_scratch(const wh_backend *backend);

/* A window of log-Mel (backend.h) into `cross`. WHISP_ERR_CANCELLED. */
int wh_cpu_encode(wh_backend *backend, const float *mel, wh_kv_store *cross, enum wh_hearing how);
int wh_cpu_leaves_out(const wh_backend *backend, const float *mel);

#endif
