/* correct.c - a finished window read again for terms of the vocabulary.
 *
 * Stands after the choice of the best sequence (search.c) and before the window is cut into segments. For each place
 * that sounds like a term (near.c) the decoder reads the window's tokens up to it, then the term instead of what was
 * written, then what follows. The term is taken where that is probable enough beside what was written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/corrector.h"

#define FOLLOWING 6 /* tokens after the place that must bear the term out */

/* How much less probable than what was written a term may be: natural logarithms, at distance 0 and for each unit of
 * distance more. Words of several tokens are rare ones, or none at all: there the spelling counts for more. Chosen on
 * parts of the podcast; docs/vocabulary.md has the figures. */
#define MARGIN_COMMON 9.0
#define SLOPE_COMMON 25.0
#define MARGIN_RARE 14.0
#define SLOPE_RARE 40.0
#define LEAST_MARGIN 1.0  /* below, the model is not asked: it never was that much in favour */
#define MARGIN_AGAIN 6.0  /* more, where the same sounds were taken for the same term before: a model repeats itself */
#define MOST_WEIGHED 3    /* of the places that overlap, the likeliest ones */
#define FEW 3             /* places in a window: more are screened first */
#define MOST_IN_WINDOW 32 /* of a window's places, the likeliest ones are screened: what a long list costs at most */

typedef struct wh_corrector corrector;

void wh_corrector_free(corrector *c)
{
    if (!c)
        return;
    wh_vocabulary_free(c->vocabulary);
    wh_places_free(&c->places);
    free(c->tokens);
    free(c->other);
    free(c->fed);
    free(c->rows);
    free(c->some_rows);
    free(c->logits);
    free(c->logprobs);
    free(c->corrected);
    free(c->heard);
    free(c->known);
    free(c->known_sounds);
    free(c->margins);
    free(c);
}

/* Rows of logits that the decoder is asked for at a time: a term's, and what follows it. */
static size_t most_rows(const corrector *c)
{
    return c->vocabulary->longest_tokens + FOLLOWING;
}

int wh_corrector_init(wh_search *s)
{
    const wh_values *v = &s->options->values;
    if (!v->vocabulary)
        return WHISP_OK;
    corrector *c = s->corrector = wh_calloc(1, sizeof *c);
    if (!c)
        return wh_fail_memory();
    int rc = wh_vocabulary_load(v->vocabulary, s->model, &c->vocabulary);
    if (rc)
        return rc;
    if (c->vocabulary->n_corrections)
        wh_log(s->options, WHISP_LOG_INFO, "option vocabulary: %zu of %zu corrections are names, and learned",
               c->vocabulary->n_learned, c->vocabulary->n_corrections);
    size_t most = most_rows(c);
    c->fed = wh_calloc((size_t)s->model->n_text_ctx + most, sizeof *c->fed);
    c->rows = wh_calloc(most, sizeof *c->rows);
    c->some_rows = wh_calloc(most, sizeof *c->some_rows);
    c->logits = wh_alloc_aligned(most * (size_t)s->model->n_vocab, sizeof *c->logits);
    if (!c->fed || !c->rows || !c->some_rows || !c->logits)
        return wh_fail_memory();
    for (size_t i = 0; i < most; i++)
        c->rows[i] = (int)i;
    return WHISP_OK;
}

/* ---- the decoder ---- */

static int feed(wh_search *s, const int32_t *tokens, size_t n, const int *rows, size_t n_rows)
{
    corrector *c = s->corrector;
    wh_step step = {
        .slot = 0, .n_tokens = (int)n, .tokens = tokens, .n_rows = (int)n_rows, .rows = rows, .logits = c->logits};
    double t0 = wh_now();
    int rc = wh_backend_decode(s->backend, 1, &step);
    s->timings->prompt += wh_now() - t0;
    s->timings->n_prompt_tokens += (int64_t)n;
    return rc;
}

/* The window's token i, or before its own the start sequence's. */
static int32_t token_at(const wh_search *s, int64_t i)
{
    return i >= (int64_t)s->n_forced ? s->corrector->tokens[i].id
                                     : s->start[(int64_t)s->n_start - (int64_t)s->n_forced + i];
}

