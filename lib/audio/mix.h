/* mix.h - channels become one. Between the decoders and the resampler; used by lib/audio/audio.c only. */
#ifndef WH_AUDIO_MIX_H
#define WH_AUDIO_MIX_H

#include "audio/decoder.h"

/* Mix n interleaved frames into mono[n], or take `channel` alone if that is not negative. Samples that are not finite
 * count as silence; returns how many there were. */
uint64_t wh_mix(const float *frames, int64_t n, const wh_sound *sound, int channel, float *mono);

/* How loud each channel is in the mix: gains[sound->channels]. */
void wh_mix_gains(const wh_sound *sound, float *gains);

/* What is to be told about a mix: channels of which nobody knows where they belong, channels that are not heard. */
void wh_mix_tell(const wh_sound *sound, wh_notes *notes);

#endif
