/* subtitles.c - the vtt and srt documents, and the line that is printed for a segment.
 *
 * Cues are gathered first (segments, or lines.c's from words), then those that last no time are given some, since
 * WebVTT forbids them and players stop at them, and then written. Where every cue ends after it starts nothing changes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "output/writers.h"

/* What differs between the two formats. */
typedef struct subtitle_style {
    const char *head;
    int numbered;
    int hours; /* always shown, or only from the first hour on */
    char decimal_mark;
} subtitle_style;

/* "01:02:03.004" */
typedef struct timestamp {
    char text[40];
} timestamp;

static timestamp format_timestamp(int64_t ms, const subtitle_style *style)
{
    timestamp t;
    ms = WH_MAX(ms, 0);
    int64_t hours = ms / 3600000;
    int minutes = (int)(ms / 60000 % 60), rest = (int)(ms % 60000);
    int n = 0;
    if (style->hours || hours > 0)
        n = snprintf(t.text, sizeof t.text, "%02" PRId64 ":", hours);
    snprintf(t.text + n, sizeof t.text - (size_t)n, "%02d:%02d%c%03d", minutes, rest / 1000, style->decimal_mark,
             rest % 1000);
    return t;
}

#define LEAST 100 /* milliseconds that a cue without any length lasts, if there is room */

typedef struct cue {
    int64_t start, end;  /* milliseconds */
    int speaker;         /* or 0 */
    size_t text, length; /* in subtitles.text */
} cue;

/* A document in the making. */
typedef struct subtitles {
    const whisp_result *result;
    wh_buf *out; /* out->failed says that memory ran out */
    const subtitle_style *style;
    cue *cues; /* [n] */
    size_t n, capacity;
    wh_buf text; /* of all cues */
} subtitles;

/* A cue from words; as in openai-whisper, their text is written as it is. */
static void add_cue(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length)
{
    subtitles *s = user;
    if (length == 0 && end <= start)
        return; /* nothing, for no time */
    if (wh_grow(&s->cues, &s->capacity, s->n + 1, sizeof *s->cues)) {
        s->out->failed = 1;
        return;
    }
    s->cues[s->n++] = (cue){WH_MAX(start, 0), end, speaker, s->text.length, length};
    wh_buf_append(&s->text, text, length);
}

static void add_segment(subtitles *s, const whisp_segment *segment)
{
    size_t length;
    wh_buf text = {0};
    const char *stripped = wh_stripped(segment->text, &length);
    wh_put_replaced(&text, stripped, length, "-->", "->"); /* an arrow would end the text */
    s->out->failed |= text.failed;
    if (!text.failed)
        add_cue(s, wh_milliseconds(segment->start), wh_milliseconds(segment->end), segment->speaker,
                text.data ? text.data : "", text.length);
    wh_buf_free(&text);
}

/* Cues first .. next - 1, near each other, last no time: each gets LEAST, or an equal share of the time up to the end of
 * the cue after them, which begins later then. */
static void widen(subtitles *s, size_t first, size_t next)
{
    int64_t n = (int64_t)(next - first), each = LEAST, at = s->cues[first].start;
    if (next < s->n && s->cues[next].start < at + n * each)
        each = WH_MAX(1, WH_MIN(each, (WH_MAX(s->cues[next].end, s->cues[next].start) - at) / (n + 1)));
    for (size_t i = first; i < next; i++) {
        s->cues[i].start = WH_MAX(s->cues[i].start, at);
        s->cues[i].end = at = s->cues[i].start + each;
    }
    for (; next < s->n && s->cues[next].start < at; next++) { /* none begins before those that stand before it */
        s->cues[next].start = at;
        s->cues[next].end = WH_MAX(s->cues[next].end, at + 1);
    }
}

static void widen_all(subtitles *s)
{
    for (size_t i = 0, next; i < s->n; i = WH_MAX(next, i + 1)) {
        for (next = i; next < s->n && s->cues[next].end <= s->cues[next].start; next++)
            if (next > i && s->cues[next].start >= s->cues[i].start + (int64_t)(next - i) * LEAST)
                break;
        if (next > i)
            widen(s, i, next);
    }
}

static void put_cue(subtitles *s, size_t i)
{
    const cue *c = &s->cues[i];
    if (s->style->numbered)
        wh_buf_printf(s->out, "%zu\n", i + 1);
    wh_buf_printf(s->out, "%s --> %s\n", format_timestamp(c->start, s->style).text,
                  format_timestamp(c->end, s->style).text);
    wh_put_speaker(s->out, s->result, c->speaker, s->style->numbered ? WH_NAME_BRACKETS : WH_NAME_VOICE);
    if (c->length)
        wh_buf_append(s->out, s->text.data + c->text, c->length);
    wh_buf_puts(s->out, "\n\n");
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

static void put_subtitles(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out,
                          const subtitle_style *style)
{
    subtitles s = {.result = result, .out = out, .style = style};
    wh_buf_puts(out, style->head);
    if (nothing_to_show(result))
        return;
    if (result->segments[0].segment.words)
        wh_subtitles_from_words(result, layout, add_cue, &s, out);
    else
        for (size_t i = 0; i < result->n; i++)
            add_segment(&s, &result->segments[i].segment);
    out->failed |= s.text.failed;
    widen_all(&s);
    for (size_t i = 0; i < s.n && !out->failed; i++)
        put_cue(&s, i);
    free(s.cues);
    wh_buf_free(&s.text);
}

static const subtitle_style vtt = {"WEBVTT\n\n", 0, 0, '.'}, srt = {"", 1, 1, ','};

void wh_write_vtt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    put_subtitles(result, layout, out, &vtt);
}

void wh_write_srt(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    put_subtitles(result, layout, out, &srt);
}

int whisp_segment_line(const whisp_segment *segment, char *line, size_t capacity)
{
    if (!segment || (!line && capacity > 0))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_segment_line() needs a segment and a place for the line");
    wh_buf label = {0};
    const char *text = segment->text ? segment->text : "";
    if (segment->speaker_name) {
        wh_put_name(&label, segment->speaker_name, WH_NAME_BRACKETS);
        text += *text == ' ';
    }
    if (label.failed)
        return wh_fail_memory();
    int n = snprintf(line, capacity, "[%s --> %s] %s%s", format_timestamp(wh_milliseconds(segment->start), &vtt).text,
                     format_timestamp(wh_milliseconds(segment->end), &vtt).text, label.data ? label.data : "", text);
    wh_buf_free(&label);
    return n < 0 ? wh_fail(WHISP_ERR_ARGUMENT, "the segment's text is too long for a line") : n;
}
