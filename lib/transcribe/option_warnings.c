/* option_warnings.c - options that have no effect beside others, or less than they seem to: a warning for each, once, when a
 * session is made. What its row in the table of options says is warned of by wh_options_warn(); what cannot be done at
 * all is refused elsewhere (wh_options_check, check_options). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/session.h"
#include "util/text.h"

static void no_effect(const whisp_session *s, const char *name, const char *why)
{
    wh_log(s->options, WHISP_LOG_WARNING, "%s has no effect %s", name, why);
}

static void warn_search(const whisp_session *s)
{
    const wh_values *v = &s->options->values;
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(v, temperatures), cold = 0;
    for (int i = 0; i < n; i++)
        cold |= temperatures[i] == 0;
    if (v->beam_size > 1 && !cold)
        no_effect(s, "beam_size", "at temperatures above 0; give temperature 0 too");
    if (v->beam_size == 1 && !isnan(v->patience))
        no_effect(s, "patience", "with beam_size 1, which is no beam search");
    if (v->multilingual && s->specials->multilingual && v->language >= 0)
        wh_log(s->options, WHISP_LOG_WARNING,
               "multilingual detects the language of each window; language %s is not "
               "used for that",
               wh_language_code(v->language));
    if (s->specials->multilingual && v->language >= 0 && !v->multilingual && v->languages)
        no_effect(s, "languages", "with language, which says what is spoken");
    if (s->specials->multilingual && v->language >= 0 && v->detects_at_start)
        no_effect(s, "language_detection", "with language, which says what is spoken");
}

static void warn_prompt(const whisp_session *s)
{
    const wh_values *v = &s->options->values;
    size_t n_initial;
    wh_window_initial(s->window, &n_initial);
    if (v->carry_initial_prompt && !n_initial)
        no_effect(s, "carry_initial_prompt", "without initial_prompt");
    size_t room = (size_t)s->model->n_text_ctx / 2 - 1;
    if (n_initial > room)
        wh_log(s->options, WHISP_LOG_WARNING, "%s has %zu tokens and there is room for %zu; the last ones are used",
               v->initial_prompt ? "initial_prompt" : "initial_prompt_tokens", n_initial, room);
    if (v->prefix && *v->prefix && v->hotwords && *v->hotwords)
        no_effect(s, "hotwords", "in the first window, which prefix begins; it is used from the second on");
}

/* A text of more tokens than half the decoder's context is cut, as in openai-whisper and faster-whisper. */
static int warn_long_text(const whisp_session *s, const char *name)
{
    const char *text = whisp_options_get(s->options, name);
    size_t room = (size_t)s->model->n_text_ctx / 2 - 1, n = 0, capacity = 0, length = strlen(text);
    int32_t *tokens = NULL;
    if (length <= room) /* a token has one byte at least, and None has few */
        return WHISP_OK;
    wh_strip(&text, &length);
    int rc = wh_tokenizer_encode(s->model->tokenizer, text, length, &tokens, &n, &capacity);
    free(tokens);
    if (!rc && n > room)
        wh_log(s->options, WHISP_LOG_WARNING, "%s has %zu tokens and there is room for %zu; the first ones are used",
               name, n, room);
    return rc;
}

static void warn_words(const whisp_session *s)
{
    const wh_values *v = &s->options->values;
    if (v->word_timestamps && v->translate)
        wh_log(s->options, WHISP_LOG_WARNING, "word timestamps of translations may not be reliable");
}

static void warn_clips(const whisp_session *s)
{
    int64_t start, end;
    for (size_t i = 0; wh_window_clip(s->window, i, &start, &end); i++)
        if (start == end)
            wh_log(s->options, WHISP_LOG_WARNING, "clip_timestamps: the clip at %g s is empty",
                   (double)start * WH_HOP / WH_SAMPLE_RATE);
}

int wh_session_warn(const whisp_session *s)
{
    int rc;
    wh_options_warn(s->options);
    warn_search(s);
    warn_prompt(s);
    if ((rc = warn_long_text(s, "prefix")) || (rc = warn_long_text(s, "hotwords")))
        return rc;
    warn_words(s);
    warn_clips(s);
    return WHISP_OK;
}

void wh_session_warn_clips(const whisp_session *s)
{
    int64_t first, last;
    for (size_t i = 0; s->total >= 0 && wh_window_clip(s->window, i, &first, &last); i++) {
        double start = (double)first * WH_HOP / WH_SAMPLE_RATE;
        if (start > 0 && start >= s->total)
            wh_log(s->options, WHISP_LOG_WARNING,
                   "clip_timestamps: the clip at %g s begins after the recording's end "
                   "(%.2f s)",
                   start, s->total);
    }
}
