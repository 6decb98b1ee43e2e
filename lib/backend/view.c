/* view.c - one backend for several threads: the side of those who ask (see multiplex.h). A view checks what it maps to
 * the backend's slots; the rest is checked by slots.c, when the backend is asked. */
#include <stdlib.h>

#include "backend/multiplex_state.h"

static wh_view *view_of(wh_backend *backend)
{
    return (wh_view *)(void *)backend;
}

static const wh_backend *behind(const wh_backend *backend)
{
    return ((const wh_view *)(const void *)backend)->m->backend;
}

int wh_multiplex_view(wh_multiplex *m, int slots, int goes_first, const atomic_int *stop, wh_backend **backend)
{
    wh_view *v = wh_calloc(1, sizeof *v);
    *backend = NULL;
    if (!v)
        return wh_fail_memory();
    v->ops = &wh_view_ops;
    v->m = m;
    v->n_slots = WH_MIN(slots, WH_MAX_CANDIDATES);
    v->goes_first = goes_first;
    v->stop = stop;
    for (int i = 0; i < WH_MAX_CANDIDATES; i++)
        v->slots[i] = -1;
    pthread_cond_init(&v->served, NULL);
    pthread_mutex_lock(&m->mutex);
    v->next = m->views;
    m->views = v;
    pthread_mutex_unlock(&m->mutex);
    *backend = (wh_backend *)(void *)v;
    return WHISP_OK;
}

/* ---- running and waiting; all with the mutex held ---- */

/* The view, which the owner has counted in or given up waiting for, goes on when it is its turn. */
static void begin_running(wh_view *v)
{
    wh_multiplex *m = v->m;
    while (v->counted && m->turns <= 0)
        pthread_cond_wait(&m->turn, &m->mutex);
    if (v->counted) {
        m->turns--;
        v->has_turn = 1;
    }
}

static void stop_running(wh_view *v)
{
    wh_multiplex *m = v->m;
    if (v->has_turn) {
        m->turns++;
        pthread_cond_signal(&m->turn);
    }
    m->running -= v->counted;
    v->has_turn = v->counted = 0;
    wh_multiplex_changed(m);
}

static int is_stopped(const wh_view *v)
{
    return v->stop && atomic_load(v->stop);
}

/* Wait until the owner has computed what the view wants. */
static int wait_served(wh_view *v, enum wh_wants wants)
{
    wh_multiplex *m = v->m;
    if (is_stopped(v))
        return wh_fail(WHISP_ERR_CANCELLED, "cancelled");
    v->wants = wants;
    v->asked = ++m->asks;
    m->waiting++;
    stop_running(v);
    while (v->wants != WH_NOTHING && (v->taken || !is_stopped(v)))
        pthread_cond_wait(&v->served, &m->mutex);
    if (v->wants != WH_NOTHING) {
        v->wants = WH_NOTHING;
        m->waiting--;
        wh_multiplex_changed(m);
        return wh_fail(WHISP_ERR_CANCELLED, "cancelled");
    }
    begin_running(v);
    return v->rc ? wh_fail(v->rc, "%s", v->problem) : WHISP_OK;
}

/* The ledger of the backend's slots, while nothing is computed. */
static void begin_exclusive(wh_multiplex *m)
{
    m->exclusive++;
    while (m->computing)
        pthread_cond_wait(&m->calm, &m->mutex);
}

static void end_exclusive(wh_multiplex *m)
{
    if (--m->exclusive == 0)
        pthread_cond_signal(&m->ready);
}

/* ---- slots ---- */

static int free_slots(const wh_multiplex *m)
{
    int n = 0;
    for (int i = 0; i < m->n_slots; i++)
        n += m->used[i] != WH_SLOT_USED;
    return n;
}

static int take_slot(wh_multiplex *m)
{
    for (int i = 0; i < m->n_slots; i++)
        if (m->used[i] != WH_SLOT_USED) {
            m->used[i] = WH_SLOT_USED;
            return i;
        }
    return -1;
}

static void release_slots(wh_view *v, int first)
{
    int any = 0;
    for (int i = first; i < v->n_slots; i++) {
        if (v->slots[i] >= 0) {
            v->m->used[v->slots[i]] = WH_SLOT_LEFT;
            any = 1;
        }
        v->slots[i] = -1;
    }
    if (any)
        pthread_cond_broadcast(&v->m->spare);
}

