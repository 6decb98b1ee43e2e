/* dump.c - JSON as text. json_dumps() of jansson 2.14 passes over a name or a string for which there was no memory, and
 * gives back what is no JSON; so the buffer is one of our own, which remembers. */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes; /* [capacity], of which n */
    size_t n, capacity;
    int is_lost; /* something did not fit */
};

void dump_put(json_t **object, const char *name, json_t *value)
{
    if (*object && json_object_set_new(*object, name, value) == 0)
        return;
    if (!*object)
        json_decref(value);
    json_decref(*object);
    *object = NULL;
}

void dump_add(json_t **list, json_t *value)
{
    if (*list && json_array_append_new(*list, value) == 0)
        return;
    if (!*list)
        json_decref(value);
    json_decref(*list);
    *list = NULL;
}

static int append(const char *bytes, size_t n, void *user)
{
    struct text *text = user;
    if (text->n + n + 1 > text->capacity) {
        size_t capacity = 2 * (text->n + n + 1);
        char *larger = text->is_lost ? NULL : realloc(text->bytes, capacity);
        if (!larger) {
            text->is_lost = 1;
            return -1;
        }
        text->bytes = larger;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    text->bytes[text->n] = '\0';
    return 0;
}

/* Fifteen digits say all that a time or probability has, and 7.6 stays 7.6. */
char *dump_json(const json_t *json)
{
    struct text text = {0};
    if (json && json_dump_callback(json, append, &text, JSON_COMPACT | JSON_REAL_PRECISION(15)) == 0 && !text.is_lost)
        return text.bytes;
    free(text.bytes);
    return NULL;
}
