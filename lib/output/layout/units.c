/* units.c - a result's words as units of text that may stand at a line's end, with cleaned times.
 *
 * No character but white space is lost or moved here: what comes out, with spaces where `spaced` says so, is the words'
 * text. Times are made to follow one another, whatever the words say. */
#include <stdlib.h>
#include <string.h>

#include "output/layout/layout.h"
#include "tokenizer/utf8.h"

typedef struct maker {
    wh_units *units;
    const wh_layout_style *style;
    const char *language;
    int speaker;
    int space; /* white space was passed since the last unit */
} maker;

/* A token: text without white space, and when it is said. */
typedef struct token {
    const char *text;
    size_t length;
    double start, end; /* ms */
} token;

static int is_unspaced(int32_t c)
{
    enum wh_script_class class = wh_script_class(c);
    return class == WH_SCRIPT_HAN || class == WH_SCRIPT_HIRAGANA || class == WH_SCRIPT_KATAKANA ||
           class == WH_SCRIPT_SOUTHEAST || (c >= 0x3005 && c <= 0x30FF);
}

/* May a line end between two characters of one token? Within CJK and its kin, but closing marks stay with what is before
 * them, opening ones with what follows. */
static int may_end(int32_t before, int32_t after)
{
    return (is_unspaced(before) || is_unspaced(after)) && wh_script_may_part(before, after) &&
           wh_script_class(after) != WH_SCRIPT_CLOSES && wh_script_class(before) != WH_SCRIPT_OPENS;
}

static void clean_times(const maker *m, wh_unit *unit, wh_unit *before)
{
    int64_t free_from = !before ? 0 : before->speaker == unit->speaker ? before->start : before->end;
    unit->start = WH_MAX(unit->start, free_from); /* who speak at once are shown one after another */
    unit->end = WH_MAX(unit->end, unit->start);
    unit->end = WH_MIN(unit->end, unit->start + m->style->longest_word);
    if (before && before->end > unit->start)
        before->end = unit->start;
}

static void add_unit(maker *m, const token *t, int torn)
{
    wh_units *u = m->units;
    if (wh_grow(&u->list, &u->capacity, u->n + 1, sizeof *u->list)) {
        u->failed = 1;
        return;
    }
    wh_unit *unit = &u->list[u->n];
    *unit = (wh_unit){.text = u->text.length,
                      .length = t->length,
                      .start = (int64_t)t->start,
                      .end = (int64_t)t->end,
                      .speaker = m->speaker,
                      .width = (int)wh_script_width(t->text, t->length),
                      .spaced = m->space && u->n > 0,
                      .torn = torn != 0,
                      .language = m->language};
    if (u->n && unit[-1].speaker != unit->speaker)
        unit[-1].shared = unit->start < unit[-1].end;
    clean_times(m, unit, u->n ? unit - 1 : NULL);
    wh_buf_append(&u->text, t->text, t->length);
    u->n++;
    m->space = 0;
}

/* Where the unit that begins a token ends, and whether the token goes on behind it as the same word. */
static size_t end_of_unit(const maker *m, const char *text, size_t n, int *torn)
{
    int most = m->style->width - 2, width = 0; /* a dash may stand before it */
    int32_t before, after;
    *torn = 0;
    size_t i = wh_utf8_next(text, n, &before), good = 0;
    width = wh_script_cells(before);
    while (i < n) {
        size_t size = wh_utf8_next(text + i, n - i, &after);
        if (may_end(before, after))
            return i;
        if (wh_script_may_part(before, after))
            good = i; /* the last place where a word that is too long may be cut */
        width += wh_script_cells(after);
        if (width > most) {
            *torn = 1;
            return good ? good : i;
        }
        before = after;
        i += size;
        if (i - good > 200) { /* marks upon marks have no width, and no end */
            *torn = 1;
            return i;
        }
    }
    return n;
}

static void add_token(maker *m, const token *t)
{
    double whole = (double)WH_MAX(wh_script_width(t->text, t->length), 1), done = 0;
    int torn = 0, tears;
    for (size_t i = 0; i < t->length && !m->units->failed;) {
        size_t n = end_of_unit(m, t->text + i, t->length - i, &tears);
        double width = (double)wh_script_width(t->text + i, n), length = t->end - t->start;
        token part = {t->text + i, n, t->start + length * done / whole, t->start + length * (done + width) / whole};
        if (i + n == t->length)
            part.end = t->end;
        add_unit(m, &part, torn);
        torn = tears;
        done += width;
        i += n;
    }
}

static int is_space(int32_t c)
{
    return wh_is_white_space(c) || (c >= 0 && c < ' ') || c == 0x7F;
}

