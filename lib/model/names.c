/* names.c - the names that models go by: the published ones and what else these are called, a fine-tune's OWNER/NAME as a
 * file's name, and the folder that whisp-get keeps models in. Asked by find.c and by tools/get, so that what one writes
 * the other finds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static const char *const published[] = {
    "tiny.en",           "tiny",
    "base.en",           "base",
    "small.en",          "small",
    "medium.en",         "medium",
    "large-v1",          "large-v2",
    "large-v3",          "turbo",
    "distil-small.en",   "distil-medium.en",
    "distil-large-v2",   "distil-large-v3",
    "distil-large-v3.5", "silero-vad",
    "speakers", /* no Whisper models: for vad_filter and diarize */
};

const char *wh_model_published(size_t i)
{
    return i < WH_COUNT(published) ? published[i] : NULL;
}

const char *wh_model_alias(const char *name)
{
    static const char *const aliases[][2] = {{"large", "large-v3"}, {"large-v3-turbo", "turbo"}};
    for (size_t i = 0; i < WH_COUNT(aliases); i++)
        if (strcmp(name, aliases[i][0]) == 0)
            return aliases[i][1];
    return NULL;
}

int wh_model_meant(const char *path, char *name, size_t capacity)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    n -= n > 5 && strcmp(base + n - 5, ".gguf") == 0 ? 5 : 0;
    if ((size_t)snprintf(name, capacity, "%.*s", (int)WH_MIN(n, capacity), base) >= capacity)
        return 0;
    for (size_t i = 0; i < WH_COUNT(published); i++)
        if (strcmp(name, published[i]) == 0)
            return 1;
    return wh_model_alias(name) != NULL;
}

/* A letter or digit, then those and ._- without two dots or hyphens in a row: what Hugging Face lets names be. */
static int is_part(const char *text, size_t n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (n < 1 || n > 96 || !strchr(letters, text[0]))
        return 0;
    for (size_t i = 1; i < n; i++)
        if (!text[i] || (!strchr(letters, text[i]) && !strchr("._-", text[i])) ||
            (text[i] == text[i - 1] && (text[i] == '.' || text[i] == '-')))
            return 0;
    return 1;
}

int wh_model_is_repository(const char *name)
{
    const char *slash = strchr(name, '/');
    size_t n = strlen(name);
    return slash && is_part(name, (size_t)(slash - name)) && is_part(slash + 1, n - (size_t)(slash - name) - 1) &&
           !(n > 5 && strcmp(name + n - 5, ".gguf") == 0);
}

int wh_model_repository_file(const char *name, char *file, size_t capacity)
{
    const char *slash = strchr(name, '/');
    return wh_model_is_repository(name) &&
           (size_t)snprintf(file, capacity, "%.*s--%s", (int)(slash - name), name, slash + 1) < capacity;
}

int wh_model_cache(char *folder, size_t capacity)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') /* one that is not from the root counts for nothing, by its specification */
        return (size_t)snprintf(folder, capacity, "%s/whisp", cache) < capacity;
    return home && *home && (size_t)snprintf(folder, capacity, "%s/.cache/whisp", home) < capacity;
}
