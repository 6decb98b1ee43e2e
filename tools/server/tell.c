/* tell.c - what a live transcription says, as JSON. See tell.h. */
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "spoken.h"
#include "tell.h"
#include "websocket.h"

static json_t *message(const char *type)
{
    json_t *object = json_object();
    dump_put(&object, "type", json_string(type));
    return object;
}

/* The words one behind the other, with their spaces. */
static json_t *joined(const whisp_word *const *words, size_t n)
{
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        length += strlen(words[i]->text);
    char *text = malloc(length + 1), *at = text;
    if (!text)
        return NULL;
    *at = 0;
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, words[i]->text);
    json_t *string = json_string(text);
    free(text);
    return string;
}

json_t *tell_ready(const whisp_model *model, const struct talk_request *request)
{
    json_t *object = message("ready");
    whisp_model_info info = {.size = sizeof info};
    int rc = whisp_model_describe(model, &info);
    dump_put(&object, "model", rc == WHISP_OK && info.name ? json_string(info.name) : json_null());
    dump_put(&object, "sample_rate", json_integer(request->rate));
    dump_put(&object, "channels", json_integer(request->channels));
    return object;
}

json_t *tell_words(const whisp_word *const *words, size_t n, const whisp_stream_info *info)
{
    json_t *object = message("words");
    dump_put(&object, "text", joined(words, n));
    dump_put(&object, "words", spoken_words(words, n, info));
    dump_put(&object, "tail", json_string(info->tail));
    return object;
}

json_t *tell_segment(const whisp_segment *segment)
{
    return spoken_segment(message("segment"), segment);
}

/* The segments once more, now that it is known who speaks; NULL: no memory. */
static json_t *labelled(const whisp_result *result)
{
    json_t *list = json_array();
    const whisp_segment *segment;
    for (size_t i = 0; list && (segment = whisp_result_segment(result, i)); i++)
        if (*segment->text && json_array_append_new(list, spoken_segment(json_object(), segment)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* The first thing of the sound that was not heard, or NULL. */
static const char *what_is_missing(whisp_stream_info *info, whisp_audio *audio)
{
    int incomplete;
    const char *text;
    for (size_t i = 0; audio && (text = whisp_audio_warning(audio, i, &incomplete)); i++)
        if (incomplete)
            return text;
    return info->incomplete;
}

json_t *tell_done(whisp_stream *stream, whisp_audio *audio, double heard)
{
    json_t *object = message("done");
    whisp_stream_info info = {.size = sizeof info};
    whisp_result *result = NULL;
    if (whisp_stream_describe(stream, &info) != WHISP_OK)
        info = (whisp_stream_info){.size = sizeof info};
    const char *missing = what_is_missing(&info, audio);
    dump_put(&object, "language", info.language ? json_string(info.language) : json_null());
    dump_put(&object, "duration", spoken_seconds(heard));
    dump_put(&object, "incomplete", missing ? json_string(missing) : json_null());
    int rc = whisp_stream_result(stream, &result);
    if (rc != WHISP_ERR_STATE) /* which says that nobody wants to know who spoke */
        dump_put(&object, "segments", rc == WHISP_OK ? labelled(result) : NULL);
    whisp_result_free(result);
    return object;
}

json_t *tell_error(int code, const char *text)
{
    int is_theirs = code == WHISP_ERR_ARGUMENT || code == WHISP_ERR_AUDIO || code == SERVICE_NO_MODEL ||
                    code == SERVICE_FOREIGN;
    json_t *error = json_object(), *object = message("error");
    dump_put(&error, "message", json_string(text));
    dump_put(&error, "type", json_string(is_theirs ? "invalid_request_error" : "server_error"));
    dump_put(&error, "param", json_null());
    dump_put(&error, "code", code == SERVICE_NO_MODEL ? json_string("model_not_found") : json_null());
    dump_put(&object, "error", error);
    return object;
}

int tell_close_code(int problem)
{
    switch (problem) {
    case WHISP_OK:
    case WHISP_ERR_CANCELLED: return WS_NORMAL;
    case WHISP_ERR_ARGUMENT:
    case SERVICE_NO_MODEL: return WS_POLICY;
    case WHISP_ERR_AUDIO:
    case SERVICE_FOREIGN: return WS_NOT_THIS;
    case SERVICE_FULL: return WS_TRY_AGAIN;
    case SERVICE_CLOSING: return WS_GOING_AWAY;
    default: return WS_INTERNAL;
    }
}
