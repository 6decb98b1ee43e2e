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

/* A document in the making. */
typedef struct subtitles {
    wh_buf *out;
    const subtitle_style *style;
    size_t n;
} subtitles;

static void put_times(subtitles *s, int64_t start, int64_t end, int speaker)
{
    s->n++;
    if (s->style->numbered)
        wh_buf_printf(s->out, "%zu\n", s->n);
    wh_buf_printf(s->out, "%s --> %s\n", format_timestamp(start, s->style).text,
                  format_timestamp(end, s->style).text);
    if (speaker && s->style->numbered)
        wh_buf_printf(s->out, "Speaker %d: ", speaker);
    else if (speaker)
        wh_buf_printf(s->out, "<v Speaker %d>", speaker);
}

/* One made from words; as in openai-whisper, their text is written as it is. */
static void put_subtitle(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length)
{
    subtitles *s = user;
    put_times(s, start, end, speaker);
    wh_buf_append(s->out, text, length);
    wh_buf_puts(s->out, "\n\n");
}

static void put_segment(subtitles *s, const whisp_segment *segment)
{
    size_t length;
    const char *text = wh_stripped(segment->text, &length);
    put_times(s, wh_milliseconds(segment->start), wh_milliseconds(segment->end), segment->speaker);
    wh_put_replaced(s->out, text, length, "-->", "->"); /* an arrow would end the text */
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
    subtitles s = {.out = out, .style = style};
    wh_buf_puts(out, style->head);
    if (nothing_to_show(result))
        return;
    if (result->segments[0].segment.words) {
        wh_subtitles_from_words(result, layout, put_subtitle, &s, out);
        return;
    }
    for (size_t i = 0; i < result->n; i++)
        put_segment(&s, &result->segments[i].segment);
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
    char label[32] = "";
    if (segment->speaker)
        snprintf(label, sizeof label, "Speaker %d:", segment->speaker);
    int n = snprintf(line, capacity, "[%s --> %s] %s%s", format_timestamp(wh_milliseconds(segment->start), &vtt).text,
                     format_timestamp(wh_milliseconds(segment->end), &vtt).text, label, segment->text ? segment->text : "");
    return n < 0 ? wh_fail(WHISP_ERR_ARGUMENT, "the segment's text is too long for a line") : n;
}
