/* final.c - a live transcription's final text: what a transcription of the same sound in windows gives.
 *
 * The words that settle are a passing view, made in haste. Beside them the stream's session is pushed the same samples
 * and hears them window by window like any recording (lib/window): as soon as 30 seconds after the end of
 * its last segment are there, one decoding more, thresholds, guards and prompt included. Its segments go to the segment
 * callback, and its text becomes the prompt of the passes that follow (stream.c). */
#include "live/stream.h"

int wh_stream_push_final(whisp_stream *st, size_t first)
{
    int rc = wh_live_speakers_push(st->speakers, st->samples + first, st->heard - first);
    if (rc)
        return rc;
    while (first < st->heard) {
        int64_t taken = whisp_session_push(st->session, st->samples + first, st->heard - first);
        if (taken < 0)
            return (int)taken;
        if (!taken)
            return wh_fail(WHISP_ERR_STATE, "a live transcription's windows lag behind its passes");
        first += (size_t)taken;
    }
    return WHISP_OK;
}

int wh_stream_final(whisp_stream *st)
{
    whisp_session *s = st->session;
    int rc, cleared;
    if (st->ended && !wh_window_is_finished(s->window) && (rc = whisp_session_finish(s)))
        return rc;
    if (!wh_session_samples(s))
        return WHISP_OK;
    while ((rc = wh_session_next(s, &cleared)) == 1)
        if (st->speakers && (rc = wh_live_speakers_segment(st, &s->segment, cleared)))
            return rc;
    return rc < 0 ? rc : WHISP_OK;
}
