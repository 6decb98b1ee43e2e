/* speakers.c - option diarize while somebody speaks: a passing view of who it is, and at the end the whole one.
 *
 * Words and segments get their speakers from stretches that were just said (lib/speakers/online.h). Beside that the
 * diarizer hears everything; at the end the final text's segments, which were kept, are labelled by it as a recording's
 * are, and are handed out as a result (whisp_stream_result). */
#include "live/stream.h"

#include <math.h>
#include <stdlib.h>

#include "output/result.h"
#include "speakers/label.h"
#include "speakers/online.h"
#include "transcribe/collect.h"

struct wh_live_speakers {
    const wh_who *who; /* the session's */
    wh_online *online;
    wh_diarizer *diarizer;
    wh_collected kept;   /* the final text so far */
    whisp_segment_fn to; /* whom its segments go to, with labels */
    void *user;
    int n_segments;    /* that went there */
    whisp_turn *turns; /* [n_turns] theirs, for one who does not hear it to the end */
    size_t n_turns, turns_capacity;
    whisp_result *result; /* at the end */
};

int wh_live_speakers_new(whisp_stream *st)
{
    whisp_options *o = st->session->options;
    if (!o->values.diarize)
        return WHISP_OK;
    wh_live_speakers *l = st->speakers = wh_calloc(1, sizeof *l);
    if (!l)
        return wh_fail_memory();
    l->who = wh_speaking_who(st->session);
    l->to = o->segment;
    l->user = o->segment_user;
    o->segment = NULL;
    int rc = wh_online_new(l->who, &l->online);
    if (!rc)
        rc = wh_diarizer_new(&l->who->config, &l->diarizer);
    return rc ? rc : wh_collect_begin(&l->kept);
}

void wh_live_speakers_free(wh_live_speakers *l)
{
    if (!l)
        return;
    wh_online_free(l->online);
    wh_diarizer_free(l->diarizer);
    wh_collect_free(&l->kept);
    whisp_result_free(l->result);
    free(l->turns);
    free(l);
}

int wh_live_speakers_push(wh_live_speakers *l, const float *samples, size_t n)
{
    int rc = l ? wh_online_push(l->online, samples, n) : WHISP_OK;
    return !l || rc ? rc : wh_diarizer_push(l->diarizer, samples, n);
}

int wh_live_speakers_of(const wh_live_speakers *l, double start, double end)
{
    return l ? wh_online_speaker(l->online, start, end) : 0;
}

const char *const *wh_live_speakers_names(const wh_live_speakers *l, size_t *n)
{
    *n = 0;
    return l ? wh_online_names(l->online, n) : NULL;
}

/* ---- the final text ---- */

/* The segment in parts of one speaker each, as the passing view has it. */
static int label(wh_live_speakers *l, const whisp_segment *segment, int cleared, int keeps_words, whisp_result **parts)
{
    whisp_result *whole = NULL;
    wh_label_turns who = {0};
    size_t n_names;
    int rc = wh_online_turns(l->online, segment->start, segment->end, &who.turns, &who.n);
    who.names = wh_online_names(l->online, &n_names);
    who.n_speakers = (int)n_names;
    if (!rc)
        rc = wh_result_new(&whole);
    if (!rc)
        rc = wh_result_add(whole, segment, cleared);
    if (!rc)
        rc = wh_result_finish(whole, "", NULL, segment->end);
    if (!rc)
        rc = wh_label(whole, &who, keeps_words, parts);
    whisp_result_free(whole);
    return rc;
}

static int keep_turn(wh_live_speakers *l, const whisp_segment *part)
{
    const double last = l->n_turns > 0 ? l->turns[l->n_turns - 1].end : 0;
    const whisp_turn turn = {fmax(part->start, last), part->end, part->speaker};
    if (!part->speaker || turn.end <= turn.start)
        return WHISP_OK;
    int rc = wh_grow(&l->turns, &l->turns_capacity, l->n_turns + 1, sizeof *l->turns);
    if (!rc)
        l->turns[l->n_turns++] = turn;
    return rc;
}

int wh_live_speakers_segment(whisp_stream *st, const whisp_segment *segment, int cleared)
{
    wh_live_speakers *l = st->speakers;
    whisp_result *parts = NULL;
    int rc = wh_collect_add(&l->kept, segment, cleared);
    if (!rc)
        rc = label(l, segment, cleared, wh_session_shows_words(st->session), &parts);
    for (size_t i = 0; !rc && i < wh_result_about(parts).n_segments; i++) {
        whisp_segment part = *whisp_result_segment(parts, i);
        part.id = l->n_segments++;
        rc = keep_turn(l, &part);
        if (!rc && l->to)
            l->to(l->user, &part);
    }
    whisp_result_free(parts);
    return rc;
}

int wh_live_speakers_finish(whisp_stream *st)
{
    wh_live_speakers *l = st->speakers;
    const whisp_session *s = st->session;
    whisp_result *said = NULL;
    wh_found found = {0};
    if (!l || l->result)
        return WHISP_OK;
    int rc = wh_diarizer_finish(l->diarizer, &found.who);
    if (!rc)
        rc = wh_who_name(l->who, &found);
    if (!rc)
        rc = wh_collect_end(&l->kept, s->model, wh_session_spoken(s), s->total, &said);
    if (!rc)
        rc = wh_result_set_incomplete(said, wh_session_why_incomplete(s));
    if (!rc)
        rc = wh_speaking_apply(&found, wh_session_shows_words(s), &said);
    if (!rc)
        rc = wh_who_keep(l->who, &found);
    wh_found_free(&found);
    if (!rc || rc == WHISP_ERR_OUTPUT)
        l->result = said;
    else
        whisp_result_free(said);
    return rc;
}

/* The caller has heard enough: what is final until now, as the passing view has it. */
static int so_far(whisp_stream *st, whisp_result **result)
{
    wh_live_speakers *l = st->speakers;
    whisp_result *said = NULL;
    size_t n_names, n = wh_result_about(l->kept.result).n_segments;
    if (n == 0)
        return wh_fail(WHISP_ERR_STATE, "whisp_stream_result: no text is final yet, or the result was given already");
    const char *const *names = wh_online_names(l->online, &n_names);
    const wh_label_turns who = {l->turns, l->n_turns, names, (int)n_names};
    const double end = wh_result_last(l->kept.result)->end;
    st->failed = 1; /* its text is given away */
    int rc = wh_collect_end(&l->kept, st->session->model, wh_session_spoken(st->session), end, &said);
    if (!rc)
        rc = wh_result_set_incomplete(said, "the stream was not heard to its end");
    if (!rc)
        rc = wh_label(said, &who, wh_session_shows_words(st->session), result);
    whisp_result_free(said);
    return rc;
}

int whisp_stream_result(whisp_stream *st, whisp_result **result)
{
    if (!st || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_stream_result: an argument is NULL");
    *result = NULL;
    if (!st->speakers)
        return wh_fail(WHISP_ERR_STATE, "whisp_stream_result: a live transcription keeps its text with option diarize");
    if (!st->speakers->result)
        return so_far(st, result);
    *result = st->speakers->result;
    st->speakers->result = NULL;
    return WHISP_OK;
}
