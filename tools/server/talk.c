/* talk.c - one live transcription. Two threads: the listener reads frames and puts their sound into a pair of sockets, the
 * other one reads it there as whisp_audio, whatever its rate, and says what settles. Where the model is slower than the
 * client, the pair is full, then the client's connection: nothing piles up. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/hear.h"
#include "talk.h"
#include "tell.h"
#include "wire.h"

enum {
    PING_EVERY = 15000, /* milliseconds without a byte, then a ping */
    SILENT_PINGS = 4,   /* unanswered ones: the client is gone */
    CLOSE_PATIENCE = 2, /* seconds for the client to answer a close */
    BLOCK = 16384
};

struct talk {
    struct talk_request request;
    struct wire wire;
    int socket;
    int ears[2]; /* sound: the listener writes into 1 */
    void (*over)(void *user);
    void *user;
    uint8_t *early; /* [n_early] bytes that came with the request; NULL */
    size_t n_early;
    pthread_t listener;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int deaf;              /* with the lock: the listener's thread is at its end */
    atomic_int is_ending;  /* nothing more is to be heard */
    atomic_int is_leaving; /* because the server ends */
    atomic_int is_cancelled;
    /* the listener's */
    struct ws_reader frames;
    int is_done; /* the client said that its sound has ended */
    /* the other thread's */
    whisp_stream *stream;
    char *tail;
};

void talk_request_clear(struct talk_request *request)
{
    whisp_options_free(request->options);
    free(request->model);
    request->options = NULL;
    request->model = NULL;
}

void talk_end(struct talk *talk)
{
    talk->is_leaving = 1;
    talk->is_ending = 1;
    shutdown(talk->ears[1], SHUT_WR);
}

static void cancel(struct talk *talk)
{
    talk->is_cancelled = 1;
    shutdown(talk->ears[1], SHUT_RDWR);
}

void talk_cancel(struct talk *talk)
{
    talk->is_leaving = 1;
    cancel(talk);
}

/* ---- the listener ---- */

