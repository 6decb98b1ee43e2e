/* test_inputs.c - one recording by every way in: a path, a descriptor, memory, a reader, a pipe, samples. What can be
 * read again is heard alike by all calls, in parts, without silence, a channel at a time, from clip to clip; a handle may
 * be given again; what can be heard once says so. And log-Mel spectrograms, and models, that come from outside. */
#include "support/testing.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/calls.h"
#include "support/waves.h"
#include "util/util.h"

static whisp_model *model, *multilingual;
static char *invented; /* the bytes of the first one's file */
static size_t invented_bytes;

static int load_models(void **state)
{
    (void)state;
    invented = read_file(invented_path("invented"), &invented_bytes);
    return whisp_model_load(invented_path("invented"), NULL, &model) ||
           whisp_model_load(invented_path("invented-multilingual"), NULL, &multilingual);
}

static int free_models(void **state)
{
    (void)state;
    free(invented);
    whisp_model_free(model);
    whisp_model_free(multilingual);
    return 0;
}

/* ---- the ways in ---- */

/* A reader over bytes: as small pieces as it likes. */
typedef struct source {
    const unsigned char *bytes;
    int64_t n, at;
    int64_t fails_at; /* where reading fails; -1: nowhere */
} source;

static int64_t read_source(void *user, void *bytes, size_t n)
{
    source *s = user;
    int64_t piece = WH_MIN((int64_t)n, 1 + (s->at * 7 + 3) % 20000), left = s->n - s->at;
    piece = WH_MAX(WH_MIN(piece, left), 0);
    if (s->fails_at >= 0 && s->at + piece > s->fails_at)
        return -1;
    memcpy(bytes, s->bytes + s->at, (size_t)piece);
    s->at += piece;
    return piece;
}

static int seek_source(void *user, int64_t offset, int whence)
{
    source *s = user;
    s->at = offset + (whence == SEEK_END ? s->n : whence == SEEK_CUR ? s->at : 0);
    return s->at < 0 || s->at > s->n;
}

static int64_t tell_source(void *user)
{
    return ((source *)user)->at;
}

/* Writes all of a source into a pipe. */
typedef struct pump {
    const source *from;
    int fd;
    pthread_t thread;
} pump;

static void *pump_main(void *user)
{
    pump *p = user;
    for (int64_t at = 0; at < p->from->n;) {
        ssize_t n = write(p->fd, p->from->bytes + at, (size_t)WH_MIN(p->from->n - at, 30000));
        if (n <= 0)
            break;
        at += n;
    }
    close(p->fd);
    return NULL;
}

enum way { PATH, DESCRIPTOR, MEMORY, READER, READING, PIPE, N_WAYS };

static const char *const way_names[N_WAYS] = {"path",           "descriptor",           "memory",
                                              "seeking reader", "reader without seeks", "pipe"};

typedef struct opened {
    whisp_audio *audio;
    source source;
    pump pump;
    int fd; /* to be closed, or -1 */
} opened;

static void open_way(opened *o, enum way way, const char *path, const char *bytes, size_t n)
{
    int ends[2], rc = WHISP_OK;
    memset(o, 0, sizeof *o);
    o->fd = -1;
    o->source = (source){.bytes = (const unsigned char *)bytes, .n = (int64_t)n, .fails_at = -1};
    whisp_reader reader = {.size = sizeof reader, .user = &o->source, .read = read_source};
    switch (way) {
    case PATH: rc = whisp_audio_open(path, &o->audio); break;
    case DESCRIPTOR:
        o->fd = open(path, O_RDONLY);
        rc = whisp_audio_open_fd(o->fd, &o->audio);
        break;
    case MEMORY: rc = whisp_audio_open_memory(bytes, n, &o->audio); break;
    case READER:
        reader.seek = seek_source;
        reader.tell = tell_source;
        rc = whisp_audio_open_reader(&reader, &o->audio);
        break;
    case READING: rc = whisp_audio_open_reader(&reader, &o->audio); break;
    default:
        assert_int_equal(pipe(ends), 0);
        o->fd = ends[0];
        o->pump = (pump){.from = &o->source, .fd = ends[1]};
        assert_int_equal(pthread_create(&o->pump.thread, NULL, pump_main, &o->pump), 0);
        rc = whisp_audio_open_fd(o->fd, &o->audio);
    }
    if (rc)
        fail_msg("%s: %s", way_names[way], whisp_last_error());
}

