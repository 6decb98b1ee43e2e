/* names.c - speakers' names in documents.
 *
 * A name comes from the command line, a file of voices or a document that is read back, so it may hold anything; in each
 * format it stands where some characters would end it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/writers.h"
#include "tokenizer/utf8.h"

const char *wh_speaker_name(const whisp_result *result, int speaker, char room[WH_NAME_ROOM])
{
    if (speaker > 0 && (size_t)speaker <= result->n_speakers)
        return result->speakers[speaker - 1];
    snprintf(room, WH_NAME_ROOM, "SPEAKER_%02d", speaker - 1);
    return room;
}

/* White space that is no ASCII, at which readers part columns; and what some take for a line's end. */
static int is_space(int32_t code)
{
    return code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}

static int ends_line(int32_t code)
{
    return code == 0x85 || code == 0x2028 || code == 0x2029;
}

/* What a character becomes that cannot stay; NULL: it stays. */
static const char *instead(int32_t c, enum wh_name_style style)
{
    if ((c >= 0 && c < ' ') || c == 0x7F || ends_line(c))
        return style == WH_NAME_WORD ? "_" : " ";
    if (style == WH_NAME_WORD && (c == ' ' || is_space(c)))
        return "_";
    if (style == WH_NAME_BRACKETS && (c == '[' || c == '<')) /* the latter for srt, where it makes tags */
        return "(";
    if (style == WH_NAME_BRACKETS && (c == ']' || c == '>')) /* ... and arrows */
        return ")";
    if (style == WH_NAME_VOICE && c == '&')
        return "&amp;";
    if (style == WH_NAME_VOICE && (c == '<' || c == '>'))
        return c == '<' ? "&lt;" : "&gt;";
    return NULL;
}

void wh_put_name(wh_buf *out, const char *name, enum wh_name_style style)
{
    size_t left = strlen(name);
    wh_buf_puts(out, style == WH_NAME_BRACKETS ? "[" : style == WH_NAME_VOICE ? "<v " : *name ? "" : "_");
    while (left > 0) {
        int32_t code;
        size_t n = wh_utf8_next(name, left, &code);
        const char *other = instead(code, style);
        if (other)
            wh_buf_puts(out, other);
        else
            wh_buf_append(out, name, n);
        name += n;
        left -= n;
    }
    wh_buf_puts(out, style == WH_NAME_BRACKETS ? "]: " : style == WH_NAME_VOICE ? ">" : "");
}

void wh_put_speaker(wh_buf *out, const whisp_result *result, int speaker, enum wh_name_style style)
{
    char room[WH_NAME_ROOM];
    if (speaker > 0)
        wh_put_name(out, wh_speaker_name(result, speaker, room), style);
}

int wh_has_speakers(const whisp_result *result)
{
    for (size_t i = 0; i < result->n; i++)
        if (result->segments[i].segment.speaker > 0)
            return 1;
    return 0;
}

const char *wh_names_get(const wh_names *names, size_t i)
{
    return names->text.data + names->at[i];
}

int wh_names_find(wh_names *names, const char *name)
{
    if (names->last < names->n && strcmp(wh_names_get(names, names->last), name) == 0)
        return (int)names->last + 1;
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(wh_names_get(names, i), name) == 0)
            return (int)(names->last = i) + 1;
    if (names->n == WH_NAMES_MOST)
        return 0;
    if (wh_grow(&names->at, &names->capacity, names->n + 1, sizeof *names->at)) {
        names->text.failed = 1;
        return 0;
    }
    names->at[names->n] = names->text.length;
    wh_buf_append(&names->text, name, strlen(name) + 1);
    if (names->text.failed)
        return 0;
    names->last = names->n++;
    return (int)names->n;
}

void wh_names_free(wh_names *names)
{
    wh_buf_free(&names->text);
    free(names->at);
    *names = (wh_names){0};
}
