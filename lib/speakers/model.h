/* model.h - how the speakers' model is loaded by what chooses its arithmetic itself. */
#ifndef WH_SPEAKERS_MODEL_H
#define WH_SPEAKERS_MODEL_H

#include "speakers/speakers.h"

/* What the products are computed in; auto: int8 where that is faster on this CPU. */
typedef enum wh_speakers_arithmetic { WH_SPEAKERS_AUTO, WH_SPEAKERS_F32, WH_SPEAKERS_INT8 } wh_speakers_arithmetic;

/* As whisp_speakers_load(), with a choice of arithmetic and of the CPU's level (NULL: the best one). */
int wh_speakers_load(const char *path, wh_speakers_arithmetic arithmetic, const wh_cpu *cpu, whisp_speakers **speakers);

#endif