static void close_way(opened *o)
{
    whisp_audio_free(o->audio);
    if (o->fd >= 0)
        close(o->fd);
    if (o->pump.from)
        pthread_join(o->pump.thread, NULL);
}

static whisp_session *open_session(const whisp_model *m, const char *const (*set)[2])
{
    whisp_session *s;
    whisp_options *o = whisp_options_new();
    whisp_options_set(o, "temperature_increment_on_fallback", "None");
    whisp_options_set(o, "hallucination_guard", "False"); /* invented models hear words in noise */
    whisp_options_set(o, "sample_len", "12");
    for (; (*set)[0]; set++)
        if (whisp_options_set(o, (*set)[0], (*set)[1]))
            fail_msg("%s", whisp_last_error());
    if (whisp_session_new(m, o, &s))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    return s;
}

static char *json_of(whisp_session *s, whisp_audio *audio)
{
    whisp_result *result = NULL;
    char *json;
    if (whisp_session_transcribe(s, audio, &result))
        fail_msg("%s", whisp_last_error());
    assert_int_equal(whisp_result_format(result, "json", NULL, &json, NULL), WHISP_OK);
    whisp_result_free(result);
    return json;
}

/* Noise that swells and fades, different in each channel. */
static void make_recording(wave_bytes *b, int channels, double seconds)
{
    uint64_t seed = 11;
    size_t frames = (size_t)(seconds * RATE);
    wave_add(b, "RIFF", 4);
    wave_number(b, 36 + frames * 2 * (size_t)channels, 4, 0);
    wave_add(b, "WAVE", 4);
    wave_format(b, 1, channels, RATE, 16);
    wave_chunk(b, "data", (uint32_t)(frames * 2 * (size_t)channels));
    for (size_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++) {
            double level = 0.1 + 0.4 * sin((double)i / (40000 + 9000 * c));
            wave_number(b, (uint16_t)(int16_t)(32767 * (random_unit(&seed) - 0.5) * level), 2, 0);
        }
}

/* ---- alike by every way ---- */

static void expect_alike(const char *const (*set)[2], const char *bytes, size_t n, int from_pipes, int sure)
{
    whisp_session *s = open_session(model, set);
    const char *path = temp_path("recording");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    char *want = NULL;
    for (int way = 0; way < (from_pipes ? N_WAYS : READING); way++) {
        opened o;
        open_way(&o, (enum way)way, path, bytes, n);
        char *got = json_of(s, o.audio);
        if (!want)
            want = strdup(got);
        if (strcmp(got, want))
            fail_msg("%s: %s, not %s", way_names[way], got, want);
        if (way < READING) { /* again */
            whisp_string_free(got);
            got = json_of(s, o.audio);
            assert_string_equal(got, want);
        }
        whisp_string_free(got);
        close_way(&o);
    }
    assert_true(!sure || strstr(want, "\"id\": 1"));
    free(want);
    whisp_session_free(s);
}

static void every_way_gives_the_same(void **state)
{
    (void)state;
    static const char *const plain[][2] = {{"threads", "2"}, {NULL, NULL}};
    static const char *const alone[][2] = {{"threads", "1"}, {NULL, NULL}};
    static const char *const cut[][2] = {{"cut", "15"}, {"batch_size", "3"}, {NULL, NULL}};
    static const char *const words[][2] = {{"word_timestamps", "True"}, {"clip_timestamps", "3,9,20,31"}, {NULL, NULL}};
    static const char *const stereo[][2] = {{"split_stereo", "True"}, {NULL, NULL}};
    wave_bytes one = {0}, two = {0};
    make_recording(&one, 1, 50);
    make_recording(&two, 2, 12);
    expect_alike(plain, (char *)one.data, one.n, 0, 1);
    expect_alike(alone, (char *)one.data, one.n, 0, 1);
    expect_alike(cut, (char *)one.data, one.n, 0, 1);
    expect_alike(words, (char *)one.data, one.n, 0, 1);
    expect_alike(stereo, (char *)two.data, two.n, 1, 0);
    free(one.data);
    free(two.data);
}

