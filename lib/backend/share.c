/* share.c - one backend for several threads (see share.h).
 *
 * One mutex guards everything. `running` counts the threads that have entered and do not wait for the backend; the
 * owner computes only when it is 0, so during a computation nobody else touches the backend. Forks and truncations
 * are quick and happen under the mutex in the thread that asks. */
#include "backend/share.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/options.h"
#include "backend/ops.h"

enum wants { NOTHING, STEP, PROMPT, WINDOW }; /* in order of urgency */

typedef struct view {
    const wh_backend_ops *ops; /* first: see ops.h */
    wh_share *share;
    struct view *next;
    int slots[WH_MAX_CANDIDATES]; /* the backend's, or -1 */
    int has_spares;
    enum wants wants;
    pthread_cond_t served;
    int rc;
    const float *const *mel; /* what is asked for */
    const wh_step *steps;
    int n;
} view;

struct wh_share {
    wh_backend *backend;
    pthread_mutex_t mutex;
    pthread_cond_t ready; /* for the owner: nobody runs, or woken */
    pthread_cond_t turn;  /* for those who run: one more may */
    pthread_cond_t spare; /* a view's spare slots are free again */
    view *views;
    int running, turns, woken;
    atomic_int arriving; /* threads about to run: the mutex goes to them before the next computation */
    int slots, spares;
    int n_slots;
    unsigned char *used; /* [n_slots] of the backend */
    wh_step *steps;      /* [n_slots] of a computation */
    const float **mel;   /* [n_slots] */
    int *windows;        /* [n_slots] */
    char problem[1024];  /* text of the last failed computation */
    wh_share_times times;
};

static const wh_backend_ops view_ops;

int wh_share_new(wh_backend *backend, int views, int slots, int spares, int threads, wh_share **share)
{
    wh_share *s = *share = wh_calloc(1, sizeof *s);
    if (!s)
        return wh_fail_memory();
    s->backend = backend;
    s->slots = WH_MIN(slots, WH_MAX_CANDIDATES);
    s->spares = spares;
    s->turns = WH_MAX(threads, 1);
    s->n_slots = views + spares * (s->slots - 1);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->ready, NULL);
    pthread_cond_init(&s->turn, NULL);
    pthread_cond_init(&s->spare, NULL);
    s->used = wh_calloc((size_t)s->n_slots, 1);
    s->steps = wh_calloc((size_t)s->n_slots, sizeof *s->steps);
    s->mel = wh_calloc((size_t)s->n_slots, sizeof *s->mel);
    s->windows = wh_calloc((size_t)s->n_slots, sizeof *s->windows);
    if (s->used && s->steps && s->mel && s->windows)
        return WHISP_OK;
    wh_share_free(s);
    *share = NULL;
    return wh_fail_memory();
}

void wh_share_free(wh_share *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->ready);
    pthread_cond_destroy(&s->turn);
    pthread_cond_destroy(&s->spare);
    free(s->used);
    free(s->steps);
    free(s->mel);
    free(s->windows);
    free(s);
}

int wh_share_view(wh_share *s, wh_backend **backend)
{
    view *v = wh_calloc(1, sizeof *v);
    *backend = NULL;
    if (!v)
        return wh_fail_memory();
    v->ops = &view_ops;
    v->share = s;
    for (int i = 0; i < WH_MAX_CANDIDATES; i++)
        v->slots[i] = -1;
    pthread_cond_init(&v->served, NULL);
    pthread_mutex_lock(&s->mutex);
    v->next = s->views;
    s->views = v;
    pthread_mutex_unlock(&s->mutex);
    *backend = (wh_backend *)(void *)v;
    return WHISP_OK;
}

static void view_free(wh_backend *backend)
{
    view *v = (view *)(void *)backend, **at = &v->share->views;
    pthread_mutex_lock(&v->share->mutex);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    pthread_mutex_unlock(&v->share->mutex);
    pthread_cond_destroy(&v->served);
    free(v);
}

static const char *view_describe(const wh_backend *backend)
{
    return wh_backend_describe(((const view *)(const void *)backend)->share->backend);
}

/* ---- running and waiting; all with the mutex held ---- */

static void begin_running(wh_share *s)
{
    while (s->turns == 0)
        pthread_cond_wait(&s->turn, &s->mutex);
    s->turns--;
}

