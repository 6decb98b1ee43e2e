/* wire.h - the sending end of a WebSocket: whole messages from any thread, each within a time, to a client that may not
 * read. */
#ifndef SERVER_WIRE_H
#define SERVER_WIRE_H

#include <jansson.h>
#include <pthread.h>
#include <stddef.h>

#include "websocket.h"

struct wire {
    int socket;
    pthread_mutex_t lock;
    int closed; /* a close went out, or nothing can go out any more */
};

/* 0, or an errno. */
int wire_open(struct wire *wire, int socket);
void wire_free(struct wire *wire);

/* 0, or -1: the client is gone, or does not read, or a close was sent before. */
int wire_send(struct wire *wire, enum ws_kind kind, const void *bytes, size_t n);
/* A message of text. `object` is released; NULL (no memory when it was made) is a failure, too. */
int wire_say(struct wire *wire, json_t *object);
/* The last one: a close with a code and a reason, which is cut where it is long. */
void wire_close(struct wire *wire, int code, const char *reason);

#endif
