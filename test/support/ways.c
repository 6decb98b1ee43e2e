/* ways.c - see ways.h. No assertions here: ways are taken in threads and in children. */
#include "support/ways.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_OPTIONS 6

typedef struct way {
    const char *name;
    char *(*take)(const struct way *way, const ways_ground *ground, const ways_stop *stop, int *rc);
    const char *options[MOST_OPTIONS][2];
} way;

static whisp_options *options_of(const way *w, const ways_ground *g, const ways_stop *stop)
{
    static const char *const all[][2] = {{"language", "en"},
                                         {"sample_len", "8"},
                                         {"hallucination_guard", "False"},
                                         {"temperature", "0"},
                                         {"threads", "2"},
                                         {"no_speech_threshold", "None"},
                                         {"logprob_threshold", "None"},
                                         {"compression_ratio_threshold", "None"}};
    whisp_options *o = whisp_options_new();
    int rc = o ? WHISP_OK : WHISP_ERR_MEMORY;
    for (size_t i = 0; i < COUNT(all) && !rc; i++)
        rc = whisp_options_set(o, all[i][0], all[i][1]);
    for (size_t i = 0; i < MOST_OPTIONS && w->options[i][0] && !rc; i++) {
        const char *value = w->options[i][1];
        value = !strcmp(value, "VOCABULARY") ? g->vocabulary : !strcmp(value, "VAD") ? g->vad : value;
        rc = whisp_options_set(o, w->options[i][0], value);
    }
    whisp_callbacks callbacks = {.size = sizeof callbacks, .cancel = stop->stop, .user = stop->user};
    if (!rc && stop->stop)
        rc = whisp_options_on(o, &callbacks);
    if (!rc)
        return o;
    whisp_options_free(o);
    return NULL;
}

static char *json_of(const whisp_result *result, int *rc)
{
    char *json = NULL, *copy = NULL;
    if (!*rc && !(*rc = whisp_result_format(result, "json", NULL, &json, NULL)) && !(copy = strdup(json)))
        *rc = WHISP_ERR_MEMORY;
    whisp_string_free(json);
    return copy;
}

/* A session and a recording. */
static char *by_session(const way *w, const ways_ground *g, const ways_stop *stop, int *rc)
{
    whisp_options *o = options_of(w, g, stop);
    whisp_session *session = NULL;
    whisp_audio *audio = NULL;
    whisp_result *result = NULL;
    int text = !strcmp(w->name, "alignment"), channels = !strcmp(w->name, "channels");
    *rc = o ? whisp_session_new(g->model, o, &session) : WHISP_ERR_ARGUMENT;
    if (!*rc)
        *rc = channels ? whisp_audio_open(g->path, &audio) : whisp_audio_open_samples(g->samples, g->n, &audio);
    if (!*rc)
        *rc = text ? whisp_session_align(session, audio, "and so it goes", &result)
                   : whisp_session_transcribe(session, audio, &result);
    char *json = json_of(result, rc);
    whisp_result_free(result);
    whisp_audio_free(audio);
    whisp_session_free(session);
    whisp_options_free(o);
    return json;
}

/* Three recordings at once in a queue. */
static char *by_queue(const way *w, const ways_ground *g, const ways_stop *stop, int *rc)
{
    whisp_options *o = options_of(w, g, &(ways_stop){0}), *each = options_of(w, g, stop);
    whisp_queue *queue = NULL;
    char *answers[3] = {0}, *all = NULL;
    size_t size = 1;
    *rc = o && each ? whisp_queue_new(g->model, o, &queue) : WHISP_ERR_ARGUMENT;
    int left = 0;
    for (size_t i = 0; i < COUNT(answers) && !*rc; i++, left++) {
        whisp_audio *audio = NULL;
        uint64_t id;
        *rc = whisp_audio_open_samples(g->samples, g->n / (i + 1), &audio);
        if (!*rc)
            *rc = whisp_queue_submit(queue, audio, each, &answers[i], &id);
    }
    whisp_event event = {.size = sizeof event};
    while (left > 0 && whisp_queue_next(queue, -1, &event) == 1) {
        if (event.kind != WHISP_EVENT_END)
            continue;
        int failed = event.rc;
        *(char **)event.user = json_of(event.result, &failed);
        *rc = *rc ? *rc : failed;
        whisp_result_free(event.result);
        left--;
    }
    whisp_queue_free(queue);
    whisp_options_free(o);
    whisp_options_free(each);
    for (size_t i = 0; i < COUNT(answers) && !*rc; i++)
        size += strlen(answers[i]);
    if (!*rc && (all = calloc(1, size)))
        for (size_t i = 0; i < COUNT(answers); i++)
            strcat(all, answers[i]);
    for (size_t i = 0; i < COUNT(answers); i++)
        free(answers[i]);
    return all;
}

