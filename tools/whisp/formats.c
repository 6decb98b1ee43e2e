/* formats.c - the formats of output files: those that the library writes (whisp_format_list()), except the list of
 * doubtful words, which has an option of its own. All of them are those that openai-whisper calls so: rttm, which is
 * empty where nobody told speakers apart, is written where it is named. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

char formats_values[FORMATS_VALUES];

const char *formats_name(size_t i)
{
    size_t n;
    const whisp_format *const *list = whisp_format_list(&n);
    for (size_t k = 0; k < n; k++)
        if (strcmp(list[k]->name, "doubtful") != 0 && i-- == 0)
            return list[k]->name;
    return NULL;
}

unsigned formats_all(void)
{
    unsigned bits = 0;
    const char *name;
    for (size_t i = 0; (name = formats_name(i)); i++)
        bits |= strcmp(name, "rttm") != 0 ? 1u << i : 0;
    return bits;
}

void formats_setup(void)
{
    size_t used = 0;
    const char *name;
    for (size_t i = 0; (name = formats_name(i)) && used + strlen(name) + 5 < sizeof formats_values; i++)
        used += (size_t)snprintf(formats_values + used, sizeof formats_values - used, "%s|", name);
    snprintf(formats_values + used, sizeof formats_values - used, "all");
}
