/* guard.c - text that nobody said: found and left out (option hallucination_guard).
 *
 * Whisper writes "you" or "Thank you." for silence, and worse for noise. window.c asks here, once a window is decoded and
 * cut into segments, which of them to take out. Speech must never be touched, so two witnesses are needed:
 *
 *   the sound     activity of the spectrum and, about doubtful windows, a voice activity model where one is found (voice.c)
 *   the answer    is the decoding doubtful: few words for so long a window, improbable, repeating, sampled, or does the
 *                 model itself think that nobody speaks. An answer that is sure stays where only the voice is missing
 *
 * Text that is taken out does not come into the next window's prompt. */
#include <math.h>
#include <stdlib.h>

#include "window/state.h"

#define EVIDENCE 6.0 /* seconds without a voice, at least, for the absence to count */
#define PAD 1.0      /* seconds by which a segment's times may be wrong */

/* A window with little speech: */
#define LONG 15.0 /* seconds that it lasts, at least */
#define RARE 4    /* a voice in at most one block of so many */
#define GAP 3.0   /* seconds without a voice that part stretches of speech */
#define TAIL 2.0  /* seconds: a voice that ends so soon belongs to the last window's words */
#define BEFORE 5  /* blocks before a voice from which on it is heard */

/* A window in which somebody speaks is only mended where decoding may try again at all: one single temperature asks for
 * the model's plain answer, loops and all (the reference's answers in ../shared are made so). */
static int may_decode_again(const wh_window *w)
{
    double temperatures[WH_MAX_TEMPERATURES];
    return wh_options_temperatures(w->values, temperatures) > 1;
}

/* Does any of the blocks from `start` to `end` (seconds of the recording), and PAD around, have a mark? */
static int marked(const wh_window *w, const unsigned char *marks, double start, double end)
{
    double offset = WH_SECONDS(w->begin), block = WH_SECONDS(WH_VOICE_BLOCK);
    start = fmin(start, offset + w->voice->blocks * block); /* times may lie behind the recording's end */
    int from = (int)floor((start - offset - PAD) / block), to = (int)ceil((end - offset + PAD) / block);
    for (int i = WH_MAX(from, 0); i < to && i < w->voice->blocks; i++)
        if (marks[i])
            return 1;
    return 0;
}

/* Segment by segment, where the window has sound. A segment goes when there is none where it stands; but all stay when
 * something that sounds would be left without words, because then the times are wrong. */
static int take_out_some(wh_window *w)
{
    wh_voice *v = w->voice;
    const unsigned char *marks = v->has_voice ? v->voiced : v->active;
    unsigned char claimed[WH_VOICE_BLOCKS] = {0};
    double offset = WH_SECONDS(w->begin), block = WH_SECONDS(WH_VOICE_BLOCK);
    size_t n_dead = 0;
    unsigned char *stays = wh_calloc(w->segments.n, 1);
    if (!stays)
        return wh_fail_memory();
    for (size_t c = 0; c < w->segments.n; c++) {
        const wh_segment *segment = &w->segments.list[c];
        stays[c] = marked(w, v->active, segment->start, segment->end) ||
                   (v->has_voice && marked(w, v->voiced, segment->start, segment->end));
        n_dead += !stays[c];
        for (int i = 0; i < v->blocks; i++)
            claimed[i] |= stays[c] && i * block >= segment->start - offset - PAD &&
                          i * block <= segment->end - offset + PAD;
    }
    for (int i = 0; i < v->blocks; i++)
        if (marks[i] && !claimed[i])
            n_dead = 0; /* something would be left */
    if (n_dead)
        wh_segments_keep_marked(&w->segments, stays);
    free(stays);
    return WHISP_OK;
}

/* ---- rare speech ---- */

/* How many times somebody begins to speak after at least GAP without a voice, the last window's end not counted; *lost
 * becomes the first block of a stretch that no segment covers, or -1. */
static int count_stretches(const wh_window *w, int *lost)
{
    const wh_voice *v = w->voice;
    double offset = WH_SECONDS(w->begin), block = WH_SECONDS(WH_VOICE_BLOCK);
    int n = 0, last = -1000;
    *lost = -1;
    for (int i = 0; i < v->blocks; i++) {
        if (!v->voiced[i])
            continue;
        if ((i - last) * block > GAP) {
            if (n == 1 && last * block < TAIL && w->begin > 0)
                n = 0;
            int covered = 0;
            for (size_t c = 0; c < w->segments.n; c++)
                covered |= i * block >= w->segments.list[c].start - offset - PAD &&
                           i * block <= w->segments.list[c].end - offset + PAD;
            if (!covered && *lost < 0)
                *lost = i;
            n++;
        }
        last = i;
    }
    return n;
}

