/* program.c - a program as users have them, for test/abi/check: built with the stored headers and with grown ones, run
 * with the library of both. What it prints must be the same each time: it reads every structure that is handed out, the
 * second element of every list too, and every structure that it makes stands before bytes that nobody may touch.
 *
 * Grown structures have two members that a library without them leaves as they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <whisp_live.h>
#include <whisp_speakers.h>
#include <whisp_vad.h>

#define GUARD 64

/* A structure of the caller's, all zeros but for its size, and the guard. */
#define MAKE(type, name)                                                                                               \
    struct {                                                                                                           \
        type s;                                                                                                        \
        unsigned char guard[GUARD];                                                                                    \
    } name;                                                                                                            \
    memset(&name, 0, sizeof name);                                                                                     \
    memset(name.guard, 0xA5, GUARD);                                                                                   \
    name.s.size = sizeof name.s

#ifdef GROWN
#define CHECK_GROWN(name) check((name).s.grown == 0 && !(name).s.grown_text, "a grown member of " #name)
#else
#define CHECK_GROWN(name) (void)0
#endif
#define CHECK(name)                                                                                                    \
    do {                                                                                                               \
        check_guard((name).guard, #name);                                                                              \
        CHECK_GROWN(name);                                                                                             \
    } while (0)

static void check(int good, const char *what)
{
    if (good)
        return;
    printf("WRONG: %s (%s)\n", what, whisp_last_error());
    exit(1);
}

static void check_guard(const unsigned char *guard, const char *what)
{
    int i;
    for (i = 0; i < GUARD; i++)
        check(guard[i] == 0xA5, what);
}

static void show_segment(const whisp_segment *s)
{
    size_t i;
    printf("segment %d seek %ld %.2f-%.2f '%s' %g %g %g %g %g speaker %d %s tokens", s->id, (long)s->seek, s->start,
           s->end, s->text, s->temperature, s->avg_logprob, s->compression_ratio, s->no_speech_prob, s->confidence,
           s->speaker, s->language ? s->language : "-");
    if (s->speaker_name)
        printf("  of %s\n", s->speaker_name);
    for (i = 0; i < s->n_tokens; i++)
        printf(" %ld", (long)s->tokens[i].id);
    printf("\n");
    for (i = 0; i < s->n_words; i++) {
        const whisp_word *w = s->words[i];
        printf("  word '%s' %.2f-%.2f %g %g %lu+%lu speaker %d, %lu alternatives\n", w->text, w->start, w->end,
               w->probability, w->confidence, (unsigned long)w->first_token, (unsigned long)w->n_tokens, w->speaker,
               (unsigned long)w->n_alternatives);
        check(!w->alternatives == !w->n_alternatives, "alternatives");
    }
}

static void on_segment(void *user, const whisp_segment *segment)
{
    ++*(int *)user;
    show_segment(segment);
}

static int on_cancel(void *user)
{
    return *(int *)user < 0;
}

static void show_result(const whisp_result *result)
{
    size_t i;
    MAKE(whisp_result_info, info);
    MAKE(whisp_writer_options, layout);
    const whisp_format *const *formats = whisp_format_list(&i);
    check(whisp_result_describe(result, &info.s) == WHISP_OK, "describe");
    CHECK(info);
    printf("result '%s' %s %.2f s, %lu segments, %lu speakers, %lu turns, %s\n", info.s.text, info.s.language,
           info.s.duration, (unsigned long)info.s.n_segments, (unsigned long)info.s.n_speakers,
           (unsigned long)info.s.n_turns, info.s.incomplete ? info.s.incomplete : "all of it");
    layout.s.max_words_per_line = 2;
    while (i-- > 0) {
        char *text;
        check(whisp_result_format(result, formats[i]->name, &layout.s, &text, NULL) == WHISP_OK, formats[i]->name);
        printf("%s: %s\n", formats[i]->name, text);
        whisp_string_free(text);
    }
    CHECK(layout);
}

static void show_lists(void)
{
    size_t n;
    const whisp_option_info *const *options = whisp_option_list(&n);
    check(n > 20 && strcmp(options[1]->name, options[0]->name) != 0 && *options[n - 1]->help, "options");
    printf("language 1: %s %s\n", whisp_language_list(&n)[1]->code, whisp_language_list(&n)[1]->name);
}

static whisp_options *make_options(int *counter)
{
    whisp_options *options = whisp_options_new();
    MAKE(whisp_callbacks, callbacks);
    callbacks.s.user = counter;
    callbacks.s.segment = on_segment;
    callbacks.s.cancel = on_cancel;
    check(options && whisp_options_on(options, &callbacks.s) == WHISP_OK, "callbacks");
    CHECK(callbacks);
    whisp_options_set(options, "temperature", "0");
    whisp_options_set(options, "temperature_increment_on_fallback", "None");
    whisp_options_set(options, "hallucination_guard", "False");
    whisp_options_set(options, "sample_len", "16");
    whisp_options_set(options, "word_timestamps", "True");
    return options;
}

/* Bytes of the recording, through functions. */
typedef struct source {
    const char *bytes;
    int64_t n, at;
} source;

static int64_t read_source(void *user, void *bytes, size_t n)
{
    source *s = (source *)user;
    if ((int64_t)n > s->n - s->at)
        n = (size_t)(s->n - s->at);
    memcpy(bytes, s->bytes + s->at, n);
    s->at += (int64_t)n;
    return (int64_t)n;
}

static int seek_source(void *user, int64_t offset, int whence)
{
    source *s = (source *)user;
    s->at = whence == SEEK_END ? s->n + offset : offset;
    return 0;
}

static int64_t tell_source(void *user)
{
    return ((source *)user)->at;
}

static whisp_audio *open_recording(source *from)
{
    whisp_audio *audio;
    MAKE(whisp_reader, reader);
    MAKE(whisp_audio_info, info);
    reader.s.user = from;
    reader.s.read = read_source;
    reader.s.seek = seek_source;
    reader.s.tell = tell_source;
    check(whisp_audio_open_reader(&reader.s, &audio) == WHISP_OK, "reader");
    check(whisp_audio_describe(audio, &info.s) == WHISP_OK, "audio");
    CHECK(reader);
    CHECK(info);
    printf("audio %d Hz, %d channels, %.2f s, %s\n", info.s.sample_rate, info.s.channels, info.s.duration,
           info.s.format);
    return audio;
}

static void transcribe(const whisp_model *model, const whisp_options *options, source *from)
{
    whisp_session *session;
    whisp_result *result, *again;
    whisp_audio *audio = open_recording(from);
    char *json;
    size_t length;
    MAKE(whisp_session_info, info);
    check(whisp_session_new(model, options, &session) == WHISP_OK, "session");
    check(whisp_session_transcribe(session, audio, &result) == WHISP_OK, "transcribe");
    check(whisp_session_describe(session, &info.s) == WHISP_OK, "session info");
    CHECK(info);
    printf("session %s %s, %ld windows\n", info.s.language, info.s.incomplete ? info.s.incomplete : "complete",
           (long)info.s.timings->n_windows);
    check(info.s.timings->words > 0 && *info.s.backend, "timings");
    show_result(result);
    check(whisp_result_format(result, "json", NULL, &json, &length) == WHISP_OK, "json");
    check(whisp_result_read(json, length, &again) == WHISP_OK, "read");
    show_segment(whisp_result_segment(again, 0));
    whisp_string_free(json);
    whisp_result_free(again);
    whisp_result_free(result);
    whisp_session_free(session);
    whisp_audio_free(audio);
}

static void queue(const whisp_model *model, const whisp_options *options, source *from)
{
    whisp_queue *queue;
    uint64_t id;
    int over = 0;
    check(whisp_queue_new(model, NULL, &queue) == WHISP_OK, "queue");
    check(whisp_queue_submit(queue, open_recording(from), options, from, &id) == WHISP_OK, "submit");
    while (!over) {
        MAKE(whisp_event, event);
        check(whisp_queue_next(queue, -1, &event.s) == 1, "next");
        CHECK(event);
        check(event.s.id == id && event.s.user == from, "event");
        over = event.s.kind == WHISP_EVENT_END;
        if (over) {
            printf("end %d %s\n", event.s.rc, event.s.error ? event.s.error : "");
            show_result(event.s.result);
            whisp_result_free(event.s.result);
        }
    }
    whisp_queue_free(queue);
}

/* Words that settle. */
static void stream(const whisp_model *model, const whisp_options *options)
{
    whisp_stream *stream;
    const whisp_word *const *words;
    float *samples = (float *)calloc(6 * 16000, sizeof *samples);
    size_t n, i, total = 0;
    int rc;
    MAKE(whisp_stream_info, info);
    for (i = 0; i < 6 * 16000; i++)
        samples[i] = (float)sin((double)(i * i % 1000003)) * 0.3f;
    check(whisp_stream_new(model, options, &stream) == WHISP_OK, "stream");
    check(whisp_stream_push(stream, samples, 6 * 16000) == 6 * 16000, "push");
    check(whisp_stream_finish(stream) == WHISP_OK, "finish");
    while ((rc = whisp_stream_pull(stream, &words, &n)) == 1)
        for (i = 0; i < n; i++, total++)
            printf("settled '%s' %.2f-%.2f\n", words[i]->text, words[i]->start, words[i]->end);
    check(rc == WHISP_END, "pull");
    check(whisp_stream_describe(stream, &info.s) == WHISP_OK, "stream info");
    CHECK(info);
    printf("stream %s '%s' %lu\n", info.s.language, info.s.tail, (unsigned long)total);
    whisp_stream_free(stream);
    free(samples);
}

/* A transcript with speakers, as json has it, and as rttm; voices that are compared. */
static void speakers(void)
{
    static const char json[] =
        "{\"segments\": [{\"start\": 0, \"end\": 2, \"text\": \" a\", \"speaker\": \"Ann\"}], \"speakers\": [\"Bob\", \"Ann\"], "
        "\"turns\": [{\"start\": 0.5, \"end\": 1.25, \"speaker\": \"Ann\"}, {\"start\": 1, \"end\": 3, \"speaker\": \"Bob\"}]}";
    static float voices[3 * WHISP_VOICE_SIZE];
    whisp_speakers *nets = NULL;
    whisp_result *result;
    char *text;
    int people[3], n, i;
    MAKE(whisp_result_info, info);
    MAKE(whisp_writer_options, layout);
    check(whisp_result_read(json, sizeof json - 1, &result) == WHISP_OK, "a transcript with speakers");
    check(whisp_result_describe(result, &info.s) == WHISP_OK, "its info");
    CHECK(info);
    for (i = 0; i < (int)info.s.n_turns; i++)
        printf("turn %.2f-%.2f %s\n", info.s.turns[i].start, info.s.turns[i].end,
               info.s.speakers[info.s.turns[i].speaker - 1]);
    show_segment(whisp_result_segment(result, 0));
    layout.s.recording = "talk";
    check(whisp_result_format(result, "rttm", &layout.s, &text, NULL) == WHISP_OK, "rttm");
    fputs(text, stdout);
    whisp_string_free(text);
    whisp_result_free(result);
    check(whisp_speakers_load("nowhere.gguf", NULL, &nets) == WHISP_ERR_IO && !nets, "no nets");
    voices[0] = voices[WHISP_VOICE_SIZE + 1] = voices[2 * WHISP_VOICE_SIZE] = 1;
    n = whisp_speakers_cluster(voices, 3, NULL, people);
    printf("%d people: %d %d %d, alike %.1f %.1f\n", n, people[0], people[1], people[2],
           (double)whisp_speakers_compare(voices, voices + WHISP_VOICE_SIZE),
           (double)whisp_speakers_compare(voices, voices + 2 * WHISP_VOICE_SIZE));
    whisp_speakers_free(nets);
}

static int show_model(void *user, const whisp_model_file *file)
{
    (void)user;
    printf("model file %s %s %lu\n", file->name, file->architecture, (unsigned long)(file->bytes > 0));
    return 1;
}

static char *read_file(const char *path, int64_t *n)
{
    FILE *file = fopen(path, "rb");
    char *bytes = (char *)malloc(1 << 22);
    check(file && bytes, path);
    *n = (int64_t)fread(bytes, 1, 1 << 22, file);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    whisp_model *model;
    whisp_options *options;
    source from = {NULL, 0, 0};
    char *bytes;
    int counter = 0;
    MAKE(whisp_model_info, info);
    check(argc == 4, "usage: program MODEL FOLDER RECORDING");
    check(whisp_model_list(argv[2], show_model, NULL) >= 0, "list");
    check(whisp_model_load(argv[1], NULL, &model) == WHISP_OK, "model");
    check(whisp_model_describe(model, &info.s) == WHISP_OK, "model info");
    CHECK(info);
    printf("model %s %d %d %d %lu\n", info.s.type, info.s.n_vocab, info.s.n_mels, info.s.n_languages,
           (unsigned long)info.s.n_parameters);
    show_lists();
    from.bytes = bytes = read_file(argv[3], &from.n);
    options = make_options(&counter);
    transcribe(model, options, &from);
    from.at = 0;
    queue(model, options, &from);
    stream(model, options);
    speakers();
    printf("%d segments were shown\n", counter);
    whisp_options_free(options);
    whisp_model_free(model);
    free(bytes);
    return 0;
}
