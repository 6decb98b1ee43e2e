/* clips.c - the parts of the recording to transcribe: option clip_timestamps, as openai-whisper has it. */
#include <math.h>
#include <stdlib.h>

#include "window/state.h"

#define BEYOND (INT64_MAX / 4) /* a frame that no recording reaches */

static int64_t frame_of(double seconds)
{
    return (int64_t)nearbyint(seconds * (WH_SAMPLE_RATE / WH_HOP));
}

int wh_clips_init(wh_clips *c, const char *text)
{
    const char *problem;
    double *times;
    size_t n;
    int rc = wh_parse_clips(text ? text : "", &times, &n, &problem);
    if (rc)
        return rc == WHISP_ERR_MEMORY ? rc : wh_fail(rc, "clip_timestamps: %s", problem);
    c->n = n ? (n + 1) / 2 : 1;
    c->list = wh_calloc(c->n, sizeof *c->list);
    for (size_t i = 0; c->list && i < c->n; i++) {
        c->list[i].start = 2 * i < n ? frame_of(times[2 * i]) : 0;
        c->list[i].end = 2 * i + 1 < n ? frame_of(times[2 * i + 1]) : INT64_MAX;
    }
    free(times);
    return c->list ? WHISP_OK : wh_fail_memory();
}

void wh_clips_free(wh_clips *c)
{
    free(c->list);
}

void wh_clips_reset(wh_clips *c)
{
    c->at = 0;
}

int64_t wh_clips_settle(wh_clips *c, int64_t seek)
{
    while (c->at < c->n) {
        const struct wh_clip *clip = &c->list[c->at];
        if (seek < clip->start)
            seek = clip->start;
        if (seek < clip->end)
            return seek;
        if (++c->at < c->n)
            seek = c->list[c->at].start;
    }
    return BEYOND;
}

int64_t wh_clips_end(const wh_clips *c)
{
    return c->list[c->at].end;
}

/* ---- asked from outside ---- */

int wh_window_has_clips(const wh_window *w)
{
    const wh_clips *c = &w->clips;
    return c->n > 1 || c->list[0].start > 0 || c->list[0].end != INT64_MAX;
}

int wh_window_clip(const wh_window *w, size_t i, int64_t *start, int64_t *end)
{
    if (i >= w->clips.n)
        return 0;
    *start = w->clips.list[i].start;
    *end = w->clips.list[i].end;
    return 1;
}

int wh_window_wants(const void *window, double from, double to)
{
    const wh_window *w = window;
    int64_t start, end;
    for (size_t i = 0; wh_window_clip(w, i, &start, &end); i++)
        if (to * WH_SAMPLE_RATE >= (double)start * WH_HOP && from * WH_SAMPLE_RATE <= (double)end * WH_HOP)
            return 1;
    return 0;
}
