/* language.c - which language it is: the one of the first window in which somebody speaks.
 *
 * openai-whisper asks the first 30 seconds, whatever they hold: after half a minute of silence, music or noise it writes
 * a translation into a language that nobody speaks. Here a window counts when somebody speaks in it, by the witnesses of
 * voice.c or because the model's answer is sure (guard.c); until then each window is decoded in the language that it
 * seems to have itself. Where the first 30 seconds hold speech both ways are one. Called by window.c, part.c, detect.c
 * and lib/stream. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "transcribe/guard.h"

#define LEAST_VOICE 10  /* blocks with a voice, at least, in a window that counts */
#define LITTLE_VOICE 30 /* with fewer, and more sound to come, the window from the first voice on is asked */
#define BEFORE_VOICE 5  /* blocks */
#define SURE 0.5f       /* probability of a language that needs no warning */

int wh_session_spoken(const whisp_session *s)
{
    return s->language >= 0 ? s->language : s->guess;
}

/* Do the options allow it? */
static int may_be(const whisp_session *s, int language)
{
    return !s->options->values.languages || wh_options_has_language(&s->options->values, language);
}

void wh_session_tell_doubt(whisp_session *s, const float *probabilities, int best)
{
    int second = -1;
    if (s->doubt_told || !s->specials->multilingual || !(probabilities[best] < SURE)) /* sure, or no number */
        return;
    s->doubt_told = 1;
    for (int i = 0; i < s->specials->n_languages; i++)
        if (i != best && s->specials->languages[i] >= 0 && may_be(s, i) &&
            (second < 0 || probabilities[i] > probabilities[second]))
            second = i;
    if (second < 0)
        return;
    wh_log(s->options, WHISP_LOG_WARNING,
           "the language is uncertain: %s (%.2f) or %s (%.2f); the option language says "
           "which it is, languages which it can be",
           wh_language_name(best), (double)probabilities[best], wh_language_name(second),
           (double)probabilities[second]);
}

/* ---- does somebody speak? ---- */

/* 1, 0 or a negative code; the window was not listened to yet. */
int wh_session_is_speech(whisp_session *s, int64_t seek, int64_t frames, double silence)
{
    wh_voice *v = s->voice;
    double threshold = s->options->values.no_speech_threshold;
    if (!v)
        return 1;
    wh_voice_listen(v, s->window, frames, s->model->n_mels);
    int rc = v->n_sounds ? wh_voice_find(s, seek, frames) : WHISP_OK;
    if (rc < 0)
        return rc;
    if (v->has_voice)
        return v->n_voiced >= LEAST_VOICE;
    return v->n_active > 0 && !(silence > (isnan(threshold) ? 1 : threshold));
}

static void know(whisp_session *s, int language, int64_t seek, const float *probabilities)
{
    char when[40] = "";
    s->language = language;
    if (probabilities != s->language_probs)
        memcpy(s->language_probs, probabilities, (size_t)s->specials->n_languages * sizeof *probabilities);
    if (s->origin + seek > 0)
        snprintf(when, sizeof when, " (from %.1f s on)", (double)(s->origin + seek) * WH_HOP / WH_SAMPLE_RATE);
    wh_log(s->options, WHISP_LOG_INFO, "detected language: %s%s", wh_language_name(language), when);
    wh_session_tell_doubt(s, probabilities, language);
}

/* The window in s->window, whose encoding is in slot 0: its language, and whether that is the recording's. 0, or where
 * the window is to be asked instead that begins so many frames later; or a code. */
