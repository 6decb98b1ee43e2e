/* cut.h - where a long recording is cut into parts that are transcribed side by side (option cut).
 *
 * batch.c shows every sample once, in order, and asks for the next cut as soon as enough of them were seen. Cuts depend on
 * the samples and the option alone: not on threads, batch size or backend. */
#ifndef WH_CUT_H
#define WH_CUT_H

#include "util/util.h"

#define WH_CUT_STEP 800 /* samples of one level: 50 ms, five frames of log-Mel */

/* The recording's level in steps of 50 ms, half decibels below full scale; a day of audio is 1.7 MB. */
typedef struct wh_levels {
    uint8_t *quiet; /* [n] 0: full scale ... 255: -127 dB or less */
    size_t n, capacity;
    double energy;   /* of the step that has begun */
    size_t in_step;  /* its samples so far */
    int64_t samples; /* all so far */
} wh_levels;

int wh_levels_add(wh_levels *levels, const float *samples, size_t n);
void wh_levels_free(wh_levels *levels);

/* Samples that a part has about, and at most. `seconds`: the option; NaN: auto. */
int64_t wh_cut_part(double seconds);
int64_t wh_cut_longest(double seconds);
/* A recording of not more samples than this stays whole. */
int64_t wh_cut_whole(double seconds);

/* Where the part that begins at sample `at` ends: *end becomes a multiple of WH_CUT_STEP, or INT64_MAX when it is the
 * last one. 0: samples up to at + wh_cut_longest() must be seen first, or the recording's end (`ended`). */
int wh_cut_next(const wh_levels *levels, int64_t at, double seconds, int ended, int64_t *end);

#endif
