/* cut.c - where to cut a long recording: in its pauses, at about equal distances (see cut.h). */
#include "transcribe/cut.h"

#include <math.h>
#include <stdlib.h>

#define AUTO_PART 75.0 /* seconds */
#define AUTO_WHOLE 300 /* seconds; what is not longer is not cut */
#define STEPS_PER_SECOND (16000 / WH_CUT_STEP)
#define PAUSE 8        /* steps around a cut that should be quiet: 0.4 s */
#define SLACK 0.25     /* how far a cut may move from its even place, as a share of a part */
#define MAX_SLACK 15.0 /* and in seconds */

static int end_step(wh_levels *l)
{
    double power = l->energy / WH_CUT_STEP, quiet = power > 0 ? -20 * log10(power) : 255; /* half decibels */
    int rc = wh_grow(&l->quiet, &l->capacity, l->n + 1, sizeof *l->quiet);
    if (rc)
        return rc;
    l->quiet[l->n++] = (uint8_t)(quiet < 0 ? 0 : quiet > 255 ? 255 : quiet);
    l->energy = 0;
    l->in_step = 0;
    return WHISP_OK;
}

int wh_levels_add(wh_levels *l, const float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = isfinite(samples[i]) ? (double)samples[i] : 0;
        l->energy += x * x;
        if (++l->in_step < WH_CUT_STEP)
            continue;
        int rc = end_step(l);
        if (rc)
            return rc;
    }
    l->samples += (int64_t)n;
    return WHISP_OK;
}

void wh_levels_free(wh_levels *l)
{
    free(l->quiet);
    *l = (wh_levels){0};
}

int64_t wh_cut_part(double seconds)
{
    return (int64_t)((isnan(seconds) ? AUTO_PART : seconds) * STEPS_PER_SECOND) * WH_CUT_STEP;
}

int64_t wh_cut_longest(double seconds)
{
    return wh_cut_part(seconds) * 3 / 2;
}

int64_t wh_cut_whole(double seconds)
{
    return isnan(seconds) ? (int64_t)AUTO_WHOLE * 16000 : wh_cut_longest(seconds);
}

/* How quiet the loudest step of the pause around step t is. */
static int pause_at(const wh_levels *l, size_t t)
{
    int quiet = 255;
    for (size_t i = t - PAUSE / 2; i < t + PAUSE / 2; i++)
        quiet = WH_MIN(quiet, l->quiet[i]);
    return quiet;
}

/* The middle of the longest run of the quietest pauses in [from, to). */
static size_t best_step(const wh_levels *l, size_t from, size_t to)
{
    size_t best = from, best_length = 0;
    int most = -1;
    for (size_t t = from; t < to;) {
        int quiet = pause_at(l, t);
        size_t end = t + 1;
        while (end < to && pause_at(l, end) == quiet)
            end++;
        if (quiet > most || (quiet == most && end - t > best_length)) {
            most = quiet;
            best_length = end - t;
            best = t + (end - t) / 2;
        }
        t = end;
    }
    return best;
}

int wh_cut_next(const wh_levels *l, int64_t at, double seconds, int ended, int64_t *end)
{
    if (l->samples <= at + wh_cut_longest(seconds)) {
        *end = INT64_MAX;
        return ended;
    }
    size_t even = (size_t)((at + wh_cut_part(seconds)) / WH_CUT_STEP);
    size_t slack = (size_t)WH_MIN((double)wh_cut_part(seconds) / WH_CUT_STEP * SLACK, MAX_SLACK * STEPS_PER_SECOND);
    *end = (int64_t)best_step(l, even - slack, even + slack) * WH_CUT_STEP;
    return 1;
}
