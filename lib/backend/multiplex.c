/* multiplex.c - one backend for several threads: the owner's side (see multiplex.h). When it computes, and what. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/multiplex_state.h"
#include "platform/platform.h"
#include "util/pool.h"

#define LEAST_GRACE 0.002 /* seconds; and at most: */
#define MOST_GRACE 0.05
#define GRACES 4 /* after so many it computes although only a few have asked */
#define MOST_WINDOW 0.5

int wh_multiplex_new(wh_backend *backend, int views, int threads, wh_multiplex **multiplex)
{
    wh_multiplex *m = *multiplex = wh_calloc(1, sizeof *m);
    if (!m)
        return wh_fail_memory();
    m->backend = backend;
    m->most_views = views;
    m->turns = WH_MAX(threads, 1);
    m->n_slots = wh_backend_slots(backend);
    m->grace = LEAST_GRACE;
    m->patience = WH_MULTIPLEX_PATIENCE;
    pthread_mutex_init(&m->mutex, NULL);
    wh_platform_condition_init(&m->ready);
    pthread_cond_init(&m->turn, NULL);
    pthread_cond_init(&m->calm, NULL);
    pthread_cond_init(&m->spare, NULL);
    pthread_cond_init(&m->news, NULL);
    m->used = wh_calloc((size_t)m->n_slots, 1);
    m->steps = wh_calloc((size_t)m->n_slots, sizeof *m->steps);
    m->mel = wh_calloc((size_t)m->n_slots, sizeof *m->mel);
    m->windows = wh_calloc((size_t)m->n_slots, sizeof *m->windows);
    if (m->used && m->steps && m->mel && m->windows)
        return WHISP_OK;
    wh_multiplex_free(m);
    *multiplex = NULL;
    return wh_fail_memory();
}

void wh_multiplex_free(wh_multiplex *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->mutex);
    pthread_cond_destroy(&m->ready);
    pthread_cond_destroy(&m->turn);
    pthread_cond_destroy(&m->calm);
    pthread_cond_destroy(&m->spare);
    pthread_cond_destroy(&m->news);
    free(m->used);
    free(m->steps);
    free(m->mel);
    free(m->windows);
    free(m);
}

/* ---- what to compute ---- */

typedef struct wanted {
    enum wh_wants what; /* WH_NOTHING: nothing for now */
    int goes_first;     /* only of those that do */
} wanted;

/* What is most urgent of those that go first, or of the others. */
static enum wh_wants most_urgent(const wh_multiplex *m, int goes_first)
{
    enum wh_wants most = WH_NOTHING;
    for (const wh_view *v = m->views; v; v = v->next)
        if (v->goes_first == goes_first)
            most = WH_MAX(most, v->wants);
    return most;
}

/* Is one of those that go first between its window and its end? A window of the others would keep it waiting. */
static int first_at_work(const wh_multiplex *m)
{
    for (const wh_view *v = m->views; v; v = v->next)
        if (v->goes_first && v->slots[0] >= 0)
            return 1;
    return 0;
}

/* How much longer it is worth waiting for it, where there is nothing else to do: a window's time in all, which is what
 * it would lose. */
static double time_for_first(const wh_multiplex *m)
{
    return fmax(m->since + fmin(m->window_time, MOST_WINDOW) - wh_now(), 0);
}

static wanted choose(const wh_multiplex *m)
{
    enum wh_wants first = most_urgent(m, 1), other = most_urgent(m, 0);
    int has_steps = first == WH_STEP;
    for (const wh_view *v = m->views; v && !has_steps; v = v->next)
        has_steps = v->wants == WH_STEP;
    if (first > WH_STEP)
        return (wanted){first, 1};
    int must_wait = first_at_work(m) && m->patience > 0 && (has_steps || m->running || time_for_first(m) > 0);
    if (other > WH_STEP && !must_wait)
        return (wanted){other, 0};
    return (wanted){has_steps ? WH_STEP : WH_NOTHING, 0};
}

/* ---- when ---- */

