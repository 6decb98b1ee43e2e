/* feed.c - a session's samples and segments: push, measure, finish, pull; and what is said of the recording meanwhile. */
#include <stdio.h>
#include <string.h>

#include "audio/audio.h"
#include "transcribe/session.h"

int64_t whisp_session_push(whisp_session *s, const float *samples, size_t n)
{
    if (!s || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_push: an argument is NULL");
    if (wh_window_is_finished(s->window))
        return wh_fail(WHISP_ERR_STATE, "whisp_session_push: the session is finished; reset it first");
    int rc = wh_speech_only_check(s);
    if (rc || (rc = wh_channels_check(s)))
        return rc;
    size_t taken = wh_window_push(s->window, samples, n);
    if (wh_window_bad_samples(s->window) && !s->bad_samples_told) {
        s->bad_samples_told = 1;
        wh_log(s->options, WHISP_LOG_WARNING, "some samples are not finite numbers; they count as silence");
    }
    return (int64_t)taken;
}

int whisp_session_finish(whisp_session *s)
{
    if (!s)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_finish: session is NULL");
    if (wh_window_is_finished(s->window))
        return wh_fail(WHISP_ERR_STATE, "whisp_session_finish: the session is finished already");
    wh_window_finish(s->window);
    if (!s->total_is_known)
        s->total = wh_speech_only_total(s, wh_window_samples(s->window));
    wh_session_warn_clips(s);
    return WHISP_OK;
}

static int begin_measuring(whisp_session *s)
{
    return s->measuring ? WHISP_OK
                        : wh_mel_new(s->model->n_mels, s->model->mel_filters, WH_STORE_FRAMES, &s->measuring);
}

int whisp_session_measure(whisp_session *s, const float *samples, size_t n)
{
    if (!s || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_measure: an argument is NULL");
    if (wh_window_is_finished(s->window) || wh_window_samples(s->window))
        return wh_fail(WHISP_ERR_STATE, "whisp_session_measure: samples were pushed already; reset the session first");
    int rc = wh_speech_only_check(s);
    if (rc)
        return rc;
    double t0 = wh_now();
    if ((rc = begin_measuring(s)))
        return rc;
    for (size_t done = 0; done < n;) {
        done += wh_mel_push(s->measuring, samples + done, n - done);
        wh_mel_discard(s->measuring, wh_mel_ready(s->measuring));
    }
    if (n == 0) {
        wh_mel_finish(s->measuring);
        wh_window_set_loudest(s->window, wh_mel_loudest(s->measuring, wh_mel_content(s->measuring)));
        s->total = wh_speech_only_total(s, (int64_t)wh_mel_samples(s->measuring));
        wh_window_set_length(s->window, wh_mel_content(s->measuring));
        wh_mel_free(s->measuring);
        s->measuring = NULL;
    }
    s->timings.mel += wh_now() - t0;
    return WHISP_OK;
}

void wh_session_jump(whisp_session *s, int64_t frame)
{
    wh_window_jump(s->window, frame);
}

int wh_session_measure_jump(whisp_session *s, int64_t frame)
{
    int rc = begin_measuring(s);
    if (!rc)
        wh_mel_jump(s->measuring, frame);
    return rc;
}

void wh_session_known_total(whisp_session *s, double seconds)
{
    s->total = seconds;
    s->total_is_known = 1;
    wh_window_set_length(s->window, (int64_t)(seconds * WH_SAMPLE_RATE) / WH_HOP);
}

/* ---- pulled ---- */

static void report_progress(whisp_session *s)
{
    if (!s->options->progress)
        return;
    double seconds = wh_window_done(s->window), end = seconds;
    if (!s->whole) /* of a part parts.c does it */
        wh_speech_only_times(s, &seconds, &end);
    s->options->progress(s->options->progress_user, end, s->total);
}

int wh_session_next(whisp_session *s, int *cleared)
{
    if (s->failed)
        return wh_fail(WHISP_ERR_STATE, "the session failed before; reset it first");
    int rc;
    while (!(rc = wh_window_take(s->window, &s->segment, cleared))) {
        rc = wh_window_hear(s->window);
        s->failed = rc < 0;
        if (rc != 1)
            return rc;
        report_progress(s);
    }
    s->failed = rc < 0;
    if (rc < 0)
        return rc;
    if (s->options->segment && !s->align_text)
        s->options->segment(s->options->segment_user, &s->segment);
    return 1;
}

int whisp_session_pull(whisp_session *s, const whisp_segment **segment)
{
    int cleared;
    if (!s || !segment)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_pull: an argument is NULL");
    if (s->speaking)
        return wh_fail(WHISP_ERR_STATE, "diarize works on whole recordings; give a file or all samples at once, or set "
                                        "diarize to False");
    int rc = wh_session_next(s, &cleared);
    if (rc == 1)
        *segment = &s->segment;
    return rc;
}

/* ---- a text that is given ---- */

int wh_session_set_text(whisp_session *s, const char *text)
{
    int rc = wh_align_text_new(s->window, &s->computed, s->options, text, &s->align_text);
    if (!rc)
        wh_align_text_follow(s->align_text);
    return rc;
}

int wh_session_align_result(whisp_session *s, whisp_result **result)
{
    return wh_align_text_result(s->align_text, s->total, result);
}

/* ---- what is said of a recording ---- */

void wh_session_remember_incomplete(whisp_session *s, const char *why)
{
    size_t length = strlen(s->incomplete);
    if (!strstr(s->incomplete, why))
        if (snprintf(s->incomplete + length, sizeof s->incomplete - length, "%s%s", length ? "; " : "", why) >=
            (int)(sizeof s->incomplete - length))
            memcpy(s->incomplete + sizeof s->incomplete - 4, "...", 4);
}

void wh_session_hear_warnings(whisp_session *s, whisp_audio *audio)
{
    const char *text;
    int incomplete;
    for (size_t i = 0; audio && (text = whisp_audio_warning(audio, i, &incomplete)); i++) {
        char line[1024];
        snprintf(line, sizeof line, "%s: %s", wh_audio_name(audio), text);
        if (incomplete)
            wh_session_remember_incomplete(s, line);
        if (s->channel <= 0) /* with split_stereo the second pass has the same */
            wh_log(s->options, WHISP_LOG_WARNING, "%s", line);
    }
}

const char *wh_session_why_incomplete(const whisp_session *s)
{
    return s->incomplete[0] ? s->incomplete : NULL;
}

int whisp_session_describe(const whisp_session *s, whisp_session_info *info)
{
    if (!s || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_describe: an argument is NULL, or info->size is not set");
    const whisp_session_info all = {.size = info->size,
                                    .language = wh_language_code(wh_session_spoken(s)),
                                    .incomplete = wh_session_why_incomplete(s),
                                    .backend = wh_backend_describe(s->backend),
                                    .timings = &s->timings};
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}
