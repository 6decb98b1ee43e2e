/* align.c - forced alignment: a given text's words in the windows of a recording. docs/timing.md tells the method. */
#include <math.h>

#include "transcribe/given.h"

/* Align words first .. end - 1 of the text with the window in slot 0; as many as fit. */
static int align_words(whisp_session *s, size_t first, size_t end, int64_t segment_size)
{
    struct wh_given *g = s->given;
    size_t token = g->words.list[first].first_token, n = 0, limit = wh_align_limit(s->model);
    double t0 = wh_now(), offset = (double)s->window_seek * WH_HOP / WH_SAMPLE_RATE;
    for (size_t i = first; i < end && n + g->words.list[i].n_tokens <= limit; i++)
        n += g->words.list[i].n_tokens;
    wh_alignment alignment = {.model = &s->computed,
                              .backend = s->backend,
                              .slot = 0,
                              .language = s->window_language,
                              .translate = s->options->values.translate,
                              .frames = segment_size};
    int rc = wh_align(&alignment, g->tokens + token, n, s->options->cancel, s->options->cancel_user, &s->timed);
    if (rc)
        return rc;
    wh_words_shorten(&s->timed);
    for (size_t i = 0, at = first; i < s->timed.n; i++) {
        const wh_word *timed = &s->timed.list[i];
        if (!isfinite(timed->probability) && !s->unsound_told) {
            wh_session_incomplete(s,
                                  "model %s: numbers that are not finite: the words' times from %.2f s on cannot be "
                                  "trusted",
                                  s->model->name, offset);
            s->unsound_told = 1;
        }
        while (at < end && g->words.list[at].first_token - token < timed->first_token)
            at++;
        if (at == end)
            break;
        wh_word *word = &g->words.list[at];
        word->start = fmax(g->last_end, nearbyint((offset + timed->start) * 100) / 100);
        word->end = fmax(word->start, nearbyint((offset + timed->end) * 100) / 100);
        word->probability = timed->probability;
        g->last_end = word->end;
    }
    s->timings.words += wh_now() - t0;
    return WHISP_OK;
}

int wh_given_fits(const whisp_session *s, int64_t segment_size)
{
    return s->finished && s->window_seek == 0 && segment_size == wh_mel_content(s->mel) &&
           s->given->n_tokens <= wh_align_limit(s->model);
}

int wh_given_align_all(whisp_session *s, int64_t segment_size)
{
    s->given->next = s->given->words.n;
    return s->given->words.n ? align_words(s, 0, s->given->words.n, segment_size) : WHISP_OK;
}

int wh_session_align_window(whisp_session *s, int64_t segment_size)
{
    struct wh_given *g = s->given;
    size_t n = 0, first, end;
    int rc = wh_grow(&s->text_tokens, &s->text_capacity, s->decoding.n, sizeof *s->text_tokens);
    for (size_t c = 0; c < s->n_cuts && !rc; c++)
        for (size_t i = s->cuts[c].first_token; i < s->cuts[c].first_token + s->cuts[c].n_tokens; i++)
            if (s->tokens[i].id < s->specials->eot)
                s->text_tokens[n++] = s->tokens[i].id;
    if (rc || (rc = wh_words_split(s->model->tokenizer, s->window_language, s->text_tokens, n, &g->heard)) ||
        (rc = wh_keys_make(&g->heard, &g->heard_keys)) ||
        (rc = wh_match(&g->heard_keys, &g->keys, g->next, &first, &end)))
        return rc;
    if (first < end)
        rc = align_words(s, first, end, segment_size);
    g->next = end;
    return rc;
}
