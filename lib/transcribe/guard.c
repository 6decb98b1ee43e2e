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
#include "transcribe/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS(frames) ((double)(frames)*WH_HOP / WH_SAMPLE_RATE)

#define EVIDENCE 6.0 /* seconds without a voice, at least, for the absence to count */
#define PAD 1.0      /* seconds by which a segment's times may be wrong */

#define LOOP_TIMES 6   /* that a phrase is said, */
#define LOOP_TOKENS 24 /* its tokens all together, at least, */
#define LOOP_PHRASE 32 /* and one time's at most */

#define SURE (-0.65)        /* mean log-probability, at least, of an answer that is sure, */
#define SURE_SPEECH 0.5     /* the no-speech probability, at most, */
#define SURE_TOKENS 6       /* and its text tokens, at least: a machine that beeps gets fewer, surely */
#define LOTTERY (-2.0)      /* mean log-probability of words that were drawn by lot, */
#define NEAR_SILENCE (-1.5) /* or where the model rather takes the window for silence */

/* A window with little speech: */
#define LONG 15.0    /* seconds that it lasts, at least */
#define RARE 4       /* a voice in at most one block of so many */
#define GAP 3.0      /* seconds without a voice that part stretches of speech */
#define TAIL 2.0     /* seconds: a voice that ends so soon belongs to the last window's words */
#define BEFORE 5     /* blocks before a voice from which on it is heard */
#define ECHO_LEAST 4 /* text tokens of a segment that repeats the history */
#define ECHO_MOST 64
#define ECHO_REACH 224 /* of the history's last tokens */

/* ---- the answer ---- */

static size_t count_text(const whisp_session *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->decoding.n; i++)
        n += s->tokens[i].id < s->specials->eot;
    return n;
}

static int is_doubtful(const whisp_session *s, int64_t segment_size)
{
    const wh_decoding *d = &s->decoding;
    return (double)count_text(s) < SECONDS(segment_size) || d->no_speech_prob > 0.2 || d->avg_logprob < -0.7 ||
           d->compression_ratio > 2.4 || d->temperature > 0;
}

/* Whispering, children, voices under music are heard by the model where a voice activity model hears none. */
int wh_guard_is_sure(const whisp_session *s)
{
    const wh_decoding *d = &s->decoding;
    return !(d->temperature > 0) && d->avg_logprob > SURE && d->no_speech_prob < SURE_SPEECH &&
           d->compression_ratio <= 2.4 && count_text(s) >= SURE_TOKENS;
}

int wh_guard_is_loop(const int32_t *text, size_t n)
{
    for (size_t period = 1; period <= LOOP_PHRASE; period++)
        for (size_t i = period, same = period; i < n; i++) {
            same = text[i] == text[i - period] ? same + 1 : period;
            if (same >= LOOP_TOKENS && same >= period * LOOP_TIMES)
                return 1;
        }
    return 0;
}

/* The compression ratio finds most loops, but some pass below its threshold. */
int wh_guard_loops(const whisp_session *s)
{
    const wh_decoding *d = &s->decoding;
    int32_t text[512];
    size_t n = 0;
    for (size_t i = 0; s->guards && i < d->n && n < WH_COUNT(text); i++)
        if (d->tokens[i].id < s->specials->eot)
            text[n++] = d->tokens[i].id;
    return wh_guard_is_loop(text, n);
}

/* A word or two for a whole window, after every lower temperature failed too, each with a chance of one in seven: drawn
 * by lot, from what the model itself half takes for silence. Music without a voice ends so. */
static int is_lottery(const whisp_session *s, int64_t segment_size)
{
    const wh_decoding *d = &s->decoding;
    return d->temperature > 0 && (double)count_text(s) < SECONDS(segment_size) &&
           ((d->avg_logprob < LOTTERY && d->no_speech_prob > 0.2) ||
            (d->avg_logprob < NEAR_SILENCE && d->no_speech_prob > 0.5));
}

/* A window in which somebody speaks is only mended where decoding may try again at all: one single temperature asks for
 * the model's plain answer, loops and all (the reference's answers in ../shared are made so). */
static int may_decode_again(const whisp_session *s)
{
    double temperatures[WH_MAX_TEMPERATURES];
    return wh_options_temperatures(&s->options->values, temperatures) > 1;
}

/* Does any of the blocks from `start` to `end` (seconds of the recording), and PAD around, have a mark? */
static int marked(const whisp_session *s, const unsigned char *marks, double start, double end)
{
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_VOICE_BLOCK);
    start = fmin(start, offset + s->voice->blocks * block); /* times may lie behind the recording's end */
    int from = (int)floor((start - offset - PAD) / block), to = (int)ceil((end - offset + PAD) / block);
    for (int i = WH_MAX(from, 0); i < to && i < s->voice->blocks; i++)
        if (marks[i])
            return 1;
    return 0;
}

/* Segment by segment, where the window has sound. A segment goes when there is none where it stands; but all stay when
 * something that sounds would be left without words, because then the times are wrong. */
static void take_out_some(whisp_session *s)
{
    wh_voice *v = s->voice;
    const unsigned char *marks = v->has_voice ? v->voiced : v->active;
    unsigned char claimed[WH_VOICE_BLOCKS] = {0};
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_VOICE_BLOCK);
    size_t n_dead = 0, kept = 0;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        if (!marked(s, v->active, cut->start, cut->end) &&
            (!v->has_voice || !marked(s, v->voiced, cut->start, cut->end))) {
            n_dead++;
            continue;
        }
        for (int i = 0; i < v->blocks; i++)
            claimed[i] |= i * block >= cut->start - offset - PAD && i * block <= cut->end - offset + PAD;
    }
    if (n_dead == 0)
        return;
    for (int i = 0; i < v->blocks; i++)
        if (marks[i] && !claimed[i])
            return;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        if (marked(s, v->active, cut->start, cut->end) || (v->has_voice && marked(s, v->voiced, cut->start, cut->end)))
            s->cuts[kept++] = *cut;
    }
    s->n_cuts = kept;
}