static void stop_running(wh_share *s)
{
    s->turns++;
    pthread_cond_signal(&s->turn);
    if (--s->running == 0)
        pthread_cond_signal(&s->ready);
}

static int take_slot(wh_share *s)
{
    for (int i = 0; i < s->n_slots; i++)
        if (!s->used[i]) {
            s->used[i] = 1;
            return i;
        }
    return -1;
}

static void release_slots(view *v, int first)
{
    wh_share *s = v->share;
    for (int i = first; i < s->slots; i++) {
        if (v->slots[i] >= 0)
            s->used[v->slots[i]] = 0;
        v->slots[i] = -1;
    }
    if (v->has_spares) {
        v->has_spares = 0;
        s->spares++;
        pthread_cond_signal(&s->spare);
    }
}

/* The slots beside the first one, when there are some for this view. */
static void take_spares(view *v)
{
    wh_share *s = v->share;
    if (s->spares == 0) {
        stop_running(s);
        while (s->spares == 0)
            pthread_cond_wait(&s->spare, &s->mutex);
        s->running++;
        begin_running(s);
    }
    s->spares--;
    v->has_spares = 1;
    for (int i = 1; i < s->slots; i++)
        v->slots[i] = take_slot(s);
}

void wh_share_enter(wh_backend *backend)
{
    wh_share *s = ((view *)(void *)backend)->share;
    atomic_fetch_add(&s->arriving, 1);
    pthread_mutex_lock(&s->mutex);
    atomic_fetch_sub(&s->arriving, 1);
    s->running++;
    begin_running(s);
    pthread_mutex_unlock(&s->mutex);
}

void wh_share_leave(wh_backend *backend)
{
    view *v = (view *)(void *)backend;
    pthread_mutex_lock(&v->share->mutex);
    release_slots(v, 0);
    stop_running(v->share);
    pthread_mutex_unlock(&v->share->mutex);
}

/* Wait until the owner has computed what the view wants. */
static int wait_served(view *v, enum wants wants)
{
    wh_share *s = v->share;
    v->wants = wants;
    stop_running(s);
    while (v->wants != NOTHING)
        pthread_cond_wait(&v->served, &s->mutex);
    begin_running(s); /* the owner has counted it in */
    return v->rc ? wh_fail(v->rc, "%s", s->problem) : WHISP_OK;
}

/* ---- the calls: a view checks what it maps; the rest is slots.c's, when the backend is asked ---- */

static int has_slot(const view *v, int slot)
{
    return slot >= 0 && slot < v->share->slots;
}

/* The backend's slot behind one of the view's, -1 where there is none yet. */
static int slot_behind(const view *v, int slot)
{
    return has_slot(v, slot) ? v->slots[slot] : -1;
}

