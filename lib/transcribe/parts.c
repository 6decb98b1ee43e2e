/* parts.c - parts of a recording transcribed side by side, so that the decoder reads its weights once for all of them;
 * or many short recordings, each of them a part.
 *
 * Three kinds of threads. A reader gives each part its samples, in order, as sessions become free; log-Mel is computed
 * there. Workers take parts that have all their samples and transcribe them, each through a view of the one backend
 * (backend/share.h). The caller's thread computes what the workers ask for, and hands out segments, log lines and
 * progress in order. A part's session belongs to one thread at a time. */
#include "transcribe/parts.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/share.h"
#include "output/result.h"
#include "util/pool.h"

#define MAX_WORKERS 64

enum state { FREE, FILLED, TAKEN };

typedef struct seat { /* a session for a part, used again and again */
    struct parts *parts;
    whisp_session *session;
    size_t part;
    enum state state;
} seat;

typedef struct line {
    int level;
    char *text;
} line;

typedef struct part {
    whisp_result *result;   /* its segments so far; NULL before and after */
    unsigned char *cleared; /* [its segments] */
    size_t cleared_capacity;
    size_t emitted;
    double done; /* seconds */
    line *lines; /* [n_lines] of the log, not yet handed out */
    size_t n_lines, lines_capacity;
    int over, none, rc; /* none: the reader found no more samples */
    char *problem;
    int language;
    double total;     /* its seconds, once over */
    char *incomplete; /* why its text is not of all that it holds, or NULL */
} part;

typedef struct parts {
    const wh_part_job *job;
    wh_share *share;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    seat seats[MAX_WORKERS + 2];
    int n_seats;
    part *list; /* [n] begun so far */
    size_t n, list_capacity;
    double reported; /* progress so far, seconds */
    size_t next_out; /* the part whose segments are handed out */
    int ended;       /* the reader has ended */
    int reader_rc;
    char reader_problem[512];
    int language;      /* of the recording; -1 until a part knows it: the first in which somebody speaks */
    size_t speechless; /* parts from the first one on that are over and do not know it */
    int alone;         /* the first part of a recording goes ahead: none of its windows has been heard yet */
    atomic_int stop;
    whisp_timings timings; /* of the parts that are over */
} parts;

/* ---- how many at once ---- */

/* Beams and the samples of `confidence` need their slots in every window; fallback is rare, and two parts at a time may
 * have it. */
static int spares_for(const wh_values *v, int workers)
{
    return v->beam_size > 1 || v->confidence ? workers : WH_MIN(workers, 2);
}

static int slots_for(const wh_values *v, int workers)
{
    return workers + spares_for(v, workers) * (wh_search_slots(v) - 1);
}

/* What batch_size says, or auto, the backend. One of few slots takes fewer. */
static int workers_for(const whisp_model *model, const wh_values *v, int slots)
{
    int n = WH_MIN(v->batch_size ? v->batch_size : wh_backend_batch(v->backend, model), MAX_WORKERS);
    while (n > 1 && slots_for(v, n) > slots)
        n--;
    return n;
}

int wh_parts_slots(const whisp_model *model, const wh_values *v)
{
    return v->cut_off ? wh_search_slots(v) : slots_for(v, workers_for(model, v, INT_MAX));
}

/* ---- callbacks of the parts' sessions, in the workers' threads ---- */

static void keep_line(void *user, int level, const char *text)
{
    seat *s = user;
    char *copy = strdup(text);
    pthread_mutex_lock(&s->parts->mutex);
    part *of = &s->parts->list[s->part];
    if (copy && !wh_grow(&of->lines, &of->lines_capacity, of->n_lines + 1, sizeof *of->lines))
        of->lines[of->n_lines++] = (line){level, copy};
    else
        free(copy);
    pthread_mutex_unlock(&s->parts->mutex);
}

/* Somebody who waits has the first lines to read; from here on all parts share their steps. With the mutex held. */
static void let_others_begin(parts *p)
{
    if (p->alone)
        pthread_cond_broadcast(&p->changed);
    p->alone = 0;
}

static void keep_progress(void *user, double done, double total)
{
    seat *s = user;
    (void)total;
    pthread_mutex_lock(&s->parts->mutex);
    s->parts->list[s->part].done = done;
    if (s->part == 0 && done > 0)
        let_others_begin(s->parts);
    pthread_mutex_unlock(&s->parts->mutex);
}

