/* main.c - whisp-server: the order of events. Settings, a socket, the parts (app.h), models in a thread beside; then
 * signals, until one ends it. Exit codes are settings.h's. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "http.h"
#include "jobs.h"
#include "keys.h"
#include "listen.h"
#include "live.h"
#include "log.h"
#include "routes.h"
#include "service.h"
#include "settings.h"
#include "upload.h"
#include "wyoming.h"

enum { CANCEL_SECONDS = 10 }; /* for what was cancelled to end */

/* ---- messages ---- */

static void on_log(void *user, int level, const char *text)
{
    (void)user;
    if (level <= WHISP_LOG_WARNING)
        log_note("%s%s", level == WHISP_LOG_WARNING ? "warning: " : "error: ", text);
    else if (level == WHISP_LOG_INFO)
        log_note("%s", text);
    else
        log_debug("%s", text);
}

/* A page of a model's file is wanted that is not there any more: only the end is left. */
static void on_bus(int number)
{
    static const char text[] =
        "whisp-server: a model's file was cut off while it was in use (SIGBUS); replace models by "
        "renaming, or give --mmap False\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(CODE_MODEL);
}

/* ---- signals ---- */

/* Those that sigtimedwait() waits for; blocked in every thread. */
static void block_signals(sigset_t *set)
{
    struct sigaction bus = {.sa_handler = on_bus};
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    sigaction(SIGBUS, &bus, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* The next signal within so many milliseconds, or 0. */
static int next_signal(const sigset_t *set, long milliseconds)
{
    const struct timespec wait = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    int number = sigtimedwait(set, NULL, &wait);
    return number > 0 ? number : 0;
}

static void reload(struct app *app)
{
    char problem[512];
    listen_notify("RELOADING=1");
    if (keys_reload(app->keys, problem, sizeof problem) != 0)
        log_error("%s; the keys stay as they were", problem);
    service_reload(app->service);
    log_note("keys and models are read anew");
    listen_notify("READY=1");
}

/* What runs: transcriptions, requests, and talks. */
static int busy(struct app *app)
{
    return service_busy(app->service) + http_busy(app->http) + live_busy(app->live);
}

/* Wait until nothing runs, or a signal comes, or so many seconds are over. Is nothing left? */
static int drain(struct app *app, const sigset_t *set, int seconds)
{
    for (int i = 0; i < seconds * 10; i++) {
        if (busy(app) == 0)
            return 1;
        int number = next_signal(set, 100);
        if (number && number != SIGHUP)
            return 0;
    }
    return service_busy(app->service) == 0;
}

static void end(struct app *app, const sigset_t *set)
{
    int n = service_busy(app->service);
    listen_notify("STOPPING=1");
    if (n > 0)
        log_note("ending; %d transcriptions have %d seconds", n, app->settings->grace);
    http_close(app->http);
    if (app->wyoming)
        wyoming_close(app->wyoming);
    live_close(app->live);
    service_close(app->service);
    if (!drain(app, set, app->settings->grace)) {
        service_cancel_all(app->service);
        drain(app, set, CANCEL_SECONDS);
    }
    log_note("ended");
}

/* Sessions come and go in many threads, whose heaps keep what was freed: once nothing runs, it goes back. */
static void give_memory_back(struct app *app, uint64_t *seen)
{
    struct service_counts counts;
    service_count(app->service, &counts);
    uint64_t ended = counts.done + counts.failed + counts.cancelled;
    if (counts.tasks > 0 || ended == *seen)
        return;
    *seen = ended;
    malloc_trim(0);
}

static void wait_for_the_end(struct app *app, const sigset_t *set)
{
    uint64_t seen = 0;
    for (;;) {
        int number = next_signal(set, 1000);
        service_tidy(app->service);
        jobs_tidy(app->jobs);
        give_memory_back(app, &seen);
        if (number == SIGHUP)
            reload(app);
        else if (number)
            break;
    }
    end(app, set);
}

/* ---- models beside ---- */

struct loader {
    struct app *app;
    pthread_t thread;
    int is_running, code;
};

static void *load(void *argument)
{
    struct loader *loader = argument;
    struct problem problem;
    if (service_load(loader->app->service, &problem) == 0) {
        log_note("ready");
        listen_notify("READY=1");
        return NULL;
    }
    log_error("%s", problem.text);
    loader->code = CODE_MODEL;
    kill(getpid(), SIGTERM);
    return NULL;
}

/* ---- the parts ---- */

/* As many descriptors as there may be: a connection, its upload, a recording, ... */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Where every request will write. */
static int try_uploads(void)
{
    struct upload *upload = upload_new();
    if (!upload)
        log_error("a temporary file cannot be made: %s; TMPDIR names a folder that may be written to", strerror(errno));
    upload_free(upload);
    return upload ? CODE_DONE : CODE_OTHER;
}

static int make_service(struct app *app, const struct settings *settings)
{
    struct problem problem;
    char text[512];
    const struct service_settings service = {.options = settings->options,
                                             .model_dir = settings->model_dir,
                                             .models = settings->models,
                                             .n_models = settings->n_models,
                                             .aliases = settings->aliases,
                                             .n_aliases = settings->n_aliases,
                                             .most_models = settings->most_models,
                                             .most_tasks = settings->queue,
                                             .most_a_client = settings->client_queue,
                                             .most_children = settings->ffmpegs,
                                             .no_mmap = settings->no_mmap,
                                             .log = on_log};
    uploads_limit(settings->max_disk);
    if (!(app->keys = keys_new(settings->api_key, settings->api_keys, text, sizeof text))) {
        log_error("%s", text);
        return CODE_USAGE;
    }
    if (!(app->jobs = jobs_new(settings->job_keep))) {
        log_error("out of memory");
        return CODE_OTHER;
    }
    int code = service_new(&service, &app->service, &problem);
    if (code)
        log_error("%s", problem.text);
    return !code                        ? CODE_DONE
           : code == WHISP_ERR_ARGUMENT ? CODE_USAGE
           : code == WHISP_ERR_MEMORY   ? CODE_OTHER
                                        : CODE_MODEL;
}

static int make_http(struct app *app, const struct settings *settings)
{
    char name[128];
    const struct http_settings http = {.tables = all_routes,
                                       .most_connections = settings->connections,
                                       .most_body = settings->max_body,
                                       .timeout = settings->timeout,
                                       .origin = settings->cors};
    if (!(app->live = live_new(settings->live, settings->cors))) {
        log_error("out of memory");
        return CODE_OTHER;
    }
    int fd = listen_inherited(0, name, sizeof name);
    if (fd < 0)
        fd = listen_open(settings->host, settings->port, name, sizeof name);
    if (fd < 0)
        return CODE_LISTEN;
    if (http_start(app, &http, fd, &app->http) != 0) {
        log_error("HTTP cannot be served: %s", strerror(errno));
        close(fd);
        return CODE_OTHER;
    }
    log_note("listening on http://%s", name);
    return CODE_DONE;
}

static int make_wyoming(struct app *app, const struct settings *settings)
{
    char name[128];
    const struct wyoming_settings wyoming = {.most_clients = 64,
                                             .most_sound = settings->max_body,
                                             .timeout = settings->timeout};
    int fd = listen_inherited(1, name, sizeof name);
    if (fd < 0 && settings->wyoming_port == 0)
        return CODE_DONE;
    if (fd < 0)
        fd = listen_open(settings->host, settings->wyoming_port, name, sizeof name);
    if (fd < 0)
        return CODE_LISTEN;
    if (!(app->wyoming = wyoming_start(app->service, &wyoming, fd))) {
        log_error("Wyoming cannot be served: %s", strerror(errno));
        close(fd);
        return CODE_OTHER;
    }
    log_note("listening for Wyoming on %s", name);
    return CODE_DONE;
}

static int serve(struct app *app, const struct settings *settings)
{
    sigset_t set;
    struct loader loader = {.app = app, .code = CODE_FINE};
    block_signals(&set);
    raise_limits();
    int code = try_uploads();
    if (code == CODE_DONE)
        code = make_service(app, settings);
    if (code == CODE_DONE)
        code = make_wyoming(app, settings);
    if (code == CODE_DONE)
        code = make_http(app, settings);
    if (code != CODE_DONE)
        return code;
    loader.is_running = pthread_create(&loader.thread, NULL, load, &loader) == 0;
    if (!loader.is_running) {
        log_error("a thread cannot be started");
        return CODE_OTHER;
    }
    wait_for_the_end(app, &set);
    pthread_join(loader.thread, NULL);
    return loader.code;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct app app = {.settings = &settings};
    int code = settings_read(&settings, argc, argv);
    if (code == CODE_DONE) {
        log_setup(!getenv("JOURNAL_STREAM"), settings.log_names, settings.debug);
        code = serve(&app, &settings);
    }
    wyoming_free(app.wyoming);
    live_free(app.live);
    http_free(app.http);
    service_free(app.service);
    jobs_free(app.jobs);
    keys_free(app.keys);
    settings_free(&settings);
    return code;
}