/* Wait until the view may have what others have now; meanwhile it does not run. */
static int wait_spare(wh_view *v, int (*may)(const wh_view *))
{
    wh_multiplex *m = v->m;
    while (!may(v) && !is_stopped(v)) { /* while it waits for its turn another one may take what it may have */
        stop_running(v);
        while (!may(v) && !is_stopped(v))
            pthread_cond_wait(&m->spare, &m->mutex);
        v->counted = 1;
        m->running++;
        begin_running(v);
    }
    return may(v) ? WHISP_OK : wh_fail(WHISP_ERR_CANCELLED, "cancelled");
}

/* Are there slots to lend, beside one for each view that may begin; and has nobody waited longer? */
static int may_borrow(const wh_view *v)
{
    int need = v->n_slots - 1, left = v->m->most_views;
    for (const wh_view *other = v->m->views; other; other = other->next) {
        left -= other->slots[0] >= 0;
        if (other->lent && other->lent < v->lent)
            return 0;
    }
    return free_slots(v->m) - need >= WH_MAX(left, 0);
}

/* The slots beside the first one, when there are some for this view. */
static int take_spares(wh_view *v)
{
    wh_multiplex *m = v->m;
    v->lent = ++m->asks;
    int rc = wait_spare(v, may_borrow);
    v->lent = 0;
    pthread_cond_broadcast(&m->spare); /* the next one's turn */
    if (rc)
        return rc;
    for (int i = 1; i < v->n_slots; i++)
        v->slots[i] = take_slot(m);
    return WHISP_OK;
}

/* ---- memory for a moment ---- */

static int may_reserve(const wh_view *v)
{
    return !v->m->reserved_by;
}

static int view_reserve(wh_backend *backend)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    int rc = WHISP_OK;
    pthread_mutex_lock(&m->mutex);
    if (!v->goes_first) /* he would wait for one whose calls wait for him */
        rc = wait_spare(v, may_reserve);
    if (!v->goes_first && !rc)
        m->reserved_by = v;
    pthread_mutex_unlock(&m->mutex);
    return rc;
}

static void view_release(wh_backend *backend)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    pthread_mutex_lock(&m->mutex);
    if (m->reserved_by == v) {
        m->reserved_by = NULL;
        pthread_cond_broadcast(&m->spare);
    }
    pthread_mutex_unlock(&m->mutex);
    wh_pages_give_back(&v->room);
}

/* Of those who do not go first one is here at a time, and he has the backend's. */
static wh_pages *view_room(wh_backend *backend)
{
    wh_view *v = view_of(backend);
    return v->goes_first ? &v->room : wh_backend_pages(v->m->backend);
}

/* ---- coming and going ---- */

void wh_multiplex_enter(wh_backend *backend)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    pthread_mutex_lock(&m->mutex);
    v->counted = 1;
    m->running++;
    m->since = wh_now();
    begin_running(v);
    pthread_mutex_unlock(&m->mutex);
}

void wh_multiplex_leave(wh_backend *backend)
{
    wh_view *v = view_of(backend);
    pthread_mutex_lock(&v->m->mutex);
    release_slots(v, 0);
    stop_running(v);
    pthread_mutex_unlock(&v->m->mutex);
}

static void view_free(wh_backend *backend)
{
    wh_view *v = view_of(backend), **at = &v->m->views;
    wh_multiplex_leave(backend);
    pthread_mutex_lock(&v->m->mutex);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    pthread_mutex_unlock(&v->m->mutex);
    pthread_cond_destroy(&v->served);
    wh_pages_give_back(&v->room);
    free(v);
}

/* ---- the calls ---- */

static int has_slot(const wh_view *v, int slot)
{
    return slot >= 0 && slot < v->n_slots;
}

/* The backend's slot behind one of the view's, -1 where there is none yet. */
static int slot_behind(const wh_view *v, int slot)
{
    return has_slot(v, slot) ? v->slots[slot] : -1;
}

static int view_encode(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    int rc = WHISP_OK;
    if (n != 1 || slots[0] != 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "a shared backend takes one window at a time, into slot 0");
    pthread_mutex_lock(&m->mutex);
    release_slots(v, 1);
    if (v->slots[0] < 0 && (v->slots[0] = take_slot(m)) < 0)
        rc = wh_fail(WHISP_ERR_STATE, "too many users of a shared backend");
    v->mel = mel;
    v->how = how;
    if (!rc)
        rc = wait_served(v, WH_WINDOW);
    pthread_mutex_unlock(&m->mutex);
    return rc;
}

