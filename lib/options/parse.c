/* parse.c - single values out of an option's text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "options/row.h"

static void *member_of(const wh_option *o, wh_values *v)
{
    return (char *)v + o->at;
}

int wh_option_refuse(const wh_option *o, const char *value, const char *why)
{
    return wh_fail(WHISP_ERR_ARGUMENT, "option %s: '%s' is not acceptable: %s (%s)", o->info.name, value, why,
                   o->info.values);
}

int wh_option_refuse_range(const wh_option *o, const char *value)
{
    char why[96];
    snprintf(why, sizeof why, "it must be within %.15g to %.15g", o->lo, o->hi);
    return wh_option_refuse(o, value, why);
}

/* The number of `value` among what stands between the bars of "auto|cpu|None"; -1: it is none of them. */
static int find_choice(const char *values, const char *value)
{
    size_t length = strlen(value);
    for (int i = 0;; i++) {
        size_t n = strcspn(values, "|");
        if (n == length && memcmp(values, value, n) == 0)
            return i;
        if (!values[n])
            return -1;
        values += n + 1;
    }
}

int wh_option_is_none(const wh_option *o, const char *value)
{
    return strcmp(value, "None") == 0 && find_choice(o->info.values, value) >= 0;
}

static int is_within(const wh_option *o, double x)
{
    return x >= o->lo && x <= o->hi;
}

int wh_parse_flag(const wh_option *o, const char *text, wh_values *v)
{
    if (strcmp(text, "True") != 0 && strcmp(text, "False") != 0)
        return wh_option_refuse(o, text, "True or False is expected");
    *(int *)member_of(o, v) = strcmp(text, "True") == 0;
    return WHISP_OK;
}

static int read_integer(const wh_option *o, const char *text, int64_t *n)
{
    *n = o->none;
    if (wh_option_is_none(o, text))
        return WHISP_OK;
    if (!wh_parse_int(text, n))
        return wh_option_refuse(o, text, "a whole number is expected");
    return is_within(o, (double)*n) ? WHISP_OK : wh_option_refuse_range(o, text);
}

int wh_parse_integer(const wh_option *o, const char *text, wh_values *v)
{
    int64_t n;
    int rc = read_integer(o, text, &n);
    if (!rc)
        *(int *)member_of(o, v) = (int)n;
    return rc;
}

int wh_parse_seed(const wh_option *o, const char *text, wh_values *v)
{
    return read_integer(o, text, member_of(o, v));
}

int wh_parse_real(const wh_option *o, const char *text, wh_values *v)
{
    double x = NAN;
    if (!wh_option_is_none(o, text)) {
        if (!wh_parse_double(text, &x))
            return wh_option_refuse(o, text, "a number is expected");
        if (!is_within(o, x))
            return wh_option_refuse_range(o, text);
    }
    *(double *)member_of(o, v) = x;
    return WHISP_OK;
}

int wh_parse_text(const wh_option *o, const char *text, wh_values *v)
{
    *(const char **)member_of(o, v) = wh_option_is_none(o, text) ? NULL : text;
    return WHISP_OK;
}

static int refuse_choice(const wh_option *o, const char *text)
{
    char why[64];
    snprintf(why, sizeof why, "no such %.48s", o->info.name);
    return wh_option_refuse(o, text, why);
}

int wh_parse_choice(const wh_option *o, const char *text, wh_values *v)
{
    int i = find_choice(o->info.values, text);
    if (i < 0)
        return refuse_choice(o, text);
    *(int *)member_of(o, v) = i;
    return WHISP_OK;
}

int wh_parse_name(const wh_option *o, const char *text, wh_values *v)
{
    if (find_choice(o->info.values, text) < 0)
        return refuse_choice(o, text);
    *(const char **)member_of(o, v) = text;
    return WHISP_OK;
}

int wh_parse_increment(const wh_option *o, const char *text, wh_values *v)
{
    v->increment_given = 1;
    return wh_parse_real(o, text, v);
}

int wh_parse_cut(const wh_option *o, const char *text, wh_values *v)
{
    v->cut_off = strcmp(text, "off") == 0;
    v->cut_seconds = NAN;
    if (v->cut_off || strcmp(text, "auto") == 0)
        return WHISP_OK;
    double seconds;
    if (!wh_parse_double(text, &seconds))
        return wh_option_refuse(o, text, "auto, off or seconds are expected");
    return is_within(o, seconds) ? wh_parse_real(o, text, v) : wh_option_refuse_range(o, text);
}

int wh_parse_batch(const wh_option *o, const char *text, wh_values *v)
{
    v->batch_size = 0;
    if (strcmp(text, "auto") == 0)
        return WHISP_OK;
    int64_t n;
    if (!wh_parse_int(text, &n))
        return wh_option_refuse(o, text, "auto or a whole number is expected");
    return is_within(o, (double)n) ? wh_parse_integer(o, text, v) : wh_option_refuse_range(o, text);
}