/* All of it, as there is room; what nobody hears any more is dropped. 0, or -1: the client is gone. */
static int give_sound(struct talk *talk, const uint8_t *bytes, size_t n)
{
    while (n > 0 && !talk->is_ending && !talk->is_cancelled) {
        ssize_t given = send(talk->ears[1], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (given > 0) {
            bytes += given;
            n -= (size_t)given;
            continue;
        }
        if (given < 0 && errno != EAGAIN && errno != EINTR)
            return 0; /* the other thread has ended */
        struct pollfd either[2] = {{.fd = talk->ears[1], .events = POLLOUT}, {.fd = talk->socket, .events = POLLRDHUP}};
        poll(either, 2, -1);
        if (either[1].revents & (POLLRDHUP | POLLHUP | POLLERR))
            return -1;
    }
    return 0;
}

static int refuse(struct talk *talk, int code, const char *why)
{
    wire_say(&talk->wire, tell_error(WHISP_ERR_ARGUMENT, why));
    wire_close(&talk->wire, code, why);
    return -1;
}

static int take_command(struct talk *talk, const struct ws_part *part)
{
    json_t *command = json_loadb((const char *)part->data, part->n, 0, NULL);
    const char *type = json_string_value(json_object_get(command, "type"));
    int is_end = type && strcmp(type, "end") == 0;
    json_decref(command);
    if (!is_end)
        return refuse(talk, WS_POLICY, "a message of text is {\"type\": \"end\"}, samples are binary");
    talk->is_done = 1;
    shutdown(talk->ears[1], SHUT_WR);
    return 0;
}

/* 0, or -1: nothing more is to be read. */
static int take(struct talk *talk, const struct ws_part *part)
{
    switch (part->kind) {
    case WS_BINARY:
        if (talk->is_done)
            return refuse(talk, WS_POLICY, "samples after the end");
        return give_sound(talk, part->data, part->n);
    case WS_TEXT: return take_command(talk, part);
    case WS_PING: return wire_send(&talk->wire, WS_PONG, part->data, part->n);
    case WS_CLOSE: wire_close(&talk->wire, part->code == WS_NO_CODE ? WS_NORMAL : part->code, ""); return -1;
    default: return 0;
    }
}

static int feed(struct talk *talk, uint8_t *bytes, size_t n)
{
    struct ws_part part;
    uint8_t *at = bytes;
    int rc;
    while ((rc = ws_read(&talk->frames, &at, bytes + n, &part)) == 1)
        if (take(talk, &part) != 0)
            return -1;
    if (rc < 0)
        wire_close(&talk->wire, -rc, "");
    return rc;
}

/* Until the client closes, goes away, or is silent for too long. */
static void listen_to_client(struct talk *talk)
{
    uint8_t bytes[BLOCK];
    int silent = 0, rc = feed(talk, talk->early, talk->n_early);
    while (rc == 0) {
        struct pollfd come = {.fd = talk->socket, .events = POLLIN};
        int n_ready = poll(&come, 1, PING_EVERY);
        if (n_ready < 0 && errno != EINTR)
            return;
        if (n_ready == 0 && (++silent > SILENT_PINGS || wire_send(&talk->wire, WS_PING, NULL, 0) != 0))
            return;
        if (n_ready <= 0)
            continue;
        ssize_t n = recv(talk->socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
        silent = 0;
        rc = n > 0 ? feed(talk, bytes, (size_t)n) : 0;
    }
}

static void *listener(void *user)
{
    struct talk *talk = user;
    listen_to_client(talk);
    cancel(talk); /* where all has been said already, nobody is there to be cancelled */
    pthread_mutex_lock(&talk->lock);
    talk->deaf = 1;
    pthread_cond_signal(&talk->changed);
    pthread_mutex_unlock(&talk->lock);
    return NULL;
}

/* ---- the other thread: what settles ---- */

static int is_stopped(void *user)
{
    struct talk *talk = user;
    return talk->is_cancelled;
}

static void on_segment(void *user, const whisp_segment *segment)
{
    struct talk *talk = user;
    if (*segment->text && wire_say(&talk->wire, tell_segment(segment)) != 0)
        cancel(talk);
}

/* The tail as it was said last; a failure to keep it has it said again. */
static int is_new_tail(struct talk *talk, const char *tail)
{
    if (talk->tail && strcmp(talk->tail, tail) == 0)
        return 0;
    free(talk->tail);
    talk->tail = strdup(tail);
    return 1;
}

static int settle(void *user)
{
    struct talk *talk = user;
    const whisp_word *const *words;
    size_t n;
    int rc;
    while ((rc = whisp_stream_pull(talk->stream, &words, &n)) == 1) {
        whisp_stream_info info = {.size = sizeof info};
        if (whisp_stream_describe(talk->stream, &info) != WHISP_OK)
            return WHISP_ERR_STATE;
        if ((is_new_tail(talk, info.tail) || n > 0) && wire_say(&talk->wire, tell_words(words, n, &info)) != 0)
            return WHISP_ERR_CANCELLED;
    }
    return rc == WHISP_END ? WHISP_OK : rc;
}

static int set_callbacks(struct talk *talk)
{
    whisp_callbacks callbacks = {.size = sizeof callbacks, .user = talk, .segment = on_segment, .cancel = is_stopped};
    return whisp_options_on(talk->request.options, &callbacks);
}

/* Did any sound come? Waits for the first of it. */
static int has_sound(struct talk *talk)
{
    char first;
    ssize_t n;
    while ((n = recv(talk->ears[0], &first, 1, MSG_PEEK)) < 0 && errno == EINTR)
        ;
    return n > 0;
}

/* What goes wrong is *problem's. */
static int hear_client(struct talk *talk, struct hearing *h)
{
    int rc = WHISP_OK;
    if (has_sound(talk)) {
        rc = whisp_audio_open_live(talk->ears[0], talk->request.rate, talk->request.channels, &h->audio);
        if (rc == WHISP_OK)
            rc = hear(h);
    }
    return rc;
}

static void transcribe(struct talk *talk, const whisp_model *model, struct problem *problem)
{
    struct hearing h = {.fd = talk->ears[0], .user = talk, .settle = settle, .stopped = is_stopped};
    int rc = set_callbacks(talk);
    if (rc == WHISP_OK)
        rc = whisp_stream_new(model, talk->request.options, &talk->stream);
    h.stream = talk->stream;
    if (rc == WHISP_OK && wire_say(&talk->wire, tell_ready(model, &talk->request)) != 0)
        cancel(talk);
    if (rc == WHISP_OK)
        rc = hear_client(talk, &h);
    if (rc == WHISP_OK && talk->is_cancelled)
        rc = WHISP_ERR_CANCELLED;
    problem->code = rc;
    if (rc != WHISP_OK)
        strncat(problem->text, whisp_last_error(), sizeof problem->text - 1);
    else if (wire_say(&talk->wire, tell_done(talk->stream, h.audio, h.heard)) != 0)
        problem->code = WHISP_ERR_CANCELLED;
    whisp_audio_free(h.audio);
    whisp_stream_free(talk->stream);
}

/* The close that says how it went; then the client has a moment to answer. */
static void part(struct talk *talk, const struct problem *problem)
{
    struct timespec until;
    if (problem->code != WHISP_OK && problem->code != WHISP_ERR_CANCELLED)
        wire_say(&talk->wire, tell_error(problem->code, problem->text));
    wire_close(&talk->wire, talk->is_leaving ? WS_GOING_AWAY : tell_close_code(problem->code), "");
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLOSE_PATIENCE;
    pthread_mutex_lock(&talk->lock);
    while (!talk->deaf && pthread_cond_clockwait(&talk->changed, &talk->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    pthread_mutex_unlock(&talk->lock);
    shutdown(talk->socket, SHUT_RDWR);
    pthread_join(talk->listener, NULL);
}

static void release(struct talk *talk)
{
    for (int i = 0; i < 2; i++)
        if (talk->ears[i] >= 0)
            close(talk->ears[i]);
    wire_free(&talk->wire);
    pthread_mutex_destroy(&talk->lock);
    pthread_cond_destroy(&talk->changed);
    free(talk->early);
    free(talk->tail);
    free(talk);
}

static void *talk_thread(void *user)
{
    struct talk *talk = user;
    const whisp_model *model;
    struct loan *loan;
    struct problem problem = {.code = WHISP_OK};
    if (service_borrow(talk->request.service, talk->request.model, &model, &loan, &problem) == 0) {
        transcribe(talk, model, &problem);
        service_return(loan);
    }
    part(talk, &problem);
    talk->over(talk->user);
    talk_request_clear(&talk->request);
    release(talk);
    return NULL;
}

/* ---- beginning ---- */

static struct talk *make(int socket, const void *early, size_t n_early)
{
    struct talk *talk = calloc(1, sizeof *talk);
    if (!talk || wire_open(&talk->wire, socket) != 0) {
        free(talk);
        return NULL;
    }
    pthread_mutex_init(&talk->lock, NULL);
    pthread_cond_init(&talk->changed, NULL);
    talk->socket = socket;
    talk->ears[0] = talk->ears[1] = -1;
    talk->early = malloc(n_early + 1);
    talk->n_early = n_early;
    if (talk->early && n_early > 0)
        memcpy(talk->early, early, n_early);
    if (!talk->early || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk->ears) != 0) {
        release(talk);
        return NULL;
    }
    return talk;
}

struct talk *talk_begin(struct talk_request *request, int socket, const void *early, size_t n_early,
                        void (*over)(void *user), void *user)
{
    pthread_t thread;
    struct talk *talk = make(socket, early, n_early);
    if (!talk)
        return NULL;
    talk->over = over;
    talk->user = user;
    if (pthread_create(&talk->listener, NULL, listener, talk) != 0) {
        release(talk);
        return NULL;
    }
    talk->request = *request;
    *request = (struct talk_request){0}; /* now: the talk's thread may be over before this one goes on */
    if (pthread_create(&thread, NULL, talk_thread, talk) != 0) {
        *request = talk->request;
        shutdown(socket, SHUT_RDWR);
        pthread_join(talk->listener, NULL);
        release(talk);
        return NULL;
    }
    pthread_detach(thread);
    return talk;
}
