/* align.c - forced alignment: a given text's words in the windows of a recording. docs/timing.md tells the method. */
#include <math.h>

#include "align/align_text.h"

/* Align words first .. end - 1 of the text with the window that is open; as many as fit. */
static int align_words(wh_align_text *t, wh_window *w, size_t first, size_t end)
{
    size_t token = t->words.list[first].first_token, n = 0, limit = wh_align_limit(t->model);
    double offset = wh_window_begin(w);
    for (size_t i = first; i < end && n + t->words.list[i].n_tokens <= limit; i++)
        n += t->words.list[i].n_tokens;
    double median;
    int rc = wh_window_align(w, t->tokens + token, n, &t->timed);
    if (!rc)
        rc = wh_words_shorten(&t->timed, &median);
    if (rc)
        return rc;
    for (size_t i = 0, at = first; i < t->timed.n; i++) {
        const wh_word *timed = &t->timed.list[i];
        if (!isfinite(timed->probability))
            wh_window_tell_unsound(w,
                                   "model %s: numbers that are not finite: the words' times from %.2f s on cannot be "
                                   "trusted",
                                   t->model->name, offset);
        while (at < end && t->words.list[at].first_token - token < timed->first_token)
            at++;
        if (at == end)
            break;
        wh_word *word = &t->words.list[at];
        word->start = fmax(t->last_end, nearbyint((offset + timed->start) * 100) / 100);
        word->end = fmax(word->start, nearbyint((offset + timed->end) * 100) / 100);
        word->probability = timed->probability;
        t->last_end = word->end;
    }
    return WHISP_OK;
}

/* ---- what the window asks ---- */

/* Is the recording one window, and does all of the text fit into one pass? Then there is no need to know what is heard. */
static int opened(void *user, wh_window *w)
{
    wh_align_text *t = user;
    int rc = wh_align_text_prepare(t, wh_window_spoken_in(w));
    return rc ? rc : wh_window_is_all(w) && t->n_tokens <= wh_align_limit(t->model);
}

static int align_all(void *user, wh_window *w)
{
    wh_align_text *t = user;
    t->next = t->words.n;
    return t->words.n ? align_words(t, w, 0, t->words.n) : WHISP_OK;
}

/* Which words of the text are said in the window, and when. */
static int align_window(void *user, wh_window *w)
{
    wh_align_text *t = user;
    size_t n, first, end;
    const int32_t *tokens;
    int rc = wh_window_text_tokens(w, &tokens, &n);
    if (rc || (rc = wh_words_split(t->model->tokenizer, wh_window_spoken_in(w), tokens, n, &t->heard)) ||
        (rc = wh_keys_make(&t->heard, &t->heard_keys)) ||
        (rc = wh_match(&t->heard_keys, &t->keys, t->next, &first, &end)))
        return rc;
    if (first < end)
        rc = align_words(t, w, first, end);
    t->next = end;
    return rc;
}

void wh_align_text_follow(wh_align_text *t)
{
    t->asked = (wh_window_text){.user = t, .opened = opened, .align_all = align_all, .align = align_window};
    wh_window_follow(t->window, &t->asked);
}
