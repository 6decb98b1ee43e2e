/* language.c - which language it is: the one of the first window in which somebody speaks.
 *
 * openai-whisper asks the first 30 seconds, whatever they hold: after half a minute of silence, music or noise it writes
 * a translation into a language that nobody speaks. Here a window counts when somebody speaks in it, by the witnesses of
 * voice.c or because the model's answer is sure (answer.c); until then each window is decoded in the language that it
 * seems to have itself. Where the first 30 seconds hold speech both ways are one. Called by window.c and, from
 * outside, by who must know the language before any window is heard. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window/state.h"

#define LEAST_VOICE 10  /* blocks with a voice, at least, in a window that counts */
#define LITTLE_VOICE 30 /* with fewer, and more sound to come, the window from the first voice on is asked */
#define BEFORE_VOICE 5  /* blocks */
#define SURE 0.5f       /* probability of a language that needs no warning */
#define CLEAR 0.9f      /* and of one that is believed of few rows of padding (docs/short-sound.md) */

int wh_language_init(wh_window *w)
{
    wh_language *l = &w->language;
    l->probs = wh_calloc((size_t)w->specials->n_languages + 1, sizeof *l->probs);
    l->window_probs = wh_calloc((size_t)w->specials->n_languages + 1, sizeof *l->window_probs);
    return l->probs && l->window_probs ? WHISP_OK : wh_fail_memory();
}

void wh_language_free(wh_language *l)
{
    free(l->probs);
    free(l->window_probs);
}

void wh_language_reset(wh_window *w)
{
    wh_language *l = &w->language;
    l->known = w->values->language;
    l->guess = -1;
    l->asked = l->doubt_told = l->text_stayed = l->left_encoding = 0;
    l->ask_at = 0;
}

/* Do the options allow it? */
static int may_be(const wh_window *w, int language)
{
    return !w->values->languages || wh_options_has_language(w->values, language);
}

static void tell_doubt(wh_window *w, const float *probabilities, int best)
{
    int second = -1;
    if (w->language.doubt_told || !w->specials->multilingual || !(probabilities[best] < SURE)) /* sure, or no number */
        return;
    w->language.doubt_told = 1;
    for (int i = 0; i < w->specials->n_languages; i++)
        if (i != best && w->specials->languages[i] >= 0 && may_be(w, i) &&
            (second < 0 || probabilities[i] > probabilities[second]))
            second = i;
    if (second < 0)
        return;
    wh_log(w->config.options, WHISP_LOG_WARNING,
           "the language is uncertain: %s (%.2f) or %s (%.2f); the option language says "
           "which it is, languages which it can be",
           wh_language_name(best), (double)probabilities[best], wh_language_name(second),
           (double)probabilities[second]);
}

/* ---- does somebody speak? ---- */

/* 1, 0 or a negative code; the window was not listened to yet. */
static int is_speech(wh_window *w, int64_t seek, int64_t frames, double silence)
{
    wh_voice *v = w->voice;
    double threshold = w->values->no_speech_threshold;
    if (!v || w->only_mel)
        return 1;
    wh_voice_listen(v, w->input, frames, w->model->n_mels);
    int rc = v->n_sounds ? wh_voice_find(v, seek, frames) : WHISP_OK;
    if (rc < 0)
        return rc;
    if (v->has_voice)
        return v->n_voiced >= LEAST_VOICE;
    return v->n_active > 0 && !(silence > (isnan(threshold) ? 1 : threshold));
}

static void know(wh_window *w, int language, int64_t seek, const float *probabilities)
{
    wh_language *l = &w->language;
    char when[40] = "";
    l->known = language;
    if (probabilities != l->probs)
        memcpy(l->probs, probabilities, (size_t)w->specials->n_languages * sizeof *probabilities);
    if (w->origin + seek > 0)
        snprintf(when, sizeof when, " (from %.1f s on)", (double)(w->origin + seek) * WH_HOP / WH_SAMPLE_RATE);
    wh_log(w->config.options, WHISP_LOG_INFO, "detected language: %s%s", wh_language_name(language), when);
    tell_doubt(w, probabilities, language);
}

