/* clips.c - the parts of the recording to transcribe: option clip_timestamps, as openai-whisper has it. */
#include <math.h>
#include <stdlib.h>

#include "transcribe/session.h"

#define BEYOND (INT64_MAX / 4) /* a frame that no recording reaches */

static int64_t frame_of(double seconds)
{
    return (int64_t)nearbyint(seconds * (WH_SAMPLE_RATE / WH_HOP));
}

int wh_session_make_clips(whisp_session *s)
{
    const char *text = s->options->values.clip_timestamps, *problem;
    double *times;
    size_t n;
    int rc = wh_parse_clips(text ? text : "", &times, &n, &problem);
    if (rc)
        return rc == WHISP_ERR_MEMORY ? rc : wh_fail(rc, "clip_timestamps: %s", problem);
    s->n_clips = n ? (n + 1) / 2 : 1;
    s->clips = wh_calloc(s->n_clips, sizeof *s->clips);
    for (size_t i = 0; s->clips && i < s->n_clips; i++) {
        s->clips[i].start = 2 * i < n ? frame_of(times[2 * i]) : 0;
        s->clips[i].end = 2 * i + 1 < n ? frame_of(times[2 * i + 1]) : INT64_MAX;
    }
    free(times);
    return s->clips ? WHISP_OK : wh_fail_memory();
}

void wh_session_settle(whisp_session *s)
{
    while (s->clip < s->n_clips) {
        const struct wh_clip *clip = &s->clips[s->clip];
        if (s->seek < clip->start)
            s->seek = clip->start;
        if (s->seek < clip->end)
            return;
        if (++s->clip < s->n_clips)
            s->seek = s->clips[s->clip].start;
    }
    s->seek = BEYOND;
}

int wh_session_wants(const void *session, double from, double to)
{
    const whisp_session *s = session;
    for (size_t i = 0; i < s->n_clips; i++)
        if (to * WH_SAMPLE_RATE >= (double)s->clips[i].start * WH_HOP &&
            from * WH_SAMPLE_RATE <= (double)s->clips[i].end * WH_HOP)
            return 1;
    return 0;
}
