/* exchange.c - answers: given by any thread, taken by the daemon's. Between the two stands the exchange's lock; a
 * connection is suspended and resumed under it, so that no answer comes between. */
#include "exchange.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dump.h"

static const char no_memory[] =
    "{\"error\": {\"message\": \"out of memory\", \"type\": \"server_error\", \"param\": null, "
    "\"code\": null}}\n";

double exchange_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct exchange *exchange_new(void)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    if (pthread_mutex_init(&x->lock, NULL) != 0) {
        free(x);
        return NULL;
    }
    atomic_init(&x->refs, 1);
    x->started = x->mark = x->written = exchange_now();
    x->owner = -1;
    return x;
}

void exchange_hold(struct exchange *x)
{
    atomic_fetch_add(&x->refs, 1);
}

void exchange_release(struct exchange *x)
{
    if (atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    if (x->route && x->route->drop && x->state)
        x->route->drop(x->state);
    for (struct header *h = x->headers, *next; h; h = next) {
        next = h->next;
        free(h->name);
        free(h->value);
        free(h);
    }
    free(x->pending);
    free(x->recording);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* ---- what it says ---- */

struct app *exchange_app(struct exchange *x)
{
    return x->app;
}

const char *exchange_rest(struct exchange *x)
{
    return x->path + strlen(x->route->path);
}

const char *exchange_header(struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

const char *exchange_query(struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

int exchange_owner(struct exchange *x)
{
    return x->owner;
}

void exchange_client(struct exchange *x, char *name, size_t capacity)
{
    if (x->owner >= 0)
        snprintf(name, capacity, "key %d", x->owner);
    else
        snprintf(name, capacity, "%s", x->client);
}

struct MHD_Connection *exchange_connection(struct exchange *x)
{
    return x->connection;
}

void *exchange_state(struct exchange *x)
{
    return x->state;
}

void exchange_set_state(struct exchange *x, void *state)
{
    x->state = state;
}

/* ---- giving answers ---- */

/* Under the lock: there is something for the daemon. */
static void wake(struct exchange *x)
{
    if (!x->is_suspended || !x->connection)
        return;
    x->is_suspended = 0;
    MHD_resume_connection(x->connection);
}

static void add_header(struct exchange *x, const char *name, const char *value)
{
    struct header *h = calloc(1, sizeof *h);
    if (!h || !(h->name = strdup(name)) || !(h->value = strdup(value))) {
        if (h)
            free(h->name);
        free(h);
        x->is_lacking = 1;
        return;
    }
    for (char *c = h->value; *c; c++) /* which libmicrohttpd would refuse */
        if ((unsigned char)*c < 32)
            *c = ' ';
    h->next = x->headers;
    x->headers = h;
}

void exchange_add_header(struct exchange *x, const char *name, const char *value)
{
    pthread_mutex_lock(&x->lock);
    add_header(x, name, value);
    pthread_mutex_unlock(&x->lock);
}

/* Under the lock: the answer is this one, unless there is one: 0. */
static int answer(struct exchange *x, int status, const char *type, struct MHD_Response *response)
{
    if (x->is_answered || !x->connection) { /* or nobody is there to read it */
        if (response)
            MHD_destroy_response(response);
        return 0;
    }
    if (!response)
        type = "application/json"; /* of the error */
    if (type)
        add_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (!response || x->is_lacking) {
        if (response)
            MHD_destroy_response(response);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        response = MHD_create_response_from_buffer(sizeof no_memory - 1, (void *)(uintptr_t)no_memory,
                                                   MHD_RESPMEM_PERSISTENT);
    }
    x->is_answered = 1;
    x->status = status;
    x->response = response;
    x->is_hung |= !response; /* not even that: the connection is closed */
    wake(x);
    return 1;
}

int exchange_answer_own(struct exchange *x, int status, const char *type, char *bytes, size_t n)
{
    struct MHD_Response *response = NULL;
    if (bytes && !(response = MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE)))
        free(bytes);
    pthread_mutex_lock(&x->lock);
    int is_first = answer(x, status, type, response);
    pthread_mutex_unlock(&x->lock);
    return is_first;
}

void exchange_answer(struct exchange *x, int status, const char *type, const void *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy)
        memcpy(copy, bytes, n);
    exchange_answer_own(x, status, type, copy, n);
}

void exchange_answer_response(struct exchange *x, int status, struct MHD_Response *response)
{
    pthread_mutex_lock(&x->lock);
    answer(x, status, NULL, response);
    pthread_mutex_unlock(&x->lock);
}

static const char *error_type(int status)
{
    switch (status) {
    case MHD_HTTP_UNAUTHORIZED: return "authentication_error";
    case MHD_HTTP_TOO_MANY_REQUESTS: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

/* What came from outside may not be UTF-8, which JSON is. */
static json_t *text_of(const char *message)
{
    char plain[1024];
    size_t n = 0;
    json_t *text = json_string(message);
    if (text)
        return text;
    for (; message[n] && n + 1 < sizeof plain; n++)
        plain[n] = (unsigned char)message[n] < 128 ? message[n] : '?';
    plain[n] = '\0';
    return json_string(plain);
}

char *exchange_error_text(int status, const char *param, const char *code, const char *message)
{
    json_t *json = json_pack("{s:{s:o, s:s, s:o?, s:s?}}", "error", "message", text_of(message), "type",
                             error_type(status), "param", param ? text_of(param) : NULL, "code", code);
    char *text = dump_json(json);
    json_decref(json);
    return text;
}

void exchange_fail(struct exchange *x, int status, const char *param, const char *code, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char *text = exchange_error_text(status, param, code, message);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
        exchange_add_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    if (status == MHD_HTTP_UNAUTHORIZED)
        exchange_add_header(x, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    exchange_answer_own(x, status, "application/json", text, text ? strlen(text) : 0);
}

int exchange_is_answered(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    int is = x->is_answered || x->is_hung || !x->connection;
    pthread_mutex_unlock(&x->lock);
    return is;
}

void exchange_note(struct exchange *x, double audio_seconds, const char *recording)
{
    pthread_mutex_lock(&x->lock);
    x->audio_seconds += audio_seconds;
    if (recording && !x->recording)
        x->recording = strdup(recording);
    pthread_mutex_unlock(&x->lock);
}

/* ---- streams ---- */

/* The daemon wants more of a stream: what there is, or it is suspended until there is. */
static ssize_t give(void *user, uint64_t position, char *bytes, size_t most)
{
    struct exchange *x = user;
    ssize_t given = 0;
    (void)position;
    pthread_mutex_lock(&x->lock);
    if (x->at < x->n) {
        given = (ssize_t)(x->n - x->at < most ? x->n - x->at : most);
        memcpy(bytes, x->pending + x->at, (size_t)given);
        x->at += (size_t)given;
        if (x->at == x->n)
            x->at = x->n = 0;
    } else if (x->is_hung) {
        given = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (x->is_finished) {
        given = x->is_finished > 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    } else {
        x->is_suspended = 1;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return given;
}

static void let_go(void *user)
{
    exchange_release(user);
}

void exchange_stream(struct exchange *x, int status, const char *type, int keep_alive)
{
    exchange_hold(x); /* the response's */
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, give, x, let_go);
    pthread_mutex_lock(&x->lock);
    if (!x->is_answered && response) {
        x->is_stream = 1;
        x->keep_alive = keep_alive;
        add_header(x, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        add_header(x, "X-Accel-Buffering", "no"); /* nginx would collect events */
    }
    answer(x, status, type, response);
    pthread_mutex_unlock(&x->lock);
    if (!response)
        exchange_release(x);
}

/* Under the lock. A stream with a hole in it is broken off: -1 as is_finished. */
static void append(struct exchange *x, const void *bytes, size_t n)
{
    if (!x->is_stream || !x->connection || x->is_hung || x->is_finished)
        return;
    if (x->n + n > x->capacity) {
        size_t capacity = 2 * (x->n + n);
        char *larger = realloc(x->pending, capacity);
        if (!larger) {
            x->is_finished = -1;
            wake(x);
            return;
        }
        x->pending = larger;
        x->capacity = capacity;
    }
    memcpy(x->pending + x->n, bytes, n);
    x->n += n;
    x->written = exchange_now();
    wake(x);
}

void exchange_write(struct exchange *x, const void *bytes, size_t n)
{
    pthread_mutex_lock(&x->lock);
    append(x, bytes, n);
    pthread_mutex_unlock(&x->lock);
}

static void finish(struct exchange *x, int how)
{
    pthread_mutex_lock(&x->lock);
    if (!x->is_finished)
        x->is_finished = how;
    wake(x);
    pthread_mutex_unlock(&x->lock);
}

void exchange_finish(struct exchange *x)
{
    finish(x, 1);
}

void exchange_break(struct exchange *x)
{
    finish(x, -1);
}

void exchange_expect_stream(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->expects_stream = 1;
    pthread_mutex_unlock(&x->lock);
}

void exchange_comment(struct exchange *x, double now, double seconds)
{
    pthread_mutex_lock(&x->lock);
    int is_late = x->expects_stream && !x->is_answered && now - x->written >= seconds;
    pthread_mutex_unlock(&x->lock);
    if (is_late)
        exchange_stream(x, MHD_HTTP_OK, EVENT_STREAM, 1);
    pthread_mutex_lock(&x->lock);
    if (x->keep_alive && !x->is_finished && x->at == x->n && now - x->written >= seconds)
        append(x, ":\n\n", 3);
    pthread_mutex_unlock(&x->lock);
}

/* ---- the daemon's side ---- */

/* Not under the lock: the library asks give() for more under one of its own. Headers that come later are not sent. Where
 * there is no memory for one (Whisp-Incomplete, say), the connection is closed: without it the answer would be another. */
static enum MHD_Result hand_over(struct exchange *x, struct MHD_Response *response, const struct header *headers)
{
    enum MHD_Result result = MHD_YES;
    for (const struct header *h = headers; h && result == MHD_YES; h = h->next)
        result = MHD_add_response_header(response, h->name, h->value);
    if (result == MHD_YES)
        result = MHD_queue_response(x->connection, (unsigned)x->status, response);
    MHD_destroy_response(response); /* a stream's holds the exchange, so it is the daemon's alone now */
    return result;
}

enum MHD_Result exchange_settle(struct exchange *x)
{
    enum MHD_Result result = MHD_YES;
    struct MHD_Response *response = NULL;
    pthread_mutex_lock(&x->lock);
    const struct header *headers = x->headers;
    if (x->is_answered && !x->is_queued) {
        x->is_queued = 1;
        response = x->response;
        x->response = NULL;
        result = MHD_NO; /* where there is none */
    } else if (x->is_hung) {
        result = MHD_NO;
    } else if (!x->is_answered) {
        x->is_suspended = 1;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return response ? hand_over(x, response, headers) : result;
}

void exchange_hang_up(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->is_hung = 1;
    wake(x);
    pthread_mutex_unlock(&x->lock);
}

void exchange_part(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    struct MHD_Response *unused = x->response;
    x->response = NULL;
    x->connection = NULL;
    x->is_suspended = 0;
    free(x->pending);
    x->pending = NULL;
    x->at = x->n = x->capacity = 0;
    pthread_mutex_unlock(&x->lock);
    if (unused)
        MHD_destroy_response(unused);
}
