/* words.c - the words of a window: aligned with its sound, given to its segments, and what follows for the seek.
 *
 * add_word_timestamps() in openai-whisper's timing.py, and the part of transcribe() that word timestamps switch on. The
 * window's encoding is still in slot 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "window/state.h"

#define FRAMES(seconds) ((int64_t)nearbyint((seconds) * (WH_SAMPLE_RATE / WH_HOP)))
#define SLOW_FRAMES 20  /* a window that moves the seek by less is slow: */
#define SLOW_WINDOWS 10 /* so many in a row, and the next one is left as a whole */

void wh_heard_words_clear(wh_heard_words *h)
{
    h->n = 0;
}

void wh_heard_words_reset(wh_heard_words *h)
{
    h->n = 0;
    h->last_speech = h->last_word = 0;
    h->slow_windows = 0;
}

void wh_heard_words_free(wh_heard_words *h)
{
    free(h->tokens);
    free(h->index);
    free(h->list);
    free(h->handed);
    wh_words_free(&h->timed);
    wh_buf_free(&h->text);
}

int wh_hand_words(const whisp_word ***list, size_t *capacity, const whisp_word *words, size_t n)
{
    int rc = wh_grow(list, capacity, n + 1, sizeof **list);
    for (size_t i = 0; i < n && !rc; i++)
        (*list)[i] = &words[i];
    return rc;
}

const whisp_word *wh_heard_words_at(const wh_heard_words *h, size_t i)
{
    return h->list ? h->list + i : NULL;
}

const whisp_word *const *wh_heard_words_hand(wh_heard_words *h, size_t first, size_t n)
{
    return wh_hand_words(&h->handed, &h->handed_capacity, wh_heard_words_at(h, first), n) ? NULL : h->handed;
}

void wh_heard_words_move(wh_heard_words *h, size_t i, double start, double end)
{
    h->list[i].start = start;
    h->list[i].end = end;
}

void wh_heard_words_shift(wh_heard_words *h, size_t i, size_t n)
{
    h->list[i].first_token -= n;
}

/* ---- text tokens, aligned ---- */

/* Add those of tokens first .. first + n - 1 of the window that are text. */
static int take_tokens(wh_window *w, const whisp_token *tokens, size_t first, size_t n)
{
    wh_heard_words *h = &w->words;
    int rc = wh_grow(&h->tokens, &h->tokens_capacity, h->n_tokens + n + 1, sizeof *h->tokens);
    if (!rc)
        rc = wh_grow(&h->index, &h->index_capacity, h->n_tokens + n + 1, sizeof *h->index);
    for (size_t i = first; i < first + n && !rc; i++)
        if (tokens[i].id < w->specials->eot) {
            h->index[h->n_tokens] = i;
            h->tokens[h->n_tokens++] = tokens[i].id;
        }
    return rc;
}

/* The text tokens of all segments, one after the other. */
static int collect_tokens(wh_window *w)
{
    int rc = WHISP_OK;
    w->words.n_tokens = 0;
    for (size_t i = 0; i < w->segments.n && !rc; i++)
        rc = take_tokens(w, w->segments.tokens, w->segments.list[i].first_token, w->segments.list[i].n_tokens);
    return rc;
}

static int align(wh_window *w, const int32_t *tokens, size_t n, wh_evidence *evidence, wh_words *timed)
{
    const whisp_options *o = w->config.options;
    const wh_alignment alignment = {.model = w->model,
                                    .backend = w->config.backend,
                                    .slot = 0,
                                    .language = w->language.window,
                                    .translate = w->values->translate,
                                    .by_characters = w->values->by_characters,
                                    .frames = w->frames,
                                    .evidence = evidence};
    int rc = n ? wh_decode_encode(w) : WHISP_OK;
    w->recall.is_begun = 0; /* the decoder reads something else */
    return rc ? rc : wh_align(&alignment, tokens, n, o->cancel, o->cancel_user, timed);
}

/* The words of the collected tokens, each with its punctuation; *median is of their durations. with_evidence: and what
 * speaks for each token (evidence.c). */
static int find(wh_window *w, int with_evidence, double *median)
{
    wh_heard_words *h = &w->words;
    wh_evidence *evidence = NULL;
    int rc = wh_recall_words(w, with_evidence), is_found = rc > 0;
    if (!rc && with_evidence && h->n_tokens)
        rc = wh_decode_begin(w);
    if (!rc && with_evidence)
        rc = wh_doubts_listen_again(w, &evidence);
    if (!rc)
        rc = align(w, h->tokens, h->n_tokens, evidence, &h->timed);
    if (!rc)
        rc = wh_recall_keep_words(w, with_evidence);
    if (rc && !is_found)
        return rc;
    if ((rc = wh_words_shorten(&h->timed, median)) != 0)
        return rc;
    wh_words_merge_punctuation(&h->timed, w->values->prepend_punctuations, w->values->append_punctuations);
    return WHISP_OK;
}

/* ---- words given to segments ---- */

static double to_hundredths(double seconds)
{
    return nearbyint(seconds * 100) / 100;
}

/* Room for all timed words and copies of their texts, so that pointers to these stay good. */
static int copy_texts(wh_window *w)
{
    wh_heard_words *h = &w->words;
    int rc = wh_grow(&h->list, &h->capacity, h->timed.n + 1, sizeof *h->list);
    wh_buf_clear(&h->text);
    wh_buf_puts(&h->text, "");
    for (size_t i = 0; i < h->timed.n; i++) {
        const wh_word *word = &h->timed.list[i];
        wh_buf_append(&h->text, h->timed.text.data + word->text, word->length);
        wh_buf_append(&h->text, "", 1);
    }
    return rc ? rc : h->text.failed ? wh_fail_memory() : WHISP_OK;
}

