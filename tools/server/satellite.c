/* satellite.c - a client of the Wyoming protocol: describe, transcribe, audio-start, audio-chunk, audio-stop, ping. Its
 * sound goes into a temporary file; its text goes back as it becomes final, then once more as a whole. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dump.h"
#include "satellite.h"
#include "sending.h"
#include "service.h"
#include "wyoming_info.h"
#include "wyoming_reader.h"

enum {
    BLOCK = 16384,
    PATIENCE = 30000, /* milliseconds for a client to take an event */
    IDLE = 20,        /* times the timeout between recordings */
    MOST_LANGUAGE = 32,
    MOST_MODEL = 200
};

/* A piece of text that is to go out. */
struct line {
    struct line *next;
    char text[];
};

struct satellite {
    const struct satellite_terms *terms;
    int socket;
    struct wyoming_reader reader;
    /* what the client said of the recording that comes */
    char model[MOST_MODEL], language[MOST_LANGUAGE];
    struct upload *sound;
    int rate, channels;
    int is_chunk;   /* the payload that comes is sound */
    int is_refused; /* what comes until the sound ends is not heard, which was told */
    int has_failed; /* something of this recording was told to be wrong */
    /* a task's: written by its threads */
    int wake; /* eventfd: something of it is new */
    pthread_mutex_t lock;
    struct line *lines, **last; /* with the lock, as all below */
    int has_ended, is_short;    /* is_short: there was no memory for a piece */
    struct problem problem;
    char *text, *spoken; /* the whole text, and in which language */
};

/* ---- sending ---- */

/* An event; `data` is released, and NULL where memory was short, which is a failure. 0 or -1: the client is lost. */
static int say(struct satellite *s, const char *type, json_t *data)
{
    char *text = dump_json(data);
    json_t *head = text ? json_pack("{s:s, s:s, s:I}", "type", type, "version", whisp_version(), "data_length",
                                    (json_int_t)strlen(text))
                        : NULL;
    char *line = dump_json(head);
    int rc = -1;
    if (text && line && send_all(s->socket, line, strlen(line), PATIENCE) == 0 &&
        send_all(s->socket, "\n", 1, PATIENCE) == 0)
        rc = send_all(s->socket, text, strlen(text), PATIENCE);
    free(line);
    free(text);
    json_decref(head);
    json_decref(data);
    return rc;
}

/* What went wrong is told. */
static int say_problem(struct satellite *s, const char *text, const char *code)
{
    s->has_failed = 1;
    return say(s, "error", json_pack("{s:s, s:s}", "text", text, "code", code));
}

static const char *code_of(int problem)
{
    switch (problem) {
    case SERVICE_FULL:
    case SERVICE_GREEDY: return "busy";
    case SERVICE_CLOSING: return "closing";
    case SERVICE_NO_MODEL: return "model-not-found";
    case WHISP_ERR_ARGUMENT: return "bad-request";
    case WHISP_ERR_AUDIO:
    case SERVICE_FOREIGN: return "bad-audio";
    default: return "failed";
    }
}

/* ---- what a task tells: its threads ---- */

