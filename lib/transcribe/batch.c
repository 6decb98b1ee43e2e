/* batch.c - parts of a recording transcribed side by side, so that the decoder reads its weights once for all of them.
 *
 * Three kinds of threads: a reader and the workers (part.c), each of which transcribes through a view of the one backend
 * (backend/multiplex.h); and the caller's, which hands out segments, log lines and progress in order, and computes what
 * the workers ask for. In company (company.h) somebody else computes, and there is a place for a part only while no
 * other recording needs it. */
#include "transcribe/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/batch_state.h"
#include "util/pool.h"

static int is_stopped(void *user)
{
    return atomic_load(&((wh_batch *)user)->stop);
}

/* ---- the caller's thread ---- */

/* Segments, log lines of the parts whose turn it is. With the mutex held. */
static int hand_out_parts(wh_batch *b)
{
    whisp_session *s = b->job->session;
    int rc = WHISP_OK;
    while (!rc && b->next_out < b->n) {
        wh_part *from = &b->list[b->next_out];
        wh_outbox_tell(&from->out, s->options);
        rc = wh_outbox_give(&from->out, b->job->emit, b->job->user);
        if (rc || !from->over || from->rc)
            break;
        if (from->incomplete)
            wh_session_remember_incomplete(s, from->incomplete);
        wh_outbox_free(&from->out);
        b->next_out++;
    }
    return rc;
}

static int hand_out(wh_batch *b)
{
    whisp_session *s = b->job->session;
    const whisp_options *o = s->options;
    double done = 0;
    pthread_mutex_lock(&b->mutex);
    if (b->language >= 0)
        wh_session_set_language(s, b->language);
    wh_session_set_guess(s, b->n ? b->list[0].language : -1);
    int rc = hand_out_parts(b);
    for (size_t i = 0; i < b->n; i++)
        done += b->list[i].out.done;
    pthread_mutex_unlock(&b->mutex);
    if (o->progress && !rc) {
        double end = done;
        wh_speech_only_times(s, &done, &end);
        if (end > b->reported) {
            b->reported = end;
            o->progress(o->progress_user, end, s->total < 0 ? s->total : fmax(s->total, end));
        }
    }
    return rc;
}

static int is_over(wh_batch *b)
{
    pthread_mutex_lock(&b->mutex);
    int over = b->ended;
    for (int i = 0; i < b->n_seats && over; i++)
        over = b->seats[i].state == WH_SEAT_FREE || (b->seats[i].state == WH_SEAT_FILLED && atomic_load(&b->stop));
    pthread_mutex_unlock(&b->mutex);
    return over;
}

static int serve(wh_batch *b)
{
    int rc = WHISP_OK;
    int64_t seen = -1;
    for (;;) {
        int over = is_over(b);                    /* asked before: the last part's segments are handed out then */
        int failed = rc ? WHISP_OK : hand_out(b); /* nothing behind what failed, which would leave a gap */
        if (!rc && !failed)
            failed = wh_check_cancel(b->job->session->options);
        if (!rc && failed) {
            pthread_mutex_lock(&b->mutex);
            wh_batch_stop(b);
            pthread_mutex_unlock(&b->mutex);
            wh_batch_nudge(b);
        }
        rc = rc ? rc : failed;
        if (over)
            return rc;
        if (b->job->session->company)
            wh_multiplex_watch(b->multiplex, &seen);
        else
            wh_multiplex_serve(b->multiplex);
    }
}

/* What went wrong first: in the caller's thread, in a part, in the reader. */
static int first_error(wh_batch *b, int rc)
{
    for (size_t i = 0; !rc && i < b->n; i++)
        if (b->list[i].rc && b->list[i].rc != WHISP_ERR_CANCELLED)
            rc = wh_fail(b->list[i].rc, "%s", b->list[i].problem ? b->list[i].problem : "out of memory");
    for (size_t i = 0; !rc && !b->reader_rc && i < b->n; i++)
        if (b->list[i].rc) /* the backend was told so, and nobody else */
            rc = wh_fail(b->list[i].rc, "cancelled");
    return !rc && b->reader_rc ? wh_fail(b->reader_rc, "%s", b->reader_problem) : rc;
}