/* Seconds to wait for those who run; 0: compute. */
static double time_to_wait(const wh_multiplex *m)
{
    if (m->running == 0)
        return 0;
    double waited = wh_now() - m->since, most = m->waiting > m->running ? m->grace : GRACES * m->grace;
    return waited < most ? (waited < m->grace ? m->grace : most) - waited : 0;
}

void wh_multiplex_changed(wh_multiplex *m)
{
    m->since = wh_now();
    /* not for each: when all have asked, when the first has, so that time is measured, and when most have */
    if (m->running == 0 || m->waiting == 1 || m->waiting == m->running + 1)
        pthread_cond_signal(&m->ready);
}

/* Those who still run are not waited for any more, and do not count among those who may run. */
static void leave_behind(wh_multiplex *m)
{
    for (wh_view *v = m->views; v && m->running; v = v->next) {
        if (!v->counted)
            continue;
        v->counted = 0;
        m->running--;
        m->turns += v->has_turn;
        v->has_turn = 0;
    }
    pthread_cond_broadcast(&m->turn);
}

/* Wait until something is to be computed; WH_NOTHING: woken. */
static wanted wait_for_work(wh_multiplex *m)
{
    for (;;) {
        wanted next = choose(m);
        if (m->woken)
            return (wanted){WH_NOTHING, 0};
        double seconds = time_to_wait(m);
        if (m->exclusive || m->waiting == 0)
            pthread_cond_wait(&m->ready, &m->mutex);
        else if (next.what == WH_NOTHING && m->running == 0)
            wh_platform_condition_wait(&m->ready, &m->mutex, fmax(time_for_first(m), 0.0001));
        else if (seconds > 0)
            wh_platform_condition_wait(&m->ready, &m->mutex, seconds);
        else if (m->running)
            leave_behind(m); /* and what was kept back for one of them may be chosen now */
        else
            return next;
    }
}

/* ---- computing ---- */

/* What the view wants is computed now, behind what others want that were taken before. */
static void take(wh_multiplex *m, wh_view *v)
{
    v->taken = 1;
    v->next_taken = NULL;
    *m->last_taken = v;
    m->last_taken = &v->next_taken;
}

static void take_windows(wh_multiplex *m, int goes_first, int *n)
{
    int most = wh_backend_windows(m->backend);
    for (*n = 0; *n < most;) {
        wh_view *next = NULL;
        for (wh_view *v = m->views; v; v = v->next)
            if (v->wants == WH_WINDOW && v->goes_first == goes_first && !v->taken && (*n == 0 || v->how == m->how) &&
                (!next || v->asked < next->asked))
                next = v;
        if (!next)
            break;
        take(m, next);
        m->how = next->how;
        m->mel[*n] = next->mel[0];
        m->windows[(*n)++] = next->slots[0];
    }
}

/* Single tokens are everybody's; prompts of those that go first are not kept waiting by the others'. */
static void take_steps(wh_multiplex *m, wanted what, int *n)
{
    *n = 0;
    for (wh_view *v = m->views; v; v = v->next) {
        if (v->wants != what.what || (what.goes_first && !v->goes_first))
            continue;
        take(m, v);
        for (int i = 0; i < v->n; i++) {
            m->steps[*n] = v->steps[i];
            m->steps[(*n)++].slot = v->slots[v->steps[i].slot];
        }
    }
}

static void note_time(wh_multiplex *m, wanted what, double seconds)
{
    *(what.what == WH_WINDOW   ? &m->times.encode
      : what.what == WH_PROMPT ? &m->times.prompt
                               : &m->times.decode) += seconds;
    m->times.n_steps += what.what == WH_STEP;
    if (what.what == WH_STEP)
        m->grace = fmin(fmax(seconds, LEAST_GRACE), MOST_GRACE);
    if (what.what == WH_WINDOW)
        m->window_time = seconds;
    if (what.what == WH_STEP && first_at_work(m) && most_urgent(m, 0) > WH_STEP)
        m->patience--;
    else if (!what.goes_first) /* one of the others had its turn, or nobody has to wait */
        m->patience = WH_MULTIPLEX_PATIENCE;
}

static void take_answer(wh_view *v, int rc)
{
    v->rc = rc;
    if (rc)
        snprintf(v->problem, sizeof v->problem, "%s", whisp_last_error());
}

