/* characters.c - when words are said, by their characters: Yeh, Meng and Tang 2025 (arXiv 2509.09987), with no training.
 *
 * The decoder reads the text spelled out, a token for each character (or byte of one), and the alignment heads look at
 * smaller pieces of sound than they do for whole tokens. A text that is longer than the decoder's context is read in
 * parts, each after the tokens before it. Stands behind align.c, which has split the text into words. */
#include <stdlib.h>
#include <string.h>

#include "timing/attention.h"
#include "tokenizer/utf8.h"

#define MOST_ROWS 1000 /* characters of a window that are aligned: 33 a second */
#define CONTEXT 100    /* tokens before a part */
#define MEDIAN_WIDTH 3
#define BEST_HEADS 5
#define CHUNK 32 /* tokens a decoder call: bounds the memory for scores */
/* Seconds: what heads look at moves on from the space before a word to its first letter so late, and what is between words
 * that is no pause. Fitted on espeak-ng's voices, held against flite's (docs/timing.md). */
#define LATE 0.08
#define SHORT_GAP 0.1

/* Which of the backend's alignment heads may tell the time, and where the scores of all of them go. */
typedef struct heads {
    size_t *list; /* [n] indices */
    size_t n;
    float *scores; /* [alignment heads][CHUNK][ctx] */
} heads;

/* A text spelled out. */
typedef struct spelling {
    int32_t *tokens; /* [n] */
    size_t n, capacity;
    size_t *begins, *ends; /* [words] of each word's letters, its spaces left out */
} spelling;

static void free_spelling(spelling *s)
{
    free(s->tokens);
    free(s->begins);
}

/* Does the model file name the head? */
static int is_named(const whisp_model *m, const wh_head *head)
{
    for (int i = 0; i < m->n_named_heads; i++)
        if (m->named_heads[i].layer == head->layer && m->named_heads[i].head == head->head)
            return 1;
    return 0;
}

/* Memory for all scores. */
static int make_room(const wh_alignment *a, heads *h, wh_looks *looks)
{
    size_t n_chunk = (size_t)a->model->n_alignment_heads * CHUNK * looks->ctx; /* whole lines: CHUNK is 32 */
    h->scores = wh_backend_room(a->backend, n_chunk + wh_looks_at(looks, looks->heads, 0), 1);
    looks->weights = h->scores ? h->scores + n_chunk : NULL;
    return h->scores ? WHISP_OK : WHISP_ERR_MEMORY;
}

/* Those that the file names, or all where none of them is among the session's, or these are not its own choice. */
static int find_heads(const whisp_model *m, heads *h)
{
    size_t n = (size_t)m->n_alignment_heads;
    h->list = wh_calloc(n, sizeof *h->list);
    if (!h->list)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++)
        if (is_named(m, &m->alignment_heads[i]))
            h->list[h->n++] = i;
    if (h->n == 0)
        for (; h->n < n; h->n++)
            h->list[h->n] = h->n;
    return WHISP_OK;
}

static int spell(const wh_tokenizer *tokenizer, const wh_words *words, spelling *s)
{
    s->begins = wh_calloc(2 * words->n, sizeof *s->begins);
    if (!s->begins)
        return wh_fail_memory();
    s->ends = s->begins + words->n;
    for (size_t w = 0; w < words->n; w++) {
        const char *text = words->text.data + words->list[w].text;
        size_t length = words->list[w].length, seen = 0;
        s->begins[w] = s->ends[w] = s->n;
        for (size_t i = 0, step; i < length; i += step) {
            int32_t code;
            step = wh_utf8_next(text + i, length - i, &code);
            size_t before = s->n;
            int rc = wh_tokenizer_encode(tokenizer, text + i, step, &s->tokens, &s->n, &s->capacity);
            if (rc)
                return rc;
            if (code == ' ')
                continue;
            if (!seen++)
                s->begins[w] = before;
            s->ends[w] = s->n;
        }
        if (!seen)
            s->begins[w] = s->ends[w] = s->n;
    }
    return WHISP_OK;
}

/* Where a word's spelling ends: where the next one's begins, its space included. */
static size_t word_end(const spelling *s, const wh_words *words, size_t w)
{
    return w + 1 < words->n ? s->ends[w] : s->n;
}

/* Where the part that begins with word `first` begins. */
static size_t part_begin(const spelling *s, size_t first)
{
    return first ? s->ends[first - 1] : 0;
}

