/* models.c - which models are loaded (catalog.c knows which there are), and the thread that takes each queue's events.
 *
 * One is loaded at a time; who wants one that is being loaded waits. Where too many are loaded, the one that was longest
 * not used makes room, unless it was given at the start. */
#include "models.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "catalog.h"
#include "problem.h"

struct entry {
    struct models *models;
    struct entry *next;
    char *name, *path;
    int is_kept;    /* given at the start */
    int is_retired; /* its file is another one now: nobody gets it any more */
    int n_users;
    uint64_t used; /* a number that grows with each use */
    struct stat file;
    whisp_model *model;
    whisp_queue *queue;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_waited; /* ends that will come out of the queue */
    int is_over;
};

struct models {
    whisp_options *options;
    struct catalog *catalog;
    int most, no_mmap;
    whisp_log_fn log;
    void *log_user;
    models_event_fn on_event;
    uint64_t uses;

    pthread_mutex_t lock;
    pthread_cond_t loaded;
    int is_loading; /* one at a time */
    struct entry *entries;
};

/* ---- a loaded one ---- */

/* Takes the queue's events while any are to come. */
static void *run(void *argument)
{
    struct entry *e = argument;
    for (;;) {
        pthread_mutex_lock(&e->lock);
        while (e->n_waited == 0 && !e->is_over)
            pthread_cond_wait(&e->changed, &e->lock);
        int is_over = e->n_waited == 0;
        pthread_mutex_unlock(&e->lock);
        if (is_over)
            return NULL;
        whisp_event event = {.size = sizeof event};
        if (whisp_queue_next(e->queue, -1.0, &event) != 1)
            continue;
        if (event.kind == WHISP_EVENT_END) {
            pthread_mutex_lock(&e->lock);
            e->n_waited--;
            pthread_mutex_unlock(&e->lock);
        }
        e->models->on_event(event.user, &event);
    }
}

static void entry_free(struct entry *e)
{
    if (e->queue) {
        pthread_mutex_lock(&e->lock);
        e->is_over = 1;
        pthread_cond_signal(&e->changed);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    whisp_queue_free(e->queue);
    whisp_model_free(e->model);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e->name);
    free(e->path);
    free(e);
}

