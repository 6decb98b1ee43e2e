/* jobs.c - jobs: a task each, whose answer is kept until it is fetched and deleted, grows old, or others need the room. A
 * job's name cannot be guessed, and its owner's key is asked for. */
#include "jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app.h"
#include "dump.h"
#include "exchange.h"
#include "routes.h"

enum { MOST_JOBS = 1000, MOST_BYTES = 64 << 20 }; /* that are over, and their answers together */

struct job {
    struct job *next;
    char id[JOB_ID];
    int owner, refs; /* refs: the list's and the task's */
    struct answer_wish wish;
    struct task *task;
    struct jobs *jobs;
    int is_over;
    double done, total, over_since;
    struct document document;
    char *warning;
};

struct jobs {
    pthread_mutex_t lock;
    struct job *list; /* the newest first */
    int keep_seconds;
};

struct jobs *jobs_new(int keep_seconds)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return NULL;
    pthread_mutex_init(&jobs->lock, NULL);
    jobs->keep_seconds = keep_seconds;
    return jobs;
}

/* Under the lock. */
static void let_go(struct job *job)
{
    if (--job->refs > 0)
        return;
    task_release(job->task);
    free(job->document.bytes);
    free(job->warning);
    free(job);
}

/* Under the lock: off the list, by its place. */
static void drop(struct job **at)
{
    struct job *job = *at;
    *at = job->next;
    let_go(job);
}

/* Under the lock: old ones go, and where there are too many, the one that has been over for longest; but never the last,
 * however large it is. */
static void tidy(struct jobs *jobs)
{
    const double now = exchange_now();
    for (;;) {
        size_t n = 0, bytes = 0;
        struct job **oldest = NULL;
        for (struct job **at = &jobs->list; *at; at = &(*at)->next) {
            if (!(*at)->is_over)
                continue;
            n++;
            bytes += (*at)->document.n;
            if (!oldest || (*at)->over_since < (*oldest)->over_since)
                oldest = at;
        }
        int is_crowded = n > MOST_JOBS || (n > 1 && bytes > MOST_BYTES);
        if (!oldest || (!is_crowded && now - (*oldest)->over_since <= jobs->keep_seconds))
            return;
        drop(oldest);
    }
}

void jobs_tidy(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    tidy(jobs);
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    while (jobs->list)
        drop(&jobs->list);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

/* ---- one ---- */

static void on_progress(void *user, double done, double total)
{
    struct job *job = user;
    pthread_mutex_lock(&job->jobs->lock);
    job->done = done;
    job->total = total;
    pthread_mutex_unlock(&job->jobs->lock);
}

static void on_end(void *user, const struct task_end *end)
{
    struct job *job = user;
    struct jobs *jobs = job->jobs;
    struct document document;
    answer_make(&job->wish, end, &document);
    char *warning = end->incomplete ? strdup(end->incomplete) : NULL;
    if (end->incomplete && !warning) { /* rather no answer than one that seems whole */
        free(document.bytes);
        document.bytes = NULL;
        document.n = 0;
    }
    pthread_mutex_lock(&jobs->lock);
    job->document = document;
    job->warning = warning;
    job->is_over = 1;
    job->over_since = exchange_now();
    let_go(job);
    tidy(jobs);
    pthread_mutex_unlock(&jobs->lock);
}

int jobs_start(struct jobs *jobs, struct service *service, struct ask *ask, int owner, char id[JOB_ID],
               struct problem *problem)
{
    unsigned char random[16];
    struct job *job = calloc(1, sizeof *job);
    if (!job || getrandom(random, sizeof random, 0) != sizeof random) {
        free(job);
        problem->code = WHISP_ERR_MEMORY;
        snprintf(problem->text, sizeof problem->text, "out of memory");
        return problem->code;
    }
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(job->id + 2 * i, 3, "%02x", random[i]);
    memcpy(id, job->id, JOB_ID);
    job->owner = owner;
    job->refs = 2;
    job->jobs = jobs;
    job->wish = ask->wish;
    ask->task.sink = (struct task_sink){.user = job, .progress = on_progress, .end = on_end};
    pthread_mutex_lock(&jobs->lock); /* its task is known before it can be over */
    int code = task_start(service, &ask->task, &job->task, problem);
    ask_given(ask);
    if (code) {
        job->refs = 1;
        let_go(job);
    } else {
        job->next = jobs->list;
        jobs->list = job;
    }
    pthread_mutex_unlock(&jobs->lock);
    return code;
}

/* ---- asked for ---- */

/* Under the lock: where it is on the list; what it holds is NULL where there is none of this owner's. */
static struct job **find(struct jobs *jobs, const char *id, int owner)
{
    struct job **at = &jobs->list;
    while (*at && (strcmp((*at)->id, id) != 0 || (*at)->owner != owner))
        at = &(*at)->next;
    return at;
}

static void fail_unknown(struct exchange *x)
{
    exchange_fail(x, MHD_HTTP_NOT_FOUND, NULL, "job_not_found",
                  "there is no such job; those that are over are kept for a while only");
}

static void answer_progress(struct exchange *x, const char *id, double done, double total)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:{s:f, s:o}}", "id", id, "object", "transcription.job", "status",
                             total != 0.0 ? "running" : "queued", "progress", "done", done, "total",
                             total > 0.0 ? json_real(total) : json_null());
    char *text = dump_json(json);
    json_decref(json);
    exchange_add_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    exchange_answer_own(x, MHD_HTTP_ACCEPTED, "application/json", text, text ? strlen(text) : 0);
}

static void get(struct exchange *x)
{
    struct jobs *jobs = exchange_app(x)->jobs;
    const char *id = exchange_rest(x);
    pthread_mutex_lock(&jobs->lock);
    struct job *job = *find(jobs, id, exchange_owner(x));
    int is_over = job && job->is_over;
    double done = job ? job->done : 0.0, total = job ? job->total : 0.0;
    if (is_over) {
        if (job->warning)
            exchange_add_header(x, "Whisp-Incomplete", job->warning);
        if (job->document.bytes)
            exchange_answer(x, job->document.status, job->document.type, job->document.bytes, job->document.n);
        else
            exchange_answer_own(x, job->document.status, job->document.type, NULL, 0);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (!job)
        fail_unknown(x);
    else if (!is_over)
        answer_progress(x, id, done, total);
}

static void delete (struct exchange *x)
{
    struct jobs *jobs = exchange_app(x)->jobs;
    pthread_mutex_lock(&jobs->lock);
    struct job **at = find(jobs, exchange_rest(x), exchange_owner(x)), *job = *at;
    if (job)
        *at = job->next; /* the list's reference is this thread's now */
    pthread_mutex_unlock(&jobs->lock);
    if (!job) {
        fail_unknown(x);
        return;
    }
    task_cancel(job->task);
    pthread_mutex_lock(&jobs->lock);
    let_go(job);
    pthread_mutex_unlock(&jobs->lock);
    exchange_answer(x, MHD_HTTP_NO_CONTENT, NULL, "", 0);
}

const struct route job_routes[] = {
    {.method = "GET", .path = JOBS_PATH, .flags = ROUTE_PREFIX | ROUTE_QUIET, .end = get},
    {.method = "DELETE", .path = JOBS_PATH, .flags = ROUTE_PREFIX, .end = delete},
    {0},
};
