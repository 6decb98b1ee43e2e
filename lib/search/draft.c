/* draft.c - a draft of what a window will say, read ahead of its words: several rows of the decoder for the price of one.
 *
 * Under sampling.c, for the most probable tokens at temperature 0. A pass of live transcription hears nearly what the pass
 * before heard (lib/live). What that wrote is read up to WH_DRAFT_ROWS tokens at a time; each row of logits is good as long
 * as what was read before it is what is chosen, and behind the first other token the slot is cut. A row's numbers do not
 * depend on the others (backend.h), so the tokens are those without a draft. The idea is speculative decoding's
 * (Leviathan, Kalman and Matias 2023) with yesterday's text for the small model. */
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

#define FEW 4    /* rows to read where the draft has just been wrong */
#define BEHIND 2 /* tokens that the draft may have too few */

struct wh_draft {
    size_t at; /* what of search->said may follow next */
    /* [n_rows] tokens of the last call: the candidate's last one and a piece of the draft */
    int32_t read[WH_DRAFT_ROWS];
    int n_rows, row; /* rows there are, and the next one */
    size_t n_fed;    /* tokens behind the start that the candidate has, and the slot at least */
    float *logits;   /* [WH_DRAFT_ROWS][n_vocab] */
};

void wh_draft_free(wh_draft *d)
{
    if (!d)
        return;
    free(d->logits);
    free(d);
}

/* A backend that chooses by itself gives one choice a call. */
static int make(wh_search *s)
{
    if (s->draft || s->beams || wh_backend_chooses(s->backend))
        return WHISP_OK;
    if (!(s->draft = wh_calloc(1, sizeof *s->draft)))
        return wh_fail_memory();
    s->draft->logits = wh_alloc_aligned((size_t)WH_DRAFT_ROWS * (size_t)s->model->n_vocab, sizeof(float));
    if (s->draft->logits)
        return WHISP_OK;
    wh_draft_free(s->draft);
    s->draft = NULL;
    return wh_fail_memory();
}

int wh_search_expect(wh_search *s, const wh_expected *expected)
{
    static const wh_expected nothing = {0};
    const wh_expected *e = expected ? expected : &nothing;
    int rc = wh_grow(&s->said, &s->said_capacity, e->n + 1, sizeof *s->said);
    if (!rc && e->n)
        rc = make(s);
    s->n_said = s->n_given = s->most = 0;
    if (rc)
        return rc;
    if (e->n)
        memcpy(s->said, e->said, e->n * sizeof *s->said);
    s->n_said = e->n;
    s->n_given = e->n_given <= (size_t)s->model->n_text_ctx / 2 ? e->n_given : 0;
    s->most = e->most;
    return WHISP_OK;
}

size_t wh_search_give_nothing(wh_search *s)
{
    size_t n = s->n_given;
    s->n_given = 0;
    return n;
}

int wh_draft_begin(wh_search *s)
{
    wh_draft *d = s->draft;
    if (!d || !s->n_said)
        return 0;
    d->at = s->n_given;
    d->n_fed = 0;
    d->n_rows = d->row = 0;
    return 1;
}

/* Where the draft goes on behind a token that was chosen: behind the nearest one like it. 0: it has none. */
static int find_place(wh_search *s, int32_t last)
{
    wh_draft *d = s->draft;
    for (size_t i = d->at > BEHIND ? d->at - BEHIND : 0; i < s->n_said; i++)
        if (s->said[i].id == last) {
            d->at = i + 1;
            return 1;
        }
    d->at = WH_MIN(d->at + 1, s->n_said); /* another word, or another time, in its place */
    return 0;
}

/* Read the candidate's last token and what the draft has behind it. */
static int read_on(wh_search *s, int32_t last)
{
    static const int rows[WH_DRAFT_ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    wh_draft *d = s->draft;
    size_t there = s->n_start + d->n_fed, room = (size_t)s->model->n_text_ctx - there;
    size_t most = WH_MIN(find_place(s, last) ? (size_t)WH_DRAFT_ROWS : FEW, room),
           n = WH_MIN(most, 1 + s->n_said - d->at);
    d->read[0] = last;
    for (size_t i = 1; i < n; i++)
        d->read[i] = s->said[d->at + i - 1].id;
    int rc = wh_backend_truncate(s->backend, s->candidates[0].slot, (int)there);
    const wh_step step = {.slot = s->candidates[0].slot,
                          .n_tokens = (int)n,
                          .tokens = d->read,
                          .n_rows = (int)n,
                          .rows = rows,
                          .logits = d->logits};
    double t0 = wh_now();
    if (!rc)
        rc = wh_backend_decode(s->backend, 1, &step);
    s->timings->decode += wh_now() - t0;
    s->timings->n_decode_steps++;
    s->timings->n_decode_tokens += (int)n;
    d->n_rows = rc ? 0 : (int)n;
    d->row = 0;
    return rc;
}

int wh_draft_step(wh_search *s)
{
    wh_draft *d = s->draft;
    const wh_candidate *c = &s->candidates[0];
    size_t n_vocab = (size_t)s->model->n_vocab;
    int32_t last = c->tokens[c->n - 1].id;
    int is_read = d->row < d->n_rows && d->read[d->row] == last, rc = is_read ? WHISP_OK : read_on(s, last);
    if (rc)
        return rc;
    d->at += (size_t)is_read;
    d->n_fed++;
    memcpy(s->logits, d->logits + (size_t)d->row++ * n_vocab, n_vocab * sizeof(float));
    return WHISP_OK;
}

int wh_draft_end(wh_search *s)
{
    return wh_backend_truncate(s->backend, s->candidates[0].slot, (int)(s->n_start + s->draft->n_fed));
}
