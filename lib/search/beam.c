/* beam.c - beam search: the most probable sequences side by side, in one batched step.
 *
 * Rows of logits come from the backend; the sequences that have ended go to the ranking in search.c. The search is
 * that of BeamSearchDecoder in openai-whisper's decoding.py, its order among equals included: each beam is extended
 * by its size + 1 most probable tokens; of all extensions, best first, those that end are put aside and the others
 * become the new beams until there are `size` of them; it is over when size * patience sequences were put aside
 * (Kasai et al. 2022, A Call for Clarity in Beam Search). What cannot follow (probability zero) is no extension here,
 * so there may be fewer beams than `size`; the reference carries such sequences along but never chooses them.
 *
 * A beam's keys and values live in a slot. All slots share the window's. A beam's first child takes over its slot as
 * it is; a second child takes the slot of a beam without children and copies the tokens in which the two beams
 * differ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

/* A beam with one more token. */
typedef struct wh_extension {
    int beam;
    whisp_token token;
    float score; /* the sequence's sum of log-probabilities */
} extension;

/* Room for finished ones: as many as end the search, or as it has beams where that is more. */
static int finished_room(const wh_beams *b)
{
    return WH_MAX(b->size, b->max_finished);
}

int wh_beams_init(wh_search *s, wh_beams **beams)
{
    const wh_values *v = &s->options->values;
    double patience = v->patience > 0 ? v->patience : 1; /* None and 0 mean 1 there */
    *beams = NULL;
    if (v->beam_size < 1 || (v->beam_size == 1 && nearbyint(patience) <= 1)) /* one beam: the most probable token */
        return WHISP_OK;
    if (v->beam_size > s->n_candidates) /* no temperature is 0 */
        return WHISP_OK;
    wh_beams *b = *beams = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->size = v->beam_size;
    b->max_finished = (int)nearbyint(b->size * patience);
    b->extensions = wh_calloc((size_t)b->size * (size_t)(b->size + 1), sizeof *b->extensions);
    if (!b->extensions)
        return wh_fail_memory();
    int rc = wh_candidates_new(s, b->size, &b->next);
    return rc ? rc : wh_candidates_new(s, finished_room(b), &b->finished);
}

void wh_beams_free(wh_beams *b)
{
    if (!b)
        return;
    wh_candidates_free(b->next, b->size);
    wh_candidates_free(b->finished, finished_room(b));
    free(b->extensions);
    free(b);
}

static void prepare(wh_search *s, const wh_beams *b, int i)
{
    wh_search_prepare(s, i, &s->candidates[i])->most = b->size + 1;
}

/* Append beam i's best extensions to b->extensions. */
static int extend(wh_search *s, wh_beams *b, int i, int n)
{
    const wh_candidate *c = &s->candidates[i];
    const wh_choice *choice = wh_search_chosen(s, i);
    for (int k = 0; k < choice->n; k++) {
        float logprob = choice->logprobs[k], score = c->sum_logprob + logprob;
        s->unsound |= isnan(logprob);
        if (isfinite(score)) /* else the model computed NaN or infinity there */
            b->extensions[n++] = (extension){i, {choice->ids[k], logprob}, score};
    }
    return n;
}

/* Best first; equals stay in order. */
static void sort(extension *list, int n)
{
    for (int i = 1; i < n; i++) {
        extension e = list[i];
        int at = i;
        for (; at > 0 && list[at - 1].score < e.score; at--)
            list[at] = list[at - 1];
        list[at] = e;
    }
}

static void copy_candidate(wh_candidate *to, const wh_candidate *from)
{
    memcpy(to->tokens, from->tokens, from->n * sizeof *to->tokens);
    to->n = from->n;
    to->sum_logprob = from->sum_logprob;
    to->ended = from->ended;
    to->slot = from->slot;
}

/* Share out the extensions: ended sequences to b->finished, the others to b->next with their parent's index as slot.
 * Returns the number of new beams. */
static int select_beams(wh_search *s, wh_beams *b, int n)
{
    int n_next = 0;
    for (int i = 0; i < n && n_next < b->size; i++) {
        const extension *e = &b->extensions[i];
        int ends = e->token.id == s->specials->eot;
        if (ends && b->n_finished >= b->max_finished)
            continue;
        wh_candidate *to = ends ? &b->finished[b->n_finished++] : &b->next[n_next++];
        copy_candidate(to, &s->candidates[e->beam]);
        to->sum_logprob = e->score;
        to->ended = ends;
        to->slot = e->beam;
        if (!ends)
            to->tokens[to->n++] = e->token;
    }
    return n_next;
}

