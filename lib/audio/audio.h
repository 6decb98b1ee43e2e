/* audio.h - what the rest of the library may ask a whisp_audio beyond the public header. */
#ifndef WH_AUDIO_H
#define WH_AUDIO_H

#include "util/util.h"

/* Samples (of any channel) that were NaN or infinite so far and were heard as silence, so that a caller can warn. */
uint64_t wh_audio_bad_samples(const whisp_audio *audio);

#endif
