/* answer.c - results become the documents of OpenAI's API: json, verbose_json, diarized_json, and the library's srt and
 * vtt. Numbers are numbers, text begins without a space, words stand at the top. */
#include "answer.h"

#include <math.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "http.h"
#include "told.h"

const char *const answer_formats[N_ANSWERS] = {"json", "text", "srt", "vtt", "verbose_json", "diarized_json"};

const char *answer_trim(const char *text)
{
    return text + strspn(text, " ");
}

/* JSON has no infinity. */
static json_t *number(double value)
{
    return json_real(isfinite(value) ? value : 0.0);
}

/* ---- problems ---- */

int answer_status(const struct problem *problem, const char **param, const char **code)
{
    *param = *code = NULL;
    switch (problem->code) {
    case WHISP_OK: return MHD_HTTP_OK;
    case SERVICE_NO_MODEL:
        *param = "model";
        *code = "model_not_found";
        return MHD_HTTP_NOT_FOUND;
    case SERVICE_FULL: *code = "queue_full"; return MHD_HTTP_SERVICE_UNAVAILABLE;
    case SERVICE_GREEDY: *code = "rate_limit_exceeded"; return MHD_HTTP_TOO_MANY_REQUESTS;
    case SERVICE_CLOSING: *code = "closing"; return MHD_HTTP_SERVICE_UNAVAILABLE;
    case WHISP_ERR_CANCELLED: *code = "cancelled"; return MHD_HTTP_SERVICE_UNAVAILABLE;
    case SERVICE_BESIDE:
        *param = strstr(problem->text, "option vocabulary") ? "keywords" : "known_speaker_references";
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    case SERVICE_FOREIGN:
        *param = "file";
        *code = "unsupported_format";
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    case WHISP_ERR_AUDIO:
        *param = "file";
        *code = "invalid_audio";
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    case SERVICE_LACKS: *code = "model_not_found"; return MHD_HTTP_BAD_REQUEST;
    case WHISP_ERR_ARGUMENT: return MHD_HTTP_BAD_REQUEST;
    default: return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

void answer_problem(struct exchange *exchange, const struct problem *problem)
{
    const char *param, *code;
    int status = answer_status(problem, &param, &code);
    exchange_fail(exchange, status, param, code, "%s", problem->text);
}

/* ---- parts ---- */

json_t *answer_usage(double duration)
{
    return json_pack("{s:s, s:I}", "type", "duration", "seconds", (json_int_t)ceil(duration));
}

/* Append the text of tokens [first, first + n), which together are whole characters. -1: no memory. */
static int add_logprob(json_t *list, const char *text, double logprob)
{
    json_t *bytes = json_array();
    for (const char *at = text; bytes && *at; at++)
        dump_add(&bytes, json_integer((unsigned char)*at));
    return json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "token", text, "bytes", bytes, "logprob",
                                                 number(logprob)));
}

/* A character may need several tokens: those stand together, with the sum of their logarithms. */
json_t *answer_logprobs(const whisp_model *model, const whisp_segment *segment)
{
    enum { TOGETHER = 8 };
    json_t *list = json_array();
    int32_t ids[TOGETHER];
    size_t n = 0;
    double sum = 0.0;
    char text[1024];
    for (size_t i = 0; list && i < segment->n_tokens; i++) {
        ids[n++] = segment->tokens[i].id;
        sum += segment->tokens[i].logprob;
        int64_t length = whisp_detokenize(model, ids, n, text, sizeof text);
        if (length > 0 && length < (int64_t)sizeof text && strstr(text, "\xEF\xBF\xBD") && n < TOGETHER &&
            i + 1 < segment->n_tokens)
            continue; /* U+FFFD: not a whole character yet */
        int is_special = length > 3 && strncmp(text, "<|", 2) == 0 && n == 1;
        if (length > 0 && length < (int64_t)sizeof text && !is_special && add_logprob(list, text, sum) != 0) {
            json_decref(list);
            return NULL;
        }
        n = 0;
        sum = 0.0;
    }
    return list;
}

static json_t *token_ids(const whisp_segment *segment)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < segment->n_tokens; i++)
        dump_add(&list, json_integer(segment->tokens[i].id));
    return list;
}

static json_t *verbose_segment(const whisp_segment *s)
{
    json_t *json = json_pack("{s:i, s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "id", s->id, "seek",
                             (json_int_t)s->seek, "start", number(s->start), "end", number(s->end), "text", s->text,
                             "tokens", token_ids(s), "temperature", number(s->temperature), "avg_logprob",
                             number(s->avg_logprob), "compression_ratio", number(s->compression_ratio),
                             "no_speech_prob", number(s->no_speech_prob));
    if (s->confidence > 0.0)
        dump_put(&json, "confidence", number(s->confidence));
    if (s->speaker_name)
        dump_put(&json, "speaker", json_string(s->speaker_name));
    return json;
}

static json_t *verbose_word(const whisp_word *w)
{
    json_t *json = json_pack("{s:s, s:o, s:o}", "word", answer_trim(w->text), "start", number(w->start), "end",
                             number(w->end));
    if (w->confidence > 0.0)
        dump_put(&json, "confidence", number(w->confidence));
    return json;
}

/* Who has no name is A, B, C, ... here, not SPEAKER_00. */
static const char *speaker_label(const whisp_segment *s, char letter[2])
{
    static const char unnamed[] = "SPEAKER_";
    if (!s->speaker_name)
        return "unknown";
    if (strncmp(s->speaker_name, unnamed, sizeof unnamed - 1) != 0 || s->speaker < 1 || s->speaker > 26)
        return s->speaker_name;
    letter[0] = (char)('A' + s->speaker - 1);
    letter[1] = '\0';
    return letter;
}

