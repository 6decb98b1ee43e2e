/* numbers.c - numbers and times out of the text of an option, whatever the process's locale. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/options.h"
#include "platform/platform.h"

int wh_parse_double(const char *text, double *value)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return 0;
    char *end;
    double v = strtod_l(text, &end, c);
    freelocale(c);
    while (*end == ' ')
        end++;
    if (end == text || *end || !isfinite(v))
        return 0;
    *value = v;
    return 1;
}

int wh_parse_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    while (*end == ' ')
        end++;
    if (end == text || *end || errno)
        return 0;
    *value = v;
    return 1;
}

#define LAST_CLIP 1e9 /* seconds */

int wh_parse_clips(const char *text, double **times, size_t *n, const char **problem)
{
    size_t capacity = 0;
    *times = NULL;
    *n = 0;
    *problem = NULL;
    for (const char *p = text; *text && p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        char item[64];
        size_t length = strcspn(p, ",");
        double t;
        snprintf(item, sizeof item, "%.*s", (int)WH_MIN(length, sizeof item), p);
        if (length >= sizeof item || !wh_parse_double(item, &t))
            *problem = "seconds separated by commas are expected";
        else if (t < 0 || t > LAST_CLIP)
            *problem = "a recording's time is not negative, nor beyond 1e9";
        else if (*n > 0 && t < (*times)[*n - 1])
            *problem = "the times must ascend: start, end, start, end, ...";
        if (*problem || wh_grow(times, &capacity, *n + 1, sizeof **times)) {
            free(*times);
            *times = NULL;
            return *problem ? WHISP_ERR_ARGUMENT : WHISP_ERR_MEMORY;
        }
        (*times)[(*n)++] = t;
    }
    return WHISP_OK;
}
