/* places.c - where to listen again: the least certain words, those that touch as one place, in the order of time; or the
 * stretches that give most for their time, in the order of a walk. docs/checking.md has the figures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/places.h"
#include "output/writers.h"

#define SHARE 0.1  /* of all words */
#define WORTH 0.99 /* words at least this certain are not listed, however few the others are */
#define BREATH 0.1 /* seconds heard before and after the words: their times are about as good as that */

/* All words in order, and how many of them were judged. 0: out of memory. */
static int collect(const whisp_result *result, wh_spots *spots)
{
    size_t n = 0;
    for (size_t s = 0; s < result->n; s++)
        n += result->segments[s].segment.n_words;
    spots->words = wh_calloc(n, sizeof *spots->words);
    spots->doubtful = wh_calloc(n, 1);
    if (!spots->words || !spots->doubtful)
        return 0;
    for (size_t s = 0; s < result->n; s++)
        for (size_t i = 0; i < result->segments[s].segment.n_words; i++) {
            const whisp_word *word = result->segments[s].segment.words[i];
            spots->n_judged += word->confidence > 0;
            spots->words[spots->n_words++] = word;
        }
    return 1;
}

/* Of pointers into the list of words. */
static int compare_confidence(const void *a, const void *b)
{
    const whisp_word *const *x = *(const whisp_word *const *const *)a, *const *y = *(const whisp_word *const *const *)b;
    if ((*x)->confidence != (*y)->confidence)
        return (*x)->confidence < (*y)->confidence ? -1 : 1;
    return x < y ? -1 : x > y; /* the earlier one of equals */
}

/* Mark the least certain words: `share` of those that were judged, at least one. 0: out of memory. */
static int mark(wh_spots *spots, double share)
{
    const whisp_word ***order = wh_calloc(spots->n_judged, sizeof *order);
    size_t n = 0, wanted = (size_t)nearbyint(share * (double)spots->n_judged);
    if (!order)
        return 0;
    for (size_t i = 0; i < spots->n_words; i++)
        if (spots->words[i]->confidence > 0)
            order[n++] = &spots->words[i];
    if (n)
        qsort(order, n, sizeof *order, compare_confidence);
    for (size_t i = 0; i < n && i < WH_MAX(wanted, 1) && (*order[i])->confidence < WORTH; i++) {
        spots->doubtful[order[i] - spots->words] = 1;
        spots->n_doubtful++;
    }
    free(order);
    return 1;
}

static double doubt(const whisp_word *word)
{
    return word->confidence > 0 ? 1 - fmin(word->confidence, 1) : 0;
}

static double pause_before(const wh_spots *spots, size_t i)
{
    return i ? fmax(0, spots->words[i]->start - spots->words[i - 1]->end) : 0;
}

/* A place of its own for word i, or more of the last one, which is `reach` s away at most. */
static void take(wh_spots *spots, size_t i, double reach, size_t first_spot)
{
    const whisp_word *word = spots->words[i];
    wh_spot *spot = spots->n > first_spot ? &spots->list[spots->n - 1] : NULL;
    if (!spot || word->start - spots->words[spot->last]->end > reach) {
        spot = &spots->list[spots->n++];
        *spot = (wh_spot){.first = i, .last = i, .start = fmax(0, word->start - BREATH), .chance = 1};
    }
    for (size_t k = spot->last + 1; k < i; k++) /* what is heard between them */
        spot->errors += doubt(spots->words[k]);
    spot->last = i;
    spot->end = fmax(spot->end, fmax(word->start, word->end) + BREATH);
    spot->chance = fmin(spot->chance, word->confidence > 0 ? word->confidence : 1);
    spot->errors += doubt(word);
}

/* The sums of a list that is complete; nothing is heard after the recording's end. */
static void finish(wh_spots *spots, double duration)
{
    for (size_t i = 0; i < spots->n; i++) {
        wh_spot *spot = &spots->list[i];
        spot->end = duration > spot->start ? fmin(spot->end, duration) : spot->end;
        spots->seconds += spot->end - spot->start;
    }
    for (size_t i = 0; i < spots->n_words; i++)
        spots->errors += doubt(spots->words[i]);
}

