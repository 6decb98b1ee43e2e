/* jobs.h - recordings transcribed side by side on one backend, each by a session and in a thread of its own: what
 * whisp_session_transcribe_files() (files.c) and whisp_queue (queue.c) are made of.
 *
 * There are two lanes. In the long one at most `places` recordings, or parts of those that are cut, are transcribed at
 * a time; in the short one as many again, and what they ask for is computed first. So a short recording never waits for
 * a long one, neither for a place nor for its windows. Within a lane they begin in the order in which they came. */
#ifndef WH_JOBS_H
#define WH_JOBS_H

#include <stdatomic.h>

#include "backend/multiplex.h"
#include "transcribe/session.h"

typedef struct wh_jobs wh_jobs;

typedef struct wh_job {
    whisp_options *options; /* with callbacks, which are called in the job's thread; not its cancel */
    whisp_cancel_fn cancel; /* that is called in the job's thread, or NULL */
    void *cancel_user;
    int is_short; /* its lane */
    int quiet;    /* what the options say was said already */
    void *user;
    int (*run)(struct wh_job *job, whisp_session *session, whisp_result **result);
    /* It is over: with a result (now the callee's), or with an error (whisp_last_error() tells) and what was final
     * until then or NULL. `session` may be NULL. In the job's thread, or in that which stops all. */
    void (*end)(struct wh_job *job, int rc, whisp_result *result, const whisp_session *session);

    /* jobs.c's */
    wh_jobs *jobs;
    struct wh_job *next;
    atomic_int stop;
} wh_job;

typedef struct wh_jobs_config {
    const whisp_model *model;
    wh_backend *backend; /* the caller's; its slots must do (plan.h) */
    int places;
    int has_short; /* there is a short lane */
    int threads;   /* that run at a time while nothing is computed */
    int serves;    /* a thread of the jobs' own computes; else the caller, with wh_multiplex_serve() */
} wh_jobs_config;

int wh_jobs_new(const wh_jobs_config *config, wh_jobs **jobs);
/* Cancels what is not over, and waits for it; every job's end() has been called then. */
void wh_jobs_free(wh_jobs *jobs);
/* Stop all jobs, as wh_jobs_cancel() does; none may be added any more. */
void wh_jobs_stop(wh_jobs *jobs);

/* Any thread. The job must live until its end() is called. WHISP_ERR_MEMORY when no thread can be started,
 * WHISP_ERR_STATE after wh_jobs_stop(). */
int wh_jobs_add(wh_jobs *jobs, wh_job *job);
/* A job whose end() was not called ends with WHISP_ERR_CANCELLED, within a decoding step; or, if it has not begun, it
 * is the caller's again: 1, and end() will not be called. */
int wh_jobs_cancel(wh_jobs *jobs, wh_job *job);

wh_multiplex *wh_jobs_multiplex(wh_jobs *jobs);

#endif