/* Speech: what comes from a pipe is kept, and is as good as a file then. */
static void silence_is_left_out_of_every_input(void **state)
{
    (void)state;
    const char *vad = model_path("silero-vad");
    if (!vad)
        return;
    const char *const set[][2] = {{"vad_filter", "True"}, {"vad_model", vad}, {"cut", "15"}, {NULL, NULL}};
    size_t n;
    char *demo = read_file("test/data/demo.flac", &n);
    expect_alike(set, demo, n, 1, 0);
    free(demo);
}

/* As samples: heard as they are, where a file's are rounded; there may be none. */
static void samples_are_an_input(void **state)
{
    (void)state;
    static const char *const set[][2] = {{"cut", "15"}, {NULL, NULL}};
    static const char *const stereo[][2] = {{"split_stereo", "True"}, {NULL, NULL}};
    wave_bytes b = {0};
    make_recording(&b, 1, 40);
    whisp_session *s = open_session(model, set);
    whisp_audio *file, *audio;
    float *samples = malloc(40 * RATE * sizeof *samples);
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &file), WHISP_OK);
    assert_int_equal(whisp_audio_read(file, samples, 40 * RATE), 40 * RATE);
    assert_int_equal(whisp_audio_open_samples(samples, 40 * RATE, &audio), WHISP_OK);
    char *want = json_of(s, file), *got = json_of(s, audio), *again = json_of(s, audio);
    assert_string_equal(got, want);
    assert_string_equal(again, want);
    whisp_audio_info info = {.size = sizeof info};
    assert_int_equal(whisp_audio_describe(audio, &info), WHISP_OK);
    assert_true(info.sample_rate == RATE && info.channels == 1 && info.duration == 40);
    assert_string_equal(info.format, "samples");
    assert_int_equal(whisp_audio_select_channel(audio, 1), WHISP_ERR_ARGUMENT);
    whisp_session_free(s);
    s = open_session(model, stereo);
    whisp_result *result = NULL;
    assert_int_equal(whisp_session_transcribe(s, audio, &result), WHISP_ERR_AUDIO);
    assert_null(result);
    whisp_session_free(s);
    whisp_string_free(want);
    whisp_string_free(got);
    whisp_string_free(again);
    whisp_audio_free(audio);
    whisp_audio_free(file);
    free(samples);
    free(b.data);
}

/* ---- handles ---- */

static void a_handle_is_heard_from_its_beginning(void **state)
{
    (void)state;
    static const char *const set[][2] = {{"language", "de"}, {NULL, NULL}};
    wave_bytes b = {0};
    float first[100], again[100], probabilities[100];
    make_recording(&b, 2, 8);
    whisp_session *s = open_session(multilingual, set);
    whisp_audio *audio;
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    char *want = json_of(s, audio);
    assert_int_equal(whisp_audio_read(audio, first, 100), 100); /* after a call: from the beginning */
    for (int i = 0; i < 30; i++)
        assert_int_equal(whisp_audio_read(audio, again, 100), 100);
    char *got = json_of(s, audio); /* after a read: too */
    assert_string_equal(got, want);
    assert_int_equal(whisp_session_detect_language(s, audio, probabilities, 100) >= 0, 1);
    assert_int_equal(whisp_audio_read(audio, again, 100), 100);
    assert_memory_equal(again, first, sizeof first);
    whisp_string_free(got);
    assert_int_equal(whisp_audio_select_channel(audio, 1), WHISP_ERR_STATE); /* samples were read */
    got = json_of(s, audio);
    whisp_string_free(got);
    assert_int_equal(whisp_audio_select_channel(audio, 1), WHISP_OK);
    char *one = json_of(s, audio);
    assert_string_not_equal(one, want);
    static const char *const stereo[][2] = {{"split_stereo", "True"}, {NULL, NULL}};
    whisp_session *split = open_session(multilingual, stereo);
    whisp_result *result = NULL;
    assert_int_equal(whisp_session_transcribe(split, audio, &result), WHISP_ERR_ARGUMENT);
    whisp_session_free(split);
    got = json_of(s, audio); /* and the selection stays */
    assert_string_equal(got, one);
    whisp_string_free(one);
    whisp_string_free(got);
    assert_int_equal(whisp_audio_select_channel(audio, -1), WHISP_OK);
    got = json_of(s, audio);
    assert_string_equal(got, want);
    whisp_string_free(got);
    whisp_string_free(want);
    whisp_audio_free(audio);
    whisp_session_free(s);
    free(b.data);
}