/* ---- in the order of time ---- */

int wh_spots_find(const whisp_result *result, double share, wh_spots *spots)
{
    if (!collect(result, spots) || !mark(spots, share > 0 ? share : SHARE) ||
        !(spots->list = wh_calloc(spots->n_doubtful, sizeof *spots->list))) {
        wh_spots_free(spots);
        return wh_fail_memory();
    }
    for (size_t i = 0; i < spots->n_words; i++)
        if (spots->doubtful[i])
            take(spots, i, 2 * BREATH, 0);
    finish(spots, result->duration);
    return WHISP_OK;
}

/* ---- in the order of worth ---- */

/* Errors that a second of listening must find: a walk first goes where it finds so many, then where it finds fewer. */
static const double rates[] = {0.5, 0.3, 0.15, 0.05};

static int compare_worth(const void *a, const void *b)
{
    const wh_spot *x = a, *y = b;
    double left = x->errors * (y->end - y->start), right = y->errors * (x->end - x->start);
    if (left != right)
        return left > right ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static void sort_by_worth(wh_spots *spots, size_t first)
{
    if (spots->n > first)
        qsort(spots->list + first, spots->n - first, sizeof *spots->list, compare_worth);
}

enum { STOPS = 1, GOES_ON = 2, CHOSEN = 4 }; /* bits of a word's way */

/* Choose the words whose errors, less `rate` for each second of listening, add up to the most: at each word either nothing
 * is heard, or the word is, with what is between it and the last one where that was heard, too. Both sums are carried on,
 * and how each came about is remembered (Viterbi 1967). Words that are in a place already are not heard again. */
static void choose(const wh_spots *spots, double rate, unsigned char *way)
{
    double out = 0, in = -INFINITY; /* the best sums with the last word not heard, and heard */
    for (size_t i = 0; i < spots->n_words; i++) {
        const whisp_word *word = spots->words[i];
        double begun = out - rate * BREATH, on = in - rate * pause_before(spots, i), left = in - rate * BREATH;
        way[i] = (unsigned char)((on > begun ? GOES_ON : 0) | (left > out ? STOPS : 0));
        in = fmax(begun, on) + doubt(word) - rate * fmax(0, word->end - word->start);
        in = spots->doubtful[i] ? -INFINITY : in;
        out = fmax(out, left);
    }
    int heard = in - rate * BREATH > out;
    for (size_t i = spots->n_words; i-- > 0;) {
        way[i] = (unsigned char)(way[i] | (heard ? CHOSEN : 0));
        heard = way[i] & (heard ? GOES_ON : STOPS);
    }
}

/* The places of the words that were chosen, behind those that are there. */
static void take_chosen(wh_spots *spots, const unsigned char *way)
{
    size_t first = spots->n;
    for (size_t i = 0; i < spots->n_words; i++) {
        if (!(way[i] & CHOSEN))
            continue;
        int goes_on = i > 0 && (way[i - 1] & CHOSEN) && (way[i] & GOES_ON);
        take(spots, i, goes_on ? INFINITY : -INFINITY, first);
        spots->doubtful[i] = 1;
        spots->n_doubtful++;
    }
    sort_by_worth(spots, first);
}

int wh_spots_walk(const whisp_result *result, double share, wh_spots *spots)
{
    if (share > 0) {
        int rc = wh_spots_find(result, share, spots);
        sort_by_worth(spots, 0);
        return rc;
    }
    unsigned char *way = NULL;
    if (!collect(result, spots) || !(way = wh_calloc(spots->n_words, 1)) ||
        !(spots->list = wh_calloc(spots->n_words, sizeof *spots->list))) {
        free(way);
        wh_spots_free(spots);
        return wh_fail_memory();
    }
    for (size_t k = 0; k < WH_COUNT(rates); k++) {
        choose(spots, rates[k], way);
        take_chosen(spots, way);
    }
    finish(spots, result->duration);
    free(way);
    return WHISP_OK;
}

void wh_spots_free(wh_spots *spots)
{
    free((void *)(uintptr_t)spots->words);
    free(spots->doubtful);
    free(spots->list);
    memset(spots, 0, sizeof *spots);
}
