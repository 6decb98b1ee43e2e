/* live.c - GET /v1/live: a request for a WebSocket is looked at, answered, and becomes a talk (talk.h). What of it is not
 * acceptable is told as an ordinary HTTP error, before there is a WebSocket. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "app.h"
#include "live.h"
#include "routes.h"
#include "talk.h"
#include "websocket.h"

enum { MOST_TEXT = 4000 }; /* of a prompt */

/* One place at the table: from the request until its socket is closed. */
struct guest {
    struct guest *next;
    struct live *live;
    struct talk_request request;
    struct talk *talk;         /* NULL: not begun */
    struct exchange *exchange; /* the request; NULL once there is a WebSocket */
    struct MHD_UpgradeResponseHandle *upgrade;
};

struct live {
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct guest *guests;
    int n, most;
    int is_closing;
    char *origin;
};

struct live *live_new(int most, const char *origin)
{
    struct live *live = calloc(1, sizeof *live);
    if (live && origin && !(live->origin = strdup(origin))) {
        free(live);
        return NULL;
    }
    if (!live)
        return NULL;
    pthread_mutex_init(&live->lock, NULL);
    pthread_cond_init(&live->left, NULL);
    live->most = most;
    return live;
}

/* ---- guests ---- */

static void each_talk(struct live *live, void (*act)(struct talk *talk))
{
    pthread_mutex_lock(&live->lock);
    live->is_closing = 1;
    for (struct guest *guest = live->guests; guest; guest = guest->next)
        if (guest->talk)
            act(guest->talk);
    pthread_mutex_unlock(&live->lock);
}

void live_close(struct live *live)
{
    each_talk(live, talk_end);
}

int live_busy(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    int n = live->n;
    pthread_mutex_unlock(&live->lock);
    return n;
}

void live_free(struct live *live)
{
    if (!live)
        return;
    each_talk(live, talk_cancel);
    pthread_mutex_lock(&live->lock);
    while (live->n > 0)
        pthread_cond_wait(&live->left, &live->lock);
    pthread_mutex_unlock(&live->lock);
    pthread_cond_destroy(&live->left);
    pthread_mutex_destroy(&live->lock);
    free(live->origin);
    free(live);
}

/* NULL: there is no place, or no memory. */
static struct guest *guest_enter(struct live *live)
{
    struct guest *guest = calloc(1, sizeof *guest);
    pthread_mutex_lock(&live->lock);
    int is_welcome = guest && live->n < live->most && !live->is_closing;
    if (is_welcome) {
        guest->live = live;
        guest->next = live->guests;
        live->guests = guest;
        live->n++;
    }
    pthread_mutex_unlock(&live->lock);
    if (is_welcome)
        return guest;
    free(guest);
    return NULL;
}

static void guest_leave(struct guest *guest)
{
    struct live *live = guest->live;
    talk_request_clear(&guest->request);
    if (guest->upgrade) /* without the lock: it takes libmicrohttpd's */
        MHD_upgrade_action(guest->upgrade, MHD_UPGRADE_ACTION_CLOSE);
    pthread_mutex_lock(&live->lock);
    struct guest **at = &live->guests;
    while (*at != guest)
        at = &(*at)->next;
    *at = guest->next;
    live->n--;
    pthread_cond_broadcast(&live->left);
    pthread_mutex_unlock(&live->lock);
    free(guest);
}

static void on_over(void *user)
{
    guest_leave(user);
}

/* The socket is ours: in the daemon's thread. */
static void on_upgrade(void *user, struct MHD_Connection *connection, void *state, const char *extra, size_t n_extra,
                       MHD_socket socket, struct MHD_UpgradeResponseHandle *upgrade)
{
    (void)connection, (void)state;
    struct guest *guest = user;
    struct live *live = guest->live;
    exchange_set_state(guest->exchange, NULL);
    exchange_hand_over(guest->exchange);
    pthread_mutex_lock(&live->lock);
    guest->exchange = NULL;
    guest->upgrade = upgrade;
    guest->talk = live->is_closing ? NULL : talk_begin(&guest->request, socket, extra, n_extra, on_over, guest);
    int is_begun = guest->talk != NULL;
    pthread_mutex_unlock(&live->lock);
    if (!is_begun)
        guest_leave(guest);
}

/* The exchange is over: a guest whose socket was never given to him leaves. */
static void drop(void *state)
{
    struct guest *guest = state;
    if (guest)
        guest_leave(guest);
}

/* ---- the request ---- */

/* Is `word` one of the words of a list with commas? */
static int lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at && *at; at += strcspn(at, ",")) {
        at += strspn(at, ", \t");
        if (strncasecmp(at, word, n) == 0 && strchr(", \t", at[n]))
            return 1;
    }
    return 0;
}

/* A page of another site would have the browser's user hear it without asking. What no browser sent has no Origin. */
static int is_foreign_page(struct exchange *exchange)
{
    const char *origin = exchange_header(exchange, "Origin"), *host = exchange_header(exchange, "Host");
    const char *allowed = exchange_app(exchange)->live->origin;
    if (!origin || (allowed && (strcmp(allowed, "*") == 0 || strcmp(allowed, origin) == 0)))
        return 0;
    const char *name = strstr(origin, "://");
    return !name || !host || strcasecmp(name + 3, host) != 0;
}

