/* tasks.c - tasks. One begins in a thread of its own, which gets its model and opens its recording (a file, or what
 * ffmpeg makes of it); then the model's queue has it, and what comes out of the queue goes to who wanted to know. */
#include "tasks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"
#include "recording.h"
#include "told.h"

struct task {
    struct seat seat; /* first, so that one is the other */
    struct service *service;
    struct task_request request;
    atomic_int refs, is_cancelled;

    struct entry *entry; /* the model; its thread's, then the queue's */
    struct recording recording;
    struct told told; /* likewise */

    pthread_mutex_t lock;
    int is_submitted; /* and not over */
    uint64_t id;
};

/* ---- the life of a task ---- */

static struct task *task_new(struct service *service, struct task_request *request)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->service = service;
    task->request = *request;
    pthread_mutex_init(&task->lock, NULL);
    atomic_init(&task->refs, 2); /* who began it, and the service until it is over */
    return task;
}

static void request_free(struct task_request *request)
{
    upload_free(request->recording);
    for (size_t i = 0; i < request->n_files; i++)
        upload_free(request->files[i]);
    whisp_options_free(request->options);
}

void task_release(struct task *task)
{
    if (!task || atomic_fetch_sub(&task->refs, 1) != 1)
        return;
    free((char *)(uintptr_t)task->request.model);
    pthread_mutex_destroy(&task->lock);
    free(task);
}

/* It is over: tell, and let go of all it stood on. */
static void finish(struct task *task, struct task_end *end)
{
    struct service *service = task->service;
    if (end->duration <= 0.0)
        end->duration = task->recording.duration;
    end->told = &task->told;
    problem_plain(&end->problem);
    if (task->request.sink.end)
        task->request.sink.end(task->request.sink.user, end);
    recording_close(&task->recording);
    request_free(&task->request);
    if (task->entry)
        models_give(task->entry);
    roster_leave(service->roster, &task->seat, end->problem.code, end->duration);
    task_release(task);
}

/* ---- what the queue says ---- */

/* The library names what it speaks of; an upload's name is a descriptor of ours, which says nothing to who sent it. */
static const char *without_name(const char *text)
{
    static const char ours[] = "/proc/self/fd/";
    const char *colon = text && strncmp(text, ours, sizeof ours - 1) == 0 ? strstr(text, ": ") : NULL;
    return colon ? colon + 2 : text;
}

static void on_end(struct task *task, const whisp_event *event)
{
    whisp_result_info info = {.size = sizeof info};
    struct task_end end = {.model = entry_model(task->entry)};
    pthread_mutex_lock(&task->lock);
    task->is_submitted = 0;
    pthread_mutex_unlock(&task->lock);
    if (event->rc != WHISP_OK)
        problem_say(&end.problem, event->rc, "%s",
                    event->error ? without_name(event->error) : whisp_error_name(event->rc));
    for (size_t i = 0; i < task->request.n_files && event->rc != WHISP_OK; i++)
        problem_file(&end.problem, upload_path(task->request.files[i]));
    if (event->result && task->recording.incomplete &&
        whisp_result_set_incomplete(event->result, task->recording.incomplete) != WHISP_OK && event->rc == WHISP_OK)
        problem_say(&end.problem, WHISP_ERR_MEMORY, "out of memory");
    if (event->result && whisp_result_describe(event->result, &info) == WHISP_OK) {
        end.result = event->result;
        end.duration = info.duration;
        end.incomplete = without_name(info.incomplete);
    }
    finish(task, &end);
    whisp_result_free(event->result);
}

void tasks_event(void *user, const whisp_event *event)
{
    struct task *task = user;
    if (event->kind == WHISP_EVENT_END)
        on_end(task, event);
    else if (task->request.sink.segment)
        task->request.sink.segment(task->request.sink.user, event->segment);
}

static void on_progress(void *user, double done, double total)
{
    struct task *task = user;
    task->request.sink.progress(task->request.sink.user, done, total);
}

/* Warnings are for who asked. In the log they are only for who looks for the reason. */
static void on_log(void *user, int level, const char *text)
{
    struct task *task = user;
    if (level == WHISP_LOG_WARNING)
        told_add(&task->told, text);
    if (task->service->log)
        task->service->log(task->service->log_user, level < WHISP_LOG_DEBUG ? WHISP_LOG_DEBUG : level, text);
}

static int is_cancelled(void *user)
{
    return atomic_load(&((struct task *)user)->is_cancelled);
}

/* ---- its thread ---- */