static void wake(struct satellite *s)
{
    uint64_t one = 1;
    if (write(s->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

static void on_segment(void *user, const whisp_segment *segment)
{
    struct satellite *s = user;
    size_t n = strlen(segment->text) + 1;
    struct line *line = malloc(sizeof *line + n);
    pthread_mutex_lock(&s->lock);
    if (line) {
        line->next = NULL;
        memcpy(line->text, segment->text, n);
        *s->last = line;
        s->last = &line->next;
    } else {
        s->is_short = 1;
    }
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void on_end(void *user, const struct task_end *end)
{
    struct satellite *s = user;
    whisp_result_info info = {.size = sizeof info};
    pthread_mutex_lock(&s->lock);
    s->problem = end->problem;
    if (end->problem.code == WHISP_OK && whisp_result_describe(end->result, &info) == WHISP_OK) {
        s->text = strdup(info.text + strspn(info.text, " "));
        s->spoken = info.language ? strdup(info.language) : NULL;
    }
    s->has_ended = 1;
    /* with the lock: the other thread ends once it has seen this, and the descriptor with it */
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

/* ---- waiting for it ---- */

/* `socket`: -1 once the client is known to be lost, which would be news every time. */
static int is_gone(struct satellite *s, int socket, int milliseconds)
{
    struct pollfd either[2] = {{.fd = s->wake, .events = POLLIN}, {.fd = socket, .events = POLLRDHUP}};
    uint64_t count;
    poll(either, 2, milliseconds);
    if ((either[0].revents & POLLIN) && read(s->wake, &count, sizeof count) < 0)
        count = 0;
    return (either[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) || *s->terms->is_over;
}

/* Say the pieces that are there. 0, or -1: the client is lost. *ended: the task is over. */
static int say_pieces(struct satellite *s, int *ended)
{
    pthread_mutex_lock(&s->lock);
    struct line *lines = s->lines;
    s->lines = NULL;
    s->last = &s->lines;
    *ended = s->has_ended;
    pthread_mutex_unlock(&s->lock);
    int rc = 0;
    while (lines) {
        struct line *next = lines->next;
        if (rc == 0)
            rc = say(s, "transcript-chunk", json_pack("{s:s}", "text", lines->text));
        free(lines);
        lines = next;
    }
    return rc;
}

/* Until the task is over. 0, or -1: the client is lost, and the task was cancelled. */
static int wait_for_end(struct satellite *s, struct task *task)
{
    int ended = 0, rc = 0;
    while (!ended) {
        int gone = is_gone(s, rc == 0 ? s->socket : -1, 1000);
        if (rc == 0 && gone) {
            task_cancel(task);
            rc = -1;
        }
        int said = say_pieces(s, &ended);
        if (rc == 0 && said != 0) {
            task_cancel(task);
            rc = -1;
        }
    }
    return rc;
}

static int say_transcript(struct satellite *s)
{
    if (s->problem.code != WHISP_OK)
        return say_problem(s, s->problem.text, code_of(s->problem.code));
    if (s->is_short || !s->text)
        return say_problem(s, "out of memory", "failed");
    json_t *data = json_pack("{s:s, s:s*}", "text", s->text, "language", s->spoken);
    return say(s, "transcript", data) == 0 ? say(s, "transcript-stop", json_object()) : -1;
}

static void forget(struct satellite *s)
{
    free(s->text);
    free(s->spoken);
    s->text = s->spoken = NULL;
    s->has_ended = s->is_short = s->is_refused = 0;
    s->model[0] = s->language[0] = 0;
    upload_free(s->sound);
    s->sound = NULL;
}

/* ---- the recording ---- */

static int is_number(const json_t *data, const char *name, int least, int most, int *number)
{
    const json_t *value = json_object_get(data, name);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < least || n > most)
        return 0;
    *number = (int)n;
    return 1;
}

/* What comes until the end of the sound is passed over. 0 or -1: the client is lost. */
static int refuse_sound(struct satellite *s, const char *why, const char *code)
{
    upload_free(s->sound);
    s->sound = NULL;
    s->is_refused = 1;
    return say_problem(s, why, code);
}

static int begin_sound(struct satellite *s, const json_t *data)
{
    int width;
    upload_free(s->sound);
    s->sound = NULL;
    s->is_refused = s->has_failed = 0;
    if (*s->terms->is_closing)
        return refuse_sound(s, "the server is about to end", "closing");
    if (!is_number(data, "rate", 1000, 768000, &s->rate) || !is_number(data, "channels", 1, 64, &s->channels) ||
        !is_number(data, "width", 2, 2, &width))
        return refuse_sound(s, "sound has rate, width and channels; the width is 2 bytes", "bad-audio");
    s->sound = upload_new();
    if (!s->sound || upload_begin_raw(s->sound) != 0)
        return refuse_sound(s, "there is no room for a recording", "busy");
    return 0;
}

/* The head of a chunk. Some clients do not say audio-start. */
static int begin_chunk(struct satellite *s, const json_t *data)
{
    int rate, channels, width;
    if (s->is_refused)
        return 0;
    if (!s->sound)
        return begin_sound(s, data);
    if (!is_number(data, "rate", s->rate, s->rate, &rate) || !is_number(data, "width", 2, 2, &width) ||
        !is_number(data, "channels", s->channels, s->channels, &channels))
        return refuse_sound(s, "a chunk with another rate, width or channels than those before", "bad-audio");
    return 0;
}

/* Bytes of sound. 0, or -1: the client is lost. */
static int take_sound(struct satellite *s, const uint8_t *bytes, size_t n)
{
    if (!s->is_chunk || !s->sound)
        return 0;
    if (upload_size(s->sound) + (int64_t)n <= s->terms->most_sound && upload_write(s->sound, bytes, n) == 0)
        return 0;
    return refuse_sound(s, "the recording is too long, or there is no room for it", "too-long");
}

/* By its address, as HTTP's without keys. */
static void name_client(const struct satellite *s, char name[SERVICE_CLIENT])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getpeername(s->socket, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, name, SERVICE_CLIENT, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(name, SERVICE_CLIENT, "local");
}

static int set_language(struct satellite *s, whisp_options *options)
{
    if (!s->language[0])
        return WHISP_OK;
    return whisp_options_set(options, "language", s->language);
}

/* The sound is there: transcribe it. 0, or -1: the client is lost. */
static int transcribe(struct satellite *s)
{
    struct problem problem = {.code = WHISP_ERR_MEMORY, .text = "out of memory"};
    struct task *task;
    whisp_options *options = service_options(s->terms->service);
    int rc = options ? set_language(s, options) : WHISP_ERR_MEMORY;
    int error = rc == WHISP_OK ? upload_end_raw(s->sound, s->rate, s->channels) : 0;
    if (rc != WHISP_OK || error != 0) {
        snprintf(problem.text, sizeof problem.text, "%s", error ? strerror(error) : whisp_last_error());
        whisp_options_free(options);
        return say_problem(s, problem.text, error ? "failed" : code_of(rc));
    }
    struct task_request request = {.kind = TASK_TRANSCRIBE,
                                   .model = s->model,
                                   .recording = s->sound,
                                   .options = options,
                                   .sink = {.user = s, .segment = on_segment, .end = on_end}};
    name_client(s, request.client);
    s->sound = NULL;
    s->lines = NULL;
    s->last = &s->lines;
    if (task_start(s->terms->service, &request, &task, &problem) != 0)
        return say_problem(s, problem.text, code_of(problem.code));
    json_t *start = s->language[0] ? json_pack("{s:s}", "language", s->language) : json_object();
    rc = say(s, "transcript-start", start);
    if (rc != 0)
        task_cancel(task);
    rc |= wait_for_end(s, task);
    task_release(task);
    return rc == 0 ? say_transcript(s) : -1;
}

/* ---- events ---- */

/* A text of the event's data; 0 where it is too long. */
static int copy_text(const json_t *data, const char *name, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(data, name));
    return (size_t)snprintf(to, room, "%s", text ? text : "") < room;
}

static int take_event(struct satellite *s, const struct wyoming_part *part)
{
    s->is_chunk = strcmp(part->type, "audio-chunk") == 0;
    if (s->is_chunk)
        return begin_chunk(s, part->data);
    if (strcmp(part->type, "describe") == 0)
        return say(s, "info", wyoming_info(s->terms->service));
    if (strcmp(part->type, "ping") == 0)
        return say(s, "pong", json_pack("{s:O?}", "text", json_object_get(part->data, "text")));
    if (strcmp(part->type, "transcribe") == 0) {
        if (!copy_text(part->data, "name", s->model, sizeof s->model) ||
            !copy_text(part->data, "language", s->language, sizeof s->language))
            return say_problem(s, "a name that is too long", "bad-request");
        return 0;
    }
    if (strcmp(part->type, "audio-start") == 0)
        return begin_sound(s, part->data);
    if (strcmp(part->type, "audio-stop") != 0)
        return 0; /* what else is said is for others */
    int rc = s->sound ? transcribe(s) : 0;
    forget(s);
    return s->has_failed ? -1 : rc; /* Home Assistant waits for a transcript, or the end: it knows no "error" */
}

static int feed(struct satellite *s, const uint8_t *bytes, size_t n)
{
    const uint8_t *at = bytes, *end = bytes + n;
    struct wyoming_part part;
    int rc;
    while ((rc = wyoming_read(&s->reader, &at, end, &part)) == 1) {
        int lost = part.kind == WYOMING_EVENT ? take_event(s, &part) : take_sound(s, part.payload, part.n);
        if (lost)
            return -1;
    }
    if (rc < 0)
        say_problem(s, s->reader.error, "bad-request");
    return rc;
}

static void converse(struct satellite *s)
{
    uint8_t bytes[BLOCK];
    int rc = 0;
    while (rc == 0 && !*s->terms->is_over) {
        int is_amid = s->sound || s->reader.n_text > 0 || s->reader.n_data > 0 || s->reader.n_payload > 0;
        struct pollfd come = {.fd = s->socket, .events = POLLIN};
        int ready = poll(&come, 1, s->terms->timeout * 1000 * (is_amid ? 1 : IDLE));
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return;
        ssize_t n = ready > 0 ? recv(s->socket, bytes, sizeof bytes, MSG_DONTWAIT) : -1;
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
        rc = n > 0 ? feed(s, bytes, (size_t)n) : 0;
    }
}

void satellite_serve(const struct satellite_terms *terms, int socket)
{
    struct satellite s = {.terms = terms, .socket = socket, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (s.wake < 0)
        return;
    pthread_mutex_init(&s.lock, NULL);
    s.last = &s.lines;
    converse(&s);
    forget(&s);
    wyoming_reader_free(&s.reader);
    pthread_mutex_destroy(&s.lock);
    close(s.wake);
}
