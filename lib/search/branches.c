/* branches.c - samples of what else a window may say, beside a decoding that was read again.
 *
 * A sample that follows the decoding's tokens needs no steps of its own: whether it goes another way at a token is drawn
 * from the row of logits that the decoding's own reading gives. Where one does, that is a *branch*: the most probable
 * tokens after the other one, from the decoding's keys and values up to there, until they are the decoding's again; from
 * then on the sample follows it. What was said since it came back is as it was without it: that is not exact, but few
 * tokens look so far. Samples that go the same way share the branch, and branches take their steps together.
 * lib/window/evidence.c asks for them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"
#include "util/pages.h"

#define LONGEST 12        /* tokens of a branch; then it is taken for as long as what it stands for */
#define AROUND 4          /* tokens that a branch may be longer or shorter than that */
#define MORE_THAN_HEARD 8 /* tokens that a sample may be longer than the decoding */
#define LANES WH_CONFIDENCE_SAMPLES

/* What is said instead of the decoding's tokens `at` .. `next` - 1. */
struct branch {
    size_t at, next; /* next: of use when it is over */
    int is_over;
    int lane; /* where its steps are taken; -1: nowhere yet, or no more */
    size_t n;
    whisp_token tokens[LONGEST + 1];
};

struct wh_branches {
    const whisp_token *tokens; /* [n] the decoding, the caller's, once it is followed */
    size_t n;
    int64_t seek;
    /* [max_tokens][WH_CONFIDENCE_SAMPLES]: what is drawn in a token's place; id -1: the token itself */
    whisp_token *drawn;
    size_t capacity;
    struct branch *list; /* [n_branches] */
    size_t n_branches, list_capacity;
    struct sample {
        whisp_token *tokens; /* [n] */
        size_t n, capacity;
        size_t from; /* of the decoding's tokens: where it goes on */
        int ended;
    } samples[WH_CONFIDENCE_SAMPLES];
    size_t same[LANES]; /* tokens of a lane's slot that are the decoding's */
};

void wh_branches_free(struct wh_branches *b)
{
    for (int k = 0; b && k < WH_CONFIDENCE_SAMPLES; k++)
        free(b->samples[k].tokens);
    if (b) {
        free(b->drawn);
        free(b->list);
    }
    free(b);
}

int wh_search_branches_begin(wh_search *s, int64_t seek)
{
    size_t n = s->max_tokens;
    if (!s->branches && !(s->branches = wh_calloc(1, sizeof *s->branches)))
        return wh_fail_memory();
    struct wh_branches *b = s->branches;
    int rc = wh_grow(&b->drawn, &b->capacity, (n + 1) * WH_CONFIDENCE_SAMPLES, sizeof *b->drawn);
    for (int k = 0; k < WH_CONFIDENCE_SAMPLES && !rc; k++) {
        struct sample *sample = &b->samples[k];
        rc = wh_grow(&sample->tokens, &sample->capacity, n + MORE_THAN_HEARD + 1, sizeof *sample->tokens);
        sample->n = sample->from = 0;
        sample->ended = 0;
    }
    if (rc)
        return rc;
    for (size_t i = 0; i < n * WH_CONFIDENCE_SAMPLES; i++)
        b->drawn[i].id = -1;
    b->seek = seek;
    b->n_branches = 0;
    memset(b->same, 0, sizeof b->same);
    return WHISP_OK;
}

/* ---- where samples leave the decoding ---- */

/* The token but `not` at which the sum of p, in order, passes a share u of what they have in all; -1: there is none. */
static int32_t draw_other(const float *p, size_t n, size_t not, double u)
{
    const double nothing = 1e-30; /* what is left of a token that may not follow */
    double left = u * (1 - (double)p[not ]);
    int32_t last = -1;
    for (size_t t = 0; t < n; t++) {
        if (t == not || !((double)p[t] > nothing))
            continue;
        last = (int32_t)t;
        left -= (double)p[t];
        if (left < 0)
            break;
    }
    return last;
}

/* Nobody leaves the decoding at its i-th token, which is seen without the rules: what they forbid makes it only more
 * probable, and x^(1 / T) of probabilities adds up to 1 at most. */
static int all_stay(const wh_search *s, size_t i, int32_t own, const float *logits)
{
    const double temperature = WH_CONFIDENCE_TEMPERATURE;
    double sum, greatest = 0;
    if (wh_rules_need_logits(s) || wh_is_penalizing(&s->options->values))
        return 0;
    float most = s->kernels->exp_sum(logits, (size_t)s->model->n_vocab, &sum, NULL);
    for (int k = 0; k < WH_CONFIDENCE_SAMPLES; k++)
        greatest = fmax(greatest, wh_random_at(s->options->values.seed, s->branches->seek, temperature, k, i));
    return greatest < pow(exp((double)(logits[own] - most)) / sum, 1 / temperature);
}

