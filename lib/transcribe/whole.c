/* whole.c - whole recordings, for whisp.h: from a whisp_audio (recording.h) to a result.
 *
 * A long recording goes to batch.c in one pass; another one is pushed into the session and pulled out of it. */
#include "audio/audio.h"
#include "output/result.h"
#include "transcribe/batch.h"
#include "transcribe/collect.h"
#include "transcribe/cutter.h"
#include "align/align_text.h"
#include "transcribe/jump.h"
#include "transcribe/passes.h"

/* A transcription: what it reads, what it leaves. */
typedef struct work {
    whisp_session *session;
    wh_recording *in;
    wh_collected out;
    wh_cutter cutter; /* in parts */
} work;

static int collect(whisp_session *s, work *w)
{
    for (;;) {
        int cleared, rc = wh_session_next(s, &cleared);
        if (rc != 1)
            return rc;
        if (s->align_text)
            continue; /* only what it aligns counts */
        if ((rc = wh_collect_add(&w->out, &s->segment, cleared)))
            return rc;
    }
}

/* Second pass: push, pull, finish. */
static int feed(whisp_session *s, wh_recording *in, work *w)
{
    const float *samples;
    int64_t n = 0;
    int rc;
    while (!(rc = wh_recording_jump(in)) && (n = wh_recording_read(in, &samples)) > 0)
        for (int64_t done = 0; done < n;) {
            int64_t taken = whisp_session_push(s, samples + done, (size_t)(n - done));
            if (taken < 0)
                return (int)taken;
            done += taken;
            if (done < n || taken == 0) {
                if ((rc = collect(s, w)) < 0)
                    return rc;
            }
        }
    if (rc < 0 || n < 0)
        return rc < 0 ? rc : (int)n;
    if (rc == 0 && in->heard == wh_session_samples(s)) /* that was the end */
        s->total_is_known = 0;
    if ((rc = whisp_session_finish(s)))
        return rc;
    rc = collect(s, w);
    return rc < 0 ? rc : WHISP_OK;
}

static int emit(void *user, const whisp_segment *segment, int cleared)
{
    work *w = user;
    return wh_collect_show(&w->out, w->session->options, segment, cleared);
}

static int64_t read_for_cutter(void *user, const float **samples)
{
    work *w = user;
    return wh_recording_read(w->in, samples);
}

static int fill_part(void *user, whisp_session *part)
{
    return wh_cutter_fill(&((work *)user)->cutter, part);
}

static int run_parts(whisp_session *s, work *w)
{
    w->cutter = (wh_cutter){.seconds = s->options->values.cut_seconds, .read = read_for_cutter, .read_user = w};
    const wh_batch_job job = {.session = s,
                              .longest = (size_t)wh_cut_longest(w->cutter.seconds) + WH_CUT_STEP,
                              .fill = fill_part,
                              .emit = emit,
                              .user = w};
    int rc = wh_batch_run(&job);
    s->total = wh_speech_only_total(s, w->cutter.levels.samples);
    wh_cutter_free(&w->cutter);
    return rc;
}

/* Transcribe what `in` gives: in parts, or, the session being reset and perhaps measured, as a whole. */
static int transcribe(whisp_session *s, wh_recording *in, int in_parts, whisp_result **result)
{
    work w = {.session = s, .in = in};
    int rc = wh_collect_begin(&w.out);
    if (!rc)
        rc = in_parts ? run_parts(s, &w) : feed(s, in, &w);
    if (!rc)
        rc = wh_collect_end(&w.out, s->model, wh_session_spoken(s), s->total, result);
    else if (w.out.result)
        wh_collect_stop(&w.out, s->model, wh_session_spoken(s), wh_audio_name(in->audio), result);
    wh_collect_free(&w.out);
    return rc;
}

/* Align the given text with what `in` gives. */
static int align(whisp_session *s, wh_recording *in, whisp_result **result)
{
    work w = {.session = s, .in = in};
    int rc = feed(s, in, &w);
    return rc ? rc : wh_session_align_result(s, result);
}

/* All that is there was heard: how much was it? */
static int check_heard(whisp_session *s, const wh_recording *in)
{
    int64_t heard = s->recording >= 0 ? s->recording : in->jumps ? (int64_t)(s->total * WH_SAMPLE_RATE) : in->heard;
    if (wh_audio_is_samples(in->audio)) /* of which there may be none */
        return WHISP_OK;
    if (heard == 0)
        return wh_fail(WHISP_ERR_AUDIO, "%s: the recording holds no samples", wh_audio_name(in->audio));
    if (heard < WH_HOP)
        wh_log(s->options, WHISP_LOG_WARNING, "%s: the recording is shorter than 10 ms; there is nothing to hear",
               wh_audio_name(in->audio));
    return WHISP_OK;
}

int wh_session_shows_words(const whisp_session *s)
{
    return s->options->values.word_timestamps || s->options->values.confidence;
}

/* Transcribe a recording, or align a text with it if that is not NULL. */
static int run(whisp_session *s, whisp_audio *audio, const char *text, whisp_result **result)
{
    wh_recording *in = NULL;
    int rc = whisp_session_reset(s);
    if (!rc && text)
        rc = wh_session_set_text(s, text);
    int in_parts = wh_session_may_cut(s);
    if (!rc)
        rc = wh_recording_new(s, audio, &in);
    if (!rc)
        rc = wh_passes_before(in, &in_parts);
    if (!rc) {
        wh_session_use_journal(s, in_parts);
        rc = text ? align(s, in, result) : transcribe(s, in, in_parts, result);
    }
    if (!rc)
        rc = check_heard(s, in);
    if (!rc) {
        wh_recording_hear_warnings(in);
        rc = wh_result_set_incomplete(*result, wh_session_why_incomplete(s));
        if (!rc && s->speaking)
            rc = wh_speaking_label(s, in, text || wh_session_shows_words(s), result);
    }
    if (rc && rc != WHISP_ERR_OUTPUT && !wh_result_about(*result).incomplete) { /* not what was final till then */
        whisp_result_free(*result);
        *result = NULL;
    }
    wh_recording_free(in);
    return rc;
}

int whisp_session_transcribe(whisp_session *s, whisp_audio *audio, whisp_result **result)
{
    if (!s || !audio || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_transcribe: an argument is NULL");
    *result = NULL;
    int rc = wh_session_open_journal(s, audio);
    if (!rc && s->options->values.split_stereo)
        rc = wh_channels_transcribe(s, audio, run, result);
    else if (!rc && s->speaking)
        rc = wh_speaking_transcribe(s, audio, NULL, run, result);
    else if (!rc)
        rc = run(s, audio, NULL, result);
    wh_session_close_journal(s);
    return rc;
}

int whisp_session_align(whisp_session *s, whisp_audio *audio, const char *text, whisp_result **result)
{
    if (!s || !audio || !text || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_align: an argument is NULL");
    *result = NULL;
    int rc = wh_channels_check(s);
    if (!rc && s->speaking)
        return wh_speaking_transcribe(s, audio, text, run, result);
    return rc ? rc : run(s, audio, text, result);
}

int whisp_transcribe(const whisp_model *model, const char *path, const whisp_options *options, whisp_result **result)
{
    if (!model || !path || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_transcribe: an argument is NULL");
    *result = NULL;
    whisp_session *session = NULL;
    whisp_audio *audio = NULL;
    int rc = whisp_session_new(model, options, &session);
    if (!rc)
        rc = whisp_audio_open(path, &audio);
    if (!rc)
        rc = whisp_session_transcribe(session, audio, result);
    whisp_audio_free(audio);
    whisp_session_free(session);
    return rc;
}
