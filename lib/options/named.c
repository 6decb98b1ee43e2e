/* named.c - the option speaker: named voices, "NAME=FILE" a line each. */
#include <string.h>

#include "options/row.h"
#include "tokenizer/utf8.h"
#include "util/text.h"

#define LONGEST 200 /* bytes of a name */
#define MOST 100    /* names */

/* The line that begins at *at, without white space around its parts; *at becomes the next one's. 0: there is none. */
static int next_line(const char **at, wh_named_voice *voice, int *has_equals)
{
    if (!**at)
        return 0;
    size_t length = strcspn(*at, "\n");
    const char *equals = memchr(*at, '=', length);
    *has_equals = equals != NULL;
    voice->name = *at;
    voice->name_length = equals ? (size_t)(equals - *at) : length;
    voice->path = equals ? equals + 1 : *at + length;
    voice->path_length = (size_t)(*at + length - voice->path);
    wh_strip(&voice->name, &voice->name_length);
    wh_strip(&voice->path, &voice->path_length);
    *at += length + ((*at)[length] == '\n');
    return 1;
}

int wh_options_voice(const wh_values *values, size_t i, wh_named_voice *voice)
{
    const char *at = values->speaker;
    int has_equals;
    while (at && next_line(&at, voice, &has_equals))
        if (has_equals && i-- == 0)
            return 1;
    return 0;
}

/* Why it cannot be a name; NULL: it can. */
static const char *wrong_name(const wh_named_voice *voice)
{
    if (!voice->name_length)
        return "a name is missing before =";
    if (voice->name_length > LONGEST)
        return "a name of more than 200 bytes";
    for (size_t i = 0; i < voice->name_length;) {
        int32_t code;
        i += wh_utf8_next(voice->name + i, voice->name_length - i, &code);
        if (code < ' ' || code == 0x7F)
            return code < 0 ? "a name that is not UTF-8" : "a name with a control character";
    }
    return NULL;
}

int wh_parse_voices(const wh_option *o, const char *text, wh_values *values)
{
    wh_values read = {.speaker = wh_option_is_none(o, text) ? NULL : text};
    wh_named_voice voice, other;
    const char *at = read.speaker;
    size_t n = 0;
    for (int has_equals; at && next_line(&at, &voice, &has_equals);) {
        if (!has_equals && !voice.name_length)
            continue;
        const char *wrong = has_equals ? wrong_name(&voice) : "NAME=FILE is expected";
        if (!wrong && !voice.path_length)
            wrong = "a file is missing behind =";
        for (size_t i = 0; !wrong && i < n && wh_options_voice(&read, i, &other); i++)
            if (other.name_length == voice.name_length && memcmp(other.name, voice.name, voice.name_length) == 0)
                wrong = "a name is there twice";
        if (!wrong && ++n > MOST)
            wrong = "more than 100 names";
        if (wrong)
            return wh_option_refuse(o, text, wrong);
    }
    if (read.speaker && !n)
        return wh_option_refuse(o, text, "NAME=FILE is expected");
    values->speaker = read.speaker;
    return WHISP_OK;
}
