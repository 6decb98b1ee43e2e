/* http.h - HTTP: a daemon of libmicrohttpd with a table of routes, and exchanges: one request and its answer.
 *
 * The daemon's thread reads requests and writes answers, and nothing in it waits. An exchange whose answer is not there
 * yet is suspended; whoever has the answer gives it, from any thread, and so the exchange goes on. gone.c sees those
 * whose client goes away meanwhile. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <microhttpd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct app; /* app.h: what handlers work with */
struct http;
struct exchange;

enum {
    ROUTE_OPEN = 1,     /* no key is asked for */
    ROUTE_PREFIX = 2,   /* the path begins so; exchange_rest() is what follows */
    ROUTE_QUIET = 4,    /* no line in the log: who watches asks every few seconds */
    ROUTE_QUERY_KEY = 8 /* the key may be ?api_key=: browsers cannot give headers to a WebSocket */
};

/* What is done about requests of a method and path. All but `body` and `drop` run in the daemon's thread, in this order.
 * Functions may be NULL. */
struct route {
    const char *method, *path;
    unsigned flags;
    /* The headers are there. May answer (an error) already; then nothing of the body is read. */
    void (*begin)(struct exchange *exchange);
    /* Some of the body. May answer an error; the rest is thrown away then. Without it a request has no body. */
    void (*body)(struct exchange *exchange, const char *bytes, size_t n);
    /* All is there: answer, or see to it that somebody does. */
    void (*end)(struct exchange *exchange);
    /* The client went away, or the answer is out: nobody needs what is under way. */
    void (*gone)(struct exchange *exchange);
    /* The last one lets go of the exchange, in any thread: free its state. */
    void (*drop)(void *state);
};

/* ---- what a request says; strings live as long as the request. In the daemon's thread only ---- */

struct app *exchange_app(struct exchange *exchange);
const char *exchange_rest(struct exchange *exchange); /* with ROUTE_PREFIX: the path behind it */
const char *exchange_header(struct exchange *exchange, const char *name);
const char *exchange_query(struct exchange *exchange, const char *name); /* NULL: not there */
/* Whose key it was, from 0 on; -1: no keys are asked for. */
int exchange_owner(struct exchange *exchange);
/* Who asks, by key or address, for task_request.client. */
void exchange_client(struct exchange *exchange, char *name, size_t capacity);
struct MHD_Connection *exchange_connection(struct exchange *exchange);

/* The handler's own. */
void *exchange_state(struct exchange *exchange);
void exchange_set_state(struct exchange *exchange, void *state);

/* ---- answers: from any thread, the first one counts ---- */

/* One more who will answer, and one less. The exchange stays in memory, even where the client is gone. */
void exchange_hold(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/* A header of the answer to come (copied). */
void exchange_add_header(struct exchange *exchange, const char *name, const char *value);
/* The n bytes (copied), of a content type. */
void exchange_answer(struct exchange *exchange, int status, const char *type, const void *bytes, size_t n);
/* The same; `bytes` from malloc() are the exchange's now; NULL: answers that there is no memory. 0: there was an answer, or
 * a stream, already. */
int exchange_answer_own(struct exchange *exchange, int status, const char *type, char *bytes, size_t n);
/* {"error": {message, type, param, code}}; `param` and `code` may be NULL. The type follows from the status. */
void exchange_fail(struct exchange *exchange, int status, const char *param, const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The text of such an error, to be freed; NULL: no memory. */
char *exchange_error_text(int status, const char *param, const char *code, const char *message);
/* A response made with the library's functions, which is released here: upgrades. */
void exchange_answer_response(struct exchange *exchange, int status, struct MHD_Response *response);
/* In the daemon's thread, when an upgraded socket is given to the handler: the exchange is over, but for its memory. */
void exchange_hand_over(struct exchange *exchange);

#define EVENT_STREAM "text/event-stream"

/* An answer that comes in pieces: the status and type now (once; another call does nothing), then bytes (copied), then
 * the end. With keep_alive, a comment of server-sent events goes out every 15 seconds. */
void exchange_stream(struct exchange *exchange, int status, const char *type, int keep_alive);
/* There will be a stream of events as soon as there is something to say: if that takes long, it begins meanwhile, so that
 * an error can have a status of its own, and a proxy does not lose patience. */
void exchange_expect_stream(struct exchange *exchange);
void exchange_write(struct exchange *exchange, const void *bytes, size_t n);
void exchange_finish(struct exchange *exchange);
void exchange_break(struct exchange *exchange); /* the same, so that the client sees that something is missing */
/* Is there an answer already, or nobody to read it? */
int exchange_is_answered(struct exchange *exchange);

/* For the log: how much sound there was, and what the recording is called. */
void exchange_note(struct exchange *exchange, double audio_seconds, const char *recording);

/* ---- the daemon ---- */

struct http_settings {
    const struct route *const *tables; /* NULL behind the last; each ends with a row without method */
    int most_connections;
    int64_t most_body;  /* bytes of a request's body */
    int timeout;        /* seconds without a byte, or to send a request's head */
    const char *origin; /* CORS: the value of Access-Control-Allow-Origin; NULL: none */
};

/* Serve on a listening socket, which is the daemon's now. 0, or -1 and errno. */
int http_start(struct app *app, const struct http_settings *settings, int socket, struct http **http);
/* No new connections. */
void http_close(struct http *http);
/* How many exchanges are not over. */
int http_busy(struct http *http);
/* End those that are left, wait, release. Every task must be over. */
void http_free(struct http *http);

/* ---- counters ---- */

struct http_counts {
    int connections, exchanges;
    uint64_t requests[6]; /* by the first digit of the answer's status; 0: the client was gone */
};
void http_count(struct http *http, struct http_counts *counts);

#endif
