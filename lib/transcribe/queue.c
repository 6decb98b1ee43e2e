/* queue.c - whisp_queue: recordings that join a running batch at any moment, as jobs (jobs.h) on the queue's backend; what
 * becomes of them waits in a list of events for whisp_queue_next(). */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "output/result.h"
#include "platform/platform.h"
#include "transcribe/jobs.h"
#include "transcribe/plan.h"
#include "util/pool.h"

#define SHORT 60.0 /* seconds of a recording that goes first */

/* What a queue's recordings have in common: their own values are replaced. */
static const char *const common[] = {"threads", "batch_size",      "backend",        "compute_type",
                                     "device",  "alignment_heads", "encoder_padding"};

typedef struct entry { /* a recording, from submit to when its end was taken */
    wh_job job;
    struct entry *next;
    whisp_queue *queue;
    uint64_t id;
    void *user;
    whisp_audio *audio;
    whisp_segment_fn segment; /* the caller's */
    void *segment_user;
    int over, rc;
    int lost; /* a segment could not be kept */
    char *problem;
    whisp_result *result;
} entry;

typedef struct event {
    struct event *next;
    entry *of;
    whisp_result *kept;    /* of one segment, or NULL: the end */
    whisp_segment segment; /* points into it */
} event;

struct whisp_queue {
    const whisp_model *model;
    whisp_options *options;
    whisp_model computed;
    wh_backend *backend;
    wh_jobs *jobs;
    atomic_int is_freed;
    pthread_mutex_t mutex; /* guards what follows, and the entries */
    pthread_cond_t news;
    entry *entries;
    int n_entries;
    uint64_t last_id;
    event *first, **last;
    event *taken; /* what whisp_queue_next() gave last */
};

/* ---- events ---- */

static void free_entry(entry *e)
{
    if (!e)
        return;
    whisp_options_free(e->job.options);
    whisp_audio_free(e->audio);
    whisp_result_free(e->result);
    free(e->problem);
    free(e);
}

/* With the end its recording goes, too. */
static void free_event(event *ev)
{
    if (!ev)
        return;
    if (!ev->kept)
        free_entry(ev->of);
    whisp_result_free(ev->kept);
    free(ev);
}

/* With the mutex held. */
static void add_event(whisp_queue *q, event *ev)
{
    *q->last = ev;
    q->last = &ev->next;
    pthread_cond_broadcast(&q->news);
}

/* In the recording's thread: a segment that is final, for the caller's callback and the list. */
static void on_segment(void *user, const whisp_segment *segment)
{
    entry *e = user;
    event *ev = wh_calloc(1, sizeof *ev);
    if (e->segment)
        e->segment(e->segment_user, segment);
    if (!ev || wh_result_new(&ev->kept) || wh_result_add(ev->kept, segment, 0)) {
        if (ev)
            whisp_result_free(ev->kept);
        free(ev);
        e->lost = 1;
        return;
    }
    ev->of = e;
    ev->segment = *whisp_result_segment(ev->kept, 0);
    ev->segment.id = segment->id;
    pthread_mutex_lock(&e->queue->mutex);
    add_event(e->queue, ev);
    pthread_mutex_unlock(&e->queue->mutex);
}

/* With the mutex held: the end's event was made with the entry, so that there always is one. Whoever is told may release
 * what the audio stands on. */
static void add_end(entry *e, int rc, whisp_result *result)
{
    whisp_audio_free(e->audio);
    e->audio = NULL;
    e->over = 1;
    e->rc = rc;
    e->result = result;
    e->problem = rc ? strdup(whisp_last_error()) : NULL;
    add_event(e->queue, (event *)e->job.user);
}

static void end(wh_job *job, int rc, whisp_result *result, const whisp_session *session)
{
    entry *e = (entry *)(void *)job;
    whisp_queue *q = e->queue;
    (void)session;
    if (e->lost && !rc) {
        whisp_result_free(result);
        result = NULL;
        rc = wh_fail_memory();
    }
    pthread_mutex_lock(&q->mutex);
    add_end(e, rc, result);
    pthread_mutex_unlock(&q->mutex);
}