/* Let slot 0 hold the start sequence and the window's tokens before `at`, save the last one of all of these. */
static int go_to(wh_search *s, size_t at)
{
    corrector *c = s->corrector;
    int64_t before = (int64_t)s->n_start - (int64_t)s->n_forced, target = (int64_t)at - 1;
    int64_t kept = WH_MIN(c->in_slot, target);
    s->has_read = 0;
    int rc = wh_backend_truncate(s->backend, 0, (int)(before + kept));
    size_t n = 0;
    for (int64_t i = kept; i < target; i++)
        c->fed[n++] = token_at(s, i);
    if (!rc && n)
        rc = feed(s, c->fed, n, c->rows, 0);
    c->in_slot = target;
    return rc;
}

/* ---- evidence ---- */

static const int32_t *term_tokens(const wh_search *s, const wh_place *place, size_t *n)
{
    const corrector *c = s->corrector;
    const wh_term *term = &c->vocabulary->terms[place->term];
    int spaced = c->places.text.data[c->places.units[place->first_unit].text] == ' ';
    *n = spaced ? term->n_spaced : term->n_joined;
    return spaced ? term->spaced : term->joined;
}

/* Does a word of the place have more than one token? */
static int is_rare(const wh_places *p, const wh_place *place)
{
    for (size_t u = 0; u < place->n_units; u++)
        if (p->units[place->first_unit + u].n_sounds && p->units[place->first_unit + u].n_tokens > 1)
            return 1;
    return 0;
}

/* The sounds of a place. */
static const int32_t *place_sounds(const wh_places *p, const wh_place *place, size_t *n)
{
    const wh_unit *first = &p->units[place->first_unit], *last = first + place->n_units - 1;
    *n = last->first_sound + last->n_sounds - first->first_sound;
    return p->sounds + first->first_sound;
}

static int is_known(const corrector *c, const wh_place *place)
{
    size_t n;
    const int32_t *sounds = place_sounds(&c->places, place, &n);
    for (size_t i = 0; i < c->n_known; i++) {
        const struct wh_known *k = &c->known[i];
        if (k->term == place->term && k->n_sounds == n &&
            memcmp(c->known_sounds + k->first_sound, sounds, n * sizeof *sounds) == 0)
            return 1;
    }
    return 0;
}

static double margin_of(const corrector *c, const wh_place *place)
{
    int rare = is_rare(&c->places, place);
    double m = (rare ? MARGIN_RARE : MARGIN_COMMON) - (rare ? SLOPE_RARE : SLOPE_COMMON) * place->distance;
    return WH_MAX(m, 0) + (is_known(c, place) ? MARGIN_AGAIN : 0);
}

/* Where a place's term parts from what is written: the index of that token in the window; and *id, which the term has
 * there. -1: nowhere. */
static int64_t parting(const wh_search *s, const wh_place *place, int32_t *id)
{
    const corrector *c = s->corrector;
    size_t n, i = 0, end = WH_MIN(place->to + FOLLOWING, c->n);
    const int32_t *term = term_tokens(s, place, &n);
    while (i < n && place->from + i < end && c->tokens[place->from + i].id == term[i])
        i++;
    *id = i < n ? term[i] : -1;
    return place->from + i < end ? (int64_t)(place->from + i) : -1;
}

/* Log-probability of what is written from token `at` on, as far as a place's evidence goes. */
static double written_from(const corrector *c, const wh_place *place, size_t at)
{
    double sum = 0;
    for (size_t k = at; k < WH_MIN(place->to + FOLLOWING, c->n); k++)
        sum += (double)c->tokens[k].logprob;
    return sum;
}

/* What the term can gain at most: where it parts from what was written it has at most the probability that is left
 * over. Where the model was sure, nothing need be computed. */
static double highest_gain(const wh_search *s, const wh_place *place)
{
    const corrector *c = s->corrector;
    int32_t id;
    int64_t at = parting(s, place, &id);
    return at < 0 ? INFINITY : log1p(-exp((double)c->tokens[at].logprob)) - written_from(c, place, (size_t)at);
}

/* Read the term in its place and then what follows; place->gain becomes what that is more probable than what was
 * written (usually negative). */
