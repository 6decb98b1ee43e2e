/* pass.c - one pass of a live transcription: all samples that are held become one hypothesis, words with times.
 *
 * A window (lib/window) like those of any recording, opened, decoded and timed by the same functions, but not cut into
 * segments: what follows the last pair of timestamps counts here too, for it will be heard again anyway. Each pass begins
 * anew, so a window's clamping, voice and language are the buffer's. */
#include <math.h>
#include <string.h>

#include "align/align_text.h"
#include "live/stream.h"

#define PAST_TOKENS 64 /* of the text before; each costs, in every pass, a third of what a token of its own does */
/* What a pass decodes at most, so that a loop ends: tokens, and more for each second. Who speaks fast says five words; scripts
 * that the vocabulary has hardly any words of take two and three tokens for a character, of which nobody says twenty. */
#define MOST_TOKENS 24
#define TOKENS_A_SECOND 10
#define CHARACTERS_A_SECOND 20
#define LANGUAGE_SECONDS 10 /* how much must be heard before a detected language stays */

/* The sound that is held, encoded. */
static int hear(whisp_stream *st)
{
    wh_window *w = st->window;
    int rc = wh_window_reset(w);
    if (rc)
        return rc;
    wh_window_place(w, st->offset / WH_HOP, 1);
    wh_window_push(w, st->samples, WH_MIN(st->heard, (size_t)WH_WINDOW_FRAMES * WH_HOP));
    wh_window_finish(w);
    return wh_window_open(w);
}

/* The language to decode in; a detected one is asked for again until enough was heard, and somebody spoke. (Where there
 * is a model of voice activity, nothing but speech is heard.) */
static int language(whisp_stream *st)
{
    int known = wh_session_language(st->session), speech = st->activity != NULL;
    if (known >= 0) /* by the options, or detected in the first window */
        st->language = known;
    if (st->language >= 0)
        return st->language;
    int enough = st->heard >= LANGUAGE_SECONDS * WH_SAMPLE_RATE;
    int found = wh_window_ask_language(st->window, enough && !speech ? &speech : NULL);
    if (found >= 0 && enough && speech)
        st->language = found;
    return found;
}

/* Behind initial_prompt stands what settled before the buffer. */
static int set_prompt(whisp_stream *st)
{
    const wh_values *v = &st->options->values;
    size_t longest = (size_t)st->session->model->n_text_ctx / 2 - 1, n_initial;
    size_t past = v->condition_on_previous_text ? WH_MIN(st->n_past, PAST_TOKENS) : 0;
    wh_window_initial(st->window, &n_initial);
    if (v->carry_initial_prompt)
        past = WH_MIN(past, longest > n_initial ? longest - n_initial : 0);
    return wh_window_set_history(st->window, past ? st->past + st->n_past - past : NULL, past);
}

/* The decoding's words with their times go to the hypothesis. */
static int time_words(whisp_stream *st)
{
    const wh_words *words;
    const int32_t *tokens;
    double offset = (double)st->offset / WH_SAMPLE_RATE;
    wh_keys keys = {0};
    size_t n_tokens = 0, n_characters = 0;
    int rc = wh_window_words(st->window, &words, &tokens);
    if (!rc)
        rc = wh_keys_make(words, &keys);
    for (size_t i = 0; !rc && i < words->n; i++) {
        const wh_word *w = &words->list[i];
        wh_said said = {.place = w->first_token,
                        .start = offset + w->start,
                        .end = offset + w->end,
                        .probability = w->probability};
        n_tokens += w->n_tokens;
        for (size_t k = 0; k < w->length; k++)
            n_characters += (words->text.data[w->text + k] & 0xc0) != 0x80;
        if (w->length)
            rc = wh_hypothesis_add(&st->hypothesis, &said, words->text.data + w->text, w->length,
                                   keys.bytes.data ? keys.bytes.data + keys.ends[i] : "",
                                   keys.ends[i + 1] - keys.ends[i], tokens + w->first_token, w->n_tokens);
    }
    if (n_characters)
        st->density = (double)n_tokens / (double)n_characters;
    wh_keys_free(&keys);
    return rc;
}

/* What is to be expected: much of what the last pass decoded. It begins with what has settled, as that pass had it. The last
 * pass of all has no other after it to mend what it says, and hears as for a recording. */
static int expect(whisp_stream *st, int final, int may_give)
{
    if (final)
        return wh_window_expect(st->window, NULL);
    int first_time = wh_tokenizer_specials(st->session->model->tokenizer)->eot;
    size_t n = 0, n_text = 0;
    while (st->n_sure && n < st->n_last && (n_text < st->n_sure || st->last[n].id >= first_time))
        n_text += st->last[n++].id < first_time;
    while (n > 0 && st->last[n - 1].id >= first_time) /* a time may come here, or none */
        n--;
    double a_second = fmax(TOKENS_A_SECOND, CHARACTERS_A_SECOND * st->density);
    const wh_expected expected = {.said = st->last,
                                  .n = st->n_last,
                                  .n_given = may_give ? n : 0,
                                  .most = MOST_TOKENS + (size_t)(a_second * (double)st->heard / WH_SAMPLE_RATE)};
    return wh_window_expect(st->window, &expected);
}

/* What was decoded, for the next pass; what of it settles is not known yet. */
static int keep(whisp_stream *st)
{
    const wh_decoding *d = wh_window_decoding(st->window);
    int rc = wh_grow(&st->last, &st->last_capacity, d->n + 1, sizeof *st->last);
    if (!rc && d->n)
        memcpy(st->last, d->tokens, d->n * sizeof *st->last);
    st->n_last = rc ? 0 : d->n;
    st->n_sure = 0;
    return rc;
}

int wh_stream_pass(whisp_stream *st, int final)
{
    int rc, lang;
    wh_hypothesis_clear(&st->hypothesis);
    if (st->heard < WH_HOP)
        return WHISP_OK;
    st->n_passes++;
    if ((rc = hear(st)) || (rc = expect(st, final, 1)) || (lang = language(st)) < 0)
        return rc ? rc : lang;
    if (lang != st->last_language &&
        (rc = expect(st, final, 0))) /* words of another language are not taken as they are */
        return rc;
    st->last_language = lang;
    wh_window_use_language(st->window, lang);
    if ((rc = set_prompt(st)) || (rc = wh_window_decode(st->window)) || (rc = keep(st)))
        return rc;
    return wh_window_is_silent(st->window) || !wh_window_is_sound(st->window) ? WHISP_OK : time_words(st);
}
