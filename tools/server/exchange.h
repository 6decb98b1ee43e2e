/* exchange.h - what an exchange is made of, for exchange.c (answers) and http.c (the daemon); others know http.h. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http.h"

/* A header of the answer. */
struct header {
    struct header *next;
    char *name, *value;
};

struct exchange {
    atomic_int refs;
    const struct route *route;
    struct app *app;
    void *state; /* the handler's */

    /* The daemon's thread alone. */
    struct http *http;
    struct exchange *next, *before; /* of all there are, under http's lock */
    struct link *link;              /* its connection */
    const char *method, *path;
    int owner;
    int has_begun, has_ended; /* route->begin, route->end were called */
    int is_handed_over;       /* its socket is the handler's */
    double started;
    char client[64];

    /* Under `lock`. */
    pthread_mutex_t lock;
    struct MHD_Connection *connection; /* NULL: over */
    int is_suspended, is_hung;         /* it waits for an answer or more of it; the client is gone */
    int is_answered, is_queued;        /* there is an answer; the daemon has it */
    int status;
    struct MHD_Response *response;
    struct header *headers;
    int is_lacking; /* there was no memory for one of them */
    int expects_stream, is_stream, is_finished, keep_alive;
    char *pending; /* [capacity] of a stream: bytes at..n are to be sent */
    size_t at, n, capacity;
    double written;            /* when something was sent last */
    int64_t received, at_mark; /* bytes of the body, and at the last look for slow clients */
    double mark;
    double audio_seconds;
    char *recording;
};

/* Seconds of a clock that only goes forward. */
double exchange_now(void);

/* With one reference. NULL: no memory. */
struct exchange *exchange_new(void);
/* In the daemon's thread: give it the answer, or suspend until there is one. MHD_NO: the client is gone. */
enum MHD_Result exchange_settle(struct exchange *exchange);
/* The client is gone, which somebody else saw: what is suspended goes on to its end. */
void exchange_hang_up(struct exchange *exchange);
/* A comment of server-sent events, if the last byte was sent `seconds` ago. */
void exchange_comment(struct exchange *exchange, double now, double seconds);
/* The connection is no more. */
void exchange_part(struct exchange *exchange);

#endif
