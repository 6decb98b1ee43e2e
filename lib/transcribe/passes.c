/* passes.c - see passes.h.
 *
 * With vad_filter the first pass finds where speech is, and the others see nothing else. Then the session is shown the
 * whole recording, so that it knows the loudest frame and the duration; of a long one of which only clips are asked for,
 * these (jump.c); and one that is cut into parts needs no more than to be known for long. */
#include "transcribe/passes.h"

#include <string.h>

#include "audio/audio.h"
#include "transcribe/cut.h"
#include "transcribe/jump.h"

/* ---- where is speech? ---- */

static int64_t read_for_search(void *user, float *samples, size_t n)
{
    wh_recording *in = user;
    int64_t got;
    if (in->left == 0) {
        if ((got = wh_recording_read_any(in, &in->rest)) <= 0)
            return got;
        in->left = (size_t)got;
    }
    got = (int64_t)WH_MIN(n, in->left);
    memcpy(samples, in->rest, (size_t)got * sizeof *samples);
    in->rest += got;
    in->left -= (size_t)got;
    return got;
}

static int find_speech(wh_recording *in)
{
    int rc = wh_speech_only_find(in->session, read_for_search, in);
    return rc ? rc : wh_recording_rewind(in);
}

/* ---- in parts? ---- */

int wh_session_may_cut(const whisp_session *s)
{
    return !s->options->values.cut_off && !s->align_text && !wh_session_has_clips(s);
}

/* Samples to transcribe; -1 where that is not known before all are read. */
static int64_t known_length(const wh_recording *in)
{
    const whisp_session *s = in->session;
    whisp_audio_info info = {.size = sizeof info};
    if (s->recording >= 0)
        return wh_timeline_kept(&s->timeline);
    return whisp_audio_describe(in->audio, &info) || info.duration < 0 ? -1 : (int64_t)(info.duration * WH_SAMPLE_RATE);
}

/* Is it so long that it is cut? Where only reading tells, what was read is kept. */
static int check_length(wh_recording *in, int *is_long)
{
    whisp_session *s = in->session;
    int64_t most = wh_cut_whole(s->options->values.cut_seconds), length = known_length(in), n = 1;
    const float *samples;
    if (length >= 0) {
        *is_long = length > most;
        s->total = *is_long ? wh_speech_only_total(s, length) : -1;
        return WHISP_OK;
    }
    while (in->keeps && (int64_t)in->n_kept <= most && (n = wh_recording_read_any(in, &samples)) > 0) {
        int rc = wh_check_cancel(s->options);
        if (rc)
            return rc;
    }
    *is_long = (int64_t)in->n_kept > most;
    return n < 0 ? (int)n : wh_recording_rewind(in);
}

/* ---- how loud is it? ---- */

static int measure(wh_recording *in)
{
    const float *samples;
    int64_t n;
    while ((n = wh_recording_read(in, &samples)) > 0) {
        int rc = wh_check_cancel(in->session->options);
        if (rc || (rc = whisp_session_measure(in->session, samples, (size_t)n)))
            return rc;
    }
    return n < 0 ? (int)n : whisp_session_measure(in->session, NULL, 0);
}

int wh_passes_before(wh_recording *in, int *in_parts)
{
    double seconds;
    int rc = in->session->vad ? find_speech(in) : WHISP_OK;
    if (!in->rewinds)
        *in_parts = 0;
    if (!rc && *in_parts)
        rc = check_length(in, in_parts);
    if (*in_parts)
        in->keeps = 0;
    if (rc || *in_parts || !in->rewinds)
        return rc;
    in->jumps = wh_recording_may_jump(in, &seconds);
    if (in->jumps) /* how far it reads beyond a clip, where there may be damage, must not depend on threads */
        in->keeps = in->reads_ahead = 0;
    rc = in->jumps ? wh_recording_measure_clips(in, seconds) : measure(in);
    return rc ? rc : wh_recording_rewind(in);
}
