/* cut.h - where a long recording is cut into parts that are transcribed side by side (option cut).
 *
 * Stands between the first pass over a recording (whole.c), which shows every sample, and parts.c, which transcribes.
 * Cuts depend on the samples and the option alone: not on threads, batch size or backend. */
#ifndef WH_CUT_H
#define WH_CUT_H

#include "util/util.h"

#define WH_CUT_STEP 800     /* samples of one level: 50 ms, five frames of log-Mel */

/* The recording's level in steps of 50 ms, half decibels below full scale; a day of audio is 1.7 MB. */
typedef struct wh_levels {
    uint8_t *quiet;         /* [n] 0: full scale ... 255: -127 dB or less */
    size_t n, capacity;
    double energy;          /* of the step that has begun */
    size_t in_step;         /* its samples so far */
    int64_t samples;        /* all so far */
} wh_levels;

int wh_levels_add(wh_levels *levels, const float *samples, size_t n);
void wh_levels_free(wh_levels *levels);

/* Seconds of the parts that `auto` cuts a recording of `samples` into; 0: it stays whole. */
double wh_cut_auto(int64_t samples);

/* Cut into parts of about `seconds`. cuts: [n] where parts begin, in samples, multiples of WH_CUT_STEP; the first is 0.
 * The caller frees *cuts. */
int wh_cut_choose(const wh_levels *levels, double seconds, int64_t **cuts, size_t *n);

#endif