static int view_decode(wh_backend *backend, int n, const wh_step *steps)
{
    wh_view *v = view_of(backend);
    enum wh_wants wants = WH_STEP;
    for (int i = 0; i < n; i++) {
        if (slot_behind(v, steps[i].slot) < 0)
            return wh_fail(WHISP_ERR_STATE, "slot %d: decode before encode", steps[i].slot);
        if (steps[i].n_tokens != 1)
            wants = WH_PROMPT;
    }
    pthread_mutex_lock(&v->m->mutex);
    v->n = n;
    v->steps = steps;
    int rc = wait_served(v, wants);
    pthread_mutex_unlock(&v->m->mutex);
    return rc;
}

static int view_fork_tail(wh_backend *backend, int dst, int src, int n_same)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    if (!has_slot(v, dst) || slot_behind(v, src) < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "fork of slot %d to %d", src, dst);
    pthread_mutex_lock(&m->mutex);
    int rc = v->slots[dst] < 0 ? take_spares(v) : WHISP_OK;
    if (!rc) {
        begin_exclusive(m);
        rc = wh_backend_fork_tail(m->backend, v->slots[dst], v->slots[src], n_same);
        end_exclusive(m);
    }
    pthread_mutex_unlock(&m->mutex);
    return rc;
}

static int view_truncate(wh_backend *backend, int slot, int n_tokens)
{
    wh_view *v = view_of(backend);
    wh_multiplex *m = v->m;
    if (slot_behind(v, slot) < 0)
        return wh_fail(WHISP_ERR_ARGUMENT, "slot %d cannot be cut before a window is in it", slot);
    pthread_mutex_lock(&m->mutex);
    begin_exclusive(m);
    int rc = wh_backend_truncate(m->backend, v->slots[slot], n_tokens);
    end_exclusive(m);
    pthread_mutex_unlock(&m->mutex);
    return rc;
}

/* Slots are lent together, so they go back together. */
static void view_rest(wh_backend *backend, int slot)
{
    wh_view *v = view_of(backend);
    pthread_mutex_lock(&v->m->mutex);
    if (has_slot(v, slot))
        release_slots(v, WH_MIN(slot, 1));
    pthread_mutex_unlock(&v->m->mutex);
}

static int view_forbid(wh_backend *backend, const int32_t *tokens, size_t n, int *forbidden)
{
    wh_multiplex *m = view_of(backend)->m;
    pthread_mutex_lock(&m->mutex);
    begin_exclusive(m);
    int rc = wh_backend_forbid(m->backend, tokens, n, forbidden);
    end_exclusive(m);
    pthread_mutex_unlock(&m->mutex);
    return rc;
}

static int view_slots(const wh_backend *backend)
{
    return ((const wh_view *)(const void *)backend)->n_slots;
}

static const char *view_describe(const wh_backend *backend)
{
    return wh_backend_describe(behind(backend));
}

static int view_chooses(const wh_backend *backend)
{
    return wh_backend_chooses(behind(backend));
}

/* Without the mutex: these may be called beside a computation. */
static int view_mel_frames(const wh_backend *backend)
{
    return wh_backend_mel_frames(behind(backend));
}

static int view_leaves_out(const wh_backend *backend, const float *mel)
{
    return wh_backend_leaves_out(behind(backend), mel);
}

static int view_log_mel(wh_backend *backend, const float *samples, int n, float *out)
{
    return wh_backend_log_mel(view_of(backend)->m->backend, samples, n, out);
}

const wh_backend_ops wh_view_ops = {
    .free = view_free,
    .describe = view_describe,
    .encode = view_encode,
    .leaves_out = view_leaves_out,
    .decode = view_decode,
    .fork_tail = view_fork_tail,
    .truncate = view_truncate,
    .rest = view_rest,
    .reserve = view_reserve,
    .release = view_release,
    .room = view_room,
    .slots = view_slots,
    .chooses = view_chooses,
    .forbid = view_forbid,
    .mel_frames = view_mel_frames,
    .log_mel = view_log_mel,
};