/* Give each segment the words that its tokens make, and bring its times and theirs into line. */
static void share_words(wh_window *w, double median)
{
    wh_heard_words *h = &w->words;
    double offset = WH_SECONDS(w->begin), last_speech = h->last_speech;
    size_t next = 0, text = 0;
    h->n = 0;
    for (size_t c = 0; c < w->segments.n; c++) {
        const wh_segment *segment = &w->segments.list[c];
        size_t n_text = wh_segment_text_tokens(w, segment), last = segment->first_token + segment->n_tokens;
        size_t first_word = h->n;
        double start = segment->start, end = segment->end;
        for (size_t taken = 0; next < h->timed.n && taken < n_text; next++) {
            const wh_word *word = &h->timed.list[next];
            taken += word->n_tokens;
            if (word->length > 0) {
                size_t first = WH_MIN(h->index[word->first_token], last) - segment->first_token;
                h->list[h->n++] = (whisp_word){
                    .text = h->text.data + text,
                    .start = to_hundredths(offset + word->start),
                    .end = to_hundredths(offset + word->end),
                    .probability = word->probability,
                    .first_token = first,
                    .n_tokens = WH_MIN(word->n_tokens, segment->n_tokens - first),
                };
            }
            text += word->length + 1;
        }
        wh_segments_give_words(&w->segments, c, first_word, h->n - first_word);
        if (segment->n_words)
            last_speech = wh_words_fit_segment(h->list + first_word, segment->n_words, median, last_speech, &start,
                                               &end);
        if (w->values->word_timestamps)
            wh_segments_set_times(&w->segments, c, start, end);
    }
}

/* The reference's adjustments can, in rare cases, make neighbours overlap a little. Here words follow one another. */
static void put_in_order(wh_window *w)
{
    wh_heard_words *h = &w->words;
    for (size_t c = 0; c < w->segments.n; c++) {
        const wh_segment *segment = &w->segments.list[c];
        for (size_t i = segment->first_word; i < segment->first_word + segment->n_words; i++) {
            whisp_word *word = &h->list[i];
            word->start = fmax(word->start, h->last_word);
            word->end = fmax(word->end, word->start);
            h->last_word = word->end;
        }
    }
}

int wh_heard_words_find(wh_window *w)
{
    double t0 = wh_now(), median = 0;
    int rc = collect_tokens(w);
    if (!rc && !(rc = find(w, 0, &median)) && !(rc = copy_texts(w)))
        share_words(w, median);
    w->config.timings->words += wh_now() - t0;
    return rc;
}

/* What the window gave is final: where its last word ends, and no word before another. */
static void settle(wh_window *w)
{
    double end;
    if (wh_imagined_end(w, &end))
        w->words.last_speech = end;
    put_in_order(w);
}

static int time_words(wh_window *w, int64_t *advance)
{
    const wh_values *v = w->values;
    double median = 0, end;
    int single_ending = wh_segments_end_single(w), rc = collect_tokens(w);
    if (rc || (rc = find(w, v->confidence, &median)) || (rc = copy_texts(w)))
        return rc;
    share_words(w, median);
    if (v->confidence && (rc = wh_doubts_judge(w, w->words.list, w->words.n)))
        return rc;
    if (v->word_timestamps) { /* else the words are wanted, but the transcript stays as it is */
        if (!single_ending && wh_imagined_end(w, &end) && end > WH_SECONDS(w->begin))
            *advance = FRAMES(end) - w->begin;
        if (wh_imagined_skip(w, single_ending, advance))
            return 1;
    }
    settle(w);
    return WHISP_OK;
}

int wh_heard_words_time(wh_window *w, int64_t *advance)
{
    double t0 = wh_now();
    int rc = time_words(w, advance);
    w->config.timings->words += wh_now() - t0;
    if (!w->values->word_timestamps)
        return rc;
    /* the same second heard over and over would take hours */
    int slow = *advance < WH_MIN(SLOW_FRAMES, w->frames);
    w->words.slow_windows = slow ? w->words.slow_windows + 1 : 0;
    if (w->words.slow_windows > SLOW_WINDOWS) {
        *advance = w->frames;
        w->words.slow_windows = 0;
    }
    return rc;
}

/* ---- by hand ---- */

int wh_window_words(wh_window *w, const wh_words **words, const int32_t **tokens)
{
    double t0 = wh_now(), median;
    w->words.n_tokens = 0;
    wh_words_clear(&w->words.timed);
    int rc = take_tokens(w, w->decoding.tokens, 0, w->decoding.n);
    if (!rc && w->words.n_tokens)
        rc = find(w, 0, &median);
    *words = &w->words.timed;
    *tokens = w->words.tokens;
    w->config.timings->words += wh_now() - t0;
    return rc;
}

int wh_window_text_tokens(wh_window *w, const int32_t **tokens, size_t *n)
{
    int rc = collect_tokens(w);
    *tokens = w->words.tokens;
    *n = w->words.n_tokens;
    return rc;
}

int wh_window_align(wh_window *w, const int32_t *tokens, size_t n, wh_words *words)
{
    double t0 = wh_now();
    int rc = align(w, tokens, n, NULL, words);
    w->config.timings->words += wh_now() - t0;
    return rc;
}
