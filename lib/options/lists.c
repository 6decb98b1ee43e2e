/* lists.c - values that are lists of numbers, token ids, clips; and languages by code or name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options/row.h"
#include "tokenizer/languages.h"

/* "0.0,0.2" -> numbers; each in 0..10. */
int wh_parse_temperatures(const wh_option *o, const char *text, wh_values *v)
{
    v->n_temperatures = 0;
    const char *p = text;
    for (;;) {
        const char *comma = strchr(p, ',');
        size_t n = comma ? (size_t)(comma - p) : strlen(p);
        char item[64];
        double t;
        if (n >= sizeof item)
            return wh_option_refuse(o, text, "a number is expected");
        memcpy(item, p, n);
        item[n] = 0;
        if (!wh_parse_double(item, &t))
            return wh_option_refuse(o, text, "a number is expected");
        if (t < o->lo || t > o->hi)
            return wh_option_refuse_range(o, text);
        if (v->n_temperatures == WH_MAX_TEMPERATURES)
            return wh_option_refuse(o, text, "too many numbers");
        v->temperatures[v->n_temperatures++] = t;
        if (!comma)
            break;
        p = comma + 1;
    }
    v->temperature_given = 1;
    return WHISP_OK;
}

static int check_clips(const wh_option *o, const char *value)
{
    double *times;
    size_t n;
    const char *problem;
    int rc = wh_parse_clips(value, &times, &n, &problem);
    free(times);
    return rc == WHISP_ERR_ARGUMENT ? wh_option_refuse(o, value, problem) : rc;
}

int wh_parse_clip_list(const wh_option *o, const char *text, wh_values *v)
{
    int none = wh_option_is_none(o, text), rc = none ? WHISP_OK : check_clips(o, text);
    if (!rc)
        v->clip_timestamps = none ? NULL : text;
    return rc;
}

static int check_tokens(const wh_option *o, const char *value)
{
    if (!*value)
        return WHISP_OK;
    for (const char *p = value;; p++) {
        char *end;
        errno = 0;
        long id = strtol(p, &end, 10);
        while (*end == ' ')
            end++;
        if (end == p || errno || id < -1 || id > INT32_MAX || (*end && *end != ','))
            return wh_option_refuse(o, value, "token ids separated by commas are expected");
        if (!*end)
            return WHISP_OK;
        p = end;
    }
}

int wh_parse_token_ids(const wh_option *o, const char *text, wh_values *v)
{
    int rc = wh_option_is_none(o, text) ? WHISP_OK : check_tokens(o, text);
    return rc ? rc : wh_parse_text(o, text, v);
}

int wh_parse_language(const wh_option *o, const char *text, wh_values *v)
{
    int none = wh_option_is_none(o, text) || strcmp(text, "auto") == 0;
    v->language = none ? -1 : wh_language_find(text);
    if (!none && v->language < 0)
        return wh_option_refuse(o, text, "no such language; give a code such as en, de, ja or an English name");
    return WHISP_OK;
}

/* The next of the languages in *list, which moves on behind its comma: its index, or -1 for an unknown one. */
static int next_language(const char **list)
{
    char name[64];
    const char *p = *list + strspn(*list, " ");
    size_t length = strcspn(p, ","), n = length;
    *list = p + length + (p[length] == ',');
    while (n > 0 && p[n - 1] == ' ')
        n--;
    if (n == 0 || n >= sizeof name)
        return -1;
    memcpy(name, p, n);
    name[n] = 0;
    return wh_language_find(name);
}

static int check_languages(const wh_option *o, const char *value)
{
    const char *p = value;
    do
        if (next_language(&p) < 0)
            return wh_option_refuse(o, value,
                                    "codes such as en, de, ja or English names are expected, with commas between them");
    while (*p);
    return WHISP_OK;
}

int wh_parse_languages(const wh_option *o, const char *text, wh_values *v)
{
    int rc = wh_option_is_none(o, text) ? WHISP_OK : check_languages(o, text);
    return rc ? rc : wh_parse_text(o, text, v);
}

int wh_options_has_language(const wh_values *v, int i)
{
    const char *p = v->languages;
    while (p && *p)
        if (next_language(&p) == i)
            return 1;
    return !v->languages;
}
