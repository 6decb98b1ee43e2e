/* subtitles.c - the vtt and srt documents, and the line that is printed for a segment. */
#include <inttypes.h>
#include <stdio.h>

#include "output/cues.h"

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

/* What would be markup in WebVTT. */
static void put_escaped(wh_buf *out, const char *text, size_t length)
{
    for (size_t i = 0, n; i < length; i += n + 1) {
        for (n = 0; i + n < length && text[i + n] != '&' && text[i + n] != '<' && text[i + n] != '>';)
            n++;
        wh_buf_append(out, text + i, n);
        if (i + n < length)
            wh_buf_puts(out, text[i + n] == '&' ? "&amp;" : text[i + n] == '<' ? "&lt;" : "&gt;");
    }
}

static void put_cue(wh_buf *out, const whisp_result *result, const wh_cues *cues, size_t i, const subtitle_style *style)
{
    const wh_cue *c = &cues->list[i];
    if (style->numbered)
        wh_buf_printf(out, "%zu\n", i + 1);
    wh_buf_printf(out, "%s --> %s\n", format_timestamp(c->start, style).text, format_timestamp(c->end, style).text);
    if (!style->numbered || !cues->laid_out)
        wh_put_speaker(out, result, c->speaker, style->numbered ? WH_NAME_BRACKETS : WH_NAME_VOICE);
    if (c->length && cues->laid_out && !style->numbered)
        put_escaped(out, cues->text.data + c->text, c->length);
    else if (c->length) /* openai-whisper's documents have the text as it is */
        wh_buf_append(out, cues->text.data + c->text, c->length);
    wh_buf_puts(out, "\n\n");
}

static void put_subtitles(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out,
                          const subtitle_style *style)
{
    wh_cues cues;
    wh_buf_puts(out, style->head);
    wh_cues_gather(&cues, result, layout, WH_CUES_WORDS | (style->numbered ? WH_CUES_NAMES : 0));
    out->failed |= cues.failed;
    for (size_t i = 0; i < cues.n && !out->failed; i++)
        put_cue(out, result, &cues, i, style);
    wh_cues_free(&cues);
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
