/* sampling.c - one token after the other: the most probable one at temperature 0, above it a sample for each of best_of
 * candidates, all in one batched step.
 *
 * Rows of logits come from the backend; what is chosen goes back to it as the next step's input. As GreedyDecoder in
 * openai-whisper's decoding.py. */
#include <math.h>
#include <string.h>

#include "search/internal.h"

/* A random number in [0, 1) that depends on its place alone: splitmix64's finalizer (Steele, Lea, Flood 2014) over a
 * chain of keys. */
double wh_random_at(int64_t seed, int64_t seek, double temperature, int candidate, size_t step)
{
    uint64_t keys[5] = {(uint64_t)seed, (uint64_t)seek, 0, (uint64_t)candidate, (uint64_t)step}, h = 0;
    memcpy(&keys[2], &temperature, sizeof temperature);
    for (int i = 0; i < 5; i++) {
        h += keys[i] + 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        h ^= h >> 31;
    }
    return (double)(h >> 11) / 9007199254740992.0;
}

/* What may follow candidate i, and that it is the most probable token or a sample. */
static void prepare(wh_search *s, int i, double temperature, int64_t seek)
{
    const wh_candidate *c = &s->candidates[i];
    wh_choice *choice = wh_search_prepare(s, i, c);
    choice->temperature = temperature;
    if (temperature > 0)
        choice->u = wh_random_at(s->options->values.seed, seek, temperature, i, c->n);
}

void wh_search_go_on(wh_search *s, int i)
{
    wh_candidate *c = &s->candidates[i];
    const wh_choice *choice = wh_search_chosen(s, i);
    int32_t id = choice->ids[0];
    float logprob = choice->n ? choice->logprobs[0] : -INFINITY;
    s->unsound |= choice->n && isnan(logprob);
    if (!choice->n || !(logprob <= 0)) /* every token forbidden, or a model that computes NaN: end the sequence */
        id = s->specials->eot, logprob = logprob > 0 ? 0 : -INFINITY;
    c->sum_logprob += logprob;
    if (id == s->specials->eot)
        c->ended = 1;
    else
        c->tokens[c->n++] = (whisp_token){id, logprob};
}

/* The same for the only candidate, whose row is kept for who watches: the rules write into it. */
static int go_on_watched(wh_search *s)
{
    size_t n_vocab = (size_t)s->model->n_vocab;
    const wh_candidate *c = &s->candidates[0];
    float *row = s->logits + n_vocab; /* the second candidate's, of which there is none */
    memcpy(row, s->logits, n_vocab * sizeof *row);
    wh_search_go_on(s, 0);
    if (c->ended || c->tokens[c->n - 1].id >= s->specials->eot)
        return WHISP_OK;
    return s->watch(s->watcher, c->tokens, c->n - 1, row);
}

int wh_sample(wh_search *s, int n, double temperature, int64_t seek)
{
    int is_greedy = n == 1 && !(temperature > 0), is_watched = s->watch && is_greedy && s->n_candidates > 1;
    int rc, is_drafted = is_greedy && wh_draft_begin(s);
    size_t n_vocab = (size_t)s->model->n_vocab;
    s->is_chosen = 0;
    for (int i = 0; i < n; i++) {
        if (i && (rc = wh_backend_fork(s->backend, i, 0)))
            return rc;
        wh_candidate_begin(s, &s->candidates[i], i);
        memcpy(s->logits + (size_t)i * n_vocab, s->start_logits + n_vocab, n_vocab * sizeof(float));
        prepare(s, i, temperature, seek);
    }
    for (size_t step = 0;; step++) {
        if ((rc = wh_check_cancel(s->options)))
            return rc;
        double t0 = wh_now();
        int living = 0;
        for (int i = 0; i < n; i++) {
            if (s->candidates[i].ended)
                continue;
            if (!is_watched || s->is_chosen)
                wh_search_go_on(s, i);
            else if ((rc = go_on_watched(s)))
                return rc;
            living += !s->candidates[i].ended;
        }
        for (int i = 0; i < n; i++)
            if (!s->candidates[i].ended)
                prepare(s, i, temperature, seek);
        s->timings->search += wh_now() - t0;
        if (!living || !wh_search_may_go_on(s, step)) {
            s->has_read = n == 1;
            return is_drafted ? wh_draft_end(s) : WHISP_OK;
        }
        if ((rc = is_drafted ? wh_draft_step(s) : wh_search_step(s, s->candidates, n)))
            return rc;
    }
}
