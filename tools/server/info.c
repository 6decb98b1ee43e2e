/* info.c - what the server says of itself: its models, whether it is ready, and numbers for Prometheus. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "app.h"
#include "dump.h"
#include "routes.h"

static void answer_json(struct exchange *x, int status, json_t *json)
{
    char *text = dump_json(json);
    json_decref(json);
    exchange_answer_own(x, status, "application/json", text, text ? strlen(text) : 0);
}

/* ---- models ---- */

static json_t *model_json(const char *name, int64_t created)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "id", name, "object", "model", "created", (json_int_t)created, "owned_by",
                     "whisp");
}

static void add_model(void *user, const char *name, int64_t created)
{
    dump_add(user, model_json(name, created));
}

static void models(struct exchange *x)
{
    json_t *list = json_array();
    service_list(exchange_app(x)->service, add_model, &list);
    answer_json(x, MHD_HTTP_OK, json_pack("{s:s, s:o}", "object", "list", "data", list));
}

/* A name, and when its file was made. */
struct named {
    const char *name;
    int64_t created;
};

static void date_it(void *user, const char *name, int64_t created)
{
    struct named *named = user;
    if (strcmp(named->name, name) == 0)
        named->created = created;
}

static void model(struct exchange *x)
{
    struct problem problem;
    struct service *service = exchange_app(x)->service;
    struct named named = {.name = exchange_rest(x)};
    if (service_find(service, named.name, NULL, &problem) == 0) {
        service_list(service, date_it, &named); /* a name that an alias for all others takes has no date */
        answer_json(x, MHD_HTTP_OK, model_json(named.name, named.created));
    } else {
        answer_problem(x, &problem);
    }
}

/* ---- health ---- */

static void health(struct exchange *x)
{
    int is_ready = service_is_ready(exchange_app(x)->service);
    answer_json(x, is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                json_pack("{s:s}", "status", is_ready ? "ok" : "loading"));
}

/* ---- metrics ---- */

static double resident_bytes(void)
{
    char line[128], *second = NULL;
    FILE *file = fopen("/proc/self/statm", "re"); /* pages: all, resident, ... */
    if (file && fgets(line, sizeof line, file))
        second = strchr(line, ' ');
    if (file)
        fclose(file);
    return second ? strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE) : 0.0;
}

static int count_entries(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* One number, with what Prometheus wants to know of it. */
static void put(FILE *out, const char *name, const char *kind, const char *help, double value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind, name, value);
}

static void put_service(FILE *out, const struct service_counts *c)
{
    fprintf(out,
            "# HELP whisp_tasks_total Transcriptions that ended\n# TYPE whisp_tasks_total counter\n"
            "whisp_tasks_total{outcome=\"done\"} %llu\nwhisp_tasks_total{outcome=\"failed\"} %llu\n"
            "whisp_tasks_total{outcome=\"cancelled\"} %llu\nwhisp_tasks_total{outcome=\"refused\"} %llu\n",
            (unsigned long long)c->done, (unsigned long long)c->failed, (unsigned long long)c->cancelled,
            (unsigned long long)c->refused);
    put(out, "whisp_tasks", "gauge", "Transcriptions that wait or run", c->tasks);
    put(out, "whisp_models_loaded", "gauge", "Models in memory", c->models);
    put(out, "whisp_audio_seconds_total", "counter", "Seconds of sound that were transcribed", c->audio_seconds);
    put(out, "whisp_busy_seconds_total", "counter", "Seconds during which something was transcribed", c->busy_seconds);
    put(out, "whisp_real_time_factor", "gauge", "Busy seconds for a second of sound, since the start",
        c->audio_seconds > 0.0 ? c->busy_seconds / c->audio_seconds : 0.0);
}

static void put_http(FILE *out, const struct http_counts *c)
{
    fprintf(out, "# HELP whisp_requests_total Requests by the first digit of their status; 0: the client was gone\n"
                 "# TYPE whisp_requests_total counter\n");
    for (int i = 0; i < 6; i++)
        if (i != 1)
            fprintf(out, "whisp_requests_total{status=\"%d\"} %llu\n", i, (unsigned long long)c->requests[i]);
    put(out, "whisp_connections", "gauge", "Open connections", c->connections);
    put(out, "whisp_requests", "gauge", "Requests that are not over", c->exchanges);
}

static void metrics(struct exchange *x)
{
    struct app *app = exchange_app(x);
    struct service_counts service;
    struct http_counts http;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out) {
        service_count(app->service, &service);
        http_count(app->http, &http);
        put_service(out, &service);
        put_http(out, &http);
        put(out, "whisp_upload_bytes", "gauge", "Bytes of uploads in temporary files", (double)uploads_bytes());
        put(out, "process_resident_memory_bytes", "gauge", "Memory", resident_bytes());
        put(out, "process_open_fds", "gauge", "Open files", count_entries("/proc/self/fd"));
        put(out, "process_threads", "gauge", "Threads", count_entries("/proc/self/task"));
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    exchange_answer_own(x, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, n);
}

const struct route info_routes[] = {
    {.method = "GET", .path = "/v1/models", .end = models},
    {.method = "GET", .path = "/v1/models/", .flags = ROUTE_PREFIX, .end = model},
    {.method = "GET", .path = "/health", .flags = ROUTE_OPEN | ROUTE_QUIET, .end = health},
    {.method = "GET", .path = "/metrics", .flags = ROUTE_QUIET, .end = metrics},
    {0},
};