static int64_t ask(whisp_session *s, int64_t seek, int64_t frames)
{
    double silence;
    int best = wh_search_languages(s->search, s->window_probs, &silence);
    if (best < 0)
        return best;
    s->window_language = best;
    if (!wh_search_is_sound(s->search)) /* it is no answer; window.c tells */
        return 0;
    if (s->guess < 0) {
        s->guess = best;
        memcpy(s->language_probs, s->window_probs, (size_t)s->specials->n_languages * sizeof *s->language_probs);
    }
    int speech = s->options->values.detects_at_start ? 1 : wh_session_is_speech(s, seek, frames, silence);
    if (speech < 0)
        return speech;
    const wh_voice *v = s->voice;
    int first = 0, little = v && v->has_voice && v->n_voiced > 0 && v->n_voiced < LITTLE_VOICE;
    while (little && !v->voiced[first])
        first++;
    if (!s->options->values.detects_at_start && little && first > BEFORE_VOICE &&
        wh_mel_content(s->mel) > seek + WH_WINDOW_FRAMES && (!speech || s->window_probs[best] < SURE))
        return (int64_t)(first - BEFORE_VOICE) * WH_VOICE_BLOCK;
    if (speech)
        know(s, best, seek, s->window_probs);
    return 0;
}

int wh_session_detect(whisp_session *s)
{
    while (s->language < 0 && !s->detected) {
        int64_t content = wh_mel_content(s->mel), at = s->detect_at;
        if (!s->finished && content < at + WH_WINDOW_FRAMES)
            return WHISP_OK;
        wh_mel_window(s->mel, at, WH_WINDOW_FRAMES, WH_PAD_SAMPLES, s->window);
        int64_t rc = wh_session_encode(s);
        if (rc || (rc = ask(s, at, WH_MIN(WH_WINDOW_FRAMES, WH_MAX(content - at, 0)))) < 0)
            return (int)rc;
        /* With a full window the first transcription window is this very one. */
        s->encoded_first = at == 0 && content >= WH_WINDOW_FRAMES;
        s->detected = rc == 0 || at % WH_WINDOW_FRAMES != 0; /* no third try */
        s->detect_at = s->detected ? at : at + rc;
    }
    return WHISP_OK;
}

int wh_session_detect_next(whisp_session *s)
{
    if (s->detected) {
        s->detect_at = (s->detect_at / WH_WINDOW_FRAMES + 1) * WH_WINDOW_FRAMES;
        s->detected = 0;
        wh_mel_discard(s->mel, s->detect_at);
    }
    return s->finished && wh_mel_content(s->mel) <= s->detect_at;
}

int wh_session_window_language(whisp_session *s, int64_t segment_size)
{
    int each = s->options->values.multilingual && s->specials->multilingual;
    if (!each && s->language >= 0)
        return s->language;
    if (!each && s->seek == 0 && s->detect_at == 0) /* it was asked just now */
        return s->window_language;
    if (each) {
        int language = wh_search_languages(s->search, s->window_probs, NULL);
        if (language >= 0)
            wh_log(s->options, WHISP_LOG_DEBUG, "language at %.2f s: %s", (double)s->seek * WH_HOP / WH_SAMPLE_RATE,
                   wh_language_name(language));
        return language;
    }
    int64_t rc = ask(s, s->seek, segment_size);
    return rc < 0 ? (int)rc : s->window_language;
}

/* Does the current window say anything? */
static int has_text(const whisp_session *s)
{
    for (size_t c = 0; c < s->n_cuts; c++)
        if (!s->cuts[c].cleared)
            return 1;
    return 0;
}

void wh_session_heard(whisp_session *s)
{
    if (!has_text(s))
        return;
    if (s->language < 0) {
        if (!s->text_stayed)
            s->guess = s->window_language;
        if (wh_guard_is_sure(s))
            know(s, s->window_language, s->window_seek, s->window_probs);
        else
            wh_session_tell_doubt(s, s->window_probs, s->window_language);
    } else if (s->options->values.multilingual && s->specials->multilingual) {
        wh_session_tell_doubt(s, s->window_probs, s->window_language);
    }
    s->text_stayed = 1;
}

void wh_session_settle_language(whisp_session *s)
{
    if (s->language >= 0 || s->guess < 0 || (s->whole && !s->last_part))
        return;
    s->language = s->guess;
    wh_log(s->options, WHISP_LOG_INFO, "detected language: %s", wh_language_name(s->language));
}
