/* candidates.c - sequences in the making, and one step of the decoder for all of them.
 *
 * Under sampling.c and beam.c, which decide what is chosen: before a step each candidate's rules are prepared, after it
 * what follows is asked for; a backend chooses itself, or gives rows of logits to choose.c. */
#include <stdlib.h>

#include "search/internal.h"

int wh_candidates_new(const wh_search *s, int n, wh_candidate **candidates)
{
    *candidates = wh_calloc((size_t)n, sizeof **candidates);
    if (!*candidates)
        return wh_fail_memory();
    for (int i = 0; i < n; i++)
        if (!((*candidates)[i].tokens = wh_calloc(s->max_tokens, sizeof(whisp_token))))
            return wh_fail_memory();
    return WHISP_OK;
}

void wh_candidates_free(wh_candidate *candidates, int n)
{
    for (int i = 0; candidates && i < n; i++)
        free(candidates[i].tokens);
    free(candidates);
}

void wh_candidate_begin(const wh_search *s, wh_candidate *c, int slot)
{
    const int32_t *prefix = s->start + s->n_start - s->n_forced;
    c->sum_logprob = 0;
    for (size_t i = 0; i < s->n_forced; i++) {
        c->tokens[i] = s->n_given ? s->said[i] : (whisp_token){prefix[i], 0};
        c->sum_logprob += c->tokens[i].logprob;
    }
    c->n = s->n_forced;
    c->ended = 0;
    c->slot = slot;
}

/* As long as the reference goes: sample_len tokens, and not past the decoder's context. */
int wh_search_may_go_on(const wh_search *s, size_t step)
{
    size_t most = s->most ? WH_MIN(s->most, s->sample_len) : s->sample_len;
    return step + 1 < most && s->n_start + step + 1 <= (size_t)s->model->n_text_ctx;
}

wh_choice *wh_search_prepare(wh_search *s, int i, const wh_candidate *c)
{
    wh_search_rules(s, c->tokens, c->n, s->lists + (size_t)i * s->list_size, &s->choices[i]);
    return &s->choices[i];
}

int wh_search_step(wh_search *s, const wh_candidate *candidates, int n)
{
    wh_step steps[WH_MAX_CANDIDATES];
    static const int row = 0;
    int n_steps = 0;
    int32_t last[WH_MAX_CANDIDATES];
    s->is_chosen = !wh_rules_need_logits(s) && wh_backend_chooses(s->backend) >= s->choices[0].most;
    for (int i = 0; i < n; i++) {
        const wh_candidate *c = &candidates[i];
        if (c->ended)
            continue;
        last[n_steps] = c->tokens[c->n - 1].id;
        steps[n_steps] = (wh_step){.slot = c->slot, .n_tokens = 1, .tokens = &last[n_steps], .n_rows = 1, .rows = &row};
        if (s->is_chosen)
            steps[n_steps].choice = &s->choices[i];
        else
            steps[n_steps].logits = s->logits + (size_t)i * (size_t)s->model->n_vocab;
        n_steps++;
    }
    double t0 = wh_now();
    int rc = wh_backend_decode(s->backend, n_steps, steps);
    s->timings->decode += wh_now() - t0;
    s->timings->n_decode_steps++;
    s->timings->n_decode_tokens += n_steps;
    return rc;
}

const wh_choice *wh_search_chosen(wh_search *s, int i)
{
    float *logits = s->logits + (size_t)i * (size_t)s->model->n_vocab;
    if (!s->is_chosen) {
        wh_rules_change(s, s->candidates[i].tokens, s->candidates[i].n, logits);
        wh_choose(s, &s->choices[i], logits);
    }
    return &s->choices[i];
}