/* Load a file. NULL: the problem is set. */
static struct entry *entry_new(struct models *models, const char *name, const char *path, int is_kept,
                               struct problem *problem)
{
    const whisp_callbacks callbacks = {.size = sizeof callbacks,
                                       .user = models->log_user,
                                       .log = models->log,
                                       .no_mmap = models->no_mmap};
    struct entry *e = calloc(1, sizeof *e);
    if (!e) {
        problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    e->models = models;
    e->is_kept = is_kept;
    e->name = strdup(name);
    e->path = strdup(path);
    stat(path, &e->file);
    int rc = e->name && e->path ? whisp_model_load(path, &callbacks, &e->model) : WHISP_ERR_MEMORY;
    if (rc == WHISP_OK)
        rc = whisp_queue_new(e->model, models->options, &e->queue);
    if (rc != WHISP_OK)
        problem_set(problem, rc, NULL);
    if (rc == WHISP_OK && pthread_create(&e->thread, NULL, run, e) != 0) {
        rc = problem_say(problem, WHISP_ERR_MEMORY, "a thread cannot be started");
        whisp_queue_free(e->queue);
        e->queue = NULL;
    }
    if (rc != WHISP_OK) {
        entry_free(e);
        return NULL;
    }
    return e;
}

const whisp_model *entry_model(const struct entry *e)
{
    return e->model;
}

int entry_submit(struct entry *e, whisp_audio *audio, const whisp_options *options, void *user, uint64_t *id)
{
    pthread_mutex_lock(&e->lock);
    int rc = whisp_queue_submit(e->queue, audio, options, user, id);
    if (rc == WHISP_OK) {
        e->n_waited++;
        pthread_cond_signal(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

void entry_cancel(struct entry *e, uint64_t id)
{
    whisp_queue_cancel(e->queue, id);
}

/* ---- taking and giving ---- */

static struct entry *find_entry(struct models *models, const char *name)
{
    struct entry *e = models->entries;
    while (e && (e->is_retired || strcmp(e->name, name) != 0))
        e = e->next;
    return e;
}

/* Under the lock: take an entry off the list. */
static void unlink_entry(struct models *models, struct entry *e)
{
    struct entry **at = &models->entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
}

/* Under the lock, which is let go meanwhile: make room for one more. 0: there is none. */
static int make_room(struct models *models)
{
    int n = 0;
    struct entry *oldest = NULL;
    for (struct entry *e = models->entries; e; e = e->next) {
        n++;
        if (!e->is_kept && e->n_users == 0 && (!oldest || e->used < oldest->used))
            oldest = e;
    }
    if (n < models->most)
        return 1;
    if (!oldest)
        return 0;
    unlink_entry(models, oldest);
    pthread_mutex_unlock(&models->lock);
    entry_free(oldest);
    pthread_mutex_lock(&models->lock);
    return 1;
}

/* Under the lock, which is let go meanwhile; is_loading is this thread's. */
static struct entry *load(struct models *models, const char *name, struct problem *problem)
{
    struct entry *e = NULL;
    int is_kept = catalog_is_given(models->catalog, name);
    if (!is_kept && !make_room(models)) {
        problem_say(problem, SERVICE_FULL, "%d models are in use, which is the most (--most_models); try again later",
                    models->most);
        return NULL;
    }
    pthread_mutex_unlock(&models->lock);
    char *path = catalog_path(models->catalog, name);
    if (path)
        e = entry_new(models, name, path, is_kept, problem);
    else
        problem_say(problem, SERVICE_NO_MODEL, "The model `%.100s` is not there any more", name);
    free(path);
    pthread_mutex_lock(&models->lock);
    if (e) {
        e->next = models->entries;
        models->entries = e;
    }
    return e;
}

int models_take(struct models *models, const char *name, struct entry **entry, struct problem *problem)
{
    char *known;
    *entry = NULL;
    int code = catalog_resolve(models->catalog, name, &known, problem);
    if (code)
        return code;
    pthread_mutex_lock(&models->lock);
    struct entry *e;
    while (!(e = find_entry(models, known)) && models->is_loading)
        pthread_cond_wait(&models->loaded, &models->lock);
    if (!e) {
        models->is_loading = 1;
        e = load(models, known, problem);
        models->is_loading = 0;
        pthread_cond_broadcast(&models->loaded);
    }
    if (e) {
        e->n_users++;
        e->used = ++models->uses;
    }
    pthread_mutex_unlock(&models->lock);
    free(known);
    *entry = e;
    return e ? 0 : problem->code;
}

void models_give(struct entry *e)
{
    struct models *models = e->models;
    pthread_mutex_lock(&models->lock);
    e->n_users--;
    pthread_mutex_unlock(&models->lock);
}

void models_tidy(struct models *models)
{
    struct entry *old = NULL;
    pthread_mutex_lock(&models->lock);
    for (struct entry **at = &models->entries; *at;) {
        struct entry *e = *at;
        if (!e->is_retired || e->n_users > 0) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        e->next = old;
        old = e;
    }
    pthread_mutex_unlock(&models->lock);
    for (struct entry *next; old; old = next) {
        next = old->next;
        entry_free(old);
    }
}

int models_loaded(struct models *models)
{
    int n = 0;
    pthread_mutex_lock(&models->lock);
    for (struct entry *e = models->entries; e; e = e->next)
        n++;
    pthread_mutex_unlock(&models->lock);
    return n;
}

/* Is the file at an entry's path another one than it was? */
static int is_changed(const struct entry *e)
{
    struct stat now;
    return stat(e->path, &now) == 0 &&
           (now.st_dev != e->file.st_dev || now.st_ino != e->file.st_ino || now.st_size != e->file.st_size ||
            now.st_mtim.tv_sec != e->file.st_mtim.tv_sec || now.st_mtim.tv_nsec != e->file.st_mtim.tv_nsec);
}

/* Those that were given are loaded before the old ones go, so that nobody waits; others when they are asked for. */
void models_reload(struct models *models)
{
    pthread_mutex_lock(&models->lock);
    while (models->is_loading)
        pthread_cond_wait(&models->loaded, &models->lock);
    models->is_loading = 1; /* so the list stays, but for what is marked here */
    for (struct entry *e = models->entries; e; e = e->next) {
        struct problem problem = {0};
        struct entry *newer = NULL;
        if (e->is_retired || !is_changed(e))
            continue;
        if (e->is_kept) {
            pthread_mutex_unlock(&models->lock);
            newer = entry_new(models, e->name, e->path, 1, &problem);
            if (!newer && models->log)
                models->log(models->log_user, WHISP_LOG_ERROR, problem.text);
            pthread_mutex_lock(&models->lock);
            if (!newer)
                continue;
            newer->next = models->entries;
            models->entries = newer;
        }
        e->is_retired = 1;
    }
    models->is_loading = 0;
    pthread_cond_broadcast(&models->loaded);
    pthread_mutex_unlock(&models->lock);
    models_tidy(models);
}

/* ---- all of them ---- */

int models_resolve(struct models *models, const char *name, char **known, struct problem *problem)
{
    return catalog_resolve(models->catalog, name, known, problem);
}

void models_list(struct models *models, void (*each)(void *user, const char *name, int64_t created), void *user)
{
    catalog_list(models->catalog, each, user);
}

int models_new(const struct service_settings *settings, models_event_fn on_event, struct models **out,
               struct problem *problem)
{
    struct models *models = *out = calloc(1, sizeof *models);
    if (!models)
        return problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    pthread_mutex_init(&models->lock, NULL);
    pthread_cond_init(&models->loaded, NULL);
    models->on_event = on_event;
    models->no_mmap = settings->no_mmap;
    models->log = settings->log;
    models->log_user = settings->log_user;
    int code = catalog_new(settings, &models->catalog, problem);
    int least = code ? 0 : (int)catalog_given(models->catalog) + 1; /* one that was not given can always be loaded */
    models->most = settings->most_models > least ? settings->most_models : least;
    if (!code && !(models->options = options_copy(settings->options)))
        code = problem_say(problem, WHISP_ERR_MEMORY, "out of memory");
    if (code) {
        models_free(models);
        *out = NULL;
    }
    return code;
}

/* What the options name must be there: a vocabulary, models beside. Told at the start, not by every request. */
static int try_options(const struct models *models, const struct entry *e, struct problem *problem)
{
    whisp_session *session = NULL;
    int rc = whisp_session_new(e->model, models->options, &session);
    whisp_session_free(session);
    return rc == WHISP_OK ? rc : problem_set(problem, rc, NULL);
}

int models_load_first(struct models *models, struct problem *problem)
{
    int code = 0;
    for (size_t i = 0; i < catalog_given(models->catalog) && !code; i++) {
        struct entry *e;
        code = models_take(models, catalog_given_name(models->catalog, i), &e, problem);
        if (code)
            break;
        if (i == 0)
            code = try_options(models, e, problem);
        models_give(e);
    }
    return code;
}

void models_free(struct models *models)
{
    if (!models)
        return;
    for (struct entry *e = models->entries, *next; e; e = next) {
        next = e->next;
        entry_free(e);
    }
    catalog_free(models->catalog);
    whisp_options_free(models->options);
    pthread_cond_destroy(&models->loaded);
    pthread_mutex_destroy(&models->lock);
    free(models);
}