static void what_can_be_heard_once_says_so(void **state)
{
    (void)state;
    static const char *const plain[][2] = {{NULL, NULL}}, *const stereo[][2] = {{"split_stereo", "True"}, {NULL, NULL}};
    wave_bytes b = {0};
    float samples[10];
    whisp_result *result;
    make_recording(&b, 2, 3);
    whisp_session *s = open_session(model, plain), *split = open_session(model, stereo);
    for (int way = READING; way < N_WAYS; way++) {
        opened o;
        open_way(&o, (enum way)way, NULL, (char *)b.data, b.n);
        char *got = json_of(s, o.audio);
        whisp_string_free(got);
        assert_int_equal(whisp_session_transcribe(s, o.audio, &result), WHISP_ERR_STATE);
        assert_null(result);
        assert_non_null(strstr(whisp_last_error(), "once"));
        close_way(&o);
        open_way(&o, (enum way)way, NULL, (char *)b.data, b.n);
        assert_int_equal(whisp_audio_read(o.audio, samples, 10), 10);
        assert_int_equal(whisp_session_transcribe(s, o.audio, &result), WHISP_ERR_STATE);
        assert_int_equal(whisp_session_transcribe(split, o.audio, &result), WHISP_ERR_STATE);
        close_way(&o);
        open_way(&o, (enum way)way, NULL, (char *)b.data, b.n); /* kept for split_stereo: from then on as a file */
        got = json_of(split, o.audio);
        char *again = json_of(split, o.audio);
        assert_string_equal(got, again);
        whisp_string_free(got);
        whisp_string_free(again);
        close_way(&o);
    }
    whisp_session_free(s);
    whisp_session_free(split);
    free(b.data);
}

static void readers_that_fail_are_told(void **state)
{
    (void)state;
    static const char *const plain[][2] = {{NULL, NULL}};
    wave_bytes b = {0};
    whisp_audio *audio;
    whisp_result *result = NULL;
    make_recording(&b, 1, 100);
    whisp_session *s = open_session(model, plain);
    source from = {.bytes = b.data, .n = (int64_t)b.n, .fails_at = (int64_t)b.n / 10 * 9};
    whisp_reader reader = {.size = sizeof reader, .user = &from, .read = read_source};
    for (int seeks = 0; seeks < 2; seeks++) {
        from.at = 0;
        reader.seek = seeks ? seek_source : NULL;
        reader.tell = seeks ? tell_source : NULL;
        assert_int_equal(whisp_audio_open_reader(&reader, &audio), WHISP_OK);
        assert_int_equal(whisp_session_transcribe(s, audio, &result), WHISP_ERR_IO);
        assert_non_null(strstr(whisp_last_error(), "cannot be read"));
        assert_true(seeks == !result); /* a pipe's first windows were final; a file was being measured */
        if (result) {
            assert_true(result_info(result).n_segments > 0 && whisp_result_segment(result, 0)->end < 91);
            assert_non_null(strstr(result_info(result).incomplete, "the work stopped: the recording: cannot be read"));
        }
        whisp_result_free(result);
        whisp_audio_free(audio);
    }
    from.fails_at = 0;
    from.at = 0;
    assert_int_equal(whisp_audio_open_reader(&reader, &audio), WHISP_ERR_IO);
    assert_null(audio);
    reader.tell = NULL;
    assert_int_equal(whisp_audio_open_reader(&reader, &audio), WHISP_ERR_ARGUMENT);
    reader.size = 0;
    assert_int_equal(whisp_audio_open_reader(&reader, &audio), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_audio_open_reader(NULL, &audio), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_audio_open_memory(NULL, 1, &audio), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_audio_open_memory(NULL, 0, &audio), WHISP_ERR_AUDIO);
    assert_null(audio);
    assert_int_equal(whisp_audio_open_samples(NULL, 1, &audio), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_session_transcribe(s, NULL, &result), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_audio_select_channel(NULL, 0), WHISP_ERR_ARGUMENT);
    whisp_audio_free(NULL);
    whisp_session_free(s);
    free(b.data);
}