/* Of the window in w->input: the most probable language, or a code; [n_languages] how probable each is; and how probable
 * that nobody speaks. */
static int ask_model(wh_window *w, float *probabilities, double *silence)
{
    int best, rc = wh_recall_language(w, probabilities, silence, &best);
    if (rc)
        return rc < 0 ? rc : best;
    if ((rc = wh_decode_encode(w)))
        return rc;
    w->recall.is_begun = 0; /* the decoder reads something else */
    best = wh_search_languages(w->search, probabilities, silence);
    rc = best < 0 ? best : wh_recall_keep_language(w, probabilities, *silence, best);
    return rc ? rc : best;
}

/* The window in w->input has this language: is that the recording's? 0, or where the window is to be asked instead that
 * begins so many frames later; or a code. */
static int64_t judge(wh_window *w, int best, double silence, int64_t seek, int64_t frames)
{
    wh_language *l = &w->language;
    if (best < 0)
        return best;
    l->window = best;
    if (!wh_search_is_sound(w->search)) /* it is no answer; window.c tells */
        return 0;
    if (l->guess < 0) {
        l->guess = best;
        memcpy(l->probs, l->window_probs, (size_t)w->specials->n_languages * sizeof *l->probs);
    }
    int speech = w->values->detects_at_start ? 1 : is_speech(w, seek, frames, silence);
    if (speech < 0)
        return speech;
    const wh_voice *v = w->voice;
    int first = 0, little = v && v->has_voice && v->n_voiced > 0 && v->n_voiced < LITTLE_VOICE;
    while (little && !v->voiced[first])
        first++;
    if (!w->values->detects_at_start && little && first > BEFORE_VOICE &&
        wh_mel_content(w->mel) > seek + WH_WINDOW_FRAMES && (!speech || l->window_probs[best] < SURE))
        return (int64_t)(first - BEFORE_VOICE) * WH_VOICE_BLOCK;
    if (speech)
        know(w, best, seek, l->window_probs);
    return 0;
}

/* The window from `at` on as openai-whisper asks it, filled up with silence. A short first one, of whose padding the
 * encoder leaves most out, is asked as it will be decoded, so that it is encoded once; if that gives no clear answer, in the
 * other way after all. */
static int ask_at(wh_window *w, int64_t at, int64_t frames, double *silence)
{
    wh_language *l = &w->language;
    l->left_encoding = 0;
    if (at == 0 && frames < WH_WINDOW_FRAMES) {
        wh_mel_window(w->mel, at, frames, WH_PAD_MEL, w->input);
        if (wh_backend_leaves_out(w->config.backend, w->input)) {
            wh_recall_listen(w, at, frames);
            int best = ask_model(w, l->window_probs, silence);
            l->left_encoding = best >= 0 && l->window_probs[best] >= CLEAR ? frames : 0;
            if (best < 0 || l->left_encoding)
                return best;
        }
    }
    wh_mel_window(w->mel, at, WH_WINDOW_FRAMES, WH_PAD_SAMPLES, w->input);
    wh_recall_listen(w, at, WH_WINDOW_FRAMES);
    /* With a full window the first transcription window is this very one. */
    l->left_encoding = at == 0 && frames >= WH_WINDOW_FRAMES ? WH_WINDOW_FRAMES : 0;
    return ask_model(w, l->window_probs, silence);
}

int wh_window_detect(wh_window *w)
{
    wh_language *l = &w->language;
    while (l->known < 0 && !l->asked) {
        int64_t content = wh_mel_content(w->mel), at = l->ask_at;
        if (!w->finished && content < at + WH_WINDOW_FRAMES)
            return WHISP_OK;
        int64_t rc = wh_check_cancel(w->config.options), frames = WH_MIN(WH_WINDOW_FRAMES, WH_MAX(content - at, 0));
        double silence = 0;
        if (rc || (rc = judge(w, ask_at(w, at, frames, &silence), silence, at, frames)) < 0)
            return (int)rc;
        l->asked = rc == 0 || at % WH_WINDOW_FRAMES != 0; /* no third try */
        l->ask_at = l->asked ? at : at + rc;
    }
    return WHISP_OK;
}

