/* subtitles.c - the vtt and srt documents, and the line that is printed for a segment. */
#include <inttypes.h>
#include <stdio.h>

#include "output/writers.h"

/* What differs between the two formats. */
typedef struct subtitle_style {
    const char *head;
    int numbered;
    int hours;          /* always shown, or only from the first hour on */
    char decimal_mark;
} subtitle_style;

/* "01:02:03.004" */
typedef struct timestamp {
    char text[40];
} timestamp;

static timestamp format_timestamp(double seconds, const subtitle_style *style)
{
    timestamp t;
    int64_t ms = WH_MAX(wh_milliseconds(seconds), 0);
    int64_t hours = ms / 3600000;
    int minutes = (int)(ms / 60000 % 60), rest = (int)(ms % 60000);
    int n = 0;
    if (style->hours || hours > 0)
        n = snprintf(t.text, sizeof t.text, "%02" PRId64 ":", hours);
    snprintf(t.text + n, sizeof t.text - (size_t)n, "%02d:%02d%c%03d", minutes, rest / 1000, style->decimal_mark,
             rest % 1000);
    return t;
}

static void put_subtitle(wh_buf *out, const subtitle_style *style, size_t number, double start, double end,
                         const char *text, size_t length)
{
    if (style->numbered)
        wh_buf_printf(out, "%zu\n", number);
    wh_buf_printf(out, "%s --> %s\n", format_timestamp(start, style).text, format_timestamp(end, style).text);
    wh_put_replaced(out, text, length, "-->", "->"); /* an arrow would end the text */
    wh_buf_puts(out, "\n\n");
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

static void put_subtitles(const whisp_result *result, wh_buf *out, const subtitle_style *style)
{
    wh_buf_puts(out, style->head);
    if (nothing_to_show(result))
        return;
    for (size_t i = 0; i < result->n; i++) {
        const whisp_segment *segment = &result->segments[i].segment;
        size_t length;
        const char *text = wh_stripped(segment->text, &length);
        put_subtitle(out, style, i + 1, segment->start, segment->end, text, length);
    }
}

static const subtitle_style vtt = {"WEBVTT\n\n", 0, 0, '.'}, srt = {"", 1, 1, ','};

void wh_write_vtt(const whisp_result *result, wh_buf *out)
{
    put_subtitles(result, out, &vtt);
}

void wh_write_srt(const whisp_result *result, wh_buf *out)
{
    put_subtitles(result, out, &srt);
}

int whisp_segment_line(const whisp_segment *segment, char *line, size_t capacity)
{
    if (!segment || (!line && capacity > 0))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_segment_line() needs a segment and a place for the line");
    int n = snprintf(line, capacity, "[%s --> %s] %s", format_timestamp(segment->start, &vtt).text,
                     format_timestamp(segment->end, &vtt).text, segment->text ? segment->text : "");
    return n < 0 ? wh_fail(WHISP_ERR_ARGUMENT, "the segment's text is too long for a line") : n;
}
