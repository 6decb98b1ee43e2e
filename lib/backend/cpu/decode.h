/* decode.h - a pass of the decoder. */
#ifndef WH_CPU_DECODE_H
#define WH_CPU_DECODE_H

#include "backend/cpu/state.h"

/* Floats that a task of a pass needs. */
size_t wh_cpu_decode_scratch(const wh_backend *backend);

/* slots.h, run_pass. WHISP_ERR_CANCELLED. */
int wh_cpu_decode(wh_backend *backend, int n, const wh_row *rows);

#endif