static int check_handshake(struct exchange *exchange)
{
    const char *key = exchange_header(exchange, "Sec-WebSocket-Key");
    const char *version = exchange_header(exchange, "Sec-WebSocket-Version");
    if (!lists(exchange_header(exchange, "Upgrade"), "websocket") ||
        !lists(exchange_header(exchange, "Connection"), "upgrade")) {
        exchange_add_header(exchange, "Upgrade", "websocket");
        exchange_fail(exchange, 426, NULL, NULL, "this is a WebSocket: connect to it with ws://, not http://");
    } else if (!version || strcmp(version, "13") != 0) {
        exchange_add_header(exchange, "Sec-WebSocket-Version", "13");
        exchange_fail(exchange, 426, NULL, NULL, "WebSockets of version 13 are spoken here");
    } else if (!key || !ws_is_key(key)) {
        exchange_fail(exchange, 400, NULL, NULL, "Sec-WebSocket-Key is not 16 bytes in base64");
    } else if (is_foreign_page(exchange)) {
        exchange_fail(exchange, 403, NULL, NULL, "a page of another site asks: allow it with --cors");
    } else {
        return 0;
    }
    return -1;
}

/* A whole number of the query, or `otherwise`; -1 after an error was told. */
static int number(struct exchange *exchange, const char *name, int otherwise, int least, int most)
{
    const char *text = exchange_query(exchange, name);
    char *end;
    long value = text ? strtol(text, &end, 10) : otherwise;
    if (!text || (*text && !*end && value >= least && value <= most))
        return (int)value;
    exchange_fail(exchange, 400, name, NULL, "%s is a whole number from %d to %d", name, least, most);
    return -1;
}

/* What a client may choose, and what it is called in the library. */
static const struct choice {
    const char *name, *option;
} choices[] = {
    {"language", "language"},
    {"task", "task"},
    {"prompt", "initial_prompt"},
    {"temperature", "temperature"},
    {"word_timestamps", "word_timestamps"},
    {"confidence", "confidence"},
    {"hotwords", "hotwords"},
    {"stream_step", "stream_step"},
    {"diarize", "diarize"},
    {"num_speakers", "num_speakers"},
};

/* What needs a whole recording, and may be a default of this server's. */
static const struct choice not_live[] = {{"vad_filter", "False"},
                                         {"split_stereo", "False"},
                                         {"clip_timestamps", "0"},
                                         {"speakers_out", "None"}};

static int set_options(struct exchange *exchange, whisp_options *options)
{
    for (size_t i = 0; i < sizeof not_live / sizeof *not_live; i++)
        if (whisp_options_set(options, not_live[i].name, not_live[i].option) != WHISP_OK) {
            exchange_fail(exchange, 500, NULL, NULL, "%s", whisp_last_error());
            return -1;
        }
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const char *value = exchange_query(exchange, choices[i].name);
        int is_long = value && strlen(value) > MOST_TEXT;
        if (value && (is_long || whisp_options_set(options, choices[i].option, value) != WHISP_OK)) {
            exchange_fail(exchange, 400, choices[i].name, NULL, "%s", is_long ? "too long" : whisp_last_error());
            return -1;
        }
    }
    return 0;
}

/* 0, or -1 after an error was told. */
static int read_request(struct exchange *exchange, struct talk_request *request)
{
    struct problem problem = {.code = 0};
    request->service = exchange_app(exchange)->service;
    request->rate = number(exchange, "sample_rate", 16000, 1000, 768000);
    if (request->rate < 0)
        return -1;
    request->channels = number(exchange, "channels", 1, 1, 64);
    if (request->channels < 0)
        return -1;
    if (service_find(request->service, exchange_query(exchange, "model"), &request->model, &problem) != 0) {
        answer_problem(exchange, &problem);
        return -1;
    }
    request->options = service_options(request->service);
    if (!request->options) {
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
        return -1;
    }
    return set_options(exchange, request->options);
}

static void answer(struct exchange *exchange, struct guest *guest)
{
    char accept[WS_ACCEPT + 1];
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, guest);
    if (!response) {
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
        return;
    }
    ws_accept(exchange_header(exchange, "Sec-WebSocket-Key"), accept);
    if (MHD_add_response_header(response, "Upgrade", "websocket") != MHD_YES ||
        MHD_add_response_header(response, "Sec-WebSocket-Accept", accept) != MHD_YES) {
        MHD_destroy_response(response);
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
        return;
    }
    exchange_answer_response(exchange, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}

static void end(struct exchange *exchange)
{
    if (check_handshake(exchange) != 0)
        return;
    struct guest *guest = guest_enter(exchange_app(exchange)->live);
    if (!guest) {
        exchange_fail(exchange, 503, NULL, NULL, "as many live transcriptions as there may be: try again later");
        return;
    }
    guest->exchange = exchange;
    exchange_set_state(exchange, guest);
    if (read_request(exchange, &guest->request) == 0)
        answer(exchange, guest);
}

const struct route live_routes[] = {
    {.method = "GET", .path = "/v1/live", .flags = ROUTE_QUERY_KEY, .end = end, .drop = drop},
    {.method = NULL},
};
