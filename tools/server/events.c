/* events.c - server-sent events: "data: {JSON}" and an empty line. An event that there is no memory for breaks the stream
 * off, which a client notices; one that is missing would go unnoticed. */
#include "events.h"

#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "spoken.h"
#include "told.h"

/* `json` is released. */
static void say(struct exchange *x, json_t *json)
{
    static const char before[] = "data: ", after[] = "\n\n";
    char *text = dump_json(json);
    size_t n = text ? strlen(text) : 0;
    char *event = text ? malloc(n + sizeof before + sizeof after) : NULL;
    if (event) {
        memcpy(event, before, sizeof before - 1);
        memcpy(event + sizeof before - 1, text, n);
        memcpy(event + sizeof before - 1 + n, after, sizeof after - 1);
        exchange_write(x, event, n + sizeof before + sizeof after - 2);
    } else {
        exchange_break(x);
    }
    free(event);
    free(text);
    json_decref(json);
}

/* OpenAI's streams have no times but with speakers; who asks for verbose_json wants them. */
static json_t *timed_segment(const whisp_segment *segment)
{
    json_t *json = json_object();
    dump_put(&json, "type", json_string("transcript.text.segment"));
    return spoken_segment(json, segment);
}

void events_segment(struct exchange *x, const struct answer_wish *wish, const whisp_model *model,
                    const whisp_segment *segment, int is_first)
{
    const char *text = is_first ? answer_trim(segment->text) : segment->text;
    json_t *delta = json_pack("{s:s, s:s}", "type", "transcript.text.delta", "delta", text);
    exchange_stream(x, MHD_HTTP_OK, EVENT_STREAM, 1);
    if (wish->logprobs && model)
        dump_put(&delta, "logprobs", answer_logprobs(model, segment));
    if (wish->format == ANSWER_DIARIZED) {
        char id[32];
        snprintf(id, sizeof id, "seg_%d", segment->id);
        dump_put(&delta, "segment_id", json_string(id));
    }
    say(x, delta);
    if (wish->format == ANSWER_DIARIZED)
        say(x, answer_speaker_segment(segment));
    else if (wish->format == ANSWER_VERBOSE)
        say(x, timed_segment(segment));
}

static json_t *done(const struct answer_wish *wish, const struct task_end *end)
{
    json_t *json = json_pack("{s:s, s:s, s:o}", "type", "transcript.text.done", "text",
                             answer_trim(whisp_result_text(end->result)), "usage", answer_usage(end->duration));
    if (wish->logprobs)
        dump_put(&json, "logprobs", answer_all_logprobs(end));
    whisp_result_info info = {.size = sizeof info};
    if (wish->format == ANSWER_VERBOSE && whisp_result_describe(end->result, &info) == WHISP_OK && info.language)
        dump_put(&json, "language", json_string(info.language));
    if (end->incomplete)
        dump_put(&json, "incomplete", json_string(end->incomplete));
    told_put(end->told, end->incomplete, &json);
    return json;
}

void events_end(struct exchange *x, const struct answer_wish *wish, const struct task_end *end)
{
    if (end->problem.code == WHISP_OK) {
        exchange_stream(x, MHD_HTTP_OK, EVENT_STREAM, 1);
        say(x, done(wish, end));
    } else {
        const char *param, *code;
        int status = answer_status(&end->problem, &param, &code);
        char *text = exchange_error_text(status, param, code, end->problem.text);
        json_t *error = text ? json_loads(text, 0, NULL) : NULL;
        if (exchange_answer_own(x, status, "application/json", text, text ? strlen(text) : 0)) {
            json_decref(error);
            return; /* nothing was sent yet: the error is the answer */
        }
        say(x, error);
    }
    exchange_finish(x);
}
