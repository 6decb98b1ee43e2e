/* request.c - OpenAI's fields, and what they are called in the library. Fields that nobody knows are passed over. Between
 * form.c and service.c. */
#include "request.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_SPEAKERS = 16 };

/* What the readers work on. */
struct reading {
    struct ask *ask;
    struct form *form;
    struct refusal *refusal;
};

static int refuse(struct reading *r, int status, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int refuse(struct reading *r, int status, const char *param, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->refusal->text, sizeof r->refusal->text, format, arguments);
    va_end(arguments);
    r->refusal->status = status;
    r->refusal->param = param;
    r->refusal->code = NULL;
    return -1;
}

static int refuse_memory(struct reading *r)
{
    return refuse(r, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "out of memory");
}

/* Set the library's option; what it says about the value is what the client is told about its field. */
static int set(struct reading *r, const char *param, const char *option, const char *value)
{
    if (whisp_options_set(r->ask->task.options, option, value) == WHISP_OK)
        return 0;
    return refuse(r, MHD_HTTP_BAD_REQUEST, param, "%s: %s", param, whisp_last_error());
}

/* A field that is one of the library's options; an empty one is as good as none. */
static int read_option(struct reading *r, const char *param, const char *option)
{
    const char *value = form_get(r->form, param);
    return value && *value ? set(r, param, option, value) : 0;
}

static int read_flag(struct reading *r, const char *param, int *flag)
{
    const char *value = form_get(r->form, param);
    if (!value || !*value)
        return 0;
    *flag = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (*flag || strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return 0;
    return refuse(r, MHD_HTTP_BAD_REQUEST, param, "%s: true or false is expected", param);
}

/* ---- fields ---- */

/* All values of a list, with `between`; NULL with *rc 0: none, else no memory. */
static char *join(struct reading *r, const char *name, char between, int *rc)
{
    const char *value;
    size_t n = 0;
    char *all = NULL;
    *rc = 0;
    for (size_t i = 0; (value = form_list(r->form, name, i)); i++)
        n += strlen(value) + 1;
    if (n == 0)
        return NULL;
    if (!(all = malloc(n + 1))) {
        *rc = refuse_memory(r);
        return NULL;
    }
    all[n = 0] = '\0';
    for (size_t i = 0; (value = form_list(r->form, name, i)); i++)
        n += (size_t)sprintf(all + n, "%s%c", value, between);
    all[n - 1] = '\0';
    return all;
}

static int read_languages(struct reading *r)
{
    int rc;
    char *codes = join(r, "languages", ',', &rc);
    if (codes && *codes)
        rc = set(r, "languages", "languages", codes);
    free(codes);
    return rc;
}

/* 0 is the default, with its fallback; others begin higher. */
static int read_temperature(struct reading *r)
{
    const char *value = form_get(r->form, "temperature");
    char *end;
    if (!value || !*value)
        return 0;
    double temperature = strtod(value, &end);
    if (*end || !(temperature >= 0.0 && temperature <= 1.0))
        return refuse(r, MHD_HTTP_BAD_REQUEST, "temperature", "temperature: a number between 0 and 1 is expected");
    return temperature == 0.0 ? 0 : set(r, "temperature", "temperature", value);
}

static int read_format(struct reading *r)
{
    const char *value = form_get(r->form, "response_format");
    struct answer_wish *wish = &r->ask->wish;
    wish->format = ANSWER_JSON;
    if (!value || !*value)
        return 0;
    for (int i = 0; i < N_ANSWERS; i++)
        if (strcmp(answer_formats[i], value) == 0) {
            wish->format = (enum answer_format)i;
            return 0;
        }
    return refuse(r, MHD_HTTP_BAD_REQUEST, "response_format",
                  "response_format: '%.40s' is none of json, text, srt, verbose_json, vtt, diarized_json", value);
}

static int read_granularities(struct reading *r)
{
    const char *value;
    struct answer_wish *wish = &r->ask->wish;
    for (size_t i = 0; (value = form_list(r->form, "timestamp_granularities", i)); i++) {
        if (strcmp(value, "word") == 0)
            wish->words = 1;
        else if (strcmp(value, "segment") == 0)
            wish->segments = 1;
        else if (*value)
            return refuse(r, MHD_HTTP_BAD_REQUEST, "timestamp_granularities",
                          "timestamp_granularities[]: '%.40s' is neither word nor segment", value);
    }
    if (!wish->words)
        wish->segments = 1;
    return wish->words ? set(r, "timestamp_granularities", "word_timestamps", "True") : 0;
}

static int read_include(struct reading *r)
{
    const char *value;
    for (size_t i = 0; (value = form_list(r->form, "include", i)); i++)
        if (strcmp(value, "logprobs") == 0)
            r->ask->wish.logprobs = 1;
    return 0;
}

/* The number of an object's member as the library takes it. */
static int set_number(struct reading *r, const json_t *object, const char *member, const char *option)
{
    char text[64];
    const json_t *value = json_object_get(object, member);
    if (!value || json_is_null(value))
        return 0;
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%g", json_real_value(value));
    else if (json_is_string(value))
        snprintf(text, sizeof text, "%s", json_string_value(value));
    else
        return refuse(r, MHD_HTTP_BAD_REQUEST, "chunking_strategy", "chunking_strategy: %s is no number", member);
    return set(r, "chunking_strategy", option, text);
}

/* {"type": "server_vad", ...}: what is no speech is taken out first. */
static int set_chunking(struct reading *r, const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    if (type && strcmp(type, "auto") == 0)
        return 0;
    if (!type || strcmp(type, "server_vad") != 0)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "chunking_strategy",
                      "chunking_strategy: auto, or an object with type server_vad is expected");
    if (set(r, "chunking_strategy", "vad_filter", "True") != 0 ||
        set_number(r, object, "threshold", "vad_threshold") != 0 ||
        set_number(r, object, "silence_duration_ms", "vad_min_silence_duration_ms") != 0)
        return -1;
    return set_number(r, object, "prefix_padding_ms", "vad_speech_pad_ms");
}

