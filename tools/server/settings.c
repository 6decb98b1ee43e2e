/* settings.c - the options of whisp-server: a row each, with what reads its value. Every other --name is the library's, and
 * becomes the default of all transcriptions. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* ---- values ---- */

static int fail(const whisp_option_info *info, const char *value)
{
    log_error("--%s: '%s' is not acceptable: %s is expected", info->name, value, info->values);
    return CODE_USAGE;
}

static int read_number(const whisp_option_info *info, const char *value, long least, long most, int *number)
{
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (!*value || *end || errno || n < least || n > most) {
        log_error("--%s: '%s' is not acceptable: a whole number from %ld to %ld is expected", info->name, value, least,
                  most);
        return CODE_USAGE;
    }
    *number = (int)n;
    return CODE_DONE;
}

/* "2G", "500M", "64K", or bytes. */
static int read_bytes(const whisp_option_info *info, const char *value, int64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (end == value || errno || n < 0 || (*end && (!unit || end[1])) || n > INT64_MAX / 4 >> shift)
        return fail(info, value);
    *bytes = n << shift;
    return CODE_DONE;
}

static int read_bool(const whisp_option_info *info, const char *value, int *flag)
{
    *flag = strcmp(value, "True") == 0;
    return *flag || strcmp(value, "False") == 0 ? CODE_DONE : fail(info, value);
}

static int set_model(struct settings *s, const whisp_option_info *info, const char *value)
{
    (void)info;
    s->models[s->n_models++] = value;
    return CODE_DONE;
}

static int set_alias(struct settings *s, const whisp_option_info *info, const char *value)
{
    (void)info;
    s->aliases[s->n_aliases++] = value;
    return CODE_DONE;
}

static int set_mmap(struct settings *s, const whisp_option_info *info, const char *value)
{
    int mmap = 1, code = read_bool(info, value, &mmap);
    s->no_mmap = !mmap;
    return code;
}

static int set_log_level(struct settings *s, const whisp_option_info *info, const char *value)
{
    s->debug = strcmp(value, "debug") == 0;
    return s->debug || strcmp(value, "info") == 0 ? CODE_DONE : fail(info, value);
}

static int print_version(struct settings *s, const whisp_option_info *info, const char *value)
{
    (void)s;
    (void)info;
    (void)value;
    return printf("whisp-server %s\n", whisp_version()) > 0 && fflush(stdout) == 0 ? CODE_FINE : CODE_OUTPUT;
}

static int print_help(struct settings *s, const whisp_option_info *info, const char *value)
{
    (void)s;
    (void)info;
    (void)value;
    return help_print();
}

/* One reader a member. */
#define STRING(member)                                                                                                 \
    static int set_##member(struct settings *s, const whisp_option_info *info, const char *value)                      \
    {                                                                                                                  \
        (void)info;                                                                                                    \
        s->member = value;                                                                                             \
        return CODE_DONE;                                                                                              \
    }
#define NUMBER(member, least, most)                                                                                    \
    static int set_##member(struct settings *s, const whisp_option_info *info, const char *value)                      \
    {                                                                                                                  \
        return read_number(info, value, least, most, &s->member);                                                      \
    }
#define BYTES(member)                                                                                                  \
    static int set_##member(struct settings *s, const whisp_option_info *info, const char *value)                      \
    {                                                                                                                  \
        return read_bytes(info, value, &s->member);                                                                    \
    }
#define BOOL(member)                                                                                                   \
    static int set_##member(struct settings *s, const whisp_option_info *info, const char *value)                      \
    {                                                                                                                  \
        return read_bool(info, value, &s->member);                                                                     \
    }

STRING(model_dir)
STRING(host)
STRING(api_key)
STRING(api_keys)
STRING(cors)
NUMBER(most_models, 1, 1000)
NUMBER(port, 0, 65535)
NUMBER(wyoming_port, 0, 65535)
NUMBER(queue, 1, WHISP_QUEUE_MOST)
NUMBER(client_queue, 0, WHISP_QUEUE_MOST)
NUMBER(connections, 1, 60000)
NUMBER(live, 0, 1000)
NUMBER(ffmpegs, 1, 1000)
NUMBER(timeout, 1, 86400)
NUMBER(grace, 0, 86400)
NUMBER(job_keep, 1, 1000000)
BYTES(max_body)
BYTES(max_disk)
BOOL(log_names)

