/* files.c - many files: transcribed side by side as jobs (jobs.h) that share the session's backend, and handed over in
 * order. The caller's thread hands out what they tell, and computes. What cannot be read twice is heard alone. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "output/result.h"
#include "transcribe/batch_state.h"
#include "transcribe/jobs.h"
#include "util/pool.h"

#define AHEAD 256 /* files that may be begun before the one that is handed over */

typedef struct file {
    wh_job job;
    struct files *files;
    const char *path;
    char *journal; /* where it is, or NULL */
    int resumes;
    wh_outbox out;
    int over, rc;
    int lost; /* a segment could not be kept for the callback */
    char *problem;
    whisp_result *result;
} file;

typedef struct files {
    whisp_session *session;
    const char *const *paths;
    size_t out, end; /* those to be heard side by side are [out, end): the next to be handed over */
    whisp_file_fn done;
    void *user;
    int told_to_stop; /* by done() */

    wh_jobs *jobs;
    file **list; /* [n_begun] of this group; NULL once handed over */
    size_t n_begun, n_given, n_over;
    double heard, reported, total; /* seconds: of those given; of all, as the progress callback knows it */
    pthread_mutex_t mutex;         /* guards n_over, timings and what the jobs tell */
    whisp_timings timings;
} files;

static int hand_over(files *f, int rc, whisp_result *result)
{
    size_t i = f->out++;
    f->told_to_stop = f->done(f->user, i, rc, result) != 0;
    return f->told_to_stop ? wh_fail(WHISP_ERR_CANCELLED, "cancelled") : WHISP_OK;
}

static int transcribe(whisp_session *session, const char *path, whisp_result **result)
{
    whisp_audio *audio;
    int rc = whisp_audio_open(path, &audio);
    if (!rc)
        rc = whisp_session_transcribe(session, audio, result);
    whisp_audio_free(audio);
    return rc;
}

/* ---- what a job tells, in its thread ---- */

static void on_log(void *user, int level, const char *text)
{
    file *one = user;
    pthread_mutex_lock(&one->files->mutex);
    wh_outbox_log(&one->out, level, text);
    pthread_mutex_unlock(&one->files->mutex);
}

static void on_progress(void *user, double done, double total)
{
    file *one = user;
    (void)total;
    pthread_mutex_lock(&one->files->mutex);
    one->out.done = done;
    pthread_mutex_unlock(&one->files->mutex);
}

static void on_segment(void *user, const whisp_segment *segment)
{
    file *one = user;
    pthread_mutex_lock(&one->files->mutex);
    one->lost |= wh_outbox_add(&one->out, segment, 0) != WHISP_OK;
    pthread_mutex_unlock(&one->files->mutex);
}

/* What the caller said in his thread. */
static int name_journal(void *user, const char *recording, char *path, size_t capacity)
{
    const file *one = user;
    (void)recording;
    int n = one->journal ? snprintf(path, capacity, "%s", one->journal) : -1;
    return n < 0 || (size_t)n >= capacity ? WHISP_JOURNAL_NONE
           : one->resumes                 ? WHISP_JOURNAL_RESUME
                                          : WHISP_JOURNAL_NEW;
}

static int run(wh_job *job, whisp_session *session, whisp_result **result)
{
    return transcribe(session, ((file *)(void *)job)->path, result);
}

static void end(wh_job *job, int rc, whisp_result *result, const whisp_session *session)
{
    file *one = (file *)(void *)job;
    files *f = one->files;
    wh_multiplex *multiplex = wh_jobs_multiplex(f->jobs);
    if (one->lost && !rc) {
        whisp_result_free(result);
        result = NULL;
        rc = wh_fail_memory();
    }
    pthread_mutex_lock(&f->mutex);
    one->over = 1;
    one->rc = rc;
    one->problem = rc ? strdup(whisp_last_error()) : NULL;
    one->result = result;
    f->n_over++;
    if (session) {
        wh_timings_add(&f->timings, &session->timings);
        f->timings.audio += session->timings.audio;
    }
    pthread_mutex_unlock(&f->mutex);
    wh_multiplex_wake(multiplex);
}

/* ---- the caller's thread ---- */

