/* history.c - the text before a window, with which its prompt begins: what was written so far, as the options want it. */
#include <stdlib.h>
#include <string.h>

#include "window/state.h"

#define KEPT 4096 /* tokens; the decoder's context is far smaller */

int wh_history_init(wh_history *h, const whisp_model *model, const wh_values *v)
{
    return wh_prompt_initial(model, v, &h->initial, &h->n_initial, &h->initial_capacity);
}

void wh_history_free(wh_history *h)
{
    free(h->initial);
    free(h->tokens);
    free(h->prompt);
}

void wh_history_reset(wh_history *h)
{
    h->n = 0;
    h->was_reset = 0;
}

void wh_history_forget(wh_history *h)
{
    h->n = 0;
    h->was_reset = 1;
}

int wh_history_prompt(wh_history *h, const wh_values *v, size_t longest, const int32_t **prompt, size_t *n)
{
    const int32_t *tail = h->tokens;
    size_t n_tail = h->n;
    int with_initial = v->carry_initial_prompt || !h->was_reset;
    if (v->carry_initial_prompt) {
        /* room beside the initial prompt; where there is none, the reference's slice [-0:] or [+k:] is taken */
        int64_t room = (int64_t)longest - (int64_t)h->n_initial;
        size_t skip = room > 0 ? (n_tail > (size_t)room ? n_tail - (size_t)room : 0) : WH_MIN((size_t)-room, n_tail);
        tail += skip;
        n_tail -= skip;
    }
    *n = n_tail + (with_initial ? h->n_initial : 0);
    int rc = wh_grow(&h->prompt, &h->prompt_capacity, *n + 1, sizeof *h->prompt);
    if (rc)
        return rc;
    if (with_initial && h->n_initial)
        memcpy(h->prompt, h->initial, h->n_initial * sizeof *h->prompt);
    if (n_tail)
        memcpy(h->prompt + *n - n_tail, tail, n_tail * sizeof *h->prompt);
    *prompt = h->prompt;
    return WHISP_OK;
}

int wh_history_remember(wh_window *w)
{
    wh_history *h = &w->history;
    for (size_t i = 0; i < w->segments.n; i++) {
        const wh_segment *segment = &w->segments.list[i];
        const whisp_token *tokens = w->segments.tokens;
        size_t n = wh_search_heard(w->search, tokens, segment->first_token, segment->n_tokens, NULL);
        int rc = wh_grow(&h->tokens, &h->capacity, h->n + n, sizeof *h->tokens);
        if (rc)
            return rc;
        if (n)
            wh_search_heard(w->search, tokens, segment->first_token, segment->n_tokens, h->tokens + h->n);
        h->n += n;
    }
    if (!w->values->condition_on_previous_text || w->decoding.temperature > 0.5) {
        wh_history_forget(h);
    } else if (h->n > KEPT) { /* far more than any prompt takes: the initial prompt is out of reach */
        memmove(h->tokens, h->tokens + h->n - KEPT / 2, KEPT / 2 * sizeof *h->tokens);
        h->n = KEPT / 2;
        h->was_reset = 1;
    }
    return WHISP_OK;
}

/* ---- by hand ---- */

int wh_window_set_history(wh_window *w, const int32_t *tokens, size_t n)
{
    wh_history *h = &w->history;
    int rc = wh_grow(&h->tokens, &h->capacity, n + 1, sizeof *h->tokens);
    if (rc)
        return rc;
    if (n)
        memcpy(h->tokens, tokens, n * sizeof *tokens);
    h->n = n;
    return WHISP_OK;
}

const int32_t *wh_window_history(const wh_window *w, size_t *n)
{
    *n = w->history.n;
    return w->history.tokens;
}

const int32_t *wh_window_initial(const wh_window *w, size_t *n)
{
    *n = w->history.n_initial;
    return w->history.initial;
}