/* In a long window with little speech, which the model's answer does not fit: the window is to be heard again, from
 * where somebody begins to speak and without the text before it. 1 if so; then *advance says from where. */
static int hear_again(wh_window *w, int64_t *advance)
{
    wh_voice *v = w->voice;
    int lost, first = 0, echo = 0;
    if (!v->has_voice || v->n_voiced == 0 || v->n_voiced * RARE > v->blocks || WH_SECONDS(w->frames) < LONG)
        return 0;
    int n = count_stretches(w, &lost);
    for (size_t c = 0; c < w->segments.n; c++)
        echo |= wh_answer_is_echo(w, &w->segments.list[c]);
    while (!v->voiced[first])
        first++;
    int64_t start = (int64_t)WH_MAX(first - BEFORE, 0) * WH_VOICE_BLOCK;
    if (echo) { /* ends: without history there is no echo */
        wh_history_forget(&w->history);
        *advance = start;
        wh_segments_keep(&w->segments, 0);
        return 1;
    }
    if (lost < 0 || (size_t)n <= w->segments.n)
        return 0;
    /* what was written before the lost words stays */
    start = (int64_t)(lost - BEFORE) * WH_VOICE_BLOCK;
    if (start < WH_VOICE_BLOCK * BEFORE * 2)
        return 0;
    size_t kept = 0;
    while (kept < w->segments.n &&
           w->segments.list[kept].end - WH_SECONDS(w->begin) <= lost * WH_SECONDS(WH_VOICE_BLOCK) + PAD)
        kept++;
    wh_segments_keep(&w->segments, kept);
    *advance = start;
    return 1;
}

/* Every segment goes: nothing sounds at all; nothing sounds like speech and the answer is doubtful; or a voice was looked
 * for in vain and the answer is not sure. */
static int says_nothing(const wh_window *w, int doubtful)
{
    const wh_voice *v = w->voice;
    if (v->n_sounds == 0 || (doubtful && v->n_active == 0 && v->n_voiced == 0))
        return 1;
    if (v->has_voice && v->n_voiced == 0 && v->evidence >= EVIDENCE)
        return !wh_answer_is_sure(w);
    return 0;
}

int wh_guard_window(wh_window *w, int64_t *advance)
{
    wh_voice *v = w->voice;
    size_t before = w->segments.n;
    int rc = WHISP_OK, again = 0;
    if (!w->values->hallucination_guard || w->only_mel || w->segments.n == 0)
        return WHISP_OK;
    wh_voice_listen(v, w->input, w->frames, w->model->n_mels);
    int doubtful = wh_answer_is_doubtful(w);
    if (doubtful && (rc = wh_voice_find(v, w->begin, w->frames)) < 0)
        return rc;
    int nothing = says_nothing(w, doubtful);
    if (nothing || wh_answer_is_lottery(w))
        wh_segments_keep(&w->segments, 0);
    size_t left = w->segments.n;
    if (!nothing && may_decode_again(w)) {
        again = wh_guard_part(w, advance);
        if (!again && w->segments.n == left && doubtful)
            again = hear_again(w, advance);
        if (!again && w->segments.n == left && left && v->n_active > 0)
            rc = take_out_some(w);
    }
    if (rc)
        return rc;
    if (w->segments.n == 0 && !again)
        *advance = w->frames;
    if (w->segments.n < before)
        wh_log(w->config.options, WHISP_LOG_DEBUG, "hallucination_guard: %zu of %zu segments at %.2f s taken out",
               before - w->segments.n, before, WH_SECONDS(w->begin));
    return again;
}

/* Without a voice activity model: does the first sound of a window that was silent so far come here? */
static int ends_silence(const wh_voice *v, int i)
{
    int quiet = 0;
    while (quiet < i && !v->sounds[quiet])
        quiet++;
    return v->active[i] && quiet == i;
}

int wh_guard_silent(wh_window *w, int64_t *advance)
{
    wh_voice *v = w->voice;
    if (!w->values->hallucination_guard || w->only_mel)
        return WHISP_OK;
    wh_voice_listen(v, w->input, w->frames, w->model->n_mels);
    int rc = v->n_active ? wh_voice_find(v, w->begin, w->frames) : WHISP_OK;
    if (rc < 0)
        return rc;
    for (int i = 0; i < v->blocks; i++) {
        if (v->has_voice ? !v->voiced[i] : !ends_silence(v, i))
            continue;
        int64_t at = (int64_t)(i - BEFORE) * WH_VOICE_BLOCK;
        if (at >= BEFORE * 2 * WH_VOICE_BLOCK)
            *advance = at;
        break;
    }
    return WHISP_OK;
}
