/* answer.c - what a window's decoding is worth, by itself: sure, doubtful, drawn by lot, a loop, an echo. The guard, the
 * detection of the language and the fallback ask here. */
#include <string.h>

#include "window/state.h"

#define LOOP_TIMES 6   /* that a phrase is said in a loop, at least */
#define LOOP_TOKENS 24 /* a loop's tokens all together, at least */
#define LOOP_PHRASE 32 /* a phrase's, at most */

#define SURE (-0.65)        /* mean log-probability, at least, of a sure answer */
#define SURE_SPEECH 0.5     /* no-speech probability, at most, of a sure answer */
#define SURE_TOKENS 6       /* text tokens, at least, of a sure answer: a machine that beeps gets fewer */
#define LOTTERY (-2.0)      /* mean log-probability, at most, of words that were drawn by lot */
#define NEAR_SILENCE (-1.5) /* the same where the model rather takes the window for silence */

#define ECHO_LEAST 4 /* text tokens of a segment that repeats the history */
#define ECHO_MOST 64
#define ECHO_REACH 224 /* of the history's last tokens */

static size_t count_text(const wh_window *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->decoding.n; i++)
        n += w->segments.tokens[i].id < w->specials->eot;
    return n;
}

int wh_answer_is_doubtful(const wh_window *w)
{
    const wh_decoding *d = &w->decoding;
    return (double)count_text(w) < WH_SECONDS(w->frames) || d->no_speech_prob > 0.2 || d->avg_logprob < -0.7 ||
           d->compression_ratio > 2.4 || d->temperature > 0;
}

/* Whispering, children, voices under music are heard by the model where a voice activity model hears none. */
int wh_answer_is_sure(const wh_window *w)
{
    const wh_decoding *d = &w->decoding;
    return !(d->temperature > 0) && d->avg_logprob > SURE && d->no_speech_prob < SURE_SPEECH &&
           d->compression_ratio <= 2.4 && count_text(w) >= SURE_TOKENS;
}

/* A word or two for a whole window, after every lower temperature failed too, each with a chance of one in seven: drawn
 * by lot, from what the model itself half takes for silence. Music without a voice ends so. */
int wh_answer_is_lottery(const wh_window *w)
{
    const wh_decoding *d = &w->decoding;
    return d->temperature > 0 && (double)count_text(w) < WH_SECONDS(w->frames) &&
           ((d->avg_logprob < LOTTERY && d->no_speech_prob > 0.2) ||
            (d->avg_logprob < NEAR_SILENCE && d->no_speech_prob > 0.5));
}

int wh_answer_is_loop(const int32_t *text, size_t n)
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
int wh_answer_loops(const wh_window *w)
{
    const wh_decoding *d = &w->decoding;
    int32_t text[512];
    size_t n = 0;
    for (size_t i = 0; w->values->hallucination_guard && i < d->n && n < WH_COUNT(text); i++)
        if (d->tokens[i].id < w->specials->eot)
            text[n++] = d->tokens[i].id;
    return wh_answer_is_loop(text, n);
}

int wh_answer_is_echo(const wh_window *w, const wh_segment *segment)
{
    const wh_history *h = &w->history;
    int32_t text[ECHO_MOST];
    size_t n = 0;
    for (size_t i = segment->first_token; i < segment->first_token + segment->n_tokens && n < ECHO_MOST; i++)
        if (w->segments.tokens[i].id < w->specials->eot)
            text[n++] = w->segments.tokens[i].id;
    if (n < ECHO_LEAST)
        return 0;
    size_t from = h->n > ECHO_REACH ? h->n - ECHO_REACH : 0;
    for (size_t i = from; i + n <= h->n; i++)
        if (memcmp(h->tokens + i, text, n * sizeof *text) == 0)
            return 1;
    return 0;
}
