/* http.c - the daemon: connections, requests as they come, slow clients, and what is logged. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admit.h"
#include "exchange.h"
#include "gone.h"
#include "log.h"

enum {
    HEAD_MOST = 32768, /* bytes of memory a connection: its request's head, and buffers */
    SLOWEST = 200,     /* bytes a second that a body must come with, */
    SLOW_SECONDS = 60, /* looked at so often */
    COMMENT_SECONDS = 15,
    END_SECONDS = 5 /* for answers to get out at the end */
};

/* A connection. */
struct link {
    struct link *next, *before;
    int fd, is_busy; /* with a request */
    double since;    /* when it was made, or its last request ended */
};

struct http {
    struct app *app;
    struct MHD_Daemon *daemon;
    struct gone *gone;
    struct admission rules;
    char *origin; /* the same as the rules' */
    int timeout, socket;
    pthread_mutex_t lock;
    struct exchange *exchanges; /* all that are not over */
    struct link *links;
    int is_over; /* nothing new begins */
    struct http_counts counts;
};

/* ---- connections ---- */

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = user;
    struct link *link = *context;
    pthread_mutex_lock(&http->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = link = calloc(1, sizeof *link);
        if (link) {
            *link = (struct link){.next = http->links, .fd = info ? info->connect_fd : -1, .since = exchange_now()};
            if (link->next)
                link->next->before = link;
            http->links = link;
        }
        http->counts.connections++;
    } else {
        http->counts.connections--;
        if (link) {
            *(link->before ? &link->before->next : &http->links) = link->next;
            if (link->next)
                link->next->before = link->before;
            free(link);
            *context = NULL;
        }
    }
    pthread_mutex_unlock(&http->lock);
}

/* In gone.c's thread: the client behind a socket went away. */
static void on_gone(void *user, int fd)
{
    struct http *http = user;
    pthread_mutex_lock(&http->lock);
    struct exchange *x = http->exchanges;
    while (x && x->link->fd != fd)
        x = x->next;
    if (x)
        exchange_hang_up(x);
    pthread_mutex_unlock(&http->lock);
}

/* A body that hardly comes keeps its place for ever. */
static int is_slow(struct exchange *x, double now)
{
    int slow = 0;
    pthread_mutex_lock(&x->lock);
    if (!x->has_ended && !x->is_queued && now - x->mark >= SLOW_SECONDS) {
        slow = x->received - x->at_mark < (int64_t)SLOWEST * SLOW_SECONDS;
        x->mark = now;
        x->at_mark = x->received;
    }
    pthread_mutex_unlock(&x->lock);
    return slow;
}

/* Once a second, in gone.c's thread. A socket that is shut down the daemon closes. */
static void on_tick(void *user)
{
    struct http *http = user;
    double now = exchange_now();
    pthread_mutex_lock(&http->lock);
    for (struct link *link = http->links; link; link = link->next)
        if (!link->is_busy && now - link->since > http->timeout)
            shutdown(link->fd, SHUT_RDWR);
    for (struct exchange *x = http->exchanges; x; x = x->next) {
        if (is_slow(x, now))
            shutdown(x->link->fd, SHUT_RDWR);
        exchange_comment(x, now, COMMENT_SECONDS);
    }
    pthread_mutex_unlock(&http->lock);
}

/* ---- a request ---- */

static void describe_client(struct exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    socklen_t size = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in);
    if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        getnameinfo(address, size, x->client, sizeof x->client, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(x->client, sizeof x->client, "local");
}

static struct exchange *make(struct http *http, struct MHD_Connection *connection, const char *method, const char *path)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct link *link = info ? info->socket_context : NULL;
    struct exchange *x = link ? exchange_new() : NULL;
    if (!x)
        return NULL;
    x->http = http;
    x->app = http->app;
    x->link = link;
    x->connection = connection;
    x->method = method;
    x->path = path;
    describe_client(x);
    pthread_mutex_lock(&http->lock);
    int is_over = http->is_over;
    if (!is_over) {
        x->next = http->exchanges;
        if (x->next)
            x->next->before = x;
        http->exchanges = x;
        http->counts.exchanges++;
        link->is_busy = 1;
    }
    pthread_mutex_unlock(&http->lock);
    if (is_over || gone_watch(http->gone, link->fd) != 0) {
        if (is_over)
            exchange_release(x);
        return is_over ? NULL : x; /* not to see a client go is no reason to turn it away */
    }
    return x;
}

