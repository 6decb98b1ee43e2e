/* part.c - the threads of a batch (batch_state.h): a reader gives each part its samples, in order, as sessions become free;
 * log-Mel is computed there. Workers take parts that have all their samples and transcribe them. A part's session belongs
 * to one thread at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/batch_state.h"

/* ---- stopping ---- */

void wh_batch_stop(wh_batch *b)
{
    atomic_store(&b->stop, 1);
    pthread_cond_broadcast(&b->changed);
}

void wh_batch_nudge(wh_batch *b)
{
    if (atomic_load(&b->stop)) {
        wh_multiplex_nudge(b->multiplex);
        wh_quota_nudge(b->quota);
    }
    wh_multiplex_wake(b->multiplex);
}

/* ---- what the parts' sessions tell, in the workers' threads ---- */

void wh_seat_log(void *user, int level, const char *text)
{
    wh_seat *s = user;
    pthread_mutex_lock(&s->batch->mutex);
    wh_outbox_log(&s->batch->list[s->part].out, level, text);
    pthread_mutex_unlock(&s->batch->mutex);
}

/* Somebody who waits has the first lines to read; from here on all parts share their steps. With the mutex held. */
static void let_others_begin(wh_batch *b)
{
    if (b->alone)
        pthread_cond_broadcast(&b->changed);
    b->alone = 0;
}

void wh_seat_progress(void *user, double done, double total)
{
    wh_seat *s = user;
    (void)total;
    pthread_mutex_lock(&s->batch->mutex);
    s->batch->list[s->part].out.done = done;
    if (s->part == 0 && done > 0)
        let_others_begin(s->batch);
    pthread_mutex_unlock(&s->batch->mutex);
}

/* ---- the reader ---- */

/* While the first part goes ahead nothing is read behind it: that would take a core from those who compute its first
 * lines, for which somebody may wait. */
