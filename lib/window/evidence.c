/* evidence.c - evidence about a window's words while its encoding is in slot 0, and their confidence.
 *
 * While the window is decoded, or else in one pass over what was written, under the conditions of the decoding, it is
 * noted how sure the decoder was of each token (notes.c). Between decoding and alignment it follows a few samples, which
 * say what else it might have written. The alignment's own pass, without prompt and timestamps, is the other opinion. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "confidence/confidence.h"
#include "window/notes.h"
#include "window/state.h"

#define MOST_TERM_TOKENS 12 /* of a term that is offered */

struct wh_doubts {
    wh_evidence *told, *bare; /* [n_text], as decoded and as aligned */
    float *agreement;         /* [n_text] */
    uint64_t *keys, *other;   /* what tokens say, letter case aside */
    int32_t *partners;        /* [n_text] */
    whisp_token *sample;      /* its text tokens */
    size_t told_capacity, bare_capacity, agreement_capacity, keys_capacity, other_capacity, partners_capacity;
    size_t sample_capacity;
    wh_alternatives others;
    wh_word_evidence *words; /* [words] */
    size_t words_capacity;
    float *features; /* [words][WH_FEATURES] */
    size_t features_capacity;
};

void wh_doubts_free(wh_doubts *d)
{
    if (!d)
        return;
    free(d->told);
    free(d->bare);
    free(d->agreement);
    free(d->keys);
    free(d->other);
    free(d->partners);
    free(d->sample);
    wh_alternatives_free(&d->others);
    free(d->words);
    free(d->features);
    free(d);
}

static int make_room(wh_window *w, size_t n)
{
    if (!w->doubts && !(w->doubts = wh_calloc(1, sizeof *w->doubts)))
        return wh_fail_memory();
    wh_doubts *d = w->doubts;
    int rc = wh_grow(&d->told, &d->told_capacity, n + 1, sizeof *d->told);
    if (!rc)
        rc = wh_grow(&d->bare, &d->bare_capacity, n + 1, sizeof *d->bare);
    if (!rc)
        rc = wh_grow(&d->agreement, &d->agreement_capacity, n + 1, sizeof *d->agreement);
    if (!rc)
        rc = wh_grow(&d->keys, &d->keys_capacity, n + 1, sizeof *d->keys);
    if (!rc)
        rc = wh_grow(&d->partners, &d->partners_capacity, n + 1, sizeof *d->partners);
    if (rc)
        return rc;
    wh_alternatives_clear(&d->others);
    memset(d->told, 0, n * sizeof *d->told);
    memset(d->bare, 0, n * sizeof *d->bare);
    memset(d->agreement, 0, n * sizeof *d->agreement);
    return WHISP_OK;
}

/* A token's bytes in lower case, without a space before them, as one number (FNV-1a); 0 for punctuation and spaces
 * alone. *letters are the bytes that are neither. */
static uint64_t key(const wh_window *w, int32_t id, int *letters)
{
    char scratch[32];
    size_t n;
    const char *bytes = wh_tokenizer_bytes(w->model->tokenizer, id, scratch, &n);
    uint64_t h = 0xcbf29ce484222325u;
    *letters = 0;
    for (size_t i = 0; bytes && i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 128 && !isalnum(c))
            continue;
        h = (h ^ (uint64_t)(c < 128 ? tolower(c) : c)) * 0x100000001b3u;
        ++*letters;
    }
    return *letters ? h : 0;
}

/* Take the samples and count for each text token how many have it too. */
static int compare_samples(wh_window *w, size_t n_text)
{
    wh_doubts *d = w->doubts;
    int letters, rc = wh_search_branches_follow(w->search, w->segments.tokens, w->decoding.n);
    for (size_t i = 0; i < n_text; i++)
        d->keys[i] = key(w, w->words.tokens[i], &letters);
    for (int k = 0; k < WH_CONFIDENCE_SAMPLES && !rc; k++) {
        size_t n, m = 0;
        const whisp_token *sample = wh_search_sampled(w->search, k, &n);
        rc = wh_grow(&d->other, &d->other_capacity, n + 1, sizeof *d->other);
        if (!rc)
            rc = wh_grow(&d->sample, &d->sample_capacity, n + 1, sizeof *d->sample);
        for (size_t i = 0; i < n && !rc; i++)
            if (sample[i].id < w->specials->eot) {
                d->sample[m] = sample[i];
                d->other[m++] = key(w, sample[i].id, &letters);
            }
        if (!rc)
            rc = wh_agree(d->keys, n_text, d->other, m, d->agreement, d->partners);
        if (!rc)
            rc = wh_alternatives_compare(&d->others, d->partners, n_text, d->sample, m);
    }
    for (size_t i = 0; i < n_text; i++)
        d->agreement[i] /= WH_CONFIDENCE_SAMPLES;
    return rc;
}

/* What was noted of the rows that the text was chosen from. */
static int take_notes(wh_window *w, size_t n_text)
{
    wh_doubts *d = w->doubts;
    int rc = wh_notes_complete(w);
    for (size_t i = 0; i < n_text && !rc; i++) {
        const wh_note *note = wh_notes_at(w, w->words.index[i]);
        if (note)
            d->told[i] = note->told;
        if (note)
            rc = wh_alternatives_add_near(&d->others, i, note->near, note->n_near);
    }
    return rc;
}

