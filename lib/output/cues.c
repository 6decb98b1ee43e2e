/* cues.c - a result's cues: its segments, or lines.c's from words, or those of the layout that option subtitles asks for.
 *
 * Those that last no time are given some, since WebVTT forbids them and players stop at them. Where every cue ends after
 * it starts nothing changes. */
#include "output/cues.h"

#include <stdlib.h>

#include "output/layout/layout.h"

#define LEAST 100 /* milliseconds that a cue without any length lasts, if there is room */

/* A cue from words; as in openai-whisper, their text is written as it is. */
static void add_cue(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length)
{
    wh_cues *c = user;
    if (length == 0 && end <= start)
        return; /* nothing, for no time */
    if (wh_grow(&c->list, &c->capacity, c->n + 1, sizeof *c->list)) {
        c->failed = 1;
        return;
    }
    c->list[c->n++] = (wh_cue){WH_MAX(start, 0), end, WH_MAX(speaker, 0), c->text.length, length};
    wh_buf_append(&c->text, text, length);
}

/* An arrow would end the text. */
static void add_plain(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length)
{
    wh_cues *c = user;
    wh_buf plain = {0};
    wh_put_replaced(&plain, text, length, "-->", "->");
    c->failed |= plain.failed;
    if (!plain.failed)
        add_cue(c, start, end, speaker, plain.data ? plain.data : "", plain.length);
    wh_buf_free(&plain);
}

static void add_segment(wh_cues *c, const whisp_segment *segment)
{
    size_t length;
    const char *stripped = wh_stripped(segment->text, &length);
    add_plain(c, wh_milliseconds(segment->start), wh_milliseconds(segment->end), segment->speaker, stripped, length);
}

/* Cues first .. next - 1, near each other, last no time: each gets LEAST, or an equal share of the time up to the end of
 * the cue after them, which begins later then. */
static void widen(wh_cues *c, size_t first, size_t next)
{
    wh_cue *cues = c->list;
    int64_t n = (int64_t)(next - first), each = LEAST, at = cues[first].start;
    if (next < c->n && cues[next].start < at + n * each)
        each = WH_MAX(1, WH_MIN(each, (WH_MAX(cues[next].end, cues[next].start) - at) / (n + 1)));
    for (size_t i = first; i < next; i++) {
        cues[i].start = WH_MAX(cues[i].start, at);
        cues[i].end = at = cues[i].start + each;
    }
    for (; next < c->n && cues[next].start < at; next++) { /* none begins before those that stand before it */
        cues[next].start = at;
        cues[next].end = WH_MAX(cues[next].end, at + 1);
    }
}

static void widen_all(wh_cues *c)
{
    for (size_t i = 0, next; i < c->n; i = WH_MAX(next, i + 1)) {
        for (next = i; next < c->n && c->list[next].end <= c->list[next].start; next++)
            if (next > i && c->list[next].start >= c->list[i].start + (int64_t)(next - i) * LEAST)
                break;
        if (next > i)
            widen(c, i, next);
    }
}

/* openai-whisper makes subtitles from words as soon as the first segment has a list of words, and a cleared segment has
 * an empty one: where all segments are cleared, no subtitle is left. */
static int nothing_to_show(const whisp_result *result)
{
    size_t i = 0;
    while (i < result->n && result->segments[i].cleared)
        i++;
    return i == result->n;
}

void wh_cues_gather(wh_cues *c, const whisp_result *result, const whisp_writer_options *layout, int how)
{
    wh_buf out = {0}; /* its `failed` only */
    *c = (wh_cues){.laid_out = layout->subtitles};
    if (nothing_to_show(result))
        return;
    if (c->laid_out)
        wh_layout_make(result, layout->subtitle_style, how & WH_CUES_ONE_LINE ? 1 : 0, how & WH_CUES_NAMES, add_plain,
                       c, &out);
    else if ((how & WH_CUES_WORDS) && result->segments[0].segment.words)
        wh_subtitles_from_words(result, layout, add_cue, c, &out);
    else
        for (size_t i = 0; i < result->n; i++)
            add_segment(c, &result->segments[i].segment);
    c->failed |= out.failed || c->text.failed;
    wh_buf_free(&out);
    widen_all(c);
}

void wh_cues_free(wh_cues *c)
{
    free(c->list);
    wh_buf_free(&c->text);
}
