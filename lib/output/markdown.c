/* markdown.c - the md document, to be read and edited: a title, a chapter every five minutes, a paragraph for each turn of
 * a speaker, who stands before it with the time. */
#include <inttypes.h>
#include <string.h>

#include "output/writers.h"
#include "util/text.h"

#define CHAPTER 300000  /* ms */
#define PARAGRAPH 60000 /* ms after which a paragraph ends with the next sentence */
#define LONG_PAUSE 2500 /* ms of silence that end one */

static void put_time(wh_buf *out, int64_t ms)
{
    int64_t s = WH_MAX(ms, 0) / 1000;
    wh_buf_printf(out, "%02" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
}

/* What would be markup: within a line, and a number, a dash or a plus that would begin a list. */
static void put_escaped(wh_buf *out, const char *text, size_t length, int begins_line)
{
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        int lists = begins_line &&
                    ((i == 0 && (c == '-' || c == '+')) || (i == digits && digits > 0 && (c == '.' || c == ')')));
        if (c == '\n' || c == '\r')
            c = ' ';
        if (lists || (c && strchr("\\`*_[]<>#|~&", c)))
            wh_buf_puts(out, "\\");
        wh_buf_append(out, &c, 1);
    }
}

/* Where the writing stands. */
typedef struct place {
    int64_t chapter; /* number of the one that is open; -1: none */
    int64_t begun;   /* ms: the paragraph; -1: none */
    int64_t said;    /* ms until which it goes */
    int speaker;     /* of it */
    int ended;       /* its last sentence has */
} place;

static void begin_chapter(place *p, int64_t at, wh_buf *out)
{
    p->chapter = at / CHAPTER;
    p->begun = -1;
    wh_buf_puts(out, "\n\n## ");
    put_time(out, p->chapter * CHAPTER);
}

static void begin_paragraph(place *p, const whisp_result *result, const whisp_segment *segment, int64_t at, wh_buf *out)
{
    char room[WH_NAME_ROOM];
    p->begun = at;
    p->speaker = segment->speaker;
    wh_buf_puts(out, "\n\n");
    if (segment->speaker > 0) {
        const char *name = wh_speaker_name(result, segment->speaker, room);
        wh_buf_puts(out, "**");
        put_escaped(out, name, strlen(name), 0);
        wh_buf_puts(out, "** (");
        put_time(out, at);
        wh_buf_puts(out, "): ");
    }
}

static void put_segment(place *p, const whisp_result *result, const whisp_segment *segment, wh_buf *out)
{
    size_t length;
    const char *text = wh_stripped(segment->text, &length);
    int64_t at = WH_MAX(wh_milliseconds(segment->start), 0);
    if (length == 0)
        return;
    if (at / CHAPTER > p->chapter && (p->ended || p->chapter < 0 || at % CHAPTER > PARAGRAPH))
        begin_chapter(p, at, out);
    if (p->begun < 0 || segment->speaker != p->speaker || at - p->said > LONG_PAUSE ||
        (p->ended && at - p->begun > PARAGRAPH))
        begin_paragraph(p, result, segment, at, out);
    else if (text > segment->text || (unsigned char)text[0] < 0x80) /* CJK goes on without */
        wh_buf_puts(out, " ");
    put_escaped(out, text, length, p->begun == at && segment->speaker <= 0);
    p->said = wh_milliseconds(segment->end);
    p->ended = wh_is_sentence_end(text, length);
}

void wh_write_md(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    const char *name = layout->recording && *layout->recording ? layout->recording : "Transcript";
    place p = {.chapter = -1, .begun = -1};
    wh_buf_puts(out, "# ");
    put_escaped(out, name, strlen(name), 0);
    if (result->incomplete) {
        wh_buf_puts(out, "\n\nHeard in part: ");
        put_escaped(out, result->incomplete, strlen(result->incomplete), 0);
    }
    for (size_t i = 0; i < result->n; i++)
        put_segment(&p, result, &result->segments[i].segment, out);
    wh_buf_puts(out, "\n");
}
