/* decode.h - a pass of the decoder. */
#ifndef WH_CPU_DECODE_H
#define WH_CPU_DECODE_H

#include "backend/cpu/state.h"

/* Query rows that are one task of the cross-attention at most. */
#define WH_PROMPT_ROWS 64
/* Token embeddings that are one task when logits are computed. */
#define WH_LOGITS_SLICE 256

/* slots.h, run_pass. */
void wh_cpu_decode(wh_backend *backend, int n, const wh_row *rows);

#endif
