/* jobs.c - recordings transcribed side by side (see jobs.h): lanes, their threads, and the sessions these make. */
#include "transcribe/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/company.h"
#include "transcribe/plan.h"
#include "util/pool.h"

enum { LONG, SHORT, LANES };

typedef struct lane {
    wh_jobs *jobs;
    wh_company company;
    wh_job *first, **last; /* those that wait */
    int n_waiting;
    int n_idle, n_threads, most_threads;
    pthread_t threads[WH_MOST_WORKERS];
} lane;

struct wh_jobs {
    wh_jobs_config config;
    wh_multiplex *multiplex;
    wh_shared *shared;
    pthread_mutex_t mutex; /* guards what follows, and the lanes' lists */
    pthread_cond_t changed;
    wh_job *running; /* by next; in no order */
    int stopping;
    lane lanes[LANES];
    pthread_t owner;
    int has_owner;
    atomic_int owner_stops;
};

/* ---- a job ---- */

static int is_cancelled(void *user)
{
    wh_job *job = user;
    return atomic_load(&job->stop) || (job->cancel && job->cancel(job->cancel_user));
}

/* What the options say was said when the caller's session was made. */
static int join_quietly(lane *l, wh_job *job, wh_backend *view, whisp_session **session)
{
    whisp_options *quiet = wh_options_copy(job->options);
    if (!quiet) {
        wh_backend_free(view);
        return WHISP_ERR_MEMORY;
    }
    quiet->log = NULL;
    int rc = wh_session_join(l->jobs->config.model, quiet, view, &l->company, session);
    whisp_options_free(quiet);
    if (!rc)
        (*session)->options->log = job->options->log;
    return rc;
}

static int join(lane *l, wh_job *job, whisp_session **session)
{
    wh_backend *view;
    int slots = wh_search_slots(&job->options->values);
    int rc = wh_multiplex_view(l->jobs->multiplex, slots, job->is_short, &job->stop, &view);
    if (rc)
        return rc;
    job->options->cancel = is_cancelled;
    job->options->cancel_user = job;
    return job->quiet ? join_quietly(l, job, view, session)
                      : wh_session_join(l->jobs->config.model, job->options, view, &l->company, session);
}

/* The job does not run any more, and may be gone after that. */
static void end(wh_job *job, int rc, whisp_result *result, const whisp_session *session)
{
    wh_jobs *jobs = job->jobs;
    pthread_mutex_lock(&jobs->mutex);
    wh_job **at = &jobs->running;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    pthread_mutex_unlock(&jobs->mutex);
    job->end(job, rc, result, session);
}

static void transcribe(lane *l, wh_job *job)
{
    whisp_session *session = NULL;
    whisp_result *result = NULL;
    int rc = wh_options_check(&job->options->values);
    if (!rc)
        rc = join(l, job, &session);
    if (!rc) {
        rc = job->run(job, session, &result);
        wh_multiplex_leave(session->backend);
    }
    wh_quota_give(l->company.quota);
    if (rc && atomic_load(&job->stop)) /* whatever it stumbled over then */
        rc = wh_fail(WHISP_ERR_CANCELLED, "cancelled");
    end(job, rc, result, session);
    whisp_session_free(session);
}

/* ---- threads ---- */

/* The next job, at a place; NULL at the end. */
static wh_job *next_job(lane *l)
{
    wh_jobs *jobs = l->jobs;
    pthread_mutex_lock(&jobs->mutex);
    l->n_idle++;
    while (!l->first && !jobs->stopping)
        pthread_cond_wait(&jobs->changed, &jobs->mutex);
    l->n_idle--;
    wh_job *job = l->first;
    if (job) {
        l->first = job->next;
        l->last = l->first ? l->last : &l->first;
        l->n_waiting--;
        job->next = jobs->running;
        jobs->running = job;
    }
    pthread_mutex_unlock(&jobs->mutex);
    return job;
}

static void *work(void *user)
{
    lane *l = user;
    for (wh_job *job; (job = next_job(l));)
        if (wh_quota_take(l->company.quota, &job->stop))
            transcribe(l, job);
        else
            end(job, wh_fail(WHISP_ERR_CANCELLED, "cancelled"), NULL, NULL);
    return NULL;
}

static void *own(void *user)
{
    wh_jobs *jobs = user;
    while (!atomic_load(&jobs->owner_stops))
        wh_multiplex_serve(jobs->multiplex);
    return NULL;
}

