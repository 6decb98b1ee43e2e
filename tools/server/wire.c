/* wire.c - whole messages to a WebSocket's client, one after the other. See wire.h. */
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "sending.h"
#include "wire.h"

#define PATIENCE 30000 /* milliseconds in which a client must take a message */

int wire_open(struct wire *wire, int socket)
{
    wire->socket = socket;
    wire->closed = 0;
    return pthread_mutex_init(&wire->lock, NULL);
}

void wire_free(struct wire *wire)
{
    pthread_mutex_destroy(&wire->lock);
}

int wire_send(struct wire *wire, enum ws_kind kind, const void *bytes, size_t n)
{
    char *frame = malloc(n + WS_HEAD);
    int rc = -1;
    pthread_mutex_lock(&wire->lock);
    if (frame && !wire->closed) {
        size_t head = ws_write_head((uint8_t *)frame, kind, n);
        if (n > 0)
            memcpy(frame + head, bytes, n);
        rc = send_all(wire->socket, frame, head + n, PATIENCE);
    }
    if (rc != 0 || kind == WS_CLOSE)
        wire->closed = 1;
    pthread_mutex_unlock(&wire->lock);
    free(frame);
    return rc;
}

int wire_say(struct wire *wire, json_t *object)
{
    char *text = dump_json(object);
    int rc = text ? wire_send(wire, WS_TEXT, text, strlen(text)) : -1;
    free(text);
    json_decref(object);
    return rc;
}

void wire_close(struct wire *wire, int code, const char *reason)
{
    uint8_t bytes[WS_MOST_CONTROL] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t n = strlen(reason);
    if (n > sizeof bytes - 2)
        n = sizeof bytes - 2;
    while (n > 0 && !ws_is_utf8((const uint8_t *)reason, n))
        n--; /* no half characters */
    memcpy(bytes + 2, reason, n);
    wire_send(wire, WS_CLOSE, bytes, n + 2);
}