static int view_encode(wh_backend *backend, int n, const float *const *mel, const int *slots)
{
    view *v = (view *)(void *)backend;
    wh_share *s = v->share;
    int rc = WHISP_OK;
    if (n != 1 || slots[0] != 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "a shared backend takes one window at a time, into slot 0");
    pthread_mutex_lock(&s->mutex);
    release_slots(v, 1);
    if (v->slots[0] < 0 && (v->slots[0] = take_slot(s)) < 0)
        rc = wh_fail(WHISP_ERR_STATE, "too many users of a shared backend");
    v->mel = mel;
    if (!rc)
        rc = wait_served(v, WINDOW);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static int view_decode(wh_backend *backend, int n, const wh_step *steps)
{
    view *v = (view *)(void *)backend;
    enum wants wants = STEP;
    for (int i = 0; i < n; i++) {
        if (slot_behind(v, steps[i].slot) < 0)
            return wh_fail(WHISP_ERR_STATE, "slot %d: decode before encode", steps[i].slot);
        if (steps[i].n_tokens != 1)
            wants = PROMPT;
    }
    pthread_mutex_lock(&v->share->mutex);
    v->n = n;
    v->steps = steps;
    int rc = wait_served(v, wants);
    pthread_mutex_unlock(&v->share->mutex);
    return rc;
}

static int view_fork_tail(wh_backend *backend, int dst, int src, int n_same)
{
    view *v = (view *)(void *)backend;
    wh_share *s = v->share;
    if (!has_slot(v, dst) || slot_behind(v, src) < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "fork of slot %d to %d", src, dst);
    pthread_mutex_lock(&s->mutex);
    if (v->slots[dst] < 0)
        take_spares(v);
    int rc = wh_backend_fork_tail(s->backend, v->slots[dst], v->slots[src], n_same);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static int view_truncate(wh_backend *backend, int slot, int n_tokens)
{
    view *v = (view *)(void *)backend;
    if (slot_behind(v, slot) < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d cannot be cut before a window is in it", slot);
    pthread_mutex_lock(&v->share->mutex);
    int rc = wh_backend_truncate(v->share->backend, v->slots[slot], n_tokens);
    pthread_mutex_unlock(&v->share->mutex);
    return rc;
}

static int view_slots(const wh_backend *backend)
{
    return ((const view *)(const void *)backend)->share->slots;
}

static int view_chooses(const wh_backend *backend)
{
    return wh_backend_chooses(((const view *)(const void *)backend)->share->backend);
}

static int view_forbid(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden)
{
    wh_share *s = ((view *)(void *)backend)->share;
    pthread_mutex_lock(&s->mutex);
    int rc = wh_backend_forbid(s->backend, tokens, n, forbidden);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

/* Without the mutex: these may be called beside a computation. */
static int view_mel_frames(const wh_backend *backend)
{
    return wh_backend_mel_frames(((const view *)(const void *)backend)->share->backend);
}

static int view_log_mel(wh_backend *backend, const float *samples, int n, float *out)
{
    return wh_backend_log_mel(((view *)(void *)backend)->share->backend, samples, n, out);
}

static const wh_backend_ops view_ops = {
    .free = view_free,
    .describe = view_describe,
    .encode = view_encode,
    .decode = view_decode,
    .fork_tail = view_fork_tail,
    .truncate = view_truncate,
    .slots = view_slots,
    .chooses = view_chooses,
    .forbid = view_forbid,
    .mel_frames = view_mel_frames,
    .log_mel = view_log_mel,
};

/* ---- the owner's side ---- */

static int compute_windows(wh_share *s)
{
    int n = 0;
    for (view *v = s->views; v; v = v->next)
        if (v->wants == WINDOW) {
            s->mel[n] = v->mel[0];
            s->windows[n++] = v->slots[0];
        }
    double t0 = wh_now();
    int rc = wh_backend_encode(s->backend, n, s->mel, s->windows);
    s->times.encode += wh_now() - t0;
    return rc;
}

static int compute_steps(wh_share *s, enum wants wants)
{
    int n = 0;
    for (view *v = s->views; v; v = v->next)
        for (int i = 0; v->wants == wants && i < v->n; i++) {
            s->steps[n] = v->steps[i];
            s->steps[n++].slot = v->slots[v->steps[i].slot];
        }
    double t0 = wh_now();
    int rc = wh_backend_decode(s->backend, n, s->steps);
    *(wants == STEP ? &s->times.decode : &s->times.prompt) += wh_now() - t0;
    s->times.n_steps += wants == STEP;
    return rc;
}

void wh_share_serve(wh_share *s)
{
    enum wants most = NOTHING;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        for (view *v = s->views; v; v = v->next)
            most = WH_MAX(most, v->wants);
        /* The owner has the mutex nearly all the time: whoever only waited for it could come too late for the whole
         * recording, and nothing would be shared. */
        if (s->woken || (s->running == 0 && most != NOTHING && atomic_load(&s->arriving) == 0))
            break;
        pthread_cond_wait(&s->ready, &s->mutex);
    }
    int woken = s->woken;
    s->woken = 0;
    if (!woken) {
        /* all views wait, so nobody needs the mutex; a thread that enters now waits for it, and does no harm */
        int rc = most == WINDOW ? compute_windows(s) : compute_steps(s, most);
        if (rc)
            snprintf(s->problem, sizeof s->problem, "%s", whisp_last_error());
        for (view *v = s->views; v; v = v->next)
            if (v->wants == most) {
                v->wants = NOTHING;
                v->rc = rc;
                s->running++;
                pthread_cond_signal(&v->served);
            }
    }
    pthread_mutex_unlock(&s->mutex);
}

void wh_share_wake(wh_share *s)
{
    pthread_mutex_lock(&s->mutex);
    s->woken = 1;
    pthread_cond_signal(&s->ready);
    pthread_mutex_unlock(&s->mutex);
}

void wh_share_timings(const wh_share *s, wh_share_times *times)
{
    *times = s->times;
}