static int is_stopped(void *user)
{
    return atomic_load(&((parts *)user)->stop);
}

/* ---- the reader ---- */

static seat *wait_for_seat(parts *p)
{
    seat *found = NULL;
    pthread_mutex_lock(&p->mutex);
    while (!found && !atomic_load(&p->stop)) {
        for (int i = 0; i < p->n_seats && !found; i++)
            if (p->seats[i].state == FREE)
                found = &p->seats[i];
        if (!found)
            pthread_cond_wait(&p->changed, &p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return found;
}

/* The last error, as part i's; it is over. */
static void fail_part(part *p, int rc)
{
    p->over = 1;
    p->rc = rc;
    p->problem = strdup(whisp_last_error());
}

/* A part more, for `to` to be filled with. */
static int begin_part(parts *p, seat *to)
{
    pthread_mutex_lock(&p->mutex);
    int rc = wh_grow(&p->list, &p->list_capacity, p->n + 1, sizeof *p->list);
    if (!rc) {
        p->list[p->n] = (part){.language = -1};
        to->part = p->n++;
    }
    pthread_mutex_unlock(&p->mutex);
    return rc;
}

/* It is filled, it cannot be read, or (filled <= 0) there is none after all. */
static void end_part(parts *p, seat *to, int filled, int unreadable)
{
    pthread_mutex_lock(&p->mutex);
    part *of = &p->list[to->part];
    if (unreadable)
        fail_part(of, unreadable);
    else if (filled > 0)
        to->state = FILLED;
    else
        of->over = of->none = 1;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    if (unreadable || filled <= 0)
        wh_share_wake(p->share);
}

static void *read_all(void *user)
{
    parts *p = user;
    int rc = WHISP_OK, filled = 1;
    for (seat *to; !rc && filled && (to = wait_for_seat(p));) {
        int unreadable = 0;
        if ((rc = begin_part(p, to)))
            break;
        filled = p->job->fill(p->job->user, to->session, &unreadable);
        rc = WH_MIN(filled, 0);
        end_part(p, to, filled, unreadable);
    }
    pthread_mutex_lock(&p->mutex);
    p->ended = 1;
    if ((p->reader_rc = rc)) {
        snprintf(p->reader_problem, sizeof p->reader_problem, "%s", whisp_last_error());
        atomic_store(&p->stop, 1);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    wh_share_wake(p->share);
    return NULL;
}

/* ---- the workers ---- */

/* The earliest part that has its samples; NULL when there will be none any more. */
static seat *wait_for_part(parts *p)
{
    seat *found = NULL;
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        for (int i = 0; i < p->n_seats; i++)
            if (p->seats[i].state == FILLED && (!found || p->seats[i].part < found->part))
                found = &p->seats[i];
        int unknown = found && found->part > p->speechless && p->language < 0 &&
                      !p->job->end; /* another part says it */
        int must_wait = unknown || (found && found->part > 0 && p->alone);
        if (atomic_load(&p->stop) || (!must_wait && (found || p->ended)))
            break;
        found = NULL;
        pthread_cond_wait(&p->changed, &p->mutex);
    }
    if (atomic_load(&p->stop))
        found = NULL;
    if (found) {
        found->state = TAKEN;
        if (p->language >= 0 && !p->job->end)
            wh_session_set_language(found->session, p->language);
    }
    pthread_mutex_unlock(&p->mutex);
    return found;
}

static int add_segment(parts *p, size_t i, const whisp_segment *segment, int cleared)
{
    pthread_mutex_lock(&p->mutex);
    part *to = &p->list[i]; /* the list may move while nobody holds the mutex */
    size_t n = wh_result_about(to->result).n_segments;
    int rc = wh_grow(&to->cleared, &to->cleared_capacity, n + 1, 1);
    if (!rc)
        rc = wh_result_add(to->result, segment, cleared);
    if (!rc)
        to->cleared[n] = (unsigned char)cleared;
    let_others_begin(p);
    pthread_mutex_unlock(&p->mutex);
    if (i == 0 && n == 0)
        wh_share_wake(p->share); /* it is handed out before the next computation */
    return rc;
}

/* Part i knows the language, or is over without knowing it: then the next one has its turn. */
static void publish_language(parts *p, size_t i, int language, int over)
{
    if (p->job->end)
        return;
    pthread_mutex_lock(&p->mutex);
    if (p->language < 0 && (language >= 0 || over)) {
        p->language = language;
        p->speechless = i + 1;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->mutex);
}

static int transcribe_part(parts *p, seat *from)
{
    whisp_session *session = from->session;
    int cleared;
    pthread_mutex_lock(&p->mutex);
    int rc = wh_result_new(&p->list[from->part].result);
    pthread_mutex_unlock(&p->mutex);
    if (!rc && !p->job->end && !(rc = wh_session_detect(session)))
        publish_language(p, from->part, wh_session_language(session), 0);
    while (!rc) {
        rc = wh_session_next(session, &cleared);
        publish_language(p, from->part, wh_session_language(session), rc == WHISP_END);
        if (rc == WHISP_END)
            return WHISP_OK;
        rc = rc == 1 ? add_segment(p, from->part, &session->segment, cleared) : rc;
    }
    return rc;
}

static void add_timings(whisp_timings *sum, const whisp_timings *t)
{
    sum->mel += t->mel;
    sum->search += t->search;
    sum->words += t->words;
    sum->n_encode += t->n_encode;
    sum->n_prompt_tokens += t->n_prompt_tokens;
    sum->n_decode_tokens += t->n_decode_tokens;
    sum->n_windows += t->n_windows;
    sum->n_fallbacks += t->n_fallbacks;
}

static void *work(void *user)
{
    parts *p = user;
    for (seat *s; (s = wait_for_part(p));) {
        wh_share_enter(s->session->backend);
        int rc = transcribe_part(p, s);
        wh_share_leave(s->session->backend);
        pthread_mutex_lock(&p->mutex);
        part *done = &p->list[s->part];
        done->over = 1;
        done->language = wh_session_spoken(s->session);
        done->total = s->session->total;
        done->incomplete = wh_session_why_incomplete(s->session) ? strdup(s->session->incomplete) : NULL;
        rc = rc || done->incomplete || !wh_session_why_incomplete(s->session) ? rc : wh_fail_memory();
        if (rc) {
            fail_part(done, rc);
            atomic_store(&p->stop, 1);
        }
        add_timings(&p->timings, &s->session->timings);
        p->alone = 0;
        s->state = FREE;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        wh_share_wake(p->share);
    }
    return NULL;
}

/* ---- the caller's thread ---- */

static void hand_out_lines(part *from, const whisp_options *o)
{
    for (size_t i = 0; i < from->n_lines; i++) {
        if (o->log)
            o->log(o->log_user, from->lines[i].level, from->lines[i].text);
        free(from->lines[i].text);
    }
    from->n_lines = 0;
}

/* Hand out log lines, segments that are next in order, and progress. */
static int hand_out(parts *p)
{
    whisp_session *s = p->job->session;
    const whisp_options *o = s->options;
    double done = 0;
    int rc = WHISP_OK;
    pthread_mutex_lock(&p->mutex);
    if (p->language >= 0)
        wh_session_set_language(s, p->language);
    wh_session_set_guess(s, p->n ? p->list[0].language : -1);
    while (!rc && p->next_out < p->n) {
        part *from = &p->list[p->next_out];
        hand_out_lines(from, o);
        for (; !rc && from->emitted < wh_result_about(from->result).n_segments; from->emitted++)
            rc = p->job->emit(p->job->user, whisp_result_segment(from->result, from->emitted),
                              from->cleared[from->emitted]);
        if (rc || !from->over || (from->rc && (!p->job->end || atomic_load(&p->stop))))
            break;
        if (p->job->end && !from->none) {
            const wh_part_end end = {from->rc, from->problem, from->language, from->total, from->incomplete};
            rc = p->job->end(p->job->user, &end);
        } else if (from->incomplete) {
            wh_session_remember_incomplete(s, from->incomplete);
        }
        whisp_result_free(from->result);
        from->result = NULL;
        from->emitted = 0;
        p->next_out++;
    }
    for (size_t i = 0; i < p->n; i++)
        done += p->list[i].done;
    pthread_mutex_unlock(&p->mutex);
    if (o->progress && !rc) {
        double end = done;
        wh_filter_times(s, &done, &end);
        if (end > p->reported) {
            p->reported = end;
            o->progress(o->progress_user, end, s->total < 0 ? s->total : fmax(s->total, end));
        }
    }
    return rc;
}

static int is_over(parts *p)
{
    pthread_mutex_lock(&p->mutex);
    int over = p->ended;
    for (int i = 0; i < p->n_seats && over; i++)
        over = p->seats[i].state == FREE || (p->seats[i].state == FILLED && atomic_load(&p->stop));
    pthread_mutex_unlock(&p->mutex);
    return over;
}

static int serve(parts *p)
{
    int rc = WHISP_OK;
    for (;;) {
        int over = is_over(p), failed = hand_out(p); /* in this order: the last part's segments come first */
        if (!rc && !failed)
            failed = wh_check_cancel(p->job->session->options);
        rc = rc ? rc : failed;
        if (rc) {
            pthread_mutex_lock(&p->mutex);
            atomic_store(&p->stop, 1);
            pthread_cond_broadcast(&p->changed);
            pthread_mutex_unlock(&p->mutex);
        }
        if (over)
            return rc;
        wh_share_serve(p->share);
    }
}

static int make_seats(parts *p, int workers)
{
    const wh_part_job *job = p->job;
    size_t frames = job->longest / WH_HOP + 8;
    for (int i = 0; i < workers + 1; i++) {
        seat *s = &p->seats[i];
        wh_backend *view;
        int rc = wh_share_view(p->share, &view);
        if (rc || (rc = wh_session_new_part(job->session, view, frames, &s->session)))
            return rc;
        s->parts = p;
        p->n_seats++;
        whisp_options *o = s->session->options;
        o->log = keep_line;
        o->progress = keep_progress;
        o->cancel = is_stopped;
        o->log_user = o->progress_user = s;
        o->cancel_user = p;
    }
    return WHISP_OK;
}

/* What went wrong first: in the caller's thread, in a part, in the reader. */
static int first_error(parts *p, int rc)
{
    for (size_t i = 0; !rc && i < p->n; i++)
        if (p->list[i].rc && p->list[i].rc != WHISP_ERR_CANCELLED && (!p->job->end || i >= p->next_out))
            rc = wh_fail(p->list[i].rc, "%s", p->list[i].problem ? p->list[i].problem : "");
    return !rc && p->reader_rc ? wh_fail(p->reader_rc, "%s", p->reader_problem) : rc;
}

static int run_threads(parts *p, int workers)
{
    pthread_t threads[MAX_WORKERS + 1];
    int n = 0, rc = WHISP_OK, failed = 0;
    while (n < workers + 1 && !(failed = wh_thread_start(&threads[n], n ? work : read_all, p)))
        n++;
    if (n < 2) { /* a reader and one worker do it, only more slowly */
        rc = wh_fail(WHISP_ERR_MEMORY, "cannot start a thread: %s", strerror(failed));
        pthread_mutex_lock(&p->mutex);
        atomic_store(&p->stop, 1);
        p->ended = p->ended || n == 0;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->mutex);
    }
    int served = serve(p);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return first_error(p, rc ? rc : served);
}

static void take_timings(parts *p)
{
    whisp_timings *t = &p->job->session->timings;
    wh_share_times times;
    wh_share_timings(p->share, &times);
    add_timings(t, &p->timings);
    t->encode += times.encode;
    t->prompt += times.prompt;
    t->decode += times.decode;
    t->n_decode_steps += times.n_steps;
}

static void free_parts(parts *p)
{
    for (int i = 0; i < p->n_seats; i++)
        whisp_session_free(p->seats[i].session);
    wh_share_free(p->share);
    for (size_t i = 0; i < p->n; i++) {
        whisp_result_free(p->list[i].result);
        free(p->list[i].cleared);
        free(p->list[i].problem);
        free(p->list[i].incomplete);
        hand_out_lines(&p->list[i], &(whisp_options){0});
        free(p->list[i].lines);
    }
    free(p->list);
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    free(p);
}

int wh_parts_run(const wh_part_job *job)
{
    whisp_session *s = job->session;
    const wh_values *v = &s->options->values;
    int workers = workers_for(s->model, v, wh_backend_slots(s->backend));
    parts *p = wh_calloc(1, sizeof *p);
    if (!p)
        return wh_fail_memory();
    p->job = job;
    p->language = wh_session_language(s);
    p->alone = !job->end;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    int rc = wh_share_new(s->backend, workers, wh_search_slots(v), spares_for(v, workers),
                          v->threads ? v->threads : wh_usable_cores(), &p->share);
    if (!rc)
        rc = make_seats(p, workers);
    if (!rc) {
        rc = run_threads(p, workers);
        take_timings(p);
    }
    free_parts(p);
    return rc;
}