/* Live: pushes of 0.1 s. */
static char *by_stream(const way *w, const ways_ground *g, const ways_stop *stop, int *rc)
{
    whisp_options *o = options_of(w, g, stop);
    whisp_stream *stream = NULL;
    const whisp_word *const *words;
    size_t n, size = 0, capacity = 1 << 16;
    char *text = calloc(1, capacity);
    *rc = o && text ? whisp_stream_new(g->model, o, &stream) : WHISP_ERR_ARGUMENT;
    for (size_t done = 0; done < g->n && !*rc;) {
        size_t block = g->n - done < 1600 ? g->n - done : 1600;
        int64_t taken = whisp_stream_push(stream, g->samples + done, block);
        done += taken > 0 ? (size_t)taken : 0;
        int got = taken < 0 ? (int)taken : whisp_stream_pull(stream, &words, &n);
        for (size_t i = 0; got == 1 && i < n && size + 256 < capacity; i++)
            size += (size_t)snprintf(text + size, 256, "%.2f %s\n", words[i]->start, words[i]->text);
        *rc = got < 0 && got != WHISP_END ? got : WHISP_OK;
    }
    if (!*rc)
        *rc = whisp_stream_finish(stream);
    if (!*rc && !size)
        *rc = WHISP_ERR_STATE; /* nothing was heard: what does this say? */
    whisp_stream_free(stream);
    whisp_options_free(o);
    if (!*rc)
        return text;
    free(text);
    return NULL;
}

static char *by_language(const way *w, const ways_ground *g, const ways_stop *stop, int *rc)
{
    whisp_options *o = options_of(w, g, stop);
    whisp_session *session = NULL;
    whisp_audio *audio = NULL;
    char *text = NULL;
    *rc = o ? whisp_session_new(g->model, o, &session) : WHISP_ERR_ARGUMENT;
    if (!*rc)
        *rc = whisp_audio_open_samples(g->samples, g->n, &audio);
    float p[200] = {0};
    int found = *rc ? *rc : whisp_session_detect_language(session, audio, p, COUNT(p));
    if (!*rc && found < 0)
        *rc = found;
    if (!*rc && (text = malloc(64)))
        snprintf(text, 64, "language %d, %.9g", found, p[found]);
    whisp_audio_free(audio);
    whisp_session_free(session);
    whisp_options_free(o);
    return text;
}

/* A model of its own, and text and tokens. */
static char *by_tokens(const way *w, const ways_ground *g, const ways_stop *stop, int *rc)
{
    whisp_model *model = NULL;
    int32_t tokens[64];
    char *text = calloc(1, 256);
    (void)w, (void)stop;
    *rc = text ? whisp_model_load(g->model_path, NULL, &model) : WHISP_ERR_MEMORY;
    int64_t n = *rc ? *rc : whisp_tokenize(model, "And so it goes on", tokens, COUNT(tokens));
    int64_t length = n < 0 ? n : whisp_detokenize(model, tokens, (size_t)n, text, 256);
    *rc = length < 0 ? (int)length : WHISP_OK;
    whisp_model_free(model);
    if (!*rc)
        return text;
    free(text);
    return NULL;
}

/* clang-format off */
static const way ways[] = {
    {"greedy", by_session, {{0}}},
    {"beams", by_session, {{"beam_size", "3"}}},
    {"words", by_session, {{"word_timestamps", "True"}, {"confidence", "True"}}},
    {"samples", by_session, {{"temperature", "0,0.6"}, {"logprob_threshold", "-0.01"}, {"best_of", "3"}, {"seed", "7"}}},
    {"vocabulary", by_session, {{"vocabulary", "VOCABULARY"}}},
    {"parts", by_session, {{"cut", "5"}, {"batch_size", "3"}}},
    {"float32", by_session, {{"compute_type", "f32"}, {"threads", "1"}}},
    {"speech only", by_session, {{"vad_filter", "True"}, {"vad_model", "VAD"}, {"vad_threshold", "0.01"}}},
    {"languages", by_session, {{"language", "None"}, {"multilingual", "True"}}},
    {"channels", by_session, {{"split_stereo", "True"}}},
    {"alignment", by_session, {{0}}},
    {"queue", by_queue, {{"batch_size", "2"}}},
    {"live", by_stream, {{"vad_threshold", "0.0001"}}},
    {"language", by_language, {{"language", "None"}}},
    {"tokens", by_tokens, {{0}}},
};
/* clang-format on */

char *ways_take(size_t i, const ways_ground *ground, const ways_stop *stop, int *rc)
{
    static const ways_stop never;
    const way *w = &ways[i];
    for (size_t k = 0; k < MOST_OPTIONS && w->options[k][0]; k++)
        if (!strcmp(w->options[k][1], "VAD") && !ground->vad) {
            *rc = WHISP_OK;
            return strdup("");
        }
    return w->take(w, ground, stop ? stop : &never, rc);
}

size_t ways_count(void)
{
    return COUNT(ways);
}

const char *ways_name(size_t i)
{
    return ways[i].name;
}

void ways_noise(float *samples, size_t n, int channels, unsigned seed)
{
    uint64_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < n * (size_t)channels; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double unit = (double)(state >> 40) / (1 << 24) - 0.5;
        samples[i] = (float)(unit * (i / (size_t)channels / 16000 % 4 == 3 ? 0.004 : 0.3));
    }
}