/* What ends before its length, a file that became shorter or a reader that told too much, is said to be heard in part. */
static void what_ends_early_is_told(void **state)
{
    (void)state;
    static const char *const plain[][2] = {{NULL, NULL}};
    wave_bytes b = {0};
    whisp_result *result;
    char path[] = "/tmp/test_inputs.XXXXXX";
    opened o;
    make_recording(&b, 1, 20);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, b.data, b.n) == (ssize_t)b.n);
    whisp_session *s = open_session(model, plain);
    for (enum way way = PATH; way <= READER; way++) {
        if (way == MEMORY)
            continue;
        assert_int_equal(ftruncate(fd, (off_t)b.n), 0);
        open_way(&o, way, path, (const char *)b.data, b.n);
        o.source.n = (int64_t)b.n / 2; /* from now on */
        assert_int_equal(ftruncate(fd, (off_t)b.n / 2), 0);
        assert_int_equal(whisp_session_transcribe(s, o.audio, &result), WHISP_OK);
        assert_non_null(result_info(result).incomplete);
        assert_non_null(strstr(result_info(result).incomplete, "stopped at 0:10.0 of 0:20.0"));
        whisp_result_free(result);
        close_way(&o);
    }
    whisp_session_free(s);
    close(fd);
    unlink(path);
    free(b.data);
}

/* ---- from clip to clip ---- */

/* Many minutes of a sawtooth that nobody keeps. */
typedef struct endless {
    unsigned char head[44];
    int64_t n, at;
} endless;

static int64_t read_endless(void *user, void *bytes, size_t n)
{
    endless *e = user;
    n = (size_t)WH_MIN((int64_t)n, e->n - e->at);
    for (size_t i = 0; i < n; i++) {
        int64_t at = e->at + (int64_t)i;
        ((unsigned char *)bytes)[i] = at < 44 ? e->head[at] : at % 2 ? (unsigned char)(at / 2 % 37) : 0;
    }
    e->at += (int64_t)n;
    return (int64_t)n;
}

static int seek_endless(void *user, int64_t offset, int whence)
{
    endless *e = user;
    e->at = whence == SEEK_END ? e->n + offset : offset;
    return 0;
}

static int64_t tell_endless(void *user)
{
    return ((endless *)user)->at;
}

static void clips_of_a_long_reader_are_jumped_to(void **state)
{
    (void)state;
    static const char *const set[][2] = {{"clip_timestamps", "1200,1205,1800,1804"}, {NULL, NULL}};
    wave_bytes b = {0};
    endless e = {.n = 44 + 2 * (int64_t)RATE * 2400};
    wave_add(&b, "RIFF", 4);
    wave_number(&b, (uint64_t)e.n - 8, 4, 0);
    wave_add(&b, "WAVE", 4);
    wave_format(&b, 1, 1, RATE, 16);
    wave_chunk(&b, "data", (uint32_t)(e.n - 44));
    assert_int_equal(b.n, 44);
    memcpy(e.head, b.data, 44);
    free(b.data);
    whisp_audio *audio;
    const whisp_reader reader = {sizeof reader, &e, read_endless, seek_endless, tell_endless};
    whisp_session *s = open_session(model, set);
    assert_int_equal(whisp_audio_open_reader(&reader, &audio), WHISP_OK);
    char *json = json_of(s, audio);
    assert_non_null(strstr(json, "\"seek\": 120000"));
    assert_non_null(strstr(json, "\"seek\": 180000"));
    whisp_string_free(json);
    whisp_audio_free(audio);
    whisp_session_free(s);
}

/* ---- Mel spectrograms ---- */

/* The first window of a transcription and what its Mel spectrogram gives by itself. */
static void expect_same_window(const whisp_model *m, const float *samples, size_t n)
{
    static const char *const set[][2] = {{"sample_len", "None"}, {"language", "en"}, {"beam_size", "3"}, {NULL, NULL}};
    whisp_session *s = open_session(m, set);
    whisp_result *whole, *window;
    int64_t floats = whisp_log_mel(m, samples, n, NULL, 0);
    float *mel = malloc((size_t)floats * sizeof *mel);
    assert_int_equal(whisp_log_mel(m, samples, n, mel, (size_t)floats), floats);
    assert_int_equal(transcribe_samples(s, samples, n, &whole), WHISP_OK);
    whisp_model_info info = {.size = sizeof info};
    whisp_model_describe(m, &info);
    assert_int_equal(floats, (int64_t)(n / 160) * info.n_mels);
    assert_int_equal(whisp_session_decode_mel(s, mel, n / 160, NULL, 0, &window), WHISP_OK);
    assert_true(result_info(window).n_segments > 0);
    for (size_t i = 0; i < result_info(window).n_segments; i++) {
        const whisp_segment *a = whisp_result_segment(whole, i), *b = whisp_result_segment(window, i);
        assert_int_equal(a->seek, 0);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->n_tokens, b->n_tokens);
        assert_memory_equal(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
        assert_true(a->start == b->start && a->end == b->end && a->avg_logprob == b->avg_logprob);
        assert_string_equal(b->language, "en");
    }
    const whisp_segment *next = whisp_result_segment(whole, result_info(window).n_segments);
    assert_true(!next || next->seek > 0);
    whisp_result_free(whole);
    whisp_result_free(window);
    whisp_session_free(s);
    free(mel);
}