/* A call is refused as a whole when one of its steps is (slots.c looks at all before it runs any): then each view asks
 * alone, and only who asked for it is told. The views that are taken are not touched by anybody else, and take_steps()
 * took their steps in the order of the list. */
static void compute_steps(wh_multiplex *m, int n)
{
    int rc = wh_backend_decode(m->backend, n, m->steps), at = 0;
    int is_refused = rc == WHISP_ERR_ARGUMENT || rc == WHISP_ERR_STATE;
    for (wh_view *v = m->taken; v; v = v->next_taken) {
        if (is_refused && v->n < n)
            rc = wh_backend_decode(m->backend, v->n, m->steps + at);
        take_answer(v, rc);
        at += v->n;
    }
}

static void compute_windows(wh_multiplex *m, int n)
{
    int rc = wh_backend_encode_as(m->backend, n, m->mel, m->windows, m->how);
    for (wh_view *v = m->taken; v; v = v->next_taken)
        take_answer(v, rc);
}

/* Those whose wish was computed run again. */
static void serve_taken(wh_multiplex *m)
{
    for (wh_view *v = m->views; v; v = v->next)
        if (v->taken) {
            v->taken = 0;
            v->wants = WH_NOTHING;
            v->counted = 1;
            m->running++;
            m->waiting--;
            pthread_cond_signal(&v->served);
        }
}

/* A slot that was left would keep its window from being another one's. */
static void rest_slots(wh_multiplex *m)
{
    for (int i = 0; i < m->n_slots; i++)
        if (m->used[i] == WH_SLOT_LEFT) {
            wh_backend_rest(m->backend, i);
            m->used[i] = WH_SLOT_FREE;
        }
}

static void compute(wh_multiplex *m, wanted what)
{
    int n;
    rest_slots(m);
    m->taken = NULL;
    m->last_taken = &m->taken;
    if (what.what == WH_WINDOW)
        take_windows(m, what.goes_first, &n);
    else
        take_steps(m, what, &n);
    m->computing = 1;
    pthread_mutex_unlock(&m->mutex);
    double t0 = wh_now();
    if (what.what == WH_WINDOW)
        compute_windows(m, n);
    else
        compute_steps(m, n);
    double t1 = wh_now();
    pthread_mutex_lock(&m->mutex);
    m->computing = 0;
    m->computed++;
    m->since = t1;
    note_time(m, what, t1 - t0);
    serve_taken(m);
    pthread_cond_broadcast(&m->calm);
    pthread_cond_broadcast(&m->news);
}

void wh_multiplex_serve(wh_multiplex *m)
{
    pthread_mutex_lock(&m->mutex);
    wanted what = wait_for_work(m);
    if (what.what != WH_NOTHING)
        compute(m, what);
    else
        m->woken = 0;
    pthread_mutex_unlock(&m->mutex);
}

void wh_multiplex_wake(wh_multiplex *m)
{
    pthread_mutex_lock(&m->mutex);
    m->woken = 1;
    m->computed++;
    pthread_cond_signal(&m->ready);
    pthread_cond_broadcast(&m->news);
    pthread_mutex_unlock(&m->mutex);
}

void wh_multiplex_watch(wh_multiplex *m, int64_t *seen)
{
    pthread_mutex_lock(&m->mutex);
    while (m->computed == *seen)
        pthread_cond_wait(&m->news, &m->mutex);
    *seen = m->computed;
    pthread_mutex_unlock(&m->mutex);
}

void wh_multiplex_nudge(wh_multiplex *m)
{
    pthread_mutex_lock(&m->mutex);
    m->computed++;
    for (wh_view *v = m->views; v; v = v->next)
        pthread_cond_signal(&v->served);
    pthread_cond_broadcast(&m->spare);
    pthread_cond_broadcast(&m->news);
    pthread_mutex_unlock(&m->mutex);
}

void wh_multiplex_timings(wh_multiplex *m, wh_multiplex_times *times)
{
    pthread_mutex_lock(&m->mutex);
    *times = m->times;
    pthread_mutex_unlock(&m->mutex);
}