static int weigh(wh_search *s, wh_place *place)
{
    corrector *c = s->corrector;
    size_t n_term, from = place->from, to = place->to, n_vocab = (size_t)s->model->n_vocab;
    const int32_t *term = term_tokens(s, place, &n_term);
    size_t used = s->n_start - s->n_forced + from + n_term, room = (size_t)s->model->n_text_ctx;
    place->gain = -INFINITY;
    if (used > room)
        return WHISP_OK;
    size_t following = WH_MIN(WH_MIN(FOLLOWING, c->n - to), room - used), n = n_term + following;
    int rc = wh_grow(&c->other, &c->other_capacity, from + n, sizeof *c->other);
    if (!rc)
        rc = wh_grow(&c->logprobs, &c->logprobs_capacity, c->n_logprobs + n_term, sizeof *c->logprobs);
    if (!rc)
        rc = go_to(s, from);
    if (rc)
        return rc;
    memcpy(c->other, c->tokens, from * sizeof *c->other);
    for (size_t i = 0; i < n; i++) {
        c->other[from + i].id = i < n_term ? term[i] : c->tokens[to + i - n_term].id;
        c->fed[i] = i ? c->other[from + i - 1].id : token_at(s, (int64_t)from - 1);
    }
    if ((rc = feed(s, c->fed, n, c->rows, n)))
        return rc;
    place->logprobs = c->n_logprobs;
    place->gain = 0;
    for (size_t i = 0; i < n; i++) {
        float *logits = c->logits + i * n_vocab;
        wh_search_filter(s, logits, c->other, from + i);
        double logprob = logits[c->other[from + i].id] - wh_log_sum_exp(s, logits, (int)n_vocab);
        place->gain += logprob;
        if (i < n_term)
            c->logprobs[c->n_logprobs++] = (float)logprob;
    }
    for (size_t i = from; i < to + following; i++)
        place->gain -= (double)c->tokens[i].logprob;
    if (!(place->gain > -INFINITY)) /* not allowed there, or a model that computes NaN */
        place->gain = -INFINITY;
    return WHISP_OK;
}

/* ---- replacing ---- */

/* The sounds of a place stand for its term from now on. */
static int make_known(corrector *c, const wh_place *place)
{
    size_t n;
    const int32_t *sounds = place_sounds(&c->places, place, &n);
    if (is_known(c, place))
        return WHISP_OK;
    int rc = wh_grow(&c->known, &c->known_capacity, c->n_known + 1, sizeof *c->known);
    if (!rc)
        rc = wh_grow(&c->known_sounds, &c->known_sounds_capacity, c->n_known_sounds + n, sizeof *sounds);
    if (rc)
        return rc;
    memcpy(c->known_sounds + c->n_known_sounds, sounds, n * sizeof *sounds);
    c->known[c->n_known++] = (struct wh_known){place->term, c->n_known_sounds, n};
    c->n_known_sounds += n;
    return WHISP_OK;
}

/* Remember what is written in a place that n tokens are put into. */
static int keep_heard(corrector *c, const wh_place *place, size_t n, int64_t moved)
{
    size_t n_heard = place->to - place->from;
    int rc = wh_grow(&c->corrected, &c->corrected_capacity, c->n_corrected + 1, sizeof *c->corrected);
    if (!rc)
        rc = wh_grow(&c->heard, &c->heard_capacity, c->n_heard + n_heard, sizeof *c->heard);
    if (rc)
        return rc;
    for (size_t i = 0; i < c->n_corrected; i++)
        if (c->corrected[i].at > place->from)
            c->corrected[i].at = (size_t)((int64_t)c->corrected[i].at + moved);
    c->corrected[c->n_corrected++] = (struct wh_corrected){place->from, n, c->n_heard, n_heard};
    for (size_t i = 0; i < n_heard; i++)
        c->heard[c->n_heard++] = c->tokens[place->from + i].id;
    return WHISP_OK;
}