/* A reader and one worker do it, only more slowly. */
static int run_threads(wh_batch *b, int workers)
{
    pthread_t threads[WH_MOST_WORKERS + 1];
    int n = 0, rc = WHISP_OK, failed = 0;
    while (n < workers + 1 && !(failed = wh_thread_start(&threads[n], n ? wh_batch_work : wh_batch_read, b)))
        n++;
    if (n < 2) {
        rc = wh_fail(WHISP_ERR_MEMORY, "cannot start a thread: %s", strerror(failed));
        pthread_mutex_lock(&b->mutex);
        b->ended = b->ended || n == 0;
        wh_batch_stop(b);
        pthread_mutex_unlock(&b->mutex);
        wh_batch_nudge(b);
    }
    char problem[256] = "";
    if (rc)
        strncat(problem, whisp_last_error(), sizeof problem - 1);
    int served = serve(b);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return rc ? wh_fail(rc, "%s", problem) : first_error(b, served);
}

/* ---- making and freeing ---- */

static int make_seats(wh_batch *b, int workers)
{
    const wh_batch_job *job = b->job;
    size_t frames = job->longest / WH_HOP + 8;
    for (int i = 0; i < workers + 1; i++) {
        wh_seat *s = &b->seats[i];
        wh_backend *view;
        int rc = wh_multiplex_view(b->multiplex, wh_search_slots(&job->session->options->values), 0, &b->stop, &view);
        if (rc || (rc = wh_session_new_part(job->session, view, frames, &s->session)))
            return rc;
        s->batch = b;
        b->n_seats++;
        whisp_options *o = s->session->options;
        o->log = wh_seat_log;
        o->progress = wh_seat_progress;
        o->cancel = is_stopped;
        o->log_user = o->progress_user = s;
        o->cancel_user = b;
    }
    return WHISP_OK;
}

/* In company nobody knows whose time a call that was shared took. */
static void take_timings(wh_batch *b)
{
    whisp_timings *t = &b->job->session->timings;
    wh_multiplex_times times;
    wh_timings_add(t, &b->timings);
    if (b->job->session->company)
        return;
    wh_multiplex_timings(b->multiplex, &times);
    t->encode += times.encode;
    t->prompt += times.prompt;
    t->decode += times.decode;
    t->n_decode_steps += times.n_steps;
}

static void free_batch(wh_batch *b)
{
    for (int i = 0; i < b->n_seats; i++)
        whisp_session_free(b->seats[i].session);
    if (!b->job->session->company)
        wh_multiplex_free(b->multiplex);
    for (size_t i = 0; i < b->n; i++) {
        wh_outbox_free(&b->list[i].out);
        free(b->list[i].problem);
        free(b->list[i].incomplete);
    }
    free(b->list);
    pthread_mutex_destroy(&b->mutex);
    pthread_cond_destroy(&b->changed);
    free(b);
}

/* Which multiplexer, and how many workers: its own, as many as its slots are enough for; or in company a share. */
static int share_backend(wh_batch *b, int *workers)
{
    const whisp_session *s = b->job->session;
    const wh_values *v = &s->options->values;
    if (s->company) {
        b->multiplex = s->company->multiplex;
        b->quota = s->company->quota;
        wh_multiplex_leave(s->backend); /* it may have heard another channel: its place is the first part's now */
        *workers = wh_quota_open(b->quota);
        return WHISP_OK;
    }
    *workers = wh_plan_workers(s->model, v, wh_backend_slots(s->backend));
    return wh_multiplex_new(s->backend, *workers, v->threads ? v->threads : wh_usable_cores(), &b->multiplex);
}

int wh_batch_run(const wh_batch_job *job)
{
    wh_batch *b = wh_calloc(1, sizeof *b);
    int workers;
    if (!b)
        return wh_fail_memory();
    b->job = job;
    b->language = wh_session_language(job->session);
    b->alone = 1;
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->changed, NULL);
    int rc = share_backend(b, &workers);
    if (!rc)
        rc = make_seats(b, workers);
    if (!rc) {
        rc = run_threads(b, workers);
        take_timings(b);
    }
    wh_quota_close(b->quota);
    free_batch(b);
    return rc;
}