static void free_file(file *one)
{
    wh_outbox_free(&one->out);
    whisp_options_free(one->job.options);
    whisp_result_free(one->result);
    free(one->journal);
    free(one->problem);
    free(one);
}

static int ask_journal(const whisp_options *o, file *one)
{
    char path[4096] = "";
    int wanted = o->journal ? o->journal(o->journal_user, one->path, path, sizeof path) : WHISP_JOURNAL_NONE;
    one->resumes = wanted == WHISP_JOURNAL_RESUME;
    if (wanted != WHISP_JOURNAL_NONE && !(one->journal = strdup(path)))
        return wh_fail_memory();
    return WHISP_OK;
}

static int begin(files *f, size_t i)
{
    file *one = wh_calloc(1, sizeof *one);
    if (!one)
        return wh_fail_memory();
    one->files = f;
    one->path = f->paths[i];
    one->job = (wh_job){.options = wh_options_copy(f->session->options), .quiet = 1, .run = run, .end = end};
    int rc = one->job.options ? ask_journal(f->session->options, one) : WHISP_ERR_MEMORY;
    if (!rc) {
        whisp_options *o = one->job.options;
        o->log = on_log;
        o->progress = on_progress;
        o->segment = on_segment;
        o->cancel = NULL;
        o->part = NULL; /* it would not know of which */
        o->journal = name_journal;
        o->log_user = o->progress_user = o->segment_user = o->journal_user = one;
        rc = wh_jobs_add(f->jobs, &one->job);
    }
    if (rc)
        free_file(one);
    else
        f->list[f->n_begun++] = one;
    return rc;
}

static int show(void *user, const whisp_segment *segment, int cleared)
{
    const whisp_options *o = user;
    (void)cleared;
    if (o->segment)
        o->segment(o->segment_user, segment);
    return WHISP_OK;
}

/* What the file whose turn it is has told so far; 1: it is over. */
static int hand_out_one(files *f, file *one)
{
    whisp_options *o = f->session->options;
    pthread_mutex_lock(&f->mutex);
    wh_outbox_tell(&one->out, o);
    wh_outbox_give(&one->out, show, o);
    int over = one->over;
    pthread_mutex_unlock(&f->mutex);
    return over;
}

/* The file whose turn it is, which is over. */
static int hand_over_next(files *f)
{
    file *one = f->list[f->n_given];
    whisp_result *result = one->result;
    one->result = NULL;
    f->heard += one->out.done;
    f->list[f->n_given++] = NULL;
    int rc = hand_over(f, one->rc ? wh_fail(one->rc, "%s", one->problem ? one->problem : "out of memory") : WHISP_OK,
                       result);
    free_file(one);
    return rc;
}

static int hand_out(files *f)
{
    int rc = WHISP_OK;
    while (!rc && f->n_given < f->n_begun && hand_out_one(f, f->list[f->n_given]))
        rc = hand_over_next(f);
    return rc;
}

static void report_progress(files *f)
{
    const whisp_options *o = f->session->options;
    double done = f->heard;
    pthread_mutex_lock(&f->mutex);
    for (size_t i = f->n_given; i < f->n_begun; i++)
        done += f->list[i]->out.done;
    pthread_mutex_unlock(&f->mutex);
    if (o->progress && done > f->reported) {
        f->reported = done;
        o->progress(o->progress_user, done, fmax(f->total, done));
    }
}

static int all_over(files *f)
{
    pthread_mutex_lock(&f->mutex);
    int over = f->n_over == f->n_begun;
    pthread_mutex_unlock(&f->mutex);
    return over;
}

/* All jobs are over, cancelled or before that: those that had their turn until then, and what was final of the next. */
static void hand_over_stopped(files *f)
{
    int goes_on = !f->told_to_stop;
    while (goes_on && f->n_given < f->n_begun) {
        file *one = f->list[f->n_given];
        int is_cancelled = one->rc == WHISP_ERR_CANCELLED;
        if (is_cancelled && !one->result)
            return;
        hand_out_one(f, one);
        goes_on = !hand_over_next(f) && !is_cancelled;
    }
}

/* Hand out what there is, begin more. */
static int go_on(files *f, size_t n)
{
    int rc = hand_out(f);
    while (!rc && f->n_begun < n && f->n_begun < f->n_given + AHEAD)
        rc = begin(f, f->out + f->n_begun - f->n_given);
    if (!rc && !(rc = wh_check_cancel(f->session->options)))
        report_progress(f);
    return rc;
}