void wh_search_branches_read(wh_search *s, const whisp_token *tokens, size_t i, const float *logits)
{
    struct wh_branches *b = s->branches;
    size_t n_vocab = (size_t)s->model->n_vocab, own = (size_t)tokens[i].id;
    const double temperature = WH_CONFIDENCE_TEMPERATURE;
    const int64_t seed = s->options->values.seed;
    float *p = s->logits;
    if (all_stay(s, i, tokens[i].id, logits))
        return;
    memcpy(p, logits, n_vocab * sizeof *logits);
    wh_search_filter(s, p, tokens, i);
    if (p[own] == -INFINITY) /* a term of the vocabulary, say */
        return;
    s->kernels->softmax(p, (float)(1 / temperature), n_vocab);
    for (int k = 0; k < WH_CONFIDENCE_SAMPLES; k++)
        if (wh_random_at(seed, b->seek, temperature, k, i) >= (double)p[own]) {
            double u = wh_random_at(seed, b->seek, temperature, WH_CONFIDENCE_SAMPLES + k, i);
            int32_t id = draw_other(p, n_vocab, own, u);
            b->drawn[i * WH_CONFIDENCE_SAMPLES + (size_t)k] = (whisp_token){id, id < 0 ? 0
                                                                                       : tokens[i].logprob +
                                                                                             logits[id] - logits[own]};
        }
}

/* ---- a branch ---- */

/* Tokens in the decoder's slot before the decoding's i-th one. */
static size_t position(const wh_search *s, size_t i)
{
    return s->n_start - s->n_forced + i;
}

/* Times are all alike: where a segment ends says nothing about its words. */
static int is_same(const wh_search *s, int32_t a, int32_t b)
{
    return a == b || (a >= s->specials->timestamp_begin && b >= s->specials->timestamp_begin);
}

/* Has the branch come back to the decoding? Behind which of its tokens then; 0: not yet. One token says so where it is
 * in its place, else two after one another. */
static size_t came_back(const wh_search *s, const struct branch *branch)
{
    const struct wh_branches *b = s->branches;
    const whisp_token *last = branch->tokens + branch->n - 1;
    size_t beside = branch->at + branch->n - 1; /* of the last token, were nothing left out or put in */
    if (branch->n < 2)
        return 0;
    if (beside < b->n && is_same(s, b->tokens[beside].id, last->id))
        return beside + 1;
    for (size_t off = 1; off <= AROUND; off++)
        for (int side = -1; side <= 1; side += 2) {
            size_t j = side < 0 ? beside - WH_MIN(off, beside) : beside + off;
            if (j > branch->at && j < b->n && is_same(s, b->tokens[j].id, last->id) &&
                is_same(s, b->tokens[j - 1].id, last[-1].id))
                return j + 1;
        }
    return 0;
}

static void end_branch(struct branch *branch, size_t next)
{
    branch->next = next;
    branch->is_over = 1;
    branch->lane = -1;
}

/* Its first token is drawn; its lane's slot becomes the decoding's up to there. */
static int begin_branch(wh_search *s, struct branch *branch, int lane)
{
    struct wh_branches *b = s->branches;
    wh_candidate *c = &s->candidates[lane];
    memcpy(c->tokens, b->tokens, branch->at * sizeof *c->tokens); /* the rules look at them */
    c->tokens[branch->at] = branch->tokens[0];
    c->n = branch->at + 1;
    c->slot = lane + 1;
    c->ended = 0;
    branch->lane = lane;
    int rc = b->same[lane] ? wh_backend_truncate(s->backend, c->slot, (int)b->same[lane]) : WHISP_OK;
    if (!rc)
        rc = wh_backend_fork_tail(s->backend, c->slot, 0, (int)b->same[lane]);
    b->same[lane] = position(s, branch->at);
    return rc ? rc : wh_backend_truncate(s->backend, c->slot, (int)b->same[lane]);
}

/* What follows was chosen: the branch has come back, is out for too long, has ended, or goes on. */
static void look(const wh_search *s, struct branch *branch)
{
    const struct wh_branches *b = s->branches;
    wh_candidate *c = &s->candidates[branch->lane];
    size_t room = WH_MIN((size_t)s->model->n_text_ctx - (position(s, 0)), s->max_tokens), next;
    if (c->ended) {
        end_branch(branch, b->n);
        return;
    }
    branch->tokens[branch->n++] = c->tokens[c->n - 1];
    next = came_back(s, branch);
    if (!next && (branch->n > LONGEST || c->n + 1 >= room))
        next = WH_MIN(branch->at + branch->n, b->n);
    c->ended = next > 0;
    if (next)
        end_branch(branch, next);
}

/* ---- the samples ---- */