const struct server_option server_options[] = {
    {set_model,
     {"model", "NAME|PATH", "base, or what is there",
      "a model to load at the start; may be given several times, the first one is the default. Others in the model folder are "
      "loaded when somebody asks for them"}},
    {set_model_dir,
     {"model_dir", "FOLDER", "$WHISP_MODEL_DIR, ./models, ~/.cache/whisp", "where models are looked up by name"}},
    {set_alias,
     {"model_alias", "NAME=MODEL", "whisper-1 is the first model",
      "another name for a model; *=MODEL stands for all names that are not known. May be given several times"}},
    {set_most_models,
     {"most_models", "INT", "3",
      "so many models are in memory at a time; those that nobody uses make room for others"}},
    {set_mmap,
     {"mmap", "True|False", "True",
      "map models' files; if False, read them into memory, so that they may be written over meanwhile"}},
    {set_host, {"host", "ADDRESS", "127.0.0.1", "the address to listen on; 0.0.0.0 or :: for all"}},
    {set_port, {"port", "INT", "8080", "the port; 0: any that is free"}},
    {set_wyoming_port, {"wyoming_port", "INT", "0", "the port for the Wyoming protocol (Home Assistant); 0: none"}},
    {set_api_key,
     {"api_key", "KEY", "$WHISP_API_KEY",
      "clients must send this key (Authorization: Bearer KEY); without one nobody is asked"}},
    {set_api_keys,
     {"api_keys", "FILE", "none",
      "a file of such keys, one a line, which is read again on SIGHUP; a client sees its own jobs only"}},
    {set_cors, {"cors", "ORIGIN", "none", "what pages of this origin may ask (https://example.org, or *)"}},
    {set_max_body, {"max_body", "BYTES", "2G", "the most bytes of a request; K, M, G and T are taken"}},
    {set_max_disk,
     {"max_disk", "BYTES", "16G", "the most bytes of all uploads at a time, in temporary files (TMPDIR); 0: no bound"}},
    {set_queue,
     {"queue", "INT", "64", "so many recordings wait or are transcribed at a time; more are answered by 503"}},
    {set_client_queue,
     {"client_queue", "INT", "0",
      "so many of them for one key or, without keys, address; more are answered by 429; 0: no bound"}},
    {set_connections, {"connections", "INT", "1024", "so many connections at a time; more wait"}},
    {set_live, {"live", "INT", "4", "so many live transcriptions at a time"}},
    {set_ffmpegs, {"ffmpegs", "INT", "2", "so many recordings are decoded by ffmpeg at a time"}},
    {set_timeout, {"timeout", "SECONDS", "60", "how long a client may be silent while something is expected of it"}},
    {set_grace,
     {"grace", "SECONDS", "30",
      "how long what runs may go on after SIGTERM, before it is cancelled; a second signal cancels it"}},
    {set_job_keep, {"job_keep", "SECONDS", "3600", "how long the answer of a background job is kept"}},
    {set_log_level, {"log_level", "info|debug", "info", "debug: also what the library and HTTP have to say"}},
    {set_log_names, {"log_names", "True|False", "False", "write recordings' names into the log"}},
    {print_version, {"version", NULL, NULL, "print the version"}},
    {print_help, {"help", NULL, NULL, "print this text"}},
    {0},
};

/* ---- the command line ---- */

static const struct server_option *find_own(const char *name)
{
    for (const struct server_option *option = server_options; option->info.name; option++)
        if (strcmp(option->info.name, name) == 0)
            return option;
    return NULL;
}

static int is_library_option(const char *name)
{
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->name, name) == 0)
            return 1;
    return 0;
}

/* Options that every recording would have in common, and none should. */
static int is_for_one(const char *name)
{
    static const char *const names[] = {"speakers_out", "clip_timestamps", "prefix"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

static int set_library(struct settings *s, const char *name, const char *value)
{
    char lines[8192];
    const char *before = whisp_options_get(s->options, name);
    if (is_for_one(name)) {
        log_error("--%s is for a single recording, and has no place here", name);
        return CODE_USAGE;
    }
    if (strcmp(name, "speaker") == 0 && before && strcmp(before, "None") != 0) {
        if (snprintf(lines, sizeof lines, "%s\n%s", before, value) >= (int)sizeof lines) { /* a line each */
            log_error("--speaker: all of them together have more than %zu bytes", sizeof lines - 1);
            return CODE_USAGE;
        }
        value = lines;
    }
    if (whisp_options_set(s->options, name, value) == WHISP_OK)
        return CODE_DONE;
    log_error("%s", whisp_last_error());
    return CODE_USAGE;
}

/* --name value, --name=value; with - for _. *at is behind what was read. */
static int read_option(struct settings *s, int argc, char **argv, int *at)
{
    char name[64];
    const char *argument = argv[(*at)++];
    size_t n = strcspn(argument, "=");
    if (strncmp(argument, "--", 2) != 0 || n < 3 || n - 2 >= sizeof name) {
        int is_letter = strcmp(argument, "-h") == 0 || strcmp(argument, "-m") == 0;
        if (!is_letter) {
            log_error("%s: options begin with --; whisp-server --help lists all", argument);
            return CODE_USAGE;
        }
        argument = argument[1] == 'h' ? "--help" : "--model";
        n = strlen(argument);
    }
    for (size_t i = 2; i <= n; i++)
        name[i - 2] = argument[i] == '-' ? '_' : i == n ? '\0' : argument[i];
    const struct server_option *own = find_own(name);
    if (!own && !is_library_option(name)) {
        log_error("--%s: unknown option; whisp-server --help lists all", name);
        return CODE_USAGE;
    }
    if (own && !own->info.values)
        return own->set(s, &own->info, NULL);
    const char *value = argument[n] == '=' ? argument + n + 1 : *at < argc ? argv[(*at)++] : NULL;
    if (!value || !*value) {
        log_error("--%s needs a value", name);
        return CODE_USAGE;
    }
    return own ? own->set(s, &own->info, value) : set_library(s, name, value);
}

int settings_read(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){.host = "127.0.0.1",
                           .port = 8080,
                           .api_key = getenv("WHISP_API_KEY"),
                           .most_models = 3,
                           .queue = 64,
                           .connections = 1024,
                           .live = 4,
                           .ffmpegs = 2,
                           .max_body = (int64_t)2 << 30,
                           .max_disk = (int64_t)16 << 30,
                           .timeout = 60,
                           .grace = 30,
                           .job_keep = 3600};
    s->models = calloc((size_t)argc + 1, sizeof *s->models);
    s->aliases = calloc((size_t)argc + 1, sizeof *s->aliases);
    s->options = whisp_options_new();
    if (!s->models || !s->aliases || !s->options) {
        log_error("out of memory");
        return CODE_OTHER;
    }
    int code = CODE_DONE;
    for (int at = 1; at < argc && code == CODE_DONE;)
        code = read_option(s, argc, argv, &at);
    return code;
}

void settings_free(struct settings *s)
{
    free(s->models);
    free(s->aliases);
    whisp_options_free(s->options);
}
