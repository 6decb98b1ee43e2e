/* segments.c - a decoding cut into segments, at pairs of timestamps: the middle of transcribe() in openai-whisper's
 * transcribe.py. What takes segments out or parts them (guard.c, imagined.c, joins.c) does so with the functions here. */
#include <stdlib.h>
#include <string.h>

#include "util/text.h"
#include "window/state.h"

#define STRIDE 2                                             /* frames a timestamp step */
#define PRECISION (STRIDE * (double)WH_HOP / WH_SAMPLE_RATE) /* seconds a timestamp step: 0.02 */

void wh_segments_clear(wh_segments *s)
{
    s->n = s->next = s->n_tokens = 0;
    wh_buf_clear(&s->text);
}

void wh_segments_free(wh_segments *s)
{
    free(s->list);
    free(s->tokens);
    wh_buf_free(&s->text);
}

/* ---- cutting ---- */

int wh_segments_append(wh_segments *s, const wh_segment *segment)
{
    int rc = wh_grow(&s->list, &s->capacity, s->n + 1, sizeof *s->list);
    if (!rc)
        s->list[s->n++] = *segment;
    return rc;
}

int wh_segments_add(wh_window *w, const wh_segment *like)
{
    wh_segments *s = &w->segments;
    wh_segment segment = *like;
    int32_t *ids = wh_calloc(segment.n_tokens, sizeof *ids);
    if (!ids)
        return wh_fail_memory();
    segment.text = s->text.length;
    for (size_t i = 0; i < segment.n_tokens; i++)
        ids[i] = s->tokens[segment.first_token + i].id;
    int rc = wh_tokenizer_decode(w->model->tokenizer, ids, segment.n_tokens, w->specials->eot, &s->text);
    free(ids);
    if (rc)
        return rc;
    wh_buf_append(&s->text, "", 1); /* the closing NUL becomes part of the pool */
    return s->text.failed ? wh_fail_memory() : wh_segments_append(s, &segment);
}

static int copy_tokens(wh_window *w)
{
    wh_segments *s = &w->segments;
    int rc = wh_grow(&s->tokens, &s->tokens_capacity, w->decoding.n, sizeof *s->tokens);
    if (rc)
        return rc;
    if (w->decoding.n)
        memcpy(s->tokens, w->decoding.tokens, w->decoding.n * sizeof *s->tokens);
    s->n_tokens = w->decoding.n;
    return WHISP_OK;
}

static int add(wh_window *w, double start, double end, size_t first, size_t n)
{
    return wh_segments_add(w, &(wh_segment){.start = start, .end = end, .first_token = first, .n_tokens = n});
}

/* Seconds of a timestamp token. */
static double time_of(const wh_window *w, size_t i)
{
    return WH_SECONDS(w->begin) + (w->segments.tokens[i].id - w->specials->timestamp_begin) * PRECISION;
}

/* A decoding without pairs of timestamps is one segment, to the end of the window or its last timestamp. */
static int add_all(wh_window *w)
{
    const whisp_token *t = w->segments.tokens;
    int begin = w->specials->timestamp_begin;
    double offset = WH_SECONDS(w->begin), duration = WH_SECONDS(w->frames);
    for (size_t i = w->segments.n_tokens; i-- > 0;)
        if (t[i].id >= begin) {
            if (t[i].id != begin)
                duration = (t[i].id - begin) * PRECISION;
            break;
        }
    return add(w, offset, offset + duration, 0, w->segments.n_tokens);
}

int wh_segments_end_single(const wh_window *w)
{
    const whisp_token *t = w->segments.tokens;
    size_t n = w->segments.n_tokens;
    int begin = w->specials->timestamp_begin;
    return n >= 2 && t[n - 1].id >= begin && t[n - 2].id < begin;
}

int wh_segments_cut(wh_window *w, int64_t *advance)
{
    int begin = w->specials->timestamp_begin, rc = copy_tokens(w);
    const whisp_token *t = w->segments.tokens;
    size_t n = w->segments.n_tokens, last = 0;
    *advance = w->frames;
    for (size_t i = 1; i <= n && !rc; i++) {
        int pair = i < n && t[i - 1].id >= begin && t[i].id >= begin;
        int at_end = i == n && wh_segments_end_single(w) && last > 0;
        if (!pair && !at_end)
            continue;
        rc = add(w, time_of(w, last), time_of(w, i - 1), last, i - last);
        last = i;
    }
    if (rc || last == 0)
        return rc ? rc : add_all(w);
    if (wh_segments_end_single(w))
        return WHISP_OK;
    if (w->only_mel) /* this window is all there is, so that what follows the last pair is not heard again */
        return n - last < 2 ? WHISP_OK : add(w, time_of(w, last), WH_SECONDS(w->begin + w->frames), last, n - last);
    *advance = (int64_t)(t[last - 1].id - begin) * STRIDE; /* it is incomplete: heard again from there */
    return WHISP_OK;
}

size_t wh_segment_text_tokens(const wh_window *w, const wh_segment *segment)
{
    size_t n = 0;
    for (size_t i = segment->first_token; i < segment->first_token + segment->n_tokens; i++)
        n += w->segments.tokens[i].id < w->specials->eot;
    return n;
}

/* ---- what becomes of them ---- */

void wh_segments_keep(wh_segments *s, size_t n)
{
    s->n = n;
}

void wh_segments_keep_marked(wh_segments *s, const unsigned char *marks)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (marks[i])
            s->list[kept++] = s->list[i];
    s->n = kept;
}

void wh_segments_give_words(wh_segments *s, size_t i, size_t first, size_t n)
{
    s->list[i].first_word = first;
    s->list[i].n_words = n;
}

void wh_segments_set_times(wh_segments *s, size_t i, double start, double end)
{
    s->list[i].start = start;
    s->list[i].end = end;
}

void wh_segments_empty(wh_segments *s)
{
    for (size_t i = 0; i < s->n; i++) {
        wh_segment *segment = &s->list[i];
        const char *text = s->text.data + segment->text;
        size_t length = strlen(text);
        wh_strip(&text, &length);
        if (segment->start != segment->end && length > 0)
            continue;
        segment->cleared = 1;
        segment->n_tokens = segment->n_words = 0;
        s->text.data[segment->text] = 0;
    }
}

const wh_segment *wh_segments_next(wh_segments *s)
{
    return s->next < s->n ? &s->list[s->next++] : NULL;
}