/* The branch that begins with `token` in the place of the decoding's, made where there is none; or NULL. */
static struct branch *find_branch(const wh_search *s, size_t at, whisp_token token)
{
    struct wh_branches *b = s->branches;
    for (size_t i = 0; i < b->n_branches; i++)
        if (b->list[i].at == at && b->list[i].tokens[0].id == token.id)
            return &b->list[i];
    if (wh_grow(&b->list, &b->list_capacity, b->n_branches + 1, sizeof *b->list))
        return NULL;
    struct branch *branch = &b->list[b->n_branches++];
    *branch = (struct branch){.at = at, .lane = -1, .n = 1};
    branch->tokens[0] = token;
    if (token.id == s->specials->eot) {
        branch->n = 0;
        end_branch(branch, b->n);
    } else if (at + 1 >= s->max_tokens || position(s, at) + 1 > (size_t)s->model->n_text_ctx) {
        end_branch(branch, at + 1);
    }
    return branch;
}

/* Sample k goes on until it is over or needs a branch that is not. */
static int follow(wh_search *s, int k)
{
    const struct wh_branches *b = s->branches;
    struct sample *sample = &s->branches->samples[k];
    size_t most = WH_MIN(b->n + MORE_THAN_HEARD, s->max_tokens);
    while (!sample->ended) {
        size_t from = sample->from;
        if (from >= b->n || sample->n >= most) {
            sample->ended = 1;
            break;
        }
        whisp_token drawn = b->drawn[from * WH_CONFIDENCE_SAMPLES + (size_t)k];
        if (drawn.id < 0) {
            sample->tokens[sample->n++] = b->tokens[sample->from++];
            continue;
        }
        const struct branch *branch = find_branch(s, from, drawn);
        if (!branch)
            return WHISP_ERR_MEMORY;
        if (!branch->is_over)
            break;
        for (size_t i = 0; i < branch->n && sample->n < most; i++)
            sample->tokens[sample->n++] = branch->tokens[i];
        sample->from = branch->next;
    }
    return WHISP_OK;
}

/* Every lane that is free takes the first branch that waits. How many branches take steps. */
static int fill_lanes(wh_search *s, int *n)
{
    struct wh_branches *b = s->branches;
    int taken[LANES] = {0}, lane = 0, rc = WHISP_OK;
    for (size_t i = 0; i < b->n_branches; i++)
        if (b->list[i].lane >= 0)
            taken[b->list[i].lane] = 1;
    for (size_t i = 0; i < b->n_branches && !rc; i++) {
        if (b->list[i].is_over || b->list[i].lane >= 0)
            continue;
        while (lane < LANES && taken[lane])
            lane++;
        if (lane == LANES)
            break;
        taken[lane] = 1;
        rc = begin_branch(s, &b->list[i], lane);
    }
    *n = 0;
    for (int k = 0; k < LANES; k++)
        *n += taken[k];
    return rc;
}

/* One step of all branches that are in a lane. */
static int step(wh_search *s)
{
    struct wh_branches *b = s->branches;
    int rc = wh_check_cancel(s->options);
    for (int k = 0; k < LANES; k++) /* also of what has ended: wh_search_step() looks at the first one's choice */
        wh_search_prepare(s, k, &s->candidates[k]);
    if (!rc)
        rc = wh_search_step(s, s->candidates, LANES);
    for (size_t i = 0; i < b->n_branches && !rc; i++)
        if (b->list[i].lane >= 0) {
            wh_search_go_on(s, b->list[i].lane);
            look(s, &b->list[i]);
        }
    return rc;
}

static int follow_all(wh_search *s)
{
    int rc = WHISP_OK, n = 1;
    for (int k = 0; k < LANES; k++) {
        s->candidates[k].n = 0;
        s->candidates[k].sum_logprob = 0;
        s->candidates[k].ended = 1;
    }
    while (n && !rc) {
        for (int k = 0; k < WH_CONFIDENCE_SAMPLES && !rc; k++)
            rc = follow(s, k);
        if (!rc)
            rc = fill_lanes(s, &n);
        if (!rc && n)
            rc = step(s);
    }
    return rc;
}

/* Every part has a search, and few of them have branches at a time: the lanes' logits are not kept. */
int wh_search_branches_follow(wh_search *s, const whisp_token *tokens, size_t n)
{
    wh_pages room;
    float *own = s->logits;
    s->branches->tokens = tokens;
    s->branches->n = n;
    int rc = wh_pages_take(&room, LANES, (size_t)s->model->n_vocab);
    if (!rc) {
        s->logits = room.at;
        rc = follow_all(s);
        s->logits = own;
    }
    wh_pages_give_back(&room);
    for (int k = 0; k < LANES; k++)
        wh_backend_rest(s->backend, k + 1);
    return rc;
}

const whisp_token *wh_search_sampled(const wh_search *s, int i, size_t *n)
{
    *n = s->branches->samples[i].n;
    return s->branches->samples[i].tokens;
}