int wh_jobs_add(wh_jobs *jobs, wh_job *job)
{
    lane *l = &jobs->lanes[job->is_short && jobs->config.has_short ? SHORT : LONG];
    int failed = 0;
    job->is_short = l == &jobs->lanes[SHORT];
    job->jobs = jobs;
    job->next = NULL;
    atomic_init(&job->stop, 0);
    pthread_mutex_lock(&jobs->mutex);
    int stopping = jobs->stopping; /* then nobody would wait for a new thread's end */
    if (!stopping && l->n_idle <= l->n_waiting && l->n_threads < l->most_threads &&
        !(failed = wh_thread_start(&l->threads[l->n_threads], work, l)))
        l->n_threads++;
    int taken = l->n_threads > 0 && !stopping; /* one thread does it, only later */
    if (taken) {
        *l->last = job;
        l->last = &job->next;
        l->n_waiting++;
        pthread_cond_broadcast(&jobs->changed);
    }
    pthread_mutex_unlock(&jobs->mutex);
    if (stopping)
        return wh_fail(WHISP_ERR_STATE, "all is being stopped; nothing can be added any more");
    return taken ? WHISP_OK : wh_fail(WHISP_ERR_MEMORY, "cannot start a thread: %s", strerror(failed));
}

/* ---- cancelling ---- */

/* With the mutex held: out of the list of those that wait? */
static int withdraw(wh_jobs *jobs, wh_job *job)
{
    lane *l = &jobs->lanes[job->is_short ? SHORT : LONG];
    for (wh_job **at = &l->first; *at; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            l->last = job->next ? l->last : at;
            l->n_waiting--;
            return 1;
        }
    return 0;
}

/* The flags are looked at by those who wait for the backend, or for a place. */
static void nudge(wh_jobs *jobs)
{
    wh_multiplex_nudge(jobs->multiplex);
    for (int i = 0; i < LANES; i++)
        wh_quota_nudge(jobs->lanes[i].company.quota);
}

int wh_jobs_cancel(wh_jobs *jobs, wh_job *job)
{
    pthread_mutex_lock(&jobs->mutex);
    int waited = withdraw(jobs, job);
    atomic_store(&job->stop, 1);
    pthread_mutex_unlock(&jobs->mutex);
    if (!waited)
        nudge(jobs);
    return waited;
}

void wh_jobs_stop(wh_jobs *jobs)
{
    for (;;) {
        wh_job *job = NULL;
        pthread_mutex_lock(&jobs->mutex);
        jobs->stopping = 1;
        for (wh_job *j = jobs->running; j; j = j->next)
            atomic_store(&j->stop, 1);
        for (int i = 0; i < LANES && !job; i++)
            if ((job = jobs->lanes[i].first))
                withdraw(jobs, job);
        pthread_cond_broadcast(&jobs->changed);
        pthread_mutex_unlock(&jobs->mutex);
        if (!job)
            break;
        job->end(job, wh_fail(WHISP_ERR_CANCELLED, "cancelled"), NULL, NULL);
    }
    nudge(jobs);
}

/* ---- making and freeing ---- */

static int make_lane(wh_jobs *jobs, int i)
{
    lane *l = &jobs->lanes[i];
    int n = WH_MIN(jobs->config.places, WH_MOST_WORKERS);
    l->jobs = jobs;
    l->last = &l->first;
    l->most_threads = n;
    l->company.multiplex = jobs->multiplex;
    l->company.shared = jobs->shared;
    return wh_quota_new(n, &l->company.quota);
}

int wh_jobs_new(const wh_jobs_config *config, wh_jobs **out)
{
    wh_jobs *jobs = *out = wh_calloc(1, sizeof *jobs);
    if (!jobs)
        return wh_fail_memory();
    jobs->config = *config;
    pthread_mutex_init(&jobs->mutex, NULL);
    pthread_cond_init(&jobs->changed, NULL);
    int rc = wh_multiplex_new(config->backend, config->places * (1 + config->has_short), config->threads,
                              &jobs->multiplex);
    if (!rc)
        rc = wh_shared_new(&jobs->shared);
    for (int i = 0; i < LANES && !rc; i++)
        rc = make_lane(jobs, i);
    if (!rc && config->serves) {
        int failed = wh_thread_start(&jobs->owner, own, jobs);
        jobs->has_owner = !failed;
        rc = failed ? wh_fail(WHISP_ERR_MEMORY, "cannot start a thread: %s", strerror(failed)) : WHISP_OK;
    }
    if (rc) {
        wh_jobs_free(jobs);
        *out = NULL;
    }
    return rc;
}

void wh_jobs_free(wh_jobs *jobs)
{
    if (!jobs)
        return;
    if (jobs->multiplex)
        wh_jobs_stop(jobs);
    for (int i = 0; i < LANES; i++) {
        for (int k = 0; k < jobs->lanes[i].n_threads; k++)
            pthread_join(jobs->lanes[i].threads[k], NULL);
        wh_quota_free(jobs->lanes[i].company.quota);
    }
    if (jobs->has_owner) {
        atomic_store(&jobs->owner_stops, 1);
        wh_multiplex_wake(jobs->multiplex);
        pthread_join(jobs->owner, NULL);
    }
    wh_shared_free(jobs->shared);
    wh_multiplex_free(jobs->multiplex);
    pthread_mutex_destroy(&jobs->mutex);
    pthread_cond_destroy(&jobs->changed);
    free(jobs);
}

wh_multiplex *wh_jobs_multiplex(wh_jobs *jobs)
{
    return jobs->multiplex;
}