/* Text, over whose time its characters are spread, but not the spaces around it. What is no UTF-8 becomes U+FFFD. */
static void add_text(maker *m, const char *text, int64_t start, int64_t end)
{
    size_t n, passed = 0;
    const char *said = wh_stripped(text, &n);
    int trails = said[n] != 0;
    m->space |= said > text;
    text = said;
    double whole = (double)WH_MAX(wh_script_width(text, n), 1), length = (double)WH_MAX(end - start, 0);
    wh_buf word = {0};
    for (size_t i = 0; i < n && !m->units->failed;) {
        size_t from = passed;
        int32_t code = -1;
        while (i < n) {
            size_t size = wh_utf8_next(text + i, n - i, &code);
            if (is_space(code))
                break;
            if (code < 0)
                wh_buf_puts(&word, WH_REPLACEMENT);
            else
                wh_buf_append(&word, text + i, size);
            passed += (size_t)wh_script_cells(code);
            i += size;
        }
        m->units->failed |= word.failed;
        if (word.length > 0 && !word.failed)
            add_token(m, &(token){word.data, word.length, (double)start + length * (double)from / whole,
                                  (double)start + length * (double)passed / whole});
        wh_buf_clear(&word);
        if (i >= n)
            break;
        m->space = 1;
        i += wh_utf8_next(text + i, n - i, &code);
        passed += (size_t)wh_script_cells(code);
    }
    m->space |= trails;
    wh_buf_free(&word);
}

/* Some programs write words without the spaces between them: then no word but the first has one, and the text has. */
static int lacks_spaces(const whisp_segment *segment)
{
    size_t length;
    const char *text = wh_stripped(segment->text, &length);
    for (size_t i = 0; i < segment->n_words; i++)
        if (strchr(segment->words[i]->text, ' '))
            return 0;
    return segment->n_words > 1 && memchr(text, ' ', length) != NULL;
}

/* Segments whose text begins without a space are parted by one all the same, but not in CJK. */
static void begin_segment(maker *m, const char *text)
{
    const wh_units *u = m->units;
    size_t n;
    text = wh_stripped(text, &n);
    if (u->n == 0)
        return;
    const wh_unit *last = &u->list[u->n - 1];
    if (!is_unspaced(wh_script_first(text, n)) && !u->text.failed &&
        !is_unspaced(wh_script_last(u->text.data + last->text, last->length)) &&
        (wh_script_last(u->text.data + last->text, last->length) < 0x3000))
        m->space = 1;
}

static void add_segment(maker *m, const whisp_segment *segment)
{
    int lacks = lacks_spaces(segment);
    begin_segment(m, segment->text);
    if (segment->n_words == 0) {
        m->speaker = segment->speaker;
        add_text(m, segment->text, wh_milliseconds(segment->start), wh_milliseconds(segment->end));
    }
    for (size_t i = 0; i < segment->n_words && !m->units->failed; i++) {
        const whisp_word *word = segment->words[i];
        m->speaker = word->speaker;
        m->space |= lacks;
        add_text(m, word->text, wh_milliseconds(word->start), wh_milliseconds(word->end));
    }
}

/* ---- who speaks ---- */

/* A name that somebody gave, not one that only counts. */
static int is_named(const whisp_result *result, int speaker)
{
    char room[WH_NAME_ROOM];
    const char *name = speaker > 0 ? wh_speaker_name(result, speaker, room) : "SPEAKER_00";
    return strncmp(name, "SPEAKER_", 8) != 0 || name[8] == 0 || name[8 + strspn(name + 8, "0123456789")] != 0;
}

void wh_units_put_lead(wh_buf *out, const whisp_result *result, const wh_units *units, size_t i,
                       const wh_layout_style *style, int named)
{
    const wh_unit *unit = &units->list[i];
    if (i > 0 && unit[-1].speaker == unit->speaker)
        return;
    if (named && is_named(result, unit->speaker)) {
        wh_buf label = {0};
        wh_put_speaker(&label, result, unit->speaker, WH_NAME_BRACKETS);
        int width = label.data ? (int)WH_MIN(wh_script_width(label.data, label.length), 10000) : 10000;
        int fits = width <= style->width / 2 && width + unit->width <= style->width;
        out->failed |= label.failed;
        if (fits && !label.failed)
            wh_buf_append(out, label.data, label.length);
        wh_buf_free(&label);
        if (fits)
            return;
    }
    wh_buf_puts(out, i > 0 ? WH_DASH : "");
}

/* Where a cue must end, and what those behind begin with. */
static void find_turns(wh_units *units, const whisp_result *result, const wh_layout_style *style, int named)
{
    wh_buf lead = {0};
    for (size_t i = 0; i < units->n; i++) {
        wh_unit *unit = &units->list[i];
        wh_buf_clear(&lead);
        wh_units_put_lead(&lead, result, units, i, style, named);
        unit->lead = lead.length ? (int)wh_script_width(lead.data, lead.length) : 0;
        units->failed |= lead.failed;
        unit->forced = i + 1 == units->n || unit[1].speaker != unit->speaker ||
                       unit[1].start - unit->end > style->long_pause;
    }
    wh_buf_free(&lead);
}

void wh_units_make(wh_units *units, const whisp_result *result, const wh_layout_style *style, int named)
{
    maker m = {.units = units, .style = style};
    *units = (wh_units){0};
    for (size_t s = 0; s < result->n && !units->failed; s++) {
        const whisp_segment *segment = &result->segments[s].segment;
        m.language = segment->language ? segment->language : result->language;
        if (!result->segments[s].cleared)
            add_segment(&m, segment);
    }
    units->failed |= units->text.failed;
    if (!units->failed)
        find_turns(units, result, style, named);
}

void wh_units_free(wh_units *units)
{
    free(units->list);
    wh_buf_free(&units->text);
}