/* As text, as JSON, or as fields with brackets. "auto" is what is done in any case: long recordings are cut at pauses. */
static int read_chunking(struct reading *r)
{
    static const char *const members[] = {"type", "threshold", "silence_duration_ms", "prefix_padding_ms"};
    const char *value = form_get(r->form, "chunking_strategy");
    if (value && (!*value || strcmp(value, "auto") == 0))
        return 0;
    json_t *object = value ? json_loads(value, 0, NULL) : json_object();
    size_t n = 0;
    for (size_t i = 0; !value && i < sizeof members / sizeof *members; i++) {
        char name[64];
        snprintf(name, sizeof name, "chunking_strategy[%s]", members[i]);
        const char *member = form_get(r->form, name);
        if (member && json_object_set_new(object, members[i], json_string(member)) == 0)
            n++;
    }
    int rc = value || n > 0 ? set_chunking(r, object) : 0;
    json_decref(object);
    return rc;
}

/* ---- files beside the recording ---- */

static void add_file(struct ask *ask, struct upload *upload)
{
    ask->task.files[ask->task.n_files++] = upload;
}

/* A file of terms, one a line. */
static int read_keywords(struct reading *r)
{
    int rc;
    char *terms = join(r, "keywords", '\n', &rc);
    if (!terms || !*terms) {
        free(terms);
        return rc;
    }
    struct upload *upload = upload_new();
    int problem = upload ? upload_write(upload, terms, strlen(terms)) : errno;
    free(terms);
    if (upload)
        add_file(r->ask, upload);
    if (problem)
        return refuse(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "keywords", "a temporary file cannot be written: %s",
                      strerror(problem));
    return set(r, "keywords", "vocabulary", upload_path(upload));
}

