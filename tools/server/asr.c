/* asr.c - whisper-asr-webservice's two requests, which Bazarr and others make: POST /asr and /detect-language, with options
 * in the address and a form that holds audio_file. With encode=false that is raw: 16-bit samples, 16 kHz, mono. Errors
 * are OpenAI's here, too. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "answer.h"
#include "app.h"
#include "dump.h"
#include "form.h"
#include "routes.h"
#include "service.h"
#include "told.h"

#define FIELD "audio_file"

enum { MOST_PROMPT = 4000, RATE = 16000 };

struct asr {
    struct form *form;
    struct task *task;
    const char *format; /* of the answer */
    int is_raw;
};

/* What a client may choose, and what it is called in the library. */
static const struct choice {
    const char *name, *option;
    int is_yes_no;
} choices[] = {
    {"task", "task", 0},
    {"language", "language", 0},
    {"initial_prompt", "initial_prompt", 0},
    {"vad_filter", "vad_filter", 1},
    {"word_timestamps", "word_timestamps", 1},
    {"diarize", "diarize", 1},
    {"min_speakers", "min_speakers", 0},
    {"max_speakers", "max_speakers", 0},
};

/* 1, 0, or -1: neither. */
static int yes_or_no(const char *text)
{
    static const char *const words[][2] = {{"false", "true"}, {"0", "1"}, {"no", "yes"},
                                           {"off", "on"},     {"f", "t"}, {"n", "y"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int k = 0; k < 2; k++)
            if (strcasecmp(text, words[i][k]) == 0)
                return k;
    return -1;
}

/* ---- the request ---- */

static void begin(struct exchange *exchange)
{
    const char *encode = exchange_query(exchange, "encode");
    struct problem problem;
    if (service_check(exchange_app(exchange)->service, &problem) != 0) {
        answer_problem(exchange, &problem);
        return;
    }
    struct asr *asr = calloc(1, sizeof *asr);
    exchange_set_state(exchange, asr);
    if (!asr) {
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
        return;
    }
    int is_encoded = encode && *encode ? yes_or_no(encode) : 1;
    asr->is_raw = is_encoded == 0;
    asr->form = form_new(exchange_connection(exchange));
    if (is_encoded < 0)
        exchange_fail(exchange, 400, "encode", NULL, "encode is true or false");
    else if (!asr->form)
        exchange_fail(exchange, 415, NULL, NULL, "a form is expected: multipart/form-data with a file " FIELD);
    else if (asr->is_raw)
        form_expect_raw(asr->form);
}

static void body(struct exchange *exchange, const char *bytes, size_t n)
{
    struct asr *asr = exchange_state(exchange);
    int status = form_feed(asr->form, bytes, n);
    if (status)
        exchange_fail(exchange, status, form_problem_field(asr->form), NULL, "%s", form_problem(asr->form));
}

/* New options as the address has them; NULL after an error was told. */
static whisp_options *read_options(struct exchange *exchange)
{
    whisp_options *options = service_options(exchange_app(exchange)->service);
    if (!options) {
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const char *value = exchange_query(exchange, choices[i].name);
        if (!value || !*value)
            continue;
        int yes = choices[i].is_yes_no ? yes_or_no(value) : 0;
        if (choices[i].is_yes_no && yes >= 0)
            value = yes ? "True" : "False";
        if (strlen(value) > MOST_PROMPT || whisp_options_set(options, choices[i].option, value) != WHISP_OK) {
            exchange_fail(exchange, 400, choices[i].name, NULL, "%s",
                          strlen(value) > MOST_PROMPT ? "too long" : whisp_last_error());
            whisp_options_free(options);
            return NULL;
        }
    }
    return options;
}

/* The recording; NULL after an error was told. */
static struct upload *take_recording(struct exchange *exchange, struct asr *asr)
{
    int status = form_end(asr->form);
    if (status) {
        exchange_fail(exchange, status, form_problem_field(asr->form), NULL, "%s", form_problem(asr->form));
        return NULL;
    }
    struct upload *recording = form_take(asr->form, FIELD, 0);
    if (!recording) {
        exchange_fail(exchange, 422, FIELD, NULL, "there is no file " FIELD " in the form");
        return NULL;
    }
    int error = asr->is_raw ? upload_end_raw(recording, RATE, 1) : 0;
    if (!error)
        return recording;
    exchange_fail(exchange, 500, FIELD, NULL, "the recording cannot be kept: %s", strerror(error));
    upload_free(recording);
    return NULL;
}

/* Begin the task; the answer is its end's. */
static void start(struct exchange *exchange, enum task_kind kind, whisp_options *options,
                  void (*on_end)(void *user, const struct task_end *end))
{
    struct asr *asr = exchange_state(exchange);
    struct problem problem;
    struct task_request request = {.kind = kind,
                                   .model = exchange_query(exchange, "model"),
                                   .options = options,
                                   .sink = {.user = exchange, .end = on_end}};
    exchange_client(exchange, request.client, sizeof request.client);
    request.recording = options ? take_recording(exchange, asr) : NULL;
    if (!request.recording) {
        whisp_options_free(options);
        return;
    }
    exchange_hold(exchange);
    if (task_start(exchange_app(exchange)->service, &request, &asr->task, &problem) != 0) {
        answer_problem(exchange, &problem);
        exchange_release(exchange);
    }
}

static void gone(struct exchange *exchange)
{
    struct asr *asr = exchange_state(exchange);
    if (asr && asr->task)
        task_cancel(asr->task);
}

static void drop(void *state)
{
    struct asr *asr = state;
    task_release(asr->task);
    form_free(asr->form);
    free(asr);
}

/* ---- the text ---- */

/* attachment; filename="NAME.srt", where NAME is written with % signs as in an address. */
static void add_filename(struct exchange *exchange, const struct asr *asr)
{
    const char *name = form_filename(asr->form, FIELD);
    char header[1100] = "attachment; filename=\"";
    size_t n = strlen(header);
    for (const unsigned char *at = (const unsigned char *)(name ? name : FIELD); *at && n < 1000; at++) {
        int is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                       strchr("_.-~/", *at);
        n += (size_t)snprintf(header + n, sizeof header - n, is_plain ? "%c" : "%%%02X", *at);
    }
    snprintf(header + n, sizeof header - n, ".%s\"", asr->format);
    exchange_add_header(exchange, "Content-Disposition", header);
}

static void on_text(void *user, const struct task_end *end)
{
    struct exchange *exchange = user;
    struct asr *asr = exchange_state(exchange);
    char *text = NULL;
    size_t n = 0;
    exchange_note(exchange, end->duration, form_filename(asr->form, FIELD));
    if (end->problem.code != WHISP_OK) {
        answer_problem(exchange, &end->problem);
    } else if (whisp_result_format(end->result, asr->format, NULL, &text, &n) != WHISP_OK) {
        exchange_fail(exchange, 500, NULL, NULL, "%s", whisp_last_error());
    } else {
        exchange_add_header(exchange, "Asr-Engine", "libwhisp");
        add_filename(exchange, asr);
        if (end->incomplete)
            exchange_add_header(exchange, "Whisp-Incomplete", end->incomplete);
        told_headers(end->told, end->incomplete, exchange);
        /* text/plain whatever the format is, as its clients know it */
        exchange_answer(exchange, 200, "text/plain; charset=utf-8", text, n);
        whisp_string_free(text);
    }
    exchange_release(exchange);
}

static void end_asr(struct exchange *exchange)
{
    static const char *const formats[] = {"txt", "vtt", "srt", "tsv", "json"};
    struct asr *asr = exchange_state(exchange);
    const char *format = exchange_query(exchange, "output");
    if (!format || !*format)
        format = "txt";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i]) == 0)
            asr->format = formats[i];
    if (asr->format)
        start(exchange, TASK_TRANSCRIBE, read_options(exchange), on_text);
    else
        exchange_fail(exchange, 400, "output", NULL, "output is txt, vtt, srt, tsv or json");
}