static int run(wh_job *job, whisp_session *session, whisp_result **result)
{
    return whisp_session_transcribe(session, ((entry *)(void *)job)->audio, result);
}

/* ---- making and freeing ---- */

/* Nobody wants what is being computed any more, which may take a large model seconds. */
static int is_freed(void *user)
{
    return atomic_load(&((whisp_queue *)user)->is_freed);
}

static int make_backend(whisp_queue *q, int *places)
{
    const wh_values *v = &q->options->values;
    int least, n = wh_plan_batch(q->model, v);
    wh_backend_config config = {.n_slots = wh_plan_queue_slots(n, &least), .cancel = is_freed, .cancel_user = q};
    config.least_slots = least;
    int rc = wh_session_backend(q->model, v, &config, &q->computed, &q->backend);
    if (!rc)
        *places = wh_plan_queue_places(n, wh_backend_slots(q->backend));
    return rc;
}

static int start(whisp_queue *q)
{
    const wh_values *v = &q->options->values;
    int places, rc = wh_options_check(v);
    if (!rc)
        rc = make_backend(q, &places);
    if (rc)
        return rc;
    wh_log(q->options, WHISP_LOG_INFO, "%s", wh_backend_describe(q->backend));
    const wh_jobs_config config = {.model = q->model,
                                   .backend = q->backend,
                                   .places = places,
                                   .has_short = 1,
                                   .threads = v->threads ? v->threads : wh_usable_cores(),
                                   .serves = 1};
    return wh_jobs_new(&config, &q->jobs);
}

int whisp_queue_new(const whisp_model *model, const whisp_options *options, whisp_queue **queue)
{
    if (!queue)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_queue_new: queue is NULL");
    *queue = NULL;
    if (!model)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_queue_new: model is NULL");
    whisp_queue *q = wh_calloc(1, sizeof *q);
    if (!q)
        return wh_fail_memory();
    q->model = model;
    q->computed = *model;
    q->last = &q->first;
    pthread_mutex_init(&q->mutex, NULL);
    wh_platform_condition_init(&q->news);
    q->options = wh_options_copy(options);
    int rc = q->options ? start(q) : WHISP_ERR_MEMORY;
    if (rc) {
        whisp_queue_free(q);
        return rc;
    }
    *queue = q;
    return WHISP_OK;
}

void whisp_queue_free(whisp_queue *q)
{
    if (!q)
        return;
    atomic_store(&q->is_freed, 1);
    wh_jobs_free(q->jobs); /* afterwards all have ended, and those whose end was not taken have an event */
    free_event(q->taken);
    while (q->first) {
        event *ev = q->first;
        q->first = ev->next;
        free_event(ev);
    }
    wh_backend_free(q->backend);
    wh_session_free_heads(q->model, &q->computed);
    whisp_options_free(q->options);
    pthread_mutex_destroy(&q->mutex);
    pthread_cond_destroy(&q->news);
    free(q);
}

/* ---- submitting ---- */

static int is_short(const whisp_audio *audio)
{
    whisp_audio_info info = {.size = sizeof info};
    return !whisp_audio_describe(audio, &info) && info.duration >= 0 && info.duration <= SHORT;
}

static int set_options(entry *e, const whisp_options *options)
{
    whisp_options *o = e->job.options = wh_options_copy(options);
    if (!o)
        return WHISP_ERR_MEMORY;
    for (size_t i = 0; i < WH_COUNT(common); i++) {
        int rc = whisp_options_set(o, common[i], whisp_options_get(e->queue->options, common[i]));
        if (rc)
            return rc;
    }
    e->job.cancel = o->cancel;
    e->job.cancel_user = o->cancel_user;
    e->segment = o->segment;
    e->segment_user = o->segment_user;
    o->segment = on_segment;
    o->segment_user = e;
    return wh_options_check(&o->values);
}

static int new_entry(whisp_queue *q, const whisp_options *options, entry **out)
{
    entry *e = *out = wh_calloc(1, sizeof *e);
    event *ev = wh_calloc(1, sizeof *ev);
    if (!e || !ev) {
        free(ev);
        return wh_fail_memory();
    }
    ev->of = e;
    e->queue = q;
    e->job.user = ev;
    e->job.run = run;
    e->job.end = end;
    return set_options(e, options);
}