static int serve(files *f, size_t n)
{
    char problem[1024] = "";
    int rc = WHISP_OK;
    for (;;) {
        int over = all_over(f); /* asked before: what the last one told is handed out then */
        if (!rc && (rc = go_on(f, n))) {
            snprintf(problem, sizeof problem, "%s", whisp_last_error());
            wh_jobs_stop(f->jobs);
        }
        if (rc && all_over(f)) { /* also those that were begun just now */
            if (rc == WHISP_ERR_CANCELLED)
                hand_over_stopped(f);
            return wh_fail(rc, "%s", problem);
        }
        if (!rc && over && f->n_given == n)
            return WHISP_OK;
        if (!all_over(f))
            wh_multiplex_serve(wh_jobs_multiplex(f->jobs));
    }
}

static void take_timings(files *f)
{
    whisp_timings *t = &f->session->timings;
    wh_multiplex_times times;
    wh_multiplex_timings(wh_jobs_multiplex(f->jobs), &times);
    wh_timings_add(t, &f->timings);
    t->audio += f->timings.audio;
    t->encode += times.encode;
    t->prompt += times.prompt;
    t->decode += times.decode;
    t->n_decode_steps += times.n_steps;
}

/* paths[f->out .. f->end - 1], of which `workers` at a time. */
static int run_group(files *f, int workers)
{
    const wh_values *v = &f->session->options->values;
    size_t n = f->end - f->out;
    const wh_jobs_config config = {.model = f->session->model,
                                   .backend = f->session->backend,
                                   .places = workers,
                                   .threads = v->threads ? v->threads : wh_usable_cores()};
    f->n_begun = f->n_given = f->n_over = 0;
    f->heard = f->reported = 0;
    memset(&f->timings, 0, sizeof f->timings);
    f->list = wh_calloc(n, sizeof *f->list);
    if (!f->list)
        return wh_fail_memory();
    int rc = wh_jobs_new(&config, &f->jobs);
    if (!rc) {
        rc = serve(f, n);
        take_timings(f);
    }
    wh_jobs_free(f->jobs);
    for (size_t i = f->n_given; i < f->n_begun; i++)
        free_file(f->list[i]);
    free(f->list);
    return rc;
}

/* ---- one after the other ---- */

static int run_alone(files *f)
{
    whisp_result *result = NULL;
    int rc = transcribe(f->session, f->paths[f->out], &result);
    if (rc == WHISP_ERR_CANCELLED && !result)
        return rc;
    int stopped = hand_over(f, rc, result); /* also what was final until it was cancelled */
    return rc == WHISP_ERR_CANCELLED ? wh_fail(rc, "cancelled") : stopped;
}

/* Can it be read twice, and beside others? *seconds: how long it is, as far as that is known. */
static int is_file(const char *path, double *seconds)
{
    struct stat st;
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
    *seconds = 0;
    if (strcmp(path, "-") == 0 || (!stat(path, &st) && !S_ISREG(st.st_mode)))
        return 0;
    if (!whisp_audio_open(path, &audio)) { /* else that will be said in its turn */
        if (!whisp_audio_describe(audio, &info))
            *seconds = fmax(info.duration, 0);
        whisp_audio_free(audio);
    }
    return 1;
}

int whisp_session_transcribe_files(whisp_session *s, const char *const *paths, size_t n, whisp_file_fn done, void *user)
{
    if (!s || (!paths && n) || !done)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_transcribe_files: an argument is NULL");
    files f = {.session = s, .paths = paths, .done = done, .user = user};
    int rc = whisp_session_reset(s),
        workers = wh_plan_workers(s->model, &s->options->values, wh_backend_slots(s->backend));
    pthread_mutex_init(&f.mutex, NULL);
    while (!rc && f.out < n) {
        double seconds;
        f.total = 0;
        for (f.end = f.out; workers > 1 && f.end < n && is_file(paths[f.end], &seconds); f.end++)
            f.total += seconds;
        rc = f.end - f.out > 1 ? run_group(&f, workers) : run_alone(&f);
    }
    pthread_mutex_destroy(&f.mutex);
    return rc;
}