json_t *answer_speaker_segment(const whisp_segment *s)
{
    char id[32], letter[2];
    snprintf(id, sizeof id, "seg_%d", s->id);
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s}", "type", "transcript.text.segment", "id", id, "start",
                     number(s->start), "end", number(s->end), "speaker", speaker_label(s, letter), "text",
                     answer_trim(s->text));
}

/* ---- documents ---- */

/* "de" is "german". */
json_t *answer_language(const char *code)
{
    size_t n;
    const whisp_language *const *list = whisp_language_list(&n);
    char name[64];
    for (size_t i = 0; code && i < n; i++) {
        if (strcmp(list[i]->code, code) != 0)
            continue;
        size_t k = 0;
        for (; list[i]->name[k] && k + 1 < sizeof name; k++)
            name[k] = (char)(list[i]->name[k] >= 'A' && list[i]->name[k] <= 'Z' ? list[i]->name[k] + 32
                                                                                : list[i]->name[k]);
        name[k] = '\0';
        return json_string(name);
    }
    return json_string("unknown");
}

/* One `part` a segment. */
static json_t *segments_of(const struct task_end *end, json_t *(*part)(const whisp_segment *segment))
{
    const whisp_segment *segment;
    json_t *list = json_array();
    for (size_t i = 0; list && (segment = whisp_result_segment(end->result, i)); i++)
        dump_add(&list, part(segment));
    return list;
}

static json_t *words_of(const struct task_end *end)
{
    const whisp_segment *segment;
    json_t *list = json_array();
    for (size_t i = 0; list && (segment = whisp_result_segment(end->result, i)); i++)
        for (size_t k = 0; k < segment->n_words && list; k++)
            dump_add(&list, verbose_word(segment->words[k]));
    return list;
}

json_t *answer_all_logprobs(const struct task_end *end)
{
    const whisp_segment *segment;
    json_t *list = json_array();
    for (size_t i = 0; list && (segment = whisp_result_segment(end->result, i)); i++) {
        json_t *more = answer_logprobs(end->model, segment);
        if (!more || json_array_extend(list, more) != 0) {
            json_decref(list);
            list = NULL;
        }
        json_decref(more);
    }
    return list;
}

static json_t *document_json(const struct answer_wish *wish, const struct task_end *end)
{
    const char *text = answer_trim(whisp_result_text(end->result));
    whisp_result_info info = {.size = sizeof info};
    whisp_result_describe(end->result, &info);
    json_t *json;
    if (wish->format == ANSWER_VERBOSE) {
        json = json_pack("{s:s, s:o, s:o, s:s}", "task", wish->translates ? "translate" : "transcribe", "language",
                         wish->translates ? json_string("english") : answer_language(info.language), "duration",
                         number(end->duration), "text", text);
        if (wish->words)
            dump_put(&json, "words", words_of(end));
        if (wish->segments)
            dump_put(&json, "segments", segments_of(end, verbose_segment));
    } else if (wish->format == ANSWER_DIARIZED) {
        json = json_pack("{s:s, s:o, s:s, s:o}", "task", "transcribe", "duration", number(end->duration), "text", text,
                         "segments", segments_of(end, answer_speaker_segment));
    } else {
        json = json_pack("{s:s}", "text", text);
        if (wish->logprobs)
            dump_put(&json, "logprobs", answer_all_logprobs(end));
    }
    if (end->incomplete)
        dump_put(&json, "incomplete", json_string(end->incomplete));
    told_put(end->told, end->incomplete, &json);
    dump_put(&json, "usage", answer_usage(end->duration));
    return json;
}

/* The library's text, as malloc()ed bytes. */
static char *document_subtitles(const struct task_end *end, const char *format)
{
    char *text, *copy = NULL;
    if (whisp_result_format(end->result, format, NULL, &text, NULL) == WHISP_OK) {
        copy = strdup(text);
        whisp_string_free(text);
    }
    return copy;
}

static char *document_text(const struct task_end *end)
{
    const char *text = answer_trim(whisp_result_text(end->result));
    size_t n = strlen(text);
    char *copy = malloc(n + 2);
    if (copy) {
        memcpy(copy, text, n);
        memcpy(copy + n, "\n", 2);
    }
    return copy;
}

static void make_error(const struct problem *problem, struct document *document)
{
    const char *param, *code;
    document->status = answer_status(problem, &param, &code);
    document->type = "application/json";
    document->bytes = exchange_error_text(document->status, param, code, problem->text);
}

void answer_make(const struct answer_wish *wish, const struct task_end *end, struct document *document)
{
    *document = (struct document){.status = MHD_HTTP_OK,
                                  .type = "text/plain; charset=utf-8",
                                  .warning = end->incomplete};
    if (end->problem.code != WHISP_OK) {
        make_error(&end->problem, document);
    } else if (wish->format == ANSWER_TEXT) {
        document->bytes = document_text(end);
    } else if (wish->format == ANSWER_SRT || wish->format == ANSWER_VTT) {
        document->bytes = document_subtitles(end, answer_formats[wish->format]);
    } else {
        json_t *json = document_json(wish, end);
        document->type = "application/json";
        document->bytes = dump_json(json);
        json_decref(json);
    }
    document->n = document->bytes ? strlen(document->bytes) : 0;
}