int wh_window_detect_next(wh_window *w)
{
    wh_language *l = &w->language;
    if (!l->asked)
        return 0;
    l->ask_at = (l->ask_at / WH_WINDOW_FRAMES + 1) * WH_WINDOW_FRAMES;
    l->asked = 0;
    wh_mel_discard(w->mel, l->ask_at);
    return w->finished && wh_mel_content(w->mel) <= l->ask_at;
}

static int of_window(wh_window *w)
{
    wh_language *l = &w->language;
    int each = w->values->multilingual && w->specials->multilingual;
    if (!each && l->known >= 0)
        return l->known;
    if (!each && w->seek == 0 && l->ask_at == 0) /* it was asked just now */
        return l->window;
    double silence = 0;
    int language = ask_model(w, l->window_probs, &silence);
    if (each) {
        if (language >= 0)
            wh_log(w->config.options, WHISP_LOG_DEBUG, "language at %.2f s: %s",
                   (double)w->seek * WH_HOP / WH_SAMPLE_RATE, wh_language_name(language));
        return language;
    }
    int64_t rc = judge(w, language, silence, w->seek, w->frames);
    return rc < 0 ? (int)rc : l->window;
}

int wh_language_of_window(wh_window *w)
{
    return w->language.window = of_window(w);
}

int wh_language_encoded(wh_window *w)
{
    int left = w->language.left_encoding && w->begin == 0 && w->frames == w->language.left_encoding;
    w->language.left_encoding = 0;
    return left;
}

/* Does the current window say anything? */
static int has_text(const wh_window *w)
{
    for (size_t c = 0; c < w->segments.n; c++)
        if (!w->segments.list[c].cleared)
            return 1;
    return 0;
}

void wh_language_heard(wh_window *w)
{
    wh_language *l = &w->language;
    if (!has_text(w))
        return;
    if (l->known < 0) {
        if (!l->text_stayed)
            l->guess = l->window;
        if (wh_answer_is_sure(w))
            know(w, l->window, w->begin, l->window_probs);
        else
            tell_doubt(w, l->window_probs, l->window);
    } else if (w->values->multilingual && w->specials->multilingual) {
        tell_doubt(w, l->window_probs, l->window);
    }
    l->text_stayed = 1;
}

void wh_window_settle_language(wh_window *w)
{
    wh_language *l = &w->language;
    if (l->known >= 0 || l->guess < 0 || !w->is_last)
        return;
    l->known = l->guess;
    wh_log(w->config.options, WHISP_LOG_INFO, "detected language: %s", wh_language_name(l->known));
}

/* ---- asked from outside ---- */

int wh_window_language(const wh_window *w)
{
    return w->language.known;
}

int wh_window_spoken(const wh_window *w)
{
    const wh_language *l = &w->language;
    return l->known >= 0 ? l->known : l->guess;
}

void wh_window_set_language(wh_window *w, int language)
{
    w->language.known = language;
}

void wh_window_set_guess(wh_window *w, int language)
{
    w->language.guess = language;
}

const float *wh_window_probabilities(const wh_window *w)
{
    return w->language.probs;
}

int wh_window_may_detect(const wh_window *w)
{
    return w->finished || wh_mel_ready(w->mel) >= w->language.ask_at + WH_WINDOW_FRAMES;
}

int wh_window_knows_where(const wh_window *w)
{
    return w->language.known >= 0 || w->language.asked;
}

int wh_window_spoken_in(const wh_window *w)
{
    return w->language.window;
}

void wh_window_use_language(wh_window *w, int language)
{
    w->language.window = language;
}

const float *wh_window_asked(const wh_window *w)
{
    return w->language.window_probs;
}

int wh_window_ask_language(wh_window *w, int *speech)
{
    double silence;
    int best = ask_model(w, w->language.window_probs, &silence);
    if (best >= 0 && speech && (*speech = is_speech(w, w->begin, w->frames, silence)) < 0)
        return *speech;
    return best;
}
