/* audible.h - a decoder behind a decoder: what can be heard of what was recorded. Used by lib/audio/audio.c only. */
#ifndef WH_AUDIO_AUDIBLE_H
#define WH_AUDIO_AUDIBLE_H

#include "audio/decoder.h"

/* Floats in the range of integers are scaled to -1 to 1; of two channels that cancel each other one takes the place
 * of both. Each is told once in a note. Decided in blocks of 10 s, which are read ahead; where somebody is `live`,
 * for what comes by what was heard in the last second. Owns `inner` from now on, also on failure. */
int wh_audible_new(wh_decoder *inner, wh_notes *notes, int live, wh_decoder **decoder);

/* One channel will be heard alone: both stay as they are. */
void wh_audible_keep_channels(wh_decoder *decoder);

/* Note what is known so far of channels that cancelled each other. */
void wh_audible_settle(wh_decoder *decoder);

/* A decoder of that kind seeks to multiples of so many frames. */
int64_t wh_audible_unit(const wh_decoder *decoder);

#endif
