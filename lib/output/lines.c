/* lines.c - words to subtitles: where lines and subtitles end, and which word is underlined.
 *
 * The rules are those of SubtitlesWriter in openai-whisper's utils.py, its handling of empty words included. */
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"
#include "tokenizer/utf8.h"
#include "util/text.h"

#define LONG_PAUSE 3.0 /* seconds that end a subtitle which may span segments */
#define NO_LIMIT 1000  /* what openai-whisper takes for "no limit" */

/* A word of the subtitle in the making; its text lies in maker.text. */
typedef struct item {
    size_t text, length;
    double start, end;
} item;

typedef struct maker {
    int whole_segments;             /* a subtitle never holds words of two segments */
    int width, words_a_line, lines; /* limits; lines 0: none */
    int highlight;
    int speaker;        /* of the subtitle; two never share one */
    size_t line_length; /* characters */
    int line_count;
    double last; /* where the last word began */
    item *items;
    size_t n, capacity;
    wh_buf text;
    wh_buf *out; /* out->failed says that memory ran out */
    wh_subtitle_fn fn;
    void *user;
} maker;

static size_t characters(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; count++) {
        int32_t code;
        i += wh_utf8_next(text + i, n - i, &code);
    }
    return count;
}

/* Append a word with everything but the white space before it underlined: what re.sub(r"^(\s*)(.*)$", ...) does. */
static void put_underlined(wh_buf *buf, const char *word, size_t n)
{
    const char *bare = word;
    size_t bare_length = n, rest;
    wh_strip(&bare, &bare_length);
    size_t space = bare_length ? (size_t)(bare - word) : n;
    const char *line_end = memchr(word + space, '\n', n - space);
    rest = line_end ? (size_t)(line_end - word) - space : n - space;
    if (space + rest + 1 < n) { /* a line end within: the pattern finds nothing */
        wh_buf_append(buf, word, n);
        return;
    }
    wh_buf_append(buf, word, space);
    wh_buf_puts(buf, "<u>");
    wh_buf_append(buf, word + space, rest);
    wh_buf_puts(buf, "</u>");
    wh_buf_append(buf, word + space + rest, n - space - rest);
}

/* A subtitle for each word, and one without underline for each gap. */
static void give_highlighted(maker *m)
{
    int64_t last = wh_milliseconds(m->items[0].start);
    for (size_t i = 0; i < m->n; i++) {
        int64_t start = wh_milliseconds(m->items[i].start), end = wh_milliseconds(m->items[i].end);
        if (last < start)
            m->fn(m->user, last, start, m->speaker, m->text.data, m->text.length);
        wh_buf marked = {0};
        wh_buf_puts(&marked, "");
        wh_buf_append(&marked, m->text.data, m->items[i].text);
        put_underlined(&marked, m->text.data + m->items[i].text, m->items[i].length);
        size_t done = m->items[i].text + m->items[i].length;
        wh_buf_append(&marked, m->text.data + done, m->text.length - done);
        m->out->failed |= marked.failed;
        if (!marked.failed)
            m->fn(m->user, start, end, m->speaker, marked.data, marked.length);
        wh_buf_free(&marked);
        last = end;
    }
}

static void give(maker *m)
{
    if (m->text.failed)
        m->out->failed = 1;
    else if (m->n && m->highlight)
        give_highlighted(m);
    else if (m->n)
        m->fn(m->user, wh_milliseconds(m->items[0].start), wh_milliseconds(m->items[m->n - 1].end), m->speaker,
              m->text.data, m->text.length);
    m->n = 0;
    wh_buf_clear(&m->text);
}

/* Add a word to the line, or to a new line, or to a new subtitle. */
static void add_word(maker *m, const whisp_word *word, int first_of_chunk, int speaker)
{
    const char *text = word->text;
    size_t length = strlen(text);
    int long_pause = !m->whole_segments && word->start - m->last > LONG_PAUSE;
    int has_room = m->line_length + characters(text, length) <= (size_t)m->width;
    int segment_break = m->n > 0 && ((first_of_chunk && m->whole_segments) || speaker != m->speaker), line_end = 0;
    if (m->line_length > 0 && has_room && !long_pause && !segment_break) {
        m->line_length += characters(text, length);
    } else {
        wh_strip(&text, &length);
        if ((m->n > 0 && m->lines && (long_pause || m->line_count >= m->lines)) || segment_break) {
            give(m);
            m->line_count = 1;
        } else if (m->line_length > 0) {
            m->line_count++;
            line_end = 1;
        }
        m->line_length = characters(text, length);
    }
    if (wh_grow(&m->items, &m->capacity, m->n + 1, sizeof *m->items)) {
        m->out->failed = 1;
        return;
    }
    m->speaker = speaker;
    m->items[m->n++] = (item){m->text.length, length + (size_t)line_end, word->start, word->end};
    wh_buf_puts(&m->text, line_end ? "\n" : "");
    wh_buf_append(&m->text, text, length);
    m->last = word->start;
}

/* Where the first word begins, or without words the first segment. */
static double find_start(const whisp_result *result)
{
    for (size_t i = 0; i < result->n; i++)
        if (result->segments[i].segment.n_words)
            return result->segments[i].segment.words[0]->start;
    return result->n ? result->segments[0].segment.start : 0;
}

void wh_subtitles_from_words(const whisp_result *result, const whisp_writer_options *layout, wh_subtitle_fn fn,
                             void *user, wh_buf *out)
{
    maker m = {
        .whole_segments = !layout->max_line_count || !layout->max_line_width,
        .width = layout->max_line_width ? layout->max_line_width : NO_LIMIT,
        .words_a_line = layout->max_words_per_line ? layout->max_words_per_line : NO_LIMIT,
        .lines = layout->max_line_count,
        .highlight = layout->highlight_words,
        .line_count = 1,
        .last = find_start(result),
        .out = out,
        .fn = fn,
        .user = user,
    };
    for (size_t s = 0; s < result->n && !out->failed; s++) {
        const whisp_segment *segment = &result->segments[s].segment;
        for (size_t i = 0; i < segment->n_words && !out->failed; i++)
            add_word(&m, segment->words[i], i % (size_t)m.words_a_line == 0, segment->words[i]->speaker);
    }
    give(&m);
    free(m.items);
    wh_buf_free(&m.text);
}
