/* encode.h - the encoder and each decoder layer's cross-attention K/V. */
#ifndef WH_CPU_ENCODE_H
#define WH_CPU_ENCODE_H

#include "backend/cpu/state.h"

/* Query rows of the attention that are one task. */
#define WH_QUERY_ROWS 144

/* Floats of audio_wide: all that is put there. */
size_t wh_cpu_wide_size(const wh_backend *backend);

/* A window of log-Mel (backend.h) into `cross`. */
void wh_cpu_encode(wh_backend *backend, const float *mel, const wh_kv_store *cross);

#endif
