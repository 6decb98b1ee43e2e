/* formats.c - the formats of output files: those that the library writes (whisp_format_list()), except the list of
 * doubtful words, which has an option of its own. All of them are those that openai-whisper calls so; the
 * others are written where they are named, for notes.md beside notes.mp3 may be somebody's own. */
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

unsigned formats_bit(const char *wanted)
{
    const char *name;
    for (size_t i = 0; (name = formats_name(i)); i++)
        if (strcmp(name, wanted) == 0)
            return 1u << i;
    return 0;
}

unsigned formats_all(void)
{
    return formats_bit("txt") | formats_bit("srt") | formats_bit("vtt") | formats_bit("tsv") | formats_bit("json");
}

void formats_setup(void)
{
    size_t used = 0;
    const char *name;
    for (size_t i = 0; (name = formats_name(i)) && used + strlen(name) + 5 < sizeof formats_values; i++)
        used += (size_t)snprintf(formats_values + used, sizeof formats_values - used, "%s|", name);
    snprintf(formats_values + used, sizeof formats_values - used, "all");
}
