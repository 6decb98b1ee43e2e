/* tensors.h - what both nets read the speakers' model file with. */
#ifndef WH_SPEAKERS_TENSORS_H
#define WH_SPEAKERS_TENSORS_H

#include "speakers/speakers.h"

/* A tensor of float32 of exactly this shape (dimensions that there are not: 1), all of it finite. WHISP_ERR_MODEL. */
int wh_speakers_tensor(const whisp_speakers *s, const char *name, int64_t d0, int64_t d1, int64_t d2, int64_t d3,
                       const float **data);

#endif