/* Tokens at the beginning that two sequences have in common. */
static size_t common(const wh_candidate *a, const wh_candidate *b)
{
    size_t n = 0;
    while (n < a->n && n < b->n && a->tokens[n].id == b->tokens[n].id)
        n++;
    return n;
}

/* A slot that no new beam has yet: preferably the one of that old beam which is most like `parent`. *n_same: tokens
 * that it shares with parent's slot. */
static int find_slot(const wh_search *s, const int *taken, int n_beams, int size, const wh_candidate *parent,
                     int *n_same)
{
    int best = -1;
    size_t most = 0;
    for (int i = 0; i < n_beams; i++) {
        const wh_candidate *old = &s->candidates[i];
        size_t n = common(old, parent);
        if (!taken[old->slot] && (best < 0 || n > most)) {
            best = old->slot;
            most = n;
        }
    }
    if (best >= 0) {
        *n_same = (int)(s->n_start - s->n_forced + most);
        return best;
    }
    *n_same = 0; /* it may hold anything */
    for (best = 0; best < size - 1 && taken[best]; best++)
        ;
    return best;
}

/* Give each new beam a slot with its parent's keys and values. */
static int place_beams(wh_search *s, wh_beams *b, int n_beams, int n_next)
{
    int taken[WH_MAX_CANDIDATES] = {0}, slots[WH_MAX_CANDIDATES], rc = WHISP_OK;
    for (int i = 0; i < n_next; i++) { /* first children */
        const wh_candidate *parent = &s->candidates[b->next[i].slot];
        slots[i] = taken[parent->slot] ? -1 : parent->slot;
        taken[parent->slot] = 1;
    }
    for (int i = 0; i < n_next && !rc; i++) {
        const wh_candidate *parent = &s->candidates[b->next[i].slot];
        if (slots[i] < 0) {
            int n_same;
            slots[i] = find_slot(s, taken, n_beams, b->size, parent, &n_same);
            taken[slots[i]] = 1;
            rc = wh_backend_fork_tail(s->backend, slots[i], parent->slot, n_same);
        }
    }
    for (int i = 0; i < n_next; i++)
        b->next[i].slot = slots[i];
    return rc;
}

/* The new beams take the old ones' places; the old ones' memory is used for the next. */
static void swap_beams(wh_search *s, wh_beams *b, int n)
{
    for (int i = 0; i < n; i++) {
        wh_candidate old = s->candidates[i];
        s->candidates[i] = b->next[i];
        b->next[i] = old;
    }
}

/* Where too few sequences have ended, the best of those that have not are added. */
static void finish(const wh_search *s, wh_beams *b, int n_beams)
{
    int used[WH_MAX_CANDIDATES] = {0};
    while (b->n_finished < b->size) {
        int best = -1;
        for (int i = n_beams; i-- > 0;) /* the last of equals, as numpy.argsort reversed has it */
            if (!used[i] && (best < 0 || s->candidates[i].sum_logprob > s->candidates[best].sum_logprob))
                best = i;
        if (best < 0)
            return;
        used[best] = 1;
        copy_candidate(&b->finished[b->n_finished++], &s->candidates[best]);
    }
}

int wh_beam_search(wh_search *s, wh_beams *b)
{
    size_t n_vocab = (size_t)s->model->n_vocab;
    int n_beams = 1, rc; /* the reference begins with `size` equal ones, which are extended alike */
    b->n_finished = 0;
    wh_candidate_begin(s, &s->candidates[0], 0);
    memcpy(s->logits, s->start_logits + n_vocab, n_vocab * sizeof(float));
    s->is_chosen = 0;
    prepare(s, b, 0);
    for (size_t step = 0;; step++) {
        if ((rc = wh_check_cancel(s->options)))
            return rc;
        double t0 = wh_now();
        int n = 0;
        for (int i = 0; i < n_beams; i++)
            n = extend(s, b, i, n);
        sort(b->extensions, n);
        int n_next = select_beams(s, b, n);
        int over = b->n_finished >= b->max_finished || !wh_search_may_go_on(s, step);
        if (n == 0) { /* nothing may follow: these sequences have failed */
            for (int i = 0; i < n_beams; i++)
                s->candidates[i].sum_logprob = -INFINITY;
            break;
        }
        if (!over)
            rc = place_beams(s, b, n_beams, n_next);
        swap_beams(s, b, n_next);
        n_beams = n_next;
        for (int i = 0; i < n_beams; i++)
            prepare(s, b, i);
        s->timings->search += wh_now() - t0;
        if (over || !n_beams || rc)
            break;
        if ((rc = wh_search_step(s, s->candidates, n_beams)))
            return rc;
    }
    if (!rc)
        finish(s, b, n_beams);
    return rc;
}