/* With the mutex held. */
static int add_entry(whisp_queue *q, entry *e)
{
    if (q->n_entries == WHISP_QUEUE_MOST)
        return wh_fail(WHISP_ERR_STATE, "the queue holds %d recordings; take the end of one first", WHISP_QUEUE_MOST);
    e->id = q->last_id + 1;
    int rc = wh_jobs_add(q->jobs, &e->job);
    if (rc)
        return rc;
    q->last_id++;
    e->next = q->entries;
    q->entries = e;
    q->n_entries++;
    return WHISP_OK;
}

int whisp_queue_submit(whisp_queue *q, whisp_audio *audio, const whisp_options *options, void *user, uint64_t *id)
{
    entry *e;
    if (!q || !audio)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_queue_submit: an argument is NULL");
    int rc = new_entry(q, options, &e);
    if (!rc) {
        e->user = user;
        e->audio = audio;
        e->job.is_short = is_short(audio);
        pthread_mutex_lock(&q->mutex);
        rc = add_entry(q, e);
        if (!rc && id)
            *id = e->id;
        pthread_mutex_unlock(&q->mutex);
    }
    if (rc && e) {
        e->audio = NULL; /* still the caller's */
        free(e->job.user);
        free_entry(e);
    }
    return rc;
}

int whisp_queue_cancel(whisp_queue *q, uint64_t id)
{
    if (!q)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_queue_cancel: queue is NULL");
    pthread_mutex_lock(&q->mutex);
    entry *e = q->entries;
    while (e && e->id != id)
        e = e->next;
    int rc = e ? WHISP_OK : wh_fail(WHISP_ERR_ARGUMENT, "the queue holds no recording %llu", (unsigned long long)id);
    if (e && !e->over && wh_jobs_cancel(q->jobs, &e->job)) /* it had not begun */
        add_end(e, wh_fail(WHISP_ERR_CANCELLED, "cancelled"), NULL);
    pthread_mutex_unlock(&q->mutex);
    return rc;
}

/* ---- taking events ---- */

/* With the mutex held: wait for an event, for `timeout` seconds, or for ever where that is negative. */
static void wait_for_event(whisp_queue *q, double timeout)
{
    double until = wh_now() + fmin(timeout, 1e9), left = timeout;
    while (!q->first && (timeout < 0 || left > 0)) {
        if (timeout < 0)
            pthread_cond_wait(&q->news, &q->mutex);
        else
            wh_platform_condition_wait(&q->news, &q->mutex, fmin(left, 1e9));
        left = until - wh_now();
    }
}

/* With the mutex held: whoever takes its end has done with a recording. */
static void forget(whisp_queue *q, entry *e)
{
    entry **at = &q->entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    q->n_entries--;
}

int whisp_queue_next(whisp_queue *q, double timeout, whisp_event *out)
{
    if (!q || !out || out->size < sizeof out->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_queue_next: set event->size to sizeof(whisp_event) first");
    size_t size = WH_MIN(out->size, sizeof *out);
    pthread_mutex_lock(&q->mutex);
    free_event(q->taken);
    q->taken = NULL;
    wait_for_event(q, timeout);
    event *ev = q->taken = q->first;
    if (ev) {
        entry *e = ev->of;
        q->first = ev->next;
        q->last = q->first ? q->last : &q->first;
        whisp_event filled = {.size = out->size, .id = e->id, .user = e->user, .kind = WHISP_EVENT_SEGMENT};
        if (ev->kept) {
            filled.segment = &ev->segment;
        } else {
            filled.kind = WHISP_EVENT_END;
            filled.rc = e->rc;
            filled.error = e->rc ? (e->problem ? e->problem : "out of memory") : NULL;
            filled.result = e->result;
            if (size >= offsetof(whisp_event, result) + sizeof e->result) /* else it goes with the event */
                e->result = NULL;
            forget(q, e);
        }
        memcpy(out, &filled, size);
    }
    pthread_mutex_unlock(&q->mutex);
    return ev != NULL;
}
