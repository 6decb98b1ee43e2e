/* told.h - what the library warns of while it works on a task, for who asked: a language that a model does not know, a
 * prompt that is too long, a speaker's reference that is damaged. Filled by tasks.c, told by answer.c and events.c. One
 * thread at a time. */
#ifndef SERVER_TOLD_H
#define SERVER_TOLD_H

#include <jansson.h>

#include "http.h"

enum { TOLD_MOST = 8, TOLD_ROOM = 240 };

struct told {
    int n;
    char text[TOLD_MOST][TOLD_ROOM];
};

/* One more, if there is room and it is none of those that are there. Uploads' names, which are descriptors of ours, are
 * left out; a text that names another file is for who runs the server, and not taken. */
void told_add(struct told *told, const char *text);

/* "warnings" of an answer or event, where there are any but `but` (may be NULL), which is told elsewhere. As dump_put(). */
void told_put(const struct told *told, const char *but, json_t **object);
/* The same as headers Whisp-Warning, in ASCII: not every document is JSON. */
void told_headers(const struct told *told, const char *but, struct exchange *exchange);

#endif