static enum MHD_Result feed(struct exchange *x, const char *bytes, size_t n)
{
    pthread_mutex_lock(&x->lock);
    x->received += (int64_t)n;
    int64_t received = x->received;
    pthread_mutex_unlock(&x->lock);
    if (received > 2 * x->http->rules.most_body)
        return MHD_NO; /* in chunks, without an end: it will not read why */
    if (exchange_is_answered(x))
        return MHD_YES;
    if (received > x->http->rules.most_body)
        admit_fail_size(x, &x->http->rules);
    else if (x->route->body)
        x->route->body(x, bytes, n);
    return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *n, void **context)
{
    struct exchange *x = *context;
    (void)version;
    if (!x) {
        x = make(user, connection, method, path);
        if (!x)
            return MHD_NO;
        *context = x;
        admit(x, &x->http->rules);
        return exchange_is_answered(x) && !admit_may_read_on(x, &x->http->rules) ? exchange_settle(x) : MHD_YES;
    }
    if (*n) {
        enum MHD_Result result = feed(x, bytes, *n);
        *n = 0;
        return result;
    }
    if (!x->has_ended) {
        pthread_mutex_lock(&x->lock);
        x->has_ended = 1;
        pthread_mutex_unlock(&x->lock);
        if (!exchange_is_answered(x) && x->route->end)
            x->route->end(x);
    }
    return exchange_settle(x);
}

/* ---- the end of one ---- */

static void log_end(struct exchange *x, int status)
{
    if (x->route && x->route->flags & ROUTE_QUIET && status && status < 400)
        return;
    pthread_mutex_lock(&x->lock);
    struct log_request line = {.client = x->client,
                               .method = x->method,
                               .path = x->path,
                               .recording = x->recording,
                               .status = status,
                               .seconds = exchange_now() - x->started,
                               .audio_seconds = x->audio_seconds,
                               .received = x->received};
    pthread_mutex_unlock(&x->lock);
    log_request(&line);
}

/* All but its memory. `is_free`: its connection may have another request. */
static void end_exchange(struct http *http, struct exchange *x, int status, int is_free)
{
    gone_forget(http->gone, x->link->fd);
    log_end(x, status);
    if (x->has_begun && x->route->gone)
        x->route->gone(x);
    pthread_mutex_lock(&http->lock);
    *(x->before ? &x->before->next : &http->exchanges) = x->next;
    if (x->next)
        x->next->before = x->before;
    if (is_free) {
        x->link->is_busy = 0;
        x->link->since = exchange_now();
    }
    http->counts.exchanges--;
    http->counts.requests[status / 100 % 6]++;
    pthread_mutex_unlock(&http->lock);
    exchange_part(x);
}

/* libmicrohttpd tells of the end of an upgraded connection while it holds the lock that resuming one takes, too, which
 * others do with locks of ours: so all that needs ours is done here, before. */
void exchange_hand_over(struct exchange *x)
{
    end_exchange(x->http, x, x->status, 0);
    x->is_handed_over = 1;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *context;
    (void)connection;
    if (!x)
        return;
    *context = NULL;
    if (!x->is_handed_over)
        end_exchange(user, x, code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? x->status : 0, 1);
    exchange_release(x);
}

/* ---- all of it ---- */

static void on_message(void *user, const char *format, va_list arguments)
{
    char text[400];
    (void)user;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http: %s", text);
}

/* A path does not end at a NUL that somebody has written into it: then it stays as it came, and is nobody's. */
static size_t unescape(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static struct MHD_Daemon *start_daemon(struct http *http, const struct http_settings *settings)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                           MHD_USE_ERROR_LOG;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
                            MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_LISTEN_SOCKET, http->socket,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->most_connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)settings->timeout,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MOST, MHD_OPTION_END);
}

int http_start(struct app *app, const struct http_settings *settings, int socket, struct http **out)
{
    struct http *http = *out = calloc(1, sizeof *http);
    if (!http)
        return -1;
    *http = (struct http){.app = app,
                          .rules = {settings->tables, settings->most_body, NULL},
                          .timeout = settings->timeout,
                          .socket = socket,
                          .origin = settings->origin ? strdup(settings->origin) : NULL};
    http->rules.origin = http->origin;
    pthread_mutex_init(&http->lock, NULL);
    if (!settings->origin == !http->origin)
        http->gone = gone_start(on_gone, on_tick, http);
    if (http->gone)
        http->daemon = start_daemon(http, settings);
    if (http->daemon)
        return 0;
    int problem = errno;
    http->socket = -1; /* still the caller's */
    http_free(http);
    *out = NULL;
    errno = problem;
    return -1;
}

void http_close(struct http *http)
{
    if (http->socket >= 0 && MHD_quiesce_daemon(http->daemon) == http->socket)
        close(http->socket);
    http->socket = -1;
}

int http_busy(struct http *http)
{
    struct http_counts counts;
    http_count(http, &counts);
    return counts.exchanges;
}

void http_count(struct http *http, struct http_counts *counts)
{
    pthread_mutex_lock(&http->lock);
    *counts = http->counts;
    pthread_mutex_unlock(&http->lock);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    pthread_mutex_lock(&http->lock);
    http->is_over = 1;
    for (struct exchange *x = http->exchanges; x; x = x->next)
        exchange_hang_up(x);
    pthread_mutex_unlock(&http->lock);
    for (double end = exchange_now() + END_SECONDS; http->daemon && http_busy(http) > 0 && exchange_now() < end;)
        usleep(10000);
    if (http->daemon) {
        http_close(http);
        MHD_stop_daemon(http->daemon);
    }
    gone_stop(http->gone);
    pthread_mutex_destroy(&http->lock);
    free(http->origin);
    free(http);
}
