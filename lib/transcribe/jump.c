/* jump.c - a long recording of which only some clips are asked for: the rest is not read, where its decoder can jump
 * (jump.h). */
#include "transcribe/jump.h"

#include "audio/audio.h"

#define JUMPS_FROM (30 * 60.0)      /* seconds of a recording of which only the clips are read */
#define WORTH (10 * WH_SAMPLE_RATE) /* samples to be left out, at least */

int wh_recording_may_jump(const wh_recording *in, double *seconds)
{
    const whisp_session *s = in->session;
    whisp_audio_info info = {.size = sizeof info};
    if (!wh_session_has_clips(s) || s->align_text || s->vad || wh_audio_is_samples(in->audio) ||
        whisp_audio_describe(in->audio, &info))
        return 0;
    *seconds = info.duration;
    return info.duration >= JUMPS_FROM;
}

/* Where the samples of frame `frame` begin. */
static int64_t first_sample(int64_t frame)
{
    return frame * WH_HOP - 200;
}

/* The first pass over the clips alone, to the end of the second in which each ends: their loudest frame stands for the
 * recording's. */
int wh_recording_measure_clips(wh_recording *in, double seconds)
{
    whisp_session *s = in->session;
    const float *samples;
    int64_t n = 1, end = (int64_t)(seconds * WH_SAMPLE_RATE), from, to;
    int rc = WHISP_OK;
    for (size_t i = 0; n > 0 && !rc && wh_session_clip(s, i, &from, &to); i++) {
        int64_t start = first_sample(from);
        int64_t stop = to > INT64_MAX / WH_HOP / 2 ? INT64_MAX : to * WH_HOP + 200;
        if (start >= end && wh_audio_knows_end(in->audio)) /* else the length may be an estimate */
            break;
        if (start > in->heard + WORTH && !(rc = wh_recording_skip_to(in, start)))
            rc = wh_session_measure_jump(s, from);
        while (!rc && in->heard < stop && (n = wh_recording_read(in, &samples)) > 0)
            if (!(rc = wh_check_cancel(s->options)))
                rc = whisp_session_measure(s, samples, (size_t)n);
    }
    if (!rc)
        rc = n < 0 ? (int)n : whisp_session_measure(s, NULL, 0);
    wh_session_known_total(s, seconds);
    return rc;
}

int wh_recording_jump(wh_recording *in)
{
    whisp_session *s = in->session;
    int64_t frame = wh_session_seek(s) - WH_JUMP_BEFORE;
    if (!in->jumps || !wh_session_knows_where(s))
        return 0;
    if (wh_session_is_past(s, wh_audio_knows_end(in->audio)))
        return 1;
    if (first_sample(frame) <= in->heard + WORTH)
        return 0;
    int rc = wh_recording_skip_to(in, first_sample(frame));
    if (!rc)
        wh_session_jump(s, frame);
    return rc;
}
