/* transcriptions.c - POST /v1/audio/transcriptions and /v1/audio/translations: the form as it comes, a task, its answer or
 * events. The handlers run in the daemon's thread; what a task says comes from its queue's thread, and holds the
 * exchange. */
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "dump.h"
#include "events.h"
#include "jobs.h"
#include "request.h"
#include "routes.h"
#include "told.h"

/* An exchange's state. */
struct post {
    int translates;
    struct form *form; /* until it is read */
    struct ask ask;
    struct task *task;        /* the daemon's thread's */
    const whisp_model *model; /* the queue's thread's, with: */
    int n_segments;           /* that were sent */
};

static void drop(void *state)
{
    struct post *post = state;
    form_free(post->form);
    ask_free(&post->ask);
    task_release(post->task);
    free(post);
}

/* ---- what the task says ---- */

static void on_begin(void *user, const whisp_model *model)
{
    struct post *post = exchange_state(user);
    post->model = model;
}

static void on_segment(void *user, const whisp_segment *segment)
{
    struct exchange *x = user;
    struct post *post = exchange_state(x);
    events_segment(x, &post->ask.wish, post->model, segment, post->n_segments++ == 0);
}

static void on_end(void *user, const struct task_end *end)
{
    struct exchange *x = user;
    struct post *post = exchange_state(x);
    exchange_note(x, end->duration, NULL);
    if (post->ask.streams) {
        events_end(x, &post->ask.wish, end);
    } else {
        struct document document;
        answer_make(&post->ask.wish, end, &document);
        if (document.warning)
            exchange_add_header(x, "Whisp-Incomplete", document.warning);
        told_headers(end->told, end->incomplete, x);
        exchange_answer_own(x, document.status, document.type, document.bytes, document.n);
    }
    exchange_release(x);
}

/* ---- the request ---- */

static void begin_as(struct exchange *x, int translates)
{
    struct problem problem;
    if (service_check(exchange_app(x)->service, &problem) != 0) {
        answer_problem(x, &problem);
        return;
    }
    struct post *post = calloc(1, sizeof *post);
    if (!post) {
        exchange_fail(x, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, NULL, "out of memory");
        return;
    }
    if ((post->form = form_new(exchange_connection(x)))) {
        post->translates = translates;
        exchange_set_state(x, post);
        return;
    }
    free(post);
    exchange_fail(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, NULL, NULL,
                  "Content-Type: multipart/form-data with a boundary is expected");
}

static void begin(struct exchange *x)
{
    begin_as(x, 0);
}

static void begin_translation(struct exchange *x)
{
    begin_as(x, 1);
}

static void fail_form(struct exchange *x, int status)
{
    const struct post *post = exchange_state(x);
    exchange_fail(x, status, form_problem_field(post->form), NULL, "%s", form_problem(post->form));
}

static void body(struct exchange *x, const char *bytes, size_t n)
{
    struct post *post = exchange_state(x);
    int status = form_feed(post->form, bytes, n);
    if (status)
        fail_form(x, status);
}

static void start_job(struct exchange *x, struct post *post)
{
    struct problem problem;
    char id[JOB_ID], path[sizeof JOBS_PATH + JOB_ID];
    struct app *app = exchange_app(x);
    if (jobs_start(app->jobs, app->service, &post->ask, exchange_owner(x), id, &problem) != 0) {
        answer_problem(x, &problem);
        return;
    }
    snprintf(path, sizeof path, JOBS_PATH "%s", id);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "object", "transcription.job", "status", "queued", "url",
                             path);
    char *text = dump_json(json);
    json_decref(json);
    exchange_add_header(x, MHD_HTTP_HEADER_LOCATION, path);
    exchange_answer_own(x, MHD_HTTP_ACCEPTED, "application/json", text, text ? strlen(text) : 0);
}

static void start_task(struct exchange *x, struct post *post)
{
    struct problem problem;
    post->ask.task.sink = (struct task_sink){.user = x,
                                             .begin = on_begin,
                                             .segment = post->ask.streams ? on_segment : NULL,
                                             .end = on_end};
    if (post->ask.streams)
        exchange_expect_stream(x);
    exchange_hold(x);
    int code = task_start(exchange_app(x)->service, &post->ask.task, &post->task, &problem);
    ask_given(&post->ask);
    if (code) {
        exchange_release(x);
        answer_problem(x, &problem);
    }
}

static void end(struct exchange *x)
{
    struct post *post = exchange_state(x);
    struct refusal refusal = {0};
    int status = form_end(post->form);
    if (status) {
        fail_form(x, status);
        return;
    }
    exchange_note(x, 0.0, form_filename(post->form, "file"));
    int rc = ask_read(&post->ask, exchange_app(x)->service, post->form, post->translates, &refusal);
    exchange_client(x, post->ask.task.client, sizeof post->ask.task.client);
    if (rc != 0)
        exchange_fail(x, refusal.status, refusal.param, refusal.code, "%s", refusal.text);
    else if (post->ask.background)
        start_job(x, post);
    else
        start_task(x, post);
    form_free(post->form);
    post->form = NULL;
}

static void gone(struct exchange *x)
{
    struct post *post = exchange_state(x);
    if (post && post->task)
        task_cancel(post->task);
}

const struct route transcription_routes[] = {
    {.method = "POST",
     .path = "/v1/audio/transcriptions",
     .begin = begin,
     .body = body,
     .end = end,
     .gone = gone,
     .drop = drop},
    {.method = "POST",
     .path = "/v1/audio/translations",
     .begin = begin_translation,
     .body = body,
     .end = end,
     .gone = gone,
     .drop = drop},
    {0},
};