/* A term in the place of the decoding's tokens from .. to - 1. */
static int offer_term(void *user, size_t from, size_t to, const int32_t *ids, size_t n)
{
    wh_window *w = user;
    size_t first = 0, end, n_text = w->words.n_tokens;
    whisp_token tokens[MOST_TERM_TOKENS];
    if (n > MOST_TERM_TOKENS)
        return WHISP_OK;
    while (first < n_text && w->words.index[first] < from)
        first++;
    for (end = first; end < n_text && w->words.index[end] < to;)
        end++;
    for (size_t i = 0; i < n; i++)
        tokens[i] = (whisp_token){ids[i], 0};
    return end > first ? wh_alternatives_add(&w->doubts->others, WH_VARIANT_TERM, first, end - first, tokens, n)
                       : WHISP_OK;
}

int wh_doubts_listen_again(wh_window *w, wh_evidence **bare)
{
    size_t n_text = w->words.n_tokens;
    int rc = make_room(w, n_text);
    if (!rc && n_text)
        rc = take_notes(w, n_text);
    if (!rc && n_text)
        rc = compare_samples(w, n_text);
    if (!rc && n_text)
        rc = wh_search_offer_terms(w->search, w->segments.tokens, w->decoding.n, offer_term, w);
    *bare = rc ? NULL : w->doubts->bare;
    return rc;
}

void wh_doubts_save(const wh_window *w, wh_buf *bytes)
{
    const wh_doubts *d = w->doubts;
    size_t n = w->words.n_tokens;
    wh_buf_append(bytes, d->told, n * sizeof *d->told);
    wh_buf_append(bytes, d->bare, n * sizeof *d->bare);
    wh_buf_append(bytes, d->agreement, n * sizeof *d->agreement);
    wh_alternatives_save(&d->others, bytes);
}

static int are_finite(const float *x, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * 0; /* NaN from NaN and from infinity */
    return sum == 0;
}

int wh_doubts_restore(wh_window *w, const char *bytes, size_t n_bytes)
{
    size_t n = w->words.n_tokens, told = n * sizeof(wh_evidence), numbers = sizeof(wh_evidence) / sizeof(float);
    size_t numbers_bytes = 2 * told + n * sizeof(float);
    if (n_bytes < numbers_bytes)
        return 0;
    int rc = make_room(w, n);
    if (rc)
        return rc;
    wh_doubts *d = w->doubts;
    memcpy(d->told, bytes, told);
    memcpy(d->bare, bytes + told, told);
    memcpy(d->agreement, bytes + 2 * told, n * sizeof *d->agreement);
    rc = wh_alternatives_restore(&d->others, n, w->specials->eot, bytes + numbers_bytes, n_bytes - numbers_bytes);
    if (rc <= 0)
        return rc;
    return are_finite(&d->told->logprob, n * numbers) && are_finite(&d->bare->logprob, n * numbers) &&
           are_finite(d->agreement, n);
}

/* All that is known of a word; `timed` has its tokens. */
static void gather(const wh_window *w, const wh_word *timed, const whisp_word *word, wh_word_evidence *e)
{
    const wh_doubts *d = w->doubts;
    const char *text = word->text;
    *e = (wh_word_evidence){.probability = word->probability, .start = word->start, .end = word->end};
    for (size_t i = timed->first_token; i < timed->first_token + timed->n_tokens; i++) {
        int letters;
        int32_t token = w->words.tokens[i];
        if (!key(w, token, &letters))
            continue;
        e->n_letters += letters;
        e->sound = e->sound * 0x100000001b3u + key(w, token, &letters);
        wh_word_take(e, token, &d->told[i], &d->bare[i], d->agreement[i]);
    }
    while (*text && (unsigned char)*text < 128 && !isalnum((unsigned char)*text))
        text++;
    e->capital = isupper((unsigned char)*text) != 0;
}

int wh_doubts_judge(wh_window *w, whisp_word *words, size_t n)
{
    wh_doubts *d = w->doubts;
    size_t at = 0;
    int rc = wh_grow(&d->words, &d->words_capacity, n + 1, sizeof *d->words);
    if (!rc)
        rc = wh_grow(&d->features, &d->features_capacity, (n + 1) * WH_FEATURES, sizeof *d->features);
    if (rc)
        return rc;
    for (size_t i = 0; i < w->words.timed.n && at < n; i++)
        if (w->words.timed.list[i].length > 0) {
            gather(w, &w->words.timed.list[i], &words[at], &d->words[at]);
            at++;
        }
    double begin = (double)w->begin * WH_HOP / WH_SAMPLE_RATE;
    wh_window_evidence window = {w->decoding.avg_logprob, w->decoding.temperature, begin,
                                 begin + WH_MIN(WH_WINDOW_FRAMES, wh_mel_content(w->mel) - w->begin) * 0.01};
    for (size_t i = 0; i < n; i++) {
        float *x = d->features + i * WH_FEATURES;
        wh_word_features(d->words, n, i, &window, x);
        words[i].confidence = d->words[i].n_tokens ? wh_confidence_score(x) : 1;
    }
    return wh_alternatives_give(&d->others, w->model->tokenizer, w->words.tokens, &w->words.timed, words, n);
}

const float *wh_window_features(const wh_window *w, const whisp_word *word)
{
    return w->doubts ? w->doubts->features + (size_t)(word - w->words.list) * WH_FEATURES : NULL;
}

double wh_doubts_mean(const whisp_word *words, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += words[i].confidence;
    return n ? sum / (double)n : 0;
}