/* Put a term in its place. The places after it move by *moved more. */
static int replace(wh_search *s, const wh_place *place, int64_t seek, int64_t *total)
{
    corrector *c = s->corrector;
    size_t n;
    const int32_t *term = term_tokens(s, place, &n);
    const wh_unit *first = &c->places.units[place->first_unit], *last = first + place->n_units - 1;
    int64_t moved = (int64_t)n - (int64_t)(place->to - place->from);
    int64_t room = (int64_t)s->model->n_text_ctx - 16; /* what the timing of words can read at once */
    if (moved > 0 && (int64_t)c->n + moved > room)
        return WHISP_OK;
    int rc = keep_heard(c, place, n, moved);
    if (!rc)
        rc = make_known(c, place);
    if (rc)
        return rc;
    wh_log(s->options, WHISP_LOG_DEBUG, "vocabulary: window at %.2f s: '%.*s' -> '%s' (distance %.3f, gain %.2f)",
           (double)seek / 100, (int)(last->text + last->length - first->text), c->places.text.data + first->text,
           c->vocabulary->terms[place->term].text, place->distance, place->gain);
    memmove(c->tokens + place->from + n, c->tokens + place->to, (c->n - place->to) * sizeof *c->tokens);
    for (size_t i = 0; i < n; i++)
        c->tokens[place->from + i] = (whisp_token){term[i], c->logprobs[place->logprobs + i]};
    c->n = (size_t)((int64_t)c->n + moved);
    c->in_slot = WH_MIN(c->in_slot, (int64_t)place->from);
    *total += moved;
    return WHISP_OK;
}

static int overlap(const wh_place *a, const wh_place *b)
{
    return a->first_unit < b->first_unit + b->n_units && b->first_unit < a->first_unit + a->n_units;
}

/* Of n places that overlap one another in a chain, take the best, then the best of those apart from it, and so on.
 * They are replaced from the last to the first, so that places before stay where they are. *moved: the sum of what
 * was put in and taken out. */
static int settle(wh_search *s, wh_place *list, size_t n, int64_t seek, int64_t *moved)
{
    int rc = WHISP_OK;
    for (;;) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (list[i].state == WH_PLACE_OPEN && (best == n || list[i].score > list[best].score))
                best = i;
        if (best == n || !(list[best].score > 0))
            break;
        list[best].state = WH_PLACE_TAKEN;
        for (size_t i = 0; i < n; i++)
            if (list[i].state == WH_PLACE_OPEN && overlap(&list[i], &list[best]))
                list[i].state = WH_PLACE_LEFT;
    }
    for (size_t i = n; i-- > 0 && !rc;) /* ordered by where they begin, and apart */
        if (list[i].state == WH_PLACE_TAKEN)
            rc = replace(s, &list[i], seek, moved);
    return rc;
}

/* How many of the n places have a larger margin, those before among equals? */
static size_t rank_of(const wh_place *list, size_t n, size_t i)
{
    size_t rank = 0;
    for (size_t k = 0; k < n; k++)
        rank += k != i && list[k].state == WH_PLACE_OPEN &&
                (list[k].margin > list[i].margin || (!(list[k].margin < list[i].margin) && k < i));
    return rank;
}