/* "NAME=FILE" a line, behind those that the server was started with. */
static int read_speakers(struct reading *r)
{
    const char *name, *before = whisp_options_get(r->ask->task.options, "speaker");
    char lines[8192];
    int n = 0;
    size_t i = 0;
    if (before && *before && strcmp(before, "None") != 0)
        n = snprintf(lines, sizeof lines, "%s", before);
    for (; (name = form_list(r->form, "known_speaker_names", i)); i++) {
        struct upload *reference = form_take(r->form, "known_speaker_references", 0);
        if (!reference)
            break;
        if (i == MOST_SPEAKERS || !*name || strlen(name) > 100 || strpbrk(name, "=\r\n")) {
            upload_free(reference);
            return refuse(r, MHD_HTTP_BAD_REQUEST, "known_speaker_names",
                          "known_speaker_names[]: at most %d names of at most 100 bytes, without = or line ends",
                          MOST_SPEAKERS);
        }
        add_file(r->ask, reference);
        r->ask->task.n_sounds++;
        if (n < (int)sizeof lines)
            n += snprintf(lines + n, sizeof lines - (size_t)n, "%s%s=%s", n ? "\n" : "", name, upload_path(reference));
    }
    struct upload *more = form_take(r->form, "known_speaker_references", 0);
    if (name || more) {
        upload_free(more);
        return refuse(r, MHD_HTTP_BAD_REQUEST, "known_speaker_references",
                      "known_speaker_names[] and known_speaker_references[] must be as many");
    }
    if (n >= (int)sizeof lines)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "known_speaker_names", "known_speaker_names[]: too long");
    return i > 0 ? set(r, "known_speaker_references", "speaker", lines) : 0;
}

/* Who speaks is asked where the answer tells it, unless each has a channel. */
static int read_diarize(struct reading *r)
{
    const char *stereo = whisp_options_get(r->ask->task.options, "split_stereo");
    if (r->ask->wish.format != ANSWER_DIARIZED || (stereo && strcmp(stereo, "True") == 0))
        return 0;
    return set(r, "response_format", "diarize", "True");
}

/* ---- all ---- */

static int read_model(struct reading *r, struct service *service)
{
    struct problem problem;
    const char *param, *code;
    r->ask->task.model = form_get(r->form, "model");
    if (service_find(service, r->ask->task.model, NULL, &problem) == 0)
        return 0;
    int status = answer_status(&problem, &param, &code);
    refuse(r, status, param, "%s", problem.text);
    r->refusal->code = code;
    return -1;
}

static int read_file(struct reading *r)
{
    r->ask->task.recording = form_take(r->form, "file", 0);
    if (!r->ask->task.recording)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "file", "the field file is missing: the recording");
    if (upload_size(r->ask->task.recording) == 0)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "file", "file: is empty");
    return 0;
}

int ask_read(struct ask *ask, struct service *service, struct form *form, int translates, struct refusal *refusal)
{
    static int (*const readers[])(struct reading *) = {
        read_file,    read_languages, read_temperature, read_format,   read_granularities,
        read_include, read_chunking,  read_speakers,    read_keywords, read_diarize,
    };
    struct reading r = {ask, form, refusal};
    *ask = (struct ask){.wish.translates = translates};
    if (!(ask->task.options = service_options(service)))
        return refuse_memory(&r);
    int rc = read_model(&r, service);
    if (!rc && translates)
        rc = set(&r, "model", "task", "translate");
    if (!rc)
        rc = read_option(&r, "language", "language");
    if (!rc)
        rc = read_option(&r, "prompt", "initial_prompt");
    if (!rc)
        rc = read_flag(&r, "stream", &ask->streams);
    if (!rc)
        rc = read_flag(&r, "background", &ask->background);
    for (size_t i = 0; i < sizeof readers / sizeof *readers && !rc; i++)
        rc = readers[i](&r);
    return rc;
}

void ask_given(struct ask *ask)
{
    ask->task = (struct task_request){0};
}

void ask_free(struct ask *ask)
{
    upload_free(ask->task.recording);
    for (size_t i = 0; i < ask->task.n_files; i++)
        upload_free(ask->task.files[i]);
    whisp_options_free(ask->task.options);
    *ask = (struct ask){0};
}