static void a_window_is_decoded_from_its_mel(void **state)
{
    (void)state;
    wave_bytes b = {0};
    make_recording(&b, 1, 20);
    whisp_audio *audio;
    float *samples = malloc(200 * RATE * sizeof *samples);
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    int64_t n = whisp_audio_read(audio, samples, 200 * RATE);
    whisp_audio_free(audio);
    expect_same_window(model, samples, (size_t)n);
    free(b.data);
    const char *path = model_path("tiny.en"), *jfk = shared_path("audio/jfk.flac");
    if (path) {
        whisp_model *tiny;
        assert_int_equal(whisp_model_load(path, NULL, &tiny), WHISP_OK);
        assert_int_equal(whisp_audio_open(jfk ? jfk : "test/data/demo.flac", &audio), WHISP_OK);
        n = whisp_audio_read(audio, samples, 200 * RATE);
        whisp_audio_free(audio);
        expect_same_window(tiny, samples, (size_t)n);
        whisp_model_free(tiny);
    }
    free(samples);
}

static void a_mel_tells_the_language(void **state)
{
    (void)state;
    static const char *const set[][2] = {{"language_detection", "start"}, {NULL, NULL}};
    wave_bytes b = {0};
    float by_audio[100], by_mel[100];
    make_recording(&b, 1, 30);
    whisp_audio *audio;
    float *samples = malloc(30 * RATE * sizeof *samples);
    size_t frames = 3000;
    float *mel = malloc(80 * frames * sizeof *mel);
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    assert_int_equal(whisp_audio_read(audio, samples, 30 * RATE), 30 * RATE);
    assert_int_equal(whisp_log_mel(multilingual, samples, 30 * RATE, mel, 80 * frames), 80 * frames);
    whisp_session *s = open_session(multilingual, set);
    assert_true(whisp_session_detect_language(s, audio, by_audio, 100) >= 0);
    assert_int_equal(whisp_session_decode_mel(s, mel, frames, by_mel, 100, NULL), WHISP_OK);
    assert_memory_equal(by_audio, by_mel, sizeof by_mel);
    whisp_result *result = NULL;
    assert_int_equal(whisp_session_decode_mel(s, mel, frames, by_mel, 99, &result), WHISP_OK);
    assert_non_null(result_info(result).language);
    whisp_result_free(result);
    assert_int_equal(whisp_session_decode_mel(s, mel, frames, NULL, 0, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_session_decode_mel(s, mel, frames, by_mel, 5, &result), WHISP_ERR_ARGUMENT);
    mel[77] = NAN;
    assert_int_equal(whisp_session_decode_mel(s, mel, frames, NULL, 0, &result), WHISP_ERR_ARGUMENT);
    assert_null(result);
    assert_int_equal(whisp_session_decode_mel(s, NULL, 0, NULL, 0, &result), WHISP_OK); /* nothing is there */
    whisp_result_free(result);
    assert_int_equal(whisp_log_mel(multilingual, samples, 100, mel, 10), 0);
    assert_int_equal(whisp_log_mel(NULL, samples, 100, mel, 10), WHISP_ERR_ARGUMENT);
    whisp_session_free(s);
    whisp_audio_free(audio);
    free(mel);
    free(samples);
    free(b.data);
}

/* ---- models ---- */

static void count_lines(void *user, int level, const char *text)
{
    int *lines = user;
    lines[level]++;
    if (level == WHISP_LOG_INFO)
        assert_non_null(strstr(text, "MB"));
}

static void models_come_by_every_way(void **state)
{
    (void)state;
    static const char *const set[][2] = {{NULL, NULL}};
    int lines[4] = {0};
    const whisp_callbacks callbacks = {.size = sizeof callbacks, .user = lines, .log = count_lines};
    const source bytes = {.bytes = (unsigned char *)invented, .n = (int64_t)invented_bytes};
    char *odd = malloc(invented_bytes + 64), *shifted = odd + 1;
    memcpy(shifted, invented, invented_bytes);
    wave_bytes b = {0};
    make_recording(&b, 1, 5);
    whisp_audio *audio;
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    char *want = NULL;
    for (int way = 0; way < 5; way++) {
        whisp_model *m;
        int ends[2], rc = WHISP_OK;
        pump p = {.from = &bytes};
        if (way == 0)
            rc = whisp_model_load(invented_path("invented"), &callbacks, &m);
        if (way == 1) {
            ends[0] = open(invented_path("invented"), O_RDONLY);
            rc = whisp_model_load_fd(ends[0], &callbacks, &m);
            close(ends[0]);
        }
        if (way == 2)
            rc = whisp_model_load_memory(shifted, invented_bytes, &callbacks, &m);
        if (way >= 3) {
            assert_int_equal(pipe(ends), 0);
            if (way == 4) /* one that does not wait */
                assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
            p.fd = ends[1];
            assert_int_equal(pthread_create(&p.thread, NULL, pump_main, &p), 0);
            rc = whisp_model_load_fd(ends[0], &callbacks, &m);
            close(ends[0]);
            pthread_join(p.thread, NULL);
        }
        if (rc)
            fail_msg("way %d: %s", way, whisp_last_error());
        assert_int_equal(lines[WHISP_LOG_INFO], way + 1);
        whisp_session *s = open_session(m, set);
        char *got = json_of(s, audio);
        if (want)
            assert_string_equal(got, want);
        whisp_string_free(want);
        want = got;
        whisp_session_free(s);
        whisp_model_free(m);
    }
    whisp_string_free(want);
    whisp_model *m;
    assert_int_equal(whisp_model_load_memory(shifted, 1000, NULL, &m), WHISP_ERR_MODEL);
    assert_null(m);
    assert_int_equal(whisp_model_load_memory(NULL, 0, NULL, &m), WHISP_ERR_MODEL);
    assert_int_equal(whisp_model_load_fd(-1, NULL, &m), WHISP_ERR_IO);
    whisp_audio_free(audio);
    free(odd);
    free(b.data);
}

typedef struct listed {
    int n, stop_after;
    char names[512];
} listed;

static int note_model(void *user, const whisp_model_file *file)
{
    listed *l = user;
    char found[4400];
    assert_int_equal(whisp_model_find(file->name, strstr(file->path, "/b/") ? NULL : temp_path("a"), found, 4400),
                     WHISP_OK);
    snprintf(l->names + strlen(l->names), sizeof l->names - strlen(l->names), "%s %s %d|", file->name,
             file->architecture, file->bytes > 10);
    return ++l->n == l->stop_after;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void models_are_listed(void **state)
{
    (void)state;
    listed l = {.stop_after = -1};
    mkdir(temp_path("a"), 0700);
    assert_int_equal(whisp_model_list(temp_path("a"), note_model, &l), 0);
    write_bytes(temp_path("a/two.gguf"), invented, invented_bytes);
    write_bytes(temp_path("a/one.gguf"), "not a model", 11);
    write_bytes(temp_path("a/three.txt"), "a", 1);
    assert_int_equal(whisp_model_list(temp_path("a"), note_model, &l), 2);
    assert_string_equal(l.names, "one  1|two whisper 1|");
    l = (listed){.stop_after = 1};
    assert_int_equal(whisp_model_list(temp_path("a"), note_model, &l), 1);
    assert_int_equal(whisp_model_list(temp_path("a"), NULL, &l), WHISP_ERR_ARGUMENT);
    l = (listed){.stop_after = -1};
    assert_int_equal(whisp_model_list("/no/such/folder", note_model, &l), 0);
}

/* ---- NULL ---- */

#define REFUSED(call) assert_int_equal(call, WHISP_ERR_ARGUMENT)

static void nothing_minds_null_handles(void **state)
{
    (void)state;
    const whisp_segment *segment;
    const whisp_word *const *words;
    float x[4] = {0};
    size_t n;
    int32_t token = 0;
    whisp_span span;
    whisp_queue *queue;
    whisp_session *session;
    whisp_result *result;
    whisp_stream *stream;
    whisp_vad *vad;
    whisp_vad_stream *vad_stream;
    REFUSED(whisp_model_describe(NULL, NULL));
    REFUSED(whisp_model_load(NULL, NULL, NULL));
    REFUSED(whisp_options_set(NULL, "language", "en"));
    REFUSED(whisp_options_on(NULL, NULL));
    assert_null(whisp_options_get(NULL, "language"));
    REFUSED(whisp_transcribe(NULL, "a.wav", NULL, &result));
    assert_string_equal(whisp_result_text(NULL), "");
    REFUSED(whisp_result_describe(NULL, NULL));
    assert_null(whisp_result_segment(NULL, 0));
    REFUSED(whisp_result_set_incomplete(NULL, "why"));
    REFUSED(whisp_result_write(NULL, "txt", NULL, "a.txt"));
    REFUSED(whisp_segment_line(NULL, NULL, 0));
    REFUSED(whisp_audio_describe(NULL, NULL));
    REFUSED(whisp_audio_select_channel(NULL, 0));
    REFUSED((int)whisp_audio_read(NULL, x, 4));
    assert_null(whisp_audio_warning(NULL, 0, NULL));
    REFUSED(whisp_session_new(NULL, NULL, &session));
    REFUSED(whisp_session_transcribe(NULL, NULL, &result));
    REFUSED(whisp_session_align(NULL, NULL, "a", &result));
    REFUSED(whisp_session_detect_language(NULL, NULL, x, 4));
    REFUSED(whisp_session_transcribe_files(NULL, NULL, 0, NULL, NULL));
    REFUSED(whisp_session_describe(NULL, NULL));
    REFUSED(whisp_session_decode_mel(NULL, x, 0, NULL, 0, &result));
    REFUSED(whisp_session_reset(NULL));
    REFUSED((int)whisp_session_push(NULL, x, 4));
    REFUSED(whisp_session_finish(NULL));
    REFUSED(whisp_session_pull(NULL, &segment));
    REFUSED(whisp_session_measure(NULL, x, 4));
    REFUSED((int)whisp_tokenize(NULL, "a", &token, 1));
    REFUSED((int)whisp_detokenize(NULL, &token, 1, NULL, 0));
    REFUSED(whisp_queue_new(NULL, NULL, &queue));
    REFUSED(whisp_queue_submit(NULL, NULL, NULL, NULL, NULL));
    REFUSED(whisp_queue_next(NULL, 0, NULL));
    REFUSED(whisp_queue_cancel(NULL, 1));
    REFUSED(whisp_stream_new(NULL, NULL, &stream));
    REFUSED((int)whisp_stream_push(NULL, x, 4));
    REFUSED(whisp_stream_finish(NULL));
    REFUSED(whisp_stream_pull(NULL, &words, &n));
    REFUSED(whisp_stream_describe(NULL, NULL));
    whisp_stream_catch_up(NULL);
    REFUSED(whisp_vad_load(NULL, &vad));
    REFUSED(whisp_speech_describe(NULL, NULL));
    assert_true(whisp_speech_original_time(NULL, 2, 0) == 2);
    REFUSED(whisp_vad_stream_new(NULL, NULL, &vad_stream));
    whisp_vad_stream_reset(NULL);
    REFUSED((int)whisp_vad_push(NULL, x, 4, NULL, 1));
    REFUSED(whisp_vad_finish(NULL, NULL));
    REFUSED(whisp_vad_pull(NULL, &span));
    whisp_model_free(NULL);
    whisp_options_free(NULL);
    whisp_result_free(NULL);
    whisp_string_free(NULL);
    whisp_session_free(NULL);
    whisp_queue_free(NULL);
    whisp_stream_free(NULL);
    whisp_vad_free(NULL);
    whisp_speech_free(NULL);
    whisp_vad_stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_the_same),
        cmocka_unit_test(silence_is_left_out_of_every_input),
        cmocka_unit_test(samples_are_an_input),
        cmocka_unit_test(a_handle_is_heard_from_its_beginning),
        cmocka_unit_test(what_can_be_heard_once_says_so),
        cmocka_unit_test(readers_that_fail_are_told),
        cmocka_unit_test(what_ends_early_is_told),
        cmocka_unit_test(clips_of_a_long_reader_are_jumped_to),
        cmocka_unit_test(a_window_is_decoded_from_its_mel),
        cmocka_unit_test(a_mel_tells_the_language),
        cmocka_unit_test(models_come_by_every_way),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(nothing_minds_null_handles),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