/* Read n tokens, and keep what the heads that may tell the time make of them, from `row` on. */
static int feed_chunk(const wh_alignment *a, const int32_t *tokens, size_t n, const heads *h, size_t row,
                      wh_looks *looks)
{
    float *scores = h->scores;
    wh_step step = {.slot = a->slot, .n_tokens = (int)n, .tokens = tokens, .cross_scores = scores};
    int rc = wh_backend_decode(a->backend, 1, &step);
    for (size_t k = 0; k < h->n && !rc; k++)
        memcpy(looks->weights + wh_looks_at(looks, k, row), scores + h->list[k] * n * looks->ctx,
               n * looks->ctx * sizeof *scores);
    return rc;
}

/* Read words first .. last - 1 after the tokens before them, and keep how the heads score the sound. */
static int feed_part(const wh_alignment *a, const int32_t *tokens, const wh_words *words, const spelling *s,
                     size_t first, size_t last, const heads *h, wh_looks *looks)
{
    int32_t fed[WH_ALIGN_START + CONTEXT + MOST_ROWS + 1];
    size_t n = wh_align_start(a, fed), before = words->list[first].first_token,
           context = WH_MIN(before, (size_t)CONTEXT);
    memcpy(fed + n, tokens + before - context, context * sizeof *fed);
    n += context;
    size_t from = part_begin(s, first), to = word_end(s, words, last - 1);
    size_t rows = to - from + (last == words->n); /* and one for the end */
    memcpy(fed + n, s->tokens + from, (to - from) * sizeof *fed);
    int rc = wh_backend_truncate(a->backend, a->slot, 0);
    wh_step step = {.slot = a->slot, .n_tokens = (int)n - 1, .tokens = fed};
    if (!rc && n > 1)
        rc = wh_backend_decode(a->backend, 1, &step);
    for (size_t done = 0, some; done < rows && !rc; done += some) {
        some = WH_MIN((size_t)CHUNK, rows - done);
        rc = feed_chunk(a, fed + n - 1 + done, some, h, from + done, looks);
    }
    return rc;
}

/* Behind the last word of a part that begins with `first`. */
static size_t part_end(const wh_alignment *a, const wh_words *words, const spelling *s, size_t first)
{
    size_t room = (size_t)a->model->n_text_ctx, last = first, from = part_begin(s, first);
    size_t taken = WH_ALIGN_START + WH_MIN(words->list[first].first_token, (size_t)CONTEXT);
    while (last < words->n && taken + word_end(s, words, last) - from <= room)
        last++;
    return last;
}

static int feed(const wh_alignment *a, const int32_t *tokens, const wh_words *words, const spelling *s,
                whisp_cancel_fn cancel, void *user, const heads *h, wh_looks *looks, int *fits)
{
    for (size_t first = 0, last; first < words->n; first = last) {
        last = part_end(a, words, s, first);
        *fits = last > first;
        if (!*fits)
            return WHISP_OK;
        if (cancel && cancel(user))
            return wh_fail(WHISP_ERR_CANCELLED, "cancelled");
        int rc = feed_part(a, tokens, words, s, first, last, h, looks);
        if (rc)
            return rc;
    }
    return WHISP_OK;
}

static void set_times(const spelling *s, const double *times, wh_words *words)
{
    for (size_t w = 0; w < words->n; w++) {
        wh_word *word = &words->list[w];
        word->start = word->end = times[s->ends[w]];
        if (s->ends[w] == s->begins[w]) /* nothing but space */
            continue;
        word->start = WH_MAX(times[s->begins[w]] - LATE, 0);
        if (w && word->start - word[-1].end < SHORT_GAP)
            word->start = word[-1].end;
    }
}

int wh_align_characters(const wh_alignment *a, const int32_t *tokens, whisp_cancel_fn cancel, void *user,
                        wh_words *words, int *done)
{
    spelling s = {0};
    heads h = {0};
    wh_looks looks = {.ctx = (size_t)a->model->n_audio_ctx,
                      .n_frames = wh_align_frames(a),
                      .width = MEDIAN_WIDTH,
                      .best = BEST_HEADS};
    double *times = NULL;
    int rc = spell(a->model->tokenizer, words, &s), fits = s.n > 0 && s.n <= MOST_ROWS;
    if (!rc && fits)
        rc = find_heads(a->model, &h);
    fits = fits && h.n > 0;
    looks.heads = h.n;
    looks.n_rows = looks.n_wanted = s.n + 1;
    if (!rc && fits)
        rc = make_room(a, &h, &looks);
    if (!rc && fits)
        rc = feed(a, tokens, words, &s, cancel, user, &h, &looks, &fits);
    if (!rc && !(times = wh_calloc(looks.n_wanted, sizeof *times)))
        rc = wh_fail_memory();
    if (!rc && fits)
        rc = wh_looks_times(&looks, times);
    if (!rc && fits)
        set_times(&s, times, words);
    *done = fits;
    free(times);
    free(h.list);
    free_spelling(&s);
    return rc;
}