/* ---- rare speech ---- */

int wh_guard_is_echo(const whisp_session *s, const wh_cut *cut)
{
    int32_t text[ECHO_MOST];
    size_t n = 0;
    for (size_t i = cut->first_token; i < cut->first_token + cut->n_tokens && n < ECHO_MOST; i++)
        if (s->tokens[i].id < s->specials->eot)
            text[n++] = s->tokens[i].id;
    if (n < ECHO_LEAST)
        return 0;
    size_t from = s->n_history > ECHO_REACH ? s->n_history - ECHO_REACH : 0;
    for (size_t h = from; h + n <= s->n_history; h++)
        if (memcmp(s->history + h, text, n * sizeof *text) == 0)
            return 1;
    return 0;
}

/* How many times somebody begins to speak after at least GAP without a voice, the last window's end not counted; *lost
 * becomes the first block of a stretch that no cut covers, or -1. */
static int count_stretches(const whisp_session *s, int *lost)
{
    const wh_voice *v = s->voice;
    double offset = SECONDS(s->window_seek), block = SECONDS(WH_VOICE_BLOCK);
    int n = 0, last = -1000;
    *lost = -1;
    for (int i = 0; i < v->blocks; i++) {
        if (!v->voiced[i])
            continue;
        if ((i - last) * block > GAP) {
            if (n == 1 && last * block < TAIL && s->window_seek > 0)
                n = 0;
            int covered = 0;
            for (size_t c = 0; c < s->n_cuts; c++)
                covered |= i * block >= s->cuts[c].start - offset - PAD && i * block <= s->cuts[c].end - offset + PAD;
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
static int hear_again(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    wh_voice *v = s->voice;
    int lost, first = 0, echo = 0;
    if (!v->has_voice || v->n_voiced == 0 || v->n_voiced * RARE > v->blocks || SECONDS(segment_size) < LONG)
        return 0;
    int n = count_stretches(s, &lost);
    for (size_t c = 0; c < s->n_cuts; c++)
        echo |= wh_guard_is_echo(s, &s->cuts[c]);
    while (!v->voiced[first])
        first++;
    int64_t start = (int64_t)WH_MAX(first - BEFORE, 0) * WH_VOICE_BLOCK;
    if (echo) { /* ends: without history there is no echo */
        wh_session_forget_text(s);
        *advance = start;
        s->n_cuts = 0;
        return 1;
    }
    if (lost < 0 || (size_t)n <= s->n_cuts)
        return 0;
    /* what was written before the lost words stays */
    start = (int64_t)(lost - BEFORE) * WH_VOICE_BLOCK;
    if (start < WH_VOICE_BLOCK * BEFORE * 2)
        return 0;
    size_t kept = 0;
    while (kept < s->n_cuts && s->cuts[kept].end - SECONDS(s->window_seek) <= lost * SECONDS(WH_VOICE_BLOCK) + PAD)
        kept++;
    s->n_cuts = kept;
    *advance = start;
    return 1;
}

/* Every segment goes: nothing sounds at all; nothing sounds like speech and the answer is doubtful; or a voice was looked
 * for in vain and the answer is not sure. */
static int says_nothing(const whisp_session *s, int doubtful)
{
    const wh_voice *v = s->voice;
    if (v->n_sounds == 0 || (doubtful && v->n_active == 0 && v->n_voiced == 0))
        return 1;
    if (v->has_voice && v->n_voiced == 0 && v->evidence >= EVIDENCE)
        return !wh_guard_is_sure(s);
    return 0;
}

int wh_guard_window(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    wh_voice *v = s->voice;
    size_t before = s->n_cuts;
    int rc = WHISP_OK, again = 0;
    if (!s->guards || s->n_cuts == 0)
        return WHISP_OK;
    wh_voice_listen(v, s->window, segment_size, s->model->n_mels);
    int doubtful = is_doubtful(s, segment_size);
    if (doubtful && (rc = wh_voice_find(s, s->window_seek, segment_size)) < 0)
        return rc;
    int nothing = says_nothing(s, doubtful);
    if (nothing || is_lottery(s, segment_size))
        s->n_cuts = 0;
    size_t left = s->n_cuts;
    if (!nothing && may_decode_again(s)) {
        again = wh_guard_part(s, segment_size, advance);
        if (!again && s->n_cuts == left && doubtful)
            again = hear_again(s, segment_size, advance);
        if (!again && s->n_cuts == left && left && v->n_active > 0)
            take_out_some(s);
    }
    if (s->n_cuts == 0 && !again)
        *advance = segment_size;
    if (s->n_cuts < before)
        wh_log(s->options, WHISP_LOG_DEBUG, "hallucination_guard: %zu of %zu segments at %.2f s taken out",
               before - s->n_cuts, before, SECONDS(s->window_seek));
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

int wh_guard_silent(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    wh_voice *v = s->voice;
    if (!s->guards)
        return WHISP_OK;
    wh_voice_listen(v, s->window, segment_size, s->model->n_mels);
    int rc = v->n_active ? wh_voice_find(s, s->window_seek, segment_size) : WHISP_OK;
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