static wh_seat *wait_for_seat(wh_batch *b)
{
    wh_seat *found = NULL;
    pthread_mutex_lock(&b->mutex);
    while (!found && !atomic_load(&b->stop)) {
        int must_wait = b->alone && b->n > 0;
        for (int i = 0; i < b->n_seats && !found && !must_wait; i++)
            if (b->seats[i].state == WH_SEAT_FREE)
                found = &b->seats[i];
        if (!found)
            pthread_cond_wait(&b->changed, &b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    return found;
}

/* A part more, for `to` to be filled with. */
static int begin_part(wh_batch *b, wh_seat *to)
{
    pthread_mutex_lock(&b->mutex);
    int rc = wh_grow(&b->list, &b->list_capacity, b->n + 1, sizeof *b->list);
    if (!rc) {
        b->list[b->n] = (wh_part){.language = -1};
        to->part = b->n++;
    }
    pthread_mutex_unlock(&b->mutex);
    return rc;
}

/* It is filled, or (filled <= 0) there is none after all. */
static void end_part(wh_batch *b, wh_seat *to, int filled)
{
    pthread_mutex_lock(&b->mutex);
    if (filled > 0)
        to->state = WH_SEAT_FILLED;
    else
        b->list[to->part].over = 1;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

void *wh_batch_read(void *user)
{
    wh_batch *b = user;
    int rc = WHISP_OK, filled = 1;
    for (wh_seat *to; !rc && filled && (to = wait_for_seat(b));) {
        if ((rc = begin_part(b, to)))
            break;
        filled = b->job->fill(b->job->user, to->session);
        rc = WH_MIN(filled, 0);
        end_part(b, to, filled);
    }
    pthread_mutex_lock(&b->mutex);
    b->ended = 1;
    if ((b->reader_rc = rc)) {
        snprintf(b->reader_problem, sizeof b->reader_problem, "%s", whisp_last_error());
        wh_batch_stop(b);
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    wh_batch_nudge(b);
    return NULL;
}

/* ---- the workers ---- */

/* The earliest part that has its samples, or NULL. Those behind it have to wait while it has to. With the mutex held. */
static wh_seat *next_filled(wh_batch *b, int *must_wait)
{
    wh_seat *found = NULL;
    for (int i = 0; i < b->n_seats; i++)
        if (b->seats[i].state == WH_SEAT_FILLED && (!found || b->seats[i].part < found->part))
            found = &b->seats[i];
    int unknown = found && found->part > b->speechless && b->language < 0; /* another part says it */
    *must_wait = unknown || (found && found->part > 0 && b->alone);
    return found;
}

/* The same, once there is one that need not wait; NULL when there will be none any more. */
static wh_seat *wait_for_part(wh_batch *b)
{
    int must_wait;
    pthread_mutex_lock(&b->mutex);
    wh_seat *found = next_filled(b, &must_wait);
    while (!atomic_load(&b->stop) && (must_wait || (!found && !b->ended))) {
        pthread_cond_wait(&b->changed, &b->mutex);
        found = next_filled(b, &must_wait);
    }
    if (atomic_load(&b->stop))
        found = NULL;
    if (found) {
        found->state = WH_SEAT_TAKEN;
        if (b->language >= 0)
            wh_session_set_language(found->session, b->language);
    }
    pthread_mutex_unlock(&b->mutex);
    return found;
}

static int add_segment(wh_batch *b, size_t i, const whisp_segment *segment, int cleared)
{
    pthread_mutex_lock(&b->mutex);
    wh_outbox *out = &b->list[i].out;
    int is_first = i == 0 && !out->result, rc = wh_outbox_add(out, segment, cleared);
    let_others_begin(b);
    pthread_mutex_unlock(&b->mutex);
    if (is_first)
        wh_multiplex_wake(b->multiplex); /* it is handed out before the next computation */
    return rc;
}

/* Part i knows the language, or is over without knowing it: then the next one has its turn. */
static void publish_language(wh_batch *b, size_t i, int language, int over)
{
    pthread_mutex_lock(&b->mutex);
    if (b->language < 0 && (language >= 0 || over)) {
        b->language = language;
        b->speechless = i + 1;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->mutex);
}

static int transcribe_part(wh_batch *b, wh_seat *from)
{
    whisp_session *session = from->session;
    int cleared, rc = wh_session_detect(session);
    if (!rc)
        publish_language(b, from->part, wh_session_language(session), 0);
    while (!rc) {
        rc = wh_session_next(session, &cleared);
        publish_language(b, from->part, wh_session_language(session), rc == WHISP_END);
        if (rc == WHISP_END)
            return WHISP_OK;
        rc = rc == 1 ? add_segment(b, from->part, &session->segment, cleared) : rc;
    }
    return rc;
}

void wh_timings_add(whisp_timings *sum, const whisp_timings *t)
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

/* The seat's part is over, with `rc`. */
static void finish_part(wh_batch *b, wh_seat *s, int rc)
{
    const whisp_session *session = s->session;
    pthread_mutex_lock(&b->mutex);
    wh_part *part = &b->list[s->part];
    part->over = 1;
    part->language = wh_session_spoken(session);
    if (wh_session_why_incomplete(session) && !(part->incomplete = strdup(session->incomplete)) && !rc)
        rc = wh_fail_memory();
    if ((part->rc = rc)) {
        part->problem = strdup(whisp_last_error());
        wh_batch_stop(b);
    }
    wh_timings_add(&b->timings, &session->timings);
    b->alone = 0;
    s->state = WH_SEAT_FREE;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

void *wh_batch_work(void *user)
{
    wh_batch *b = user;
    for (wh_seat *s; (s = wait_for_part(b));) {
        int begun = wh_quota_begin(b->quota, &b->running, &b->stop), rc = WHISP_ERR_CANCELLED;
        if (begun) {
            wh_multiplex_enter(s->session->backend);
            rc = transcribe_part(b, s);
            wh_multiplex_leave(s->session->backend);
            wh_quota_end(b->quota, &b->running);
        }
        finish_part(b, s, rc);
        wh_batch_nudge(b);
    }
    return NULL;
}
