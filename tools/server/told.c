/* told.c - see told.h. */
#include "told.h"

#include <stdio.h>
#include <string.h>

#include "dump.h"

/* Without "/proc/self/fd/7: ". */
static void drop_descriptors(char *text)
{
    static const char ours[] = "/proc/self/fd/";
    char *at;
    while ((at = strstr(text, ours))) {
        const char *behind = at + sizeof ours - 1;
        behind += strspn(behind, "0123456789");
        behind += strspn(behind, ": ");
        memmove(at, behind, strlen(behind) + 1);
    }
}

void told_add(struct told *told, const char *text)
{
    char plain[TOLD_ROOM];
    if (told->n == TOLD_MOST || snprintf(plain, sizeof plain, "%s", text) >= (int)sizeof plain)
        return;
    drop_descriptors(plain);
    int is_known = !*plain || strchr(plain, '/') != NULL;
    for (int i = 0; i < told->n; i++)
        is_known |= strcmp(told->text[i], plain) == 0;
    if (!is_known)
        memcpy(told->text[told->n++], plain, sizeof plain);
}

static int is_one(const struct told *told, int i, const char *but)
{
    return !but || strcmp(told->text[i], but) != 0;
}

void told_put(const struct told *told, const char *but, json_t **object)
{
    json_t *list = json_array();
    for (int i = 0; told && i < told->n; i++)
        if (is_one(told, i, but))
            dump_add(&list, json_string(told->text[i]));
    if (!list || json_array_size(list) > 0)
        dump_put(object, "warnings", list);
    else
        json_decref(list);
}

void told_headers(const struct told *told, const char *but, struct exchange *exchange)
{
    for (int i = 0; told && i < told->n; i++) {
        char plain[TOLD_ROOM];
        memcpy(plain, told->text[i], sizeof plain);
        for (char *at = plain; *at; at++)
            *at = *at >= ' ' && *at < 127 ? *at : '?';
        if (is_one(told, i, but))
            exchange_add_header(exchange, "Whisp-Warning", plain);
    }
}
