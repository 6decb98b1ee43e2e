/* resample.h - a recording's samples at its own rate become samples at 16 kHz. Used by lib/audio only. */
#ifndef WH_AUDIO_RESAMPLE_H
#define WH_AUDIO_RESAMPLE_H

#include "util/util.h"

typedef struct wh_resampler wh_resampler;

/* libsamplerate converts by 1/256 to 256; up to a rate that no converter has and down to one that no voice survives. */
#define WH_MIN_RATE 100
#define WH_MAX_RATE 4000000

/* For a rate from WH_MIN_RATE to WH_MAX_RATE, 16 kHz excepted. 0, WHISP_ERR_MEMORY, or WHISP_ERR_ARGUMENT for
 * another rate. */
int wh_resampler_new(int rate, wh_resampler **resampler);
void wh_resampler_free(wh_resampler *resampler);

/* Can it be restarted, so that beginning at any whole second gives the same samples from a second later on? */
int wh_resampler_restarts(const wh_resampler *resampler);
/* As it was when it was made. */
void wh_resampler_restart(wh_resampler *resampler);

/* Take up to n samples and give up to `room`. *used: how many were taken; *made: how many were given. Either
 * everything is taken or `room` is filled. Output sample i is the sound at i / 16000 s, the first input sample being
 * at 0; before the recording lies silence. The output does not depend on how the input is cut into blocks. */
int wh_resample(wh_resampler *resampler, const float *in, size_t n, size_t *used, float *out, size_t room,
                size_t *made);

/* The recording has ended; silence follows. wh_resample() with n = 0 gives the rest, and *made < room once all
 * round(samples taken * 16000 / rate) samples are out. */
void wh_resampler_end(wh_resampler *resampler);

#endif
