/* dump.h - JSON that is whole or not there, for all that answers in it: jansson goes on where memory is short. */
#ifndef SERVER_DUMP_H
#define SERVER_DUMP_H

#include <jansson.h>

/* A member more; `value` is taken. Where memory is short, *object is released and becomes NULL. */
void dump_put(json_t **object, const char *name, json_t *value);
/* The same for an element of a list. */
void dump_add(json_t **list, json_t *value);
/* As text without spaces, from malloc(); NULL: no memory, or `json` is NULL. */
char *dump_json(const json_t *json);

#endif