static int submit(struct task *task, struct problem *problem)
{
    pthread_mutex_lock(&task->lock);
    int rc = WHISP_ERR_CANCELLED;
    if (is_cancelled(task)) {
        problem_say(problem, rc, "cancelled");
    } else {
        task->is_submitted = 1;
        rc = entry_submit(task->entry, task->recording.audio, task->request.options, task, &task->id);
        if (rc != WHISP_OK) {
            task->is_submitted = 0;
            problem_set(problem, rc, NULL);
        } else {
            task->recording.audio = NULL;
        }
    }
    pthread_mutex_unlock(&task->lock);
    return rc;
}

/* Which language is it? Ends the task. */
static void detect(struct task *task)
{
    enum { MOST = 128 };
    float probabilities[MOST];
    whisp_session *session = NULL;
    whisp_model_info info = {.size = sizeof info};
    struct task_end end = {.model = entry_model(task->entry), .probabilities = probabilities};
    whisp_model_describe(end.model, &info);
    pthread_mutex_lock(&task->service->detecting);
    int rc = whisp_session_new(end.model, task->request.options, &session);
    if (rc == WHISP_OK)
        rc = end.language = whisp_session_detect_language(session, task->recording.audio, probabilities, MOST);
    if (rc < 0)
        problem_set(&end.problem, rc, NULL);
    whisp_session_free(session);
    pthread_mutex_unlock(&task->service->detecting);
    end.n_languages = info.n_languages;
    finish(task, &end);
}

static void *run(void *argument)
{
    struct task *task = argument;
    struct task_request *request = &task->request;
    struct task_end end = {0};
    const whisp_callbacks callbacks = {.size = sizeof callbacks,
                                       .user = task,
                                       .log = on_log,
                                       .progress = request->sink.progress ? on_progress : NULL,
                                       .cancel = is_cancelled};
    int code = whisp_options_on(request->options, &callbacks);
    if (code)
        problem_set(&end.problem, code, NULL);
    for (size_t i = 0; i < request->n_sounds && !code; i++)
        code = recording_beside(request->files[i], is_cancelled, task, &task->told, &end.problem);
    if (!code)
        code = models_take(task->service->models, request->model, &task->entry, &end.problem);
    if (!code)
        code = recording_open(&task->recording, request->recording, is_cancelled, task, &end.problem);
    if (!code && request->kind == TASK_LANGUAGE) {
        detect(task);
        return NULL;
    }
    if (!code && request->sink.begin)
        request->sink.begin(request->sink.user, entry_model(task->entry));
    if (!code)
        code = submit(task, &end.problem);
    if (code)
        finish(task, &end);
    return NULL;
}

int task_start(struct service *service, struct task_request *request, struct task **out, struct problem *problem)
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct task *task = task_new(service, request);
    *out = NULL;
    char *model = request->model ? strdup(request->model) : NULL;
    if (!task || (request->model && !model)) {
        request_free(request);
        free(model);
        free(task);
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    }
    task->request.model = model;
    memcpy(task->seat.client, request->client, sizeof task->seat.client);
    int code = roster_enter(service->roster, &task->seat, problem);
    if (code) {
        request_free(request);
        task_release(task);
        task_release(task);
        return code;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, run, task);
    pthread_attr_destroy(&attributes);
    if (failed) {
        struct task_end end = {0};
        code = problem_say(problem, SERVICE_FULL, "A thread cannot be started; try again later");
        end.problem = *problem;
        task->request.sink = (struct task_sink){0};
        finish(task, &end);
        task_release(task);
        return code;
    }
    *out = task;
    return 0;
}

void task_cancel(struct task *task)
{
    pthread_mutex_lock(&task->lock);
    atomic_store(&task->is_cancelled, 1);
    if (task->is_submitted)
        entry_cancel(task->entry, task->id);
    pthread_mutex_unlock(&task->lock);
}

/* A list of tasks that are held, since they may be over before they are cancelled. */
struct held {
    struct task **list; /* [most] */
    size_t n, most;
};

static void hold(void *user, struct seat *seat)
{
    struct held *held = user;
    if (held->n == held->most)
        return;
    struct task *task = (struct task *)seat;
    atomic_fetch_add(&task->refs, 1);
    held->list[held->n++] = task;
}

void tasks_cancel_all(struct roster *roster)
{
    struct task *list[WHISP_QUEUE_MOST];
    struct held held = {list, 0, WHISP_QUEUE_MOST};
    roster_each(roster, hold, &held);
    while (held.n > 0) {
        task_cancel(list[--held.n]);
        task_release(list[held.n]);
    }
}
