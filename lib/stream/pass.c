/* pass.c - one pass of a live transcription: all samples that are held become one hypothesis, words with times.
 *
 * The steps are a window's (lib/transcribe/window.c), without its cutting into segments: what follows the last pair of
 * timestamps counts here too, for it will be heard again anyway. */
#include <math.h>
#include <string.h>

#include "stream/stream.h"
#include "transcribe/given.h"

#define LANGUAGE_SECONDS 10 /* how much must be heard before a detected language stays */

static int encode(whisp_stream *st, int64_t *frames)
{
    whisp_session *s = st->session;
    static const int slot = 0;
    const float *window = s->window;
    int rc = wh_check_cancel(s->options);
    if (rc)
        return rc;
    double t0 = wh_now();
    wh_mel_reset(st->mel);
    wh_mel_push(st->mel, st->samples, WH_MIN(st->heard, (size_t)WH_WINDOW_FRAMES * WH_HOP));
    wh_mel_finish(st->mel);
    *frames = WH_MIN(WH_WINDOW_FRAMES, wh_mel_content(st->mel));
    wh_mel_window(st->mel, 0, *frames, WH_PAD_MEL, s->window);
    double t1 = wh_now();
    rc = wh_backend_encode(s->backend, 1, &window, &slot);
    s->timings.mel += t1 - t0;
    s->timings.encode += wh_now() - t1;
    s->timings.n_encode++;
    return rc;
}

/* The language to decode in; a detected one is asked for again until enough was heard, and somebody spoke. (Where there
 * is a model of voice activity, nothing but speech is heard.) */
static int language(whisp_stream *st, int64_t frames)
{
    whisp_session *s = st->session;
    if (s->language >= 0) /* by the options, or detected in the first window */
        st->language = s->language;
    if (st->language >= 0)
        return st->language;
    double silence;
    int found = wh_search_languages(s->search, s->window_probs, &silence);
    if (found < 0 || st->heard < LANGUAGE_SECONDS * WH_SAMPLE_RATE)
        return found;
    int speech = st->activity ? 1 : wh_session_is_speech(s, 0, frames, silence);
    if (speech > 0)
        st->language = found;
    return speech < 0 ? speech : found;
}

/* The prompt: initial_prompt and what settled before the buffer. */
static int make_prompt(whisp_stream *st, size_t *n)
{
    whisp_session *s = st->session;
    const wh_values *v = &s->options->values;
    size_t longest = (size_t)s->model->n_text_ctx / 2 - 1;
    size_t past = v->condition_on_previous_text ? st->n_past : 0;
    if (v->carry_initial_prompt)
        past = WH_MIN(past, longest > s->n_initial ? longest - s->n_initial : 0);
    *n = s->n_initial + past;
    int rc = wh_grow(&s->prompt, &s->prompt_capacity, *n + 1, sizeof *s->prompt);
    if (rc)
        return rc;
    if (s->n_initial)
        memcpy(s->prompt, s->initial, s->n_initial * sizeof *s->prompt);
    if (past)
        memcpy(s->prompt + s->n_initial, st->past + st->n_past - past, past * sizeof *s->prompt);
    return WHISP_OK;
}

/* Decode with the usual fallback. *silent: the thresholds say that nobody speaks. */
static int decode(whisp_stream *st, int *silent)
{
    whisp_session *s = st->session;
    const wh_values *v = &s->options->values;
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(v, temperatures);
    for (int i = 0; i < n; i++) {
        int rc = wh_search_decode(s->search, temperatures[i], st->offset / WH_HOP, &s->decoding);
        if (rc)
            return rc;
        const wh_decoding *d = &s->decoding;
        int improbable = !isnan(v->logprob_threshold) && d->avg_logprob < v->logprob_threshold;
        int repeats = !isnan(v->compression_ratio_threshold) && d->compression_ratio > v->compression_ratio_threshold;
        int no_speech = !isnan(v->no_speech_threshold) && d->no_speech_prob > v->no_speech_threshold;
        *silent = no_speech && (isnan(v->logprob_threshold) || improbable);
        if (*silent || (!improbable && !repeats))
            break;
        s->timings.n_fallbacks += i + 1 < n;
    }
    return WHISP_OK;
}

/* The decoding's words with their times go to the hypothesis. */
static int time_words(whisp_stream *st, int64_t frames, int lang)
{
    whisp_session *s = st->session;
    const wh_values *v = &s->options->values;
    size_t n = 0;
    int rc = wh_grow(&st->ids, &st->ids_capacity, s->decoding.n + 1, sizeof *st->ids);
    if (rc)
        return rc;
    for (size_t i = 0; i < s->decoding.n; i++)
        if (s->decoding.tokens[i].id < s->specials->eot)
            st->ids[n++] = s->decoding.tokens[i].id;
    wh_alignment alignment = {.model = &s->computed,
                              .backend = s->backend,
                              .slot = 0,
                              .language = lang,
                              .translate = v->translate,
                              .frames = frames};
    double t0 = wh_now();
    rc = n ? wh_align(&alignment, st->ids, n, s->options->cancel, s->options->cancel_user, &st->words) : WHISP_OK;
    s->timings.words += wh_now() - t0;
    if (rc || !n)
        return rc;
    wh_words_shorten(&st->words);
    wh_words_merge_punctuation(&st->words, v->prepend_punctuations, v->append_punctuations);
    wh_keys keys = {0};
    rc = wh_keys_make(&st->words, &keys);
    double offset = (double)st->offset / WH_SAMPLE_RATE;
    for (size_t i = 0; i < st->words.n && !rc; i++) {
        const wh_word *w = &st->words.list[i];
        wh_said said = {.start = offset + w->start, .end = offset + w->end, .probability = w->probability};
        if (w->length)
            rc = wh_saying_add(&st->hypothesis, &said, st->words.text.data + w->text, w->length,
                               keys.bytes.data ? keys.bytes.data + keys.ends[i] : "", keys.ends[i + 1] - keys.ends[i],
                               st->ids + w->first_token, w->n_tokens);
    }
    wh_keys_free(&keys);
    return rc;
}

int wh_stream_pass(whisp_stream *st)
{
    whisp_session *s = st->session;
    int64_t frames;
    size_t n_prompt;
    int silent = 0, lang;
    wh_saying_clear(&st->hypothesis);
    if (st->heard < WH_HOP)
        return WHISP_OK;
    st->n_passes++;
    int rc = encode(st, &frames);
    if (rc || (lang = language(st, frames)) < 0)
        return rc ? rc : lang;
    wh_search_first_window(s->search, st->offset == 0);
    if ((rc = make_prompt(st, &n_prompt)) || (rc = wh_search_begin(s->search, s->prompt, n_prompt, lang)) ||
        (rc = decode(st, &silent)) || silent)
        return rc;
    return time_words(st, frames, lang);
}