/* ---- the language ---- */

static json_t *describe_language(const struct task_end *end)
{
    const char *code = whisp_language_list(NULL)[end->language]->code;
    return json_pack("{s:o, s:s, s:f}", "detected_language", answer_language(code), "language_code", code, "confidence",
                     (double)end->probabilities[end->language]);
}

static void on_language(void *user, const struct task_end *end)
{
    struct exchange *exchange = user;
    struct asr *asr = exchange_state(exchange);
    exchange_note(exchange, end->duration, form_filename(asr->form, FIELD));
    if (end->problem.code != WHISP_OK) {
        answer_problem(exchange, &end->problem);
    } else {
        json_t *object = describe_language(end);
        char *text = dump_json(object);
        exchange_answer_own(exchange, 200, "application/json", text, text ? strlen(text) : 0);
        json_decref(object);
    }
    exchange_release(exchange);
}

static void end_language(struct exchange *exchange)
{
    whisp_options *options = service_options(exchange_app(exchange)->service);
    if (options)
        start(exchange, TASK_LANGUAGE, options, on_language);
    else
        exchange_fail(exchange, 500, NULL, NULL, "out of memory");
}

const struct route asr_routes[] = {
    {.method = "POST", .path = "/asr", .begin = begin, .body = body, .end = end_asr, .gone = gone, .drop = drop},
    {.method = "POST",
     .path = "/detect-language",
     .begin = begin,
     .body = body,
     .end = end_language,
     .gone = gone,
     .drop = drop},
    {.method = NULL},
};