static int compare_margins(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Leave the places that cannot win, and all but the likeliest of those that can. No decoder is asked here. */
static int choose(wh_search *s)
{
    corrector *c = s->corrector;
    size_t n = 0;
    int rc = wh_grow(&c->margins, &c->margins_capacity, c->places.n + 1, sizeof *c->margins);
    for (size_t i = 0; i < c->places.n && !rc; i++) {
        wh_place *p = &c->places.list[i];
        p->margin = margin_of(c, p);
        if (p->from < s->n_forced || p->margin < LEAST_MARGIN || highest_gain(s, p) + p->margin <= 0)
            p->state = WH_PLACE_LEFT;
        else
            c->margins[n++] = p->margin;
    }
    if (rc || n <= MOST_IN_WINDOW)
        return rc;
    qsort(c->margins, n, sizeof *c->margins, compare_margins);
    for (size_t i = 0; i < c->places.n; i++)
        if (c->places.list[i].margin < c->margins[MOST_IN_WINDOW - 1])
            c->places.list[i].state = WH_PLACE_LEFT;
    return WHISP_OK;
}

/* Weigh n places that overlap in a chain, the last first: what the slot holds serves the ones before it. */
static int weigh_all(wh_search *s, wh_place *list, size_t n, int64_t moved)
{
    corrector *c = s->corrector;
    c->n_logprobs = 0;
    for (size_t i = n; i-- > 0;) {
        wh_place *p = &list[i];
        p->from = (size_t)((int64_t)p->from + moved);
        p->to = (size_t)((int64_t)p->to + moved);
        if (p->state != WH_PLACE_OPEN)
            continue;
        if (rank_of(list, n, i) >= MOST_WEIGHED) {
            p->state = WH_PLACE_LEFT;
            continue;
        }
        int rc = wh_check_cancel(s->options);
        if (rc || (rc = weigh(s, p)))
            return rc;
        p->score = p->gain + p->margin;
    }
    return WHISP_OK;
}

/* The least token after `after` where a place's term parts from what is written, or -1. */
static int64_t next_parting(const wh_search *s, int64_t after)
{
    const wh_places *p = &s->corrector->places;
    int64_t next = -1;
    int32_t id;
    for (size_t i = 0; i < p->n; i++) {
        int64_t at = p->list[i].state == WH_PLACE_OPEN ? parting(s, &p->list[i], &id) : -1;
        if (at > after && id >= 0 && (next < 0 || at < next))
            next = at;
    }
    return next;
}

/* Leave the places whose term parts at token `at` with a token too improbable there, by that token's logits. */
static void screen_at(wh_search *s, int64_t at, float *logits)
{
    corrector *c = s->corrector;
    int32_t id;
    wh_search_filter(s, logits, c->tokens, (size_t)at);
    double sum = wh_log_sum_exp(s, logits, s->model->n_vocab);
    for (size_t i = 0; i < c->places.n; i++) {
        wh_place *p = &c->places.list[i];
        if (p->state == WH_PLACE_OPEN && parting(s, p, &id) == at && id >= 0 &&
            !(logits[id] - sum - written_from(c, p, (size_t)at) + p->margin > 0))
            p->state = WH_PLACE_LEFT;
    }
}

/* Where many places are left, the decoder reads the window as it is, once: each term's first token that is not written
 * has a probability there, which says of most that they cannot win. */
static int screen(wh_search *s)
{
    corrector *c = s->corrector;
    size_t n_open = 0, most = most_rows(c);
    int rc = WHISP_OK;
    for (size_t i = 0; i < c->places.n; i++)
        n_open += c->places.list[i].state == WH_PLACE_OPEN;
    for (int64_t at = -1, first; n_open > FEW && !rc && (first = next_parting(s, at)) >= 0;) {
        size_t n_rows = 0, n = 0;
        for (int64_t next = first; next >= 0 && n_rows < most; next = next_parting(s, at)) {
            c->some_rows[n_rows++] = (int)(next - first);
            at = next;
        }
        if ((rc = wh_check_cancel(s->options)) || (rc = go_to(s, (size_t)first)))
            return rc;
        for (int64_t i = first - 1; i < at; i++)
            c->fed[n++] = token_at(s, i);
        rc = feed(s, c->fed, n, c->some_rows, n_rows);
        c->in_slot = at;
        for (size_t i = 0; i < n_rows && !rc; i++)
            screen_at(s, first + c->some_rows[i], c->logits + i * (size_t)s->model->n_vocab);
    }
    return rc;
}

int wh_search_correct(wh_search *s, int64_t seek, wh_decoding *d)
{
    corrector *c = s->corrector;
    int rc;
    if (c)
        c->n_corrected = c->n_heard = 0;
    if (!c || s->options->values.translate || d->n == 0)
        return WHISP_OK;
    if ((rc = wh_grow(&c->tokens, &c->capacity, WH_MAX(d->n, (size_t)s->model->n_text_ctx), sizeof *c->tokens)))
        return rc;
    memcpy(c->tokens, d->tokens, d->n * sizeof *c->tokens);
    c->n = d->n;
    /* After a greedy search slot 0 holds all that was fed; after others only the start sequence is sure. */
    c->in_slot = !s->beams && !(d->temperature > 0) ? (int64_t)d->n - 1 : (int64_t)s->n_forced;
    if ((rc = wh_places_find(c->vocabulary, s->model, c->tokens, c->n, &c->places)) || (rc = choose(s)) ||
        (rc = screen(s)))
        return rc;
    int64_t moved = 0;
    wh_place *list = c->places.list;
    for (size_t i = 0, end; i < c->places.n; i = end) {
        size_t reach = list[i].first_unit + list[i].n_units;
        for (end = i + 1; end < c->places.n && list[end].first_unit < reach; end++)
            reach = WH_MAX(reach, list[end].first_unit + list[end].n_units);
        if ((rc = weigh_all(s, list + i, end - i, moved)) || (rc = settle(s, list + i, end - i, seek, &moved)))
            return rc;
    }
    d->tokens = c->tokens;
    d->n = c->n;
    return WHISP_OK;
}
