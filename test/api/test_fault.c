/* test_fault.c - every allocation fails once, in the library and in those that it uses: an error of the right code, no
 * crash, and (the sanitizers watch) no leak; or success, and then with the very same bytes as undisturbed. Afterwards
 * the same call on the same objects gives those bytes.
 *
 * Short form: each allocation of each scenario fails alone (of some, one in so many). WHISP_FAULT=long: larger scenarios
 * too, and again with all later ones failing as well; WHISP_FAULT_STEP=N: one allocation in N, from a random one on
 * (WHISP_SEED). WHISP_FAULT_ONLY=NAME: one scenario; WHISP_FAULT_AT=N: one allocation of it. */
#include "support/testing.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audio/ahead.h"
#include "support/calls.h"
#include "support/fault/memory.h"
#include "support/models.h"
#include "whisp_speakers.h"

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

/* What a scenario gave, kept without allocating. */
typedef struct outcome {
    size_t n;
    char bytes[1 << 18];
} outcome;

static outcome undisturbed, disturbed, *now;

static void keep(const void *bytes, size_t n)
{
    assert_true(now->n + n <= sizeof now->bytes);
    memcpy(now->bytes + now->n, bytes, n);
    now->n += n;
}

typedef struct scenario {
    const char *name;
    int (*run)(const struct scenario *scenario);
    const char *options[16]; /* name, value, ... */
    const char *input;       /* a file in the temporary folder */
    int is_multilingual, is_long;
    int is_slow; /* under a sanitizer in the long form only */
    int step;    /* short form: one allocation in so many; 0: each */
    int journal; /* goes on from one: 1: of its own half; 2: that is damaged */
} scenario;

static int same(void)
{
    return disturbed.n == undisturbed.n && !memcmp(disturbed.bytes, undisturbed.bytes, disturbed.n);
}

static int run(const scenario *s, outcome *into)
{
    now = into;
    now->n = 0;
    return s->run(s);
}

static int n_wrong, is_long;
static uint64_t seed;
static int again;      /* this time what failed is called again */
static char where[64]; /* what fails */

/* All of them are told, then the test fails. */
static void wrong(const scenario *s, const char *what)
{
    if (n_wrong++ < 400)
        printf("%s, %s: %s\n", s->name, where, what);
}

static void fail_one(const scenario *s, long at, long total, int and_later, int *errors)
{
    snprintf(where, sizeof where, "allocation %ld%s of %ld", at, and_later ? " and all later" : "", total);
    again = is_long || at % 8 == 0;
    memory_fails(at, and_later);
    int rc = run(s, &disturbed);
    memory_works();
    char what[1200];
    snprintf(what, sizeof what, "%s (%s)", whisp_error_name(rc), whisp_last_error());
    if (rc && (rc != WHISP_ERR_MEMORY || !whisp_last_error()[0]))
        wrong(s, what);
    if (!rc && !same())
        wrong(s, memory_failed() ? "success that is not" : "another outcome, though nothing failed");
    *errors += rc != WHISP_OK;
}

/* The first allocation that fails, and how far it is to the next. */
static long first_and_step(const scenario *s, int *step)
{
    const char *given = getenv("WHISP_FAULT_STEP"), *only = getenv("WHISP_FAULT_AT");
    if (only) {
        *step = INT_MAX;
        return strtol(only, NULL, 10);
    }
    *step = given ? (int)strtol(given, NULL, 10) : s->step && !is_long ? s->step : 1;
    if (*step < 1)
        *step = 1;
    return 1 + (long)(random_unit(&seed) * *step);
}

/* Run the scenario with one allocation failing, then with a later one, and so on to the last. */
static void fail_each(const scenario *s, int and_later)
{
    clock_t began = clock();
    assert_int_equal(run(s, &disturbed), WHISP_OK); /* what is allocated once in a process */
    memory_fails(0, 0);
    int rc = run(s, &undisturbed);
    long total = memory_works();
    int errors = 0;
    if (rc)
        fail_msg("%s: %s", s->name, whisp_last_error());
    assert_true(undisturbed.n > 0);
    int step, tried = 0;
    for (long at = first_and_step(s, &step); at <= total; at += step, tried++)
        fail_one(s, at, total, and_later, &errors);
    if (!errors && tried > 4) /* most have to be */
        wrong(s, "no failed allocation is an error");
    assert_int_equal(run(s, &disturbed), WHISP_OK);
    assert_true(same());
    if (getenv("WHISP_FAULT_TELL"))
        printf("%-14s %6ld allocations, %6d errors, %6zu bytes, %5.1f s\n", s->name, total, errors, undisturbed.n,
               (double)(clock() - began) / CLOCKS_PER_SEC);
}

/* ---- what the scenarios are made of ---- */

/* "temp:NAME" is a file of this test's, "model:NAME" a model; what stands before it stays. */
static const char *value_of(const char *text)
{
    static char value[4096];
    const char *temp = strstr(text, "temp:"), *net = strstr(text, "model:");
    if (!temp && !net)
        return text;
    int before = (int)((temp ? temp : net) - text);
    snprintf(value, sizeof value, "%.*s%s", before, text, temp ? temp_path(temp + 5) : model_path(net + 6));
    return value;
}

static int journal_wanted; /* WHISP_JOURNAL_ */

static int name_journal(void *user, const char *recording, char *path, size_t capacity)
{
    (void)user;
    (void)recording;
    snprintf(path, capacity, "%s", temp_path("the.journal"));
    return journal_wanted;
}

static int set_options(const scenario *s, whisp_options **options)
{
    const whisp_callbacks callbacks = {.size = sizeof callbacks, .journal = name_journal};
    int rc = (*options = whisp_options_new()) ? WHISP_OK : WHISP_ERR_MEMORY;
    static const char *const all[] = {"hallucination_guard",
                                      "False", /* invented models hear words in noise */
                                      "temperature",
                                      "0",
                                      "temperature_increment_on_fallback",
                                      "None",
                                      "threads",
                                      "1",
                                      "sample_len",
                                      "6",
                                      NULL};
    for (const char *const *o = all; !rc && *o; o += 2)
        rc = whisp_options_set(*options, o[0], o[1]);
    for (const char *const *o = s->options; !rc && *o; o += 2)
        rc = whisp_options_set(*options, o[0], value_of(o[1]));
    if (!rc && s->journal)
        rc = whisp_options_on(*options, &callbacks);
    return rc;
}

static const whisp_model *model_of(const scenario *s)
{
    return s->is_multilingual ? multilingual : model;
}

static int keep_result(const whisp_result *result, const char *format)
{
    char *text = NULL;
    size_t length;
    int rc = whisp_result_format(result, format, NULL, &text, &length);
    if (!rc)
        keep(text, length);
    whisp_string_free(text);
    return rc;
}

/* In what the caller gets beside an error is nothing that the whole would not have: each of its segments is there. */
static void is_part(const whisp_result *result)
{
    if (!result || !undisturbed.n)
        return;
    assert_non_null(result_info(result).incomplete);
    for (size_t i = 0; i < result_info(result).n_segments; i++)
        assert_true(whisp_result_segment(result, i)->text != NULL);
}

/* Where a call on a session has failed, the session's next one is as if nothing had been. */
typedef int (*work_fn)(const scenario *s, whisp_session *session, whisp_result **result);

static int with_session(const scenario *s, work_fn work)
{
    whisp_options *options = NULL;
    whisp_session *session = NULL;
    whisp_result *result = NULL;
    int rc = set_options(s, &options);
    if (!rc)
        rc = whisp_session_new(model_of(s), options, &session);
    if (!rc) {
        rc = work(s, session, &result);
        if (!rc)
            rc = keep_result(result, "json");
        else
            is_part(result);
        whisp_result_free(result);
        result = NULL;
    }
    if (rc && session && memory_failed() && again) {
        memory_works();
        now->n = 0;
        if (work(s, session, &result) || keep_result(result, "json") || (undisturbed.n && !same()))
            wrong(s, "after the failure the session cannot be used any more");
        whisp_result_free(result);
    }
    whisp_session_free(session);
    whisp_options_free(options);
    return rc;
}

/* ---- loading and finding models ---- */

static int keep_model(int rc, whisp_model *loaded)
{
    whisp_model_info info = {.size = sizeof info};
    int32_t ids[64];
    if (!rc)
        rc = whisp_model_describe(loaded, &info);
    if (!rc) {
        int64_t n = whisp_tokenize(loaded, " and the words", ids, 64);
        keep(info.name, strlen(info.name));
        keep(&info.n_vocab, sizeof info.n_vocab);
        keep(&info.n_parameters, sizeof info.n_parameters);
        if (n > 0)
            keep(ids, (size_t)n * sizeof *ids);
        rc = n < 0 ? (int)n : WHISP_OK;
    }
    whisp_model_free(loaded);
    return rc;
}

static int load_path(const scenario *s)
{
    whisp_model *loaded;
    (void)s;
    int rc = whisp_model_load(invented_path("invented"), NULL, &loaded);
    return keep_model(rc, loaded);
}

static int load_fd(const scenario *s)
{
    whisp_model *loaded;
    (void)s;
    int fd = open(invented_path("invented-multilingual"), O_RDONLY);
    int rc = whisp_model_load_fd(fd, NULL, &loaded);
    close(fd);
    return keep_model(rc, loaded);
}

static int load_memory(const scenario *s)
{
    static char *bytes;
    static size_t n;
    whisp_model *loaded;
    (void)s;
    if (!bytes) {
        static char room[4 << 20];
        FILE *file = fopen(invented_path("invented"), "rb");
        n = fread(room + 1, 1, sizeof room - 1, file);
        fclose(file);
        bytes = room + 1; /* not aligned: copied */
    }
    int rc = whisp_model_load_memory(bytes, n, NULL, &loaded);
    return keep_model(rc, loaded);
}

static int find(const scenario *s)
{
    char path[256];
    (void)s;
    int rc = whisp_model_find("nonesuch", "build/test", path, sizeof path); /* the text says what there is */
    if (rc == WHISP_ERR_IO)
        keep(whisp_last_error(), strlen(whisp_last_error()));
    return rc == WHISP_ERR_IO ? WHISP_OK : rc ? rc : WHISP_ERR_STATE;
}

static int list_one(void *user, const whisp_model_file *file)
{
    (void)user;
    if (!strncmp(file->name, "invented", 8)) {
        keep(file->name, strlen(file->name));
        keep(file->architecture, strlen(file->architecture));
    }
    return 0;
}

static int list(const scenario *s)
{
    (void)s;
    int n = whisp_model_list("build/test", list_one, NULL);
    return n < 0 ? n : WHISP_OK;
}

/* ---- recordings ---- */

static int transcribe_work(const scenario *s, whisp_session *session, whisp_result **result)
{
    return transcribe_file(session, temp_path(s->input), result);
}

static int transcribe(const scenario *s)
{
    return with_session(s, transcribe_work);
}

/* Half of the journal that a whole run of this scenario leaves, so that some windows are known and some are heard. */
static size_t half_a_journal(const scenario *s, const char *path, char *bytes, size_t capacity)
{
    journal_wanted = WHISP_JOURNAL_NEW;
    assert_int_equal(with_session(s, transcribe_work), WHISP_OK);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, capacity);
    close(fd);
    assert_true(n > 1000 && (size_t)n < capacity);
    if (s->journal == 2)
        bytes[100] ^= 1; /* of its identity */
    return (size_t)n * 6 / 10;
}

static int resume(const scenario *s)
{
    static const scenario *of;
    static char bytes[1 << 18];
    static size_t n;
    const char *path = temp_path("the.journal"), *old = temp_path("the.journal.old");
    unlink(path);
    unlink(old);
    if (of != s) {
        n = half_a_journal(s, path, bytes, sizeof bytes);
        of = s;
        now->n = 0;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
    journal_wanted = WHISP_JOURNAL_RESUME;
    int rc = with_session(s, transcribe_work);
    assert_true(s->journal == 1 || rc || access(old, F_OK) == 0);
    journal_wanted = WHISP_JOURNAL_NONE;
    return rc;
}

static int transcribe_and_write(const scenario *s)
{
    whisp_options *options = NULL;
    whisp_result *result = NULL;
    static const char *const formats[] = {"txt", "srt", "vtt", "tsv", "json", "doubtful", "csv", "md", "ass", "lrc"};
    whisp_writer_options layout = {.size = sizeof layout, .highlight_words = 1, .max_line_width = 20},
                         laid_out = {.size = sizeof laid_out, .subtitles = 1};
    int rc = set_options(s, &options);
    if (!rc)
        rc = whisp_transcribe(model_of(s), temp_path(s->input), options, &result);
    for (size_t i = 0; !rc && i < sizeof formats / sizeof *formats; i++) {
        static char bytes[1 << 16];
        const char *path = temp_path("written");
        unlink(path);
        rc = whisp_result_write(result, formats[i], i < 8 ? &layout : &laid_out, path);
        FILE *file = NULL;
        int fd = open(path, O_RDONLY);
        (void)file;
        assert_int_equal(fd >= 0, rc == WHISP_OK); /* whole or not there */
        if (fd >= 0) {
            ssize_t n = read(fd, bytes, sizeof bytes);
            keep(bytes, (size_t)n);
            close(fd);
        }
    }
    whisp_result_free(result);
    whisp_options_free(options);
    return rc;
}

static int decode_audio(const scenario *s)
{
    whisp_audio *audio;
    int rc = whisp_audio_open(temp_path(s->input), &audio);
    for (int64_t n = 1; !rc && n > 0;) {
        static float samples[1000];
        n = whisp_audio_read(audio, samples, 1000);
        if (n > 0)
            keep(samples, (size_t)n * sizeof *samples);
        rc = n < 0 ? (int)n : WHISP_OK;
    }
    int incomplete = 0;
    for (size_t i = 0; !rc && whisp_audio_warning(audio, i, &incomplete); i++)
        keep(&incomplete, sizeof incomplete);
    whisp_audio_free(audio);
    return rc;
}

/* Two threads read it in pieces, or, where memory fails for these, one does. */
static int decode_in_pieces(const scenario *s)
{
    whisp_audio *audio;
    wh_ahead *ahead = NULL;
    const float *samples;
    uint64_t sum = 1;
    int rc = whisp_audio_open(temp_path(s->input), &audio);
    if (!rc)
        rc = wh_ahead_start(audio, 2, &ahead);
    for (int64_t n = 1; !rc && n > 0;) {
        n = wh_ahead_read(ahead, &samples);
        for (int64_t i = 0; i < n; i++)
            sum = (sum ^ (uint64_t)(int64_t)(samples[i] * 32768)) * 1099511628211u;
        rc = n < 0 ? (int)n : WHISP_OK;
    }
    if (!rc)
        keep(&sum, sizeof sum);
    wh_ahead_stop(ahead);
    int incomplete = 0;
    for (size_t i = 0; !rc && whisp_audio_warning(audio, i, &incomplete); i++)
        keep(&incomplete, sizeof incomplete);
    whisp_audio_free(audio);
    return rc;
}

static int align_work(const scenario *s, whisp_session *session, whisp_result **result)
{
    return align_file(session, temp_path(s->input), "and the words\nthat are said here", result);
}

static int align(const scenario *s)
{
    return with_session(s, align_work);
}

static int language_work(const scenario *s, whisp_session *session, whisp_result **result)
{
    static float probabilities[128];
    whisp_audio *audio;
    int rc = whisp_audio_open(temp_path(s->input), &audio);
    if (!rc && (rc = whisp_session_detect_language(session, audio, probabilities, 128)) >= 0) {
        keep(&rc, sizeof rc);
        keep(probabilities, sizeof probabilities);
        rc = whisp_result_read("{\"text\": \"\", \"segments\": [], \"language\": \"en\"}", 46, result);
    }
    whisp_audio_free(audio);
    return rc;
}

static int language(const scenario *s)
{
    return with_session(s, language_work);
}

static void tone(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++)
        samples[i] = 0.3f * sinf((float)i * (float)(0.05 + 0.02 * (double)(i / 4000 % 7)));
}

static int mel_work(const scenario *s, whisp_session *session, whisp_result **result)
{
    static float samples[8000], mel[80 * 50];
    tone(samples, 8000);
    int64_t n = whisp_log_mel(model_of(s), samples, 8000, mel, 80 * 50);
    if (n < 0)
        return (int)n;
    keep(mel, sizeof mel);
    return whisp_session_decode_mel(session, mel, 50, NULL, 0, result);
}

static int mel(const scenario *s)
{
    return with_session(s, mel_work);
}

static int keep_file(void *user, size_t index, int rc, whisp_result *result)
{
    int *failed = user;
    keep(&index, sizeof index);
    if (!rc)
        rc = keep_result(result, "json");
    else
        is_part(result);
    whisp_result_free(result);
    if (rc && !*failed)
        *failed = rc;
    return 0;
}

static int files(const scenario *s)
{
    whisp_options *options = NULL;
    whisp_session *session = NULL;
    int rc = set_options(s, &options), failed = 0;
    const char *const paths[] = {temp_path(s->input), temp_path("tone.flac"), temp_path(s->input)};
    if (!rc)
        rc = whisp_session_new(model_of(s), options, &session);
    if (!rc)
        rc = whisp_session_transcribe_files(session, paths, 3, keep_file, &failed);
    whisp_session_free(session);
    whisp_options_free(options);
    return rc ? rc : failed;
}

static int queue(const scenario *s)
{
    whisp_options *options = NULL;
    whisp_queue *queue = NULL;
    whisp_audio *audio = NULL;
    whisp_event event = {.size = sizeof event};
    int rc = set_options(s, &options);
    if (!rc)
        rc = whisp_queue_new(model_of(s), options, &queue);
    for (int i = 0; i < 2 && !rc; i++) {
        rc = whisp_audio_open(temp_path(s->input), &audio);
        if (!rc && (rc = whisp_queue_submit(queue, audio, options, NULL, NULL)))
            whisp_audio_free(audio);
        for (event.kind = 0; !rc && event.kind != WHISP_EVENT_END;) {
            assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
            if (event.kind != WHISP_EVENT_END)
                continue;
            rc = event.rc ? event.rc : event.result ? keep_result(event.result, "json") : WHISP_ERR_STATE;
            if (event.rc)
                assert_true(event.error && event.error[0]);
            whisp_result_free(event.result);
        }
    }
    whisp_queue_free(queue);
    whisp_options_free(options);
    return rc;
}

/* ---- live ---- */

static int pull_segments(whisp_session *session)
{
    const whisp_segment *segment;
    int rc;
    while ((rc = whisp_session_pull(session, &segment)) == 1)
        keep(segment->text, strlen(segment->text));
    return rc;
}

static int push_work(const scenario *s, whisp_session *session, whisp_result **result)
{
    static float samples[16000];
    tone(samples, 16000);
    int rc = whisp_session_reset(session);
    (void)s;
    for (size_t at = 0; !rc && at < 16000;) {
        int64_t n = whisp_session_push(session, samples + at, 16000 - at);
        rc = n < 0 ? (int)n : pull_segments(session);
        at += n > 0 ? (size_t)n : 0;
    }
    if (!rc)
        rc = whisp_session_finish(session);
    if (!rc && (rc = pull_segments(session)) == WHISP_END)
        rc = whisp_result_read("{\"text\": \"\", \"segments\": [], \"language\": \"en\"}", 46, result);
    return rc;
}

static int push(const scenario *s)
{
    return with_session(s, push_work);
}

static int pull_words(whisp_stream *stream)
{
    const whisp_word *const *words;
    size_t n;
    int rc;
    while ((rc = whisp_stream_pull(stream, &words, &n)) == 1)
        for (size_t i = 0; i < n; i++) {
            keep(words[i]->text, strlen(words[i]->text));
            keep(&words[i]->start, sizeof words[i]->start);
        }
    return rc;
}

static void keep_segment(void *user, const whisp_segment *segment)
{
    (void)user;
    keep(segment->text, strlen(segment->text));
}

static int live(const scenario *s)
{
    static float samples[32000];
    whisp_options *options = NULL;
    whisp_stream *stream = NULL;
    tone(samples, 32000);
    int rc = set_options(s, &options);
    if (!rc)
        set_callbacks(options, NULL, NULL, keep_segment, NULL, NULL);
    if (!rc)
        rc = whisp_stream_new(model_of(s), options, &stream);
    for (size_t at = 0; !rc && at < 32000;) {
        int64_t n = whisp_stream_push(stream, samples + at, 32000 - at);
        rc = n < 0 ? (int)n : pull_words(stream);
        at += n > 0 ? (size_t)n : 0;
    }
    if (!rc)
        rc = whisp_stream_finish(stream);
    if (!rc)
        rc = pull_words(stream);
    rc = rc == WHISP_END ? WHISP_OK : rc;
    whisp_result *result = NULL;
    if (!rc && strcmp(whisp_options_get(options, "diarize"), "True") == 0 &&
        !(rc = whisp_stream_result(stream, &result)))
        rc = keep_result(result, "json");
    whisp_result_free(result);
    whisp_stream_free(stream);
    whisp_options_free(options);
    return rc;
}

/* ---- small things ---- */

static int tokens(const scenario *s)
{
    int32_t ids[64];
    char text[256];
    int64_t n = whisp_tokenize(model_of(s), " and the words that are said here, one by one", ids, 64);
    if (n >= 0)
        n = whisp_detokenize(model_of(s), ids, (size_t)n, text, sizeof text);
    if (n >= 0)
        keep(text, (size_t)n);
    return n < 0 ? (int)n : WHISP_OK;
}

static int read_back(const scenario *s)
{
    static const char json[] =
        "{\"text\": \" One two.\", \"segments\": [{\"id\": 0, \"seek\": 0, \"start\": 0.0, \"end\": 1.0, \"text\": \" "
        "One two.\", \"tokens\": [50364, 1485], \"temperature\": 0.0, \"avg_logprob\": -0.5, \"compression_ratio\": "
        "1.0, \"no_speech_prob\": 0.1, \"words\": [{\"word\": \" One\", \"start\": 0.0, \"end\": 0.5, \"probability\": "
        "0.9}, {\"word\": \" two.\", \"start\": 0.5, \"end\": 1.0, \"probability\": 0.8, \"speaker\": \"Bob\"}], \"speaker\": "
        "\"Ann\"}], \"language\": \"en\", \"speakers\": [\"Bob\", \"Ann\"], \"turns\": [{\"start\": 0.5, \"end\": 1.5, "
        "\"speaker\": \"Ann\"}]}";
    whisp_result *result;
    (void)s;
    int rc = whisp_result_read(json, sizeof json - 1, &result);
    if (!rc)
        rc = whisp_result_set_incomplete(result, "the second half was not heard");
    if (!rc)
        rc = keep_result(result, "json");
    if (!rc)
        rc = keep_result(result, "srt");
    if (!rc)
        rc = keep_result(result, "rttm");
    whisp_result_free(result);
    return rc;
}

/* Turns of a recording; voices, alone and together. */
static int speakers(const scenario *s)
{
    enum { N = 30000 };
    static float samples[N], voices[4][WHISP_VOICE_SIZE];
    whisp_options *options = NULL;
    whisp_speakers *nets = NULL;
    whisp_audio *audio = NULL;
    whisp_result *result = NULL;
    int people[4] = {0}, rc = set_options(s, &options);
    tone(samples, N);
    if (!rc)
        rc = whisp_speakers_load(model_path("speakers"), options, &nets);
    for (int i = 0; i < 4 && !rc; i++)
        rc = whisp_speakers_embed(nets, samples + 5000 * i, 8000, voices[i]);
    if (!rc)
        rc = whisp_audio_open(temp_path(s->input), &audio);
    if (!rc)
        rc = whisp_speakers_diarize(nets, audio, options, &result);
    if (!rc && (rc = whisp_speakers_cluster(voices[0], 4, options, people)) >= 0) {
        keep(voices, sizeof voices);
        keep(people, sizeof people);
        rc = keep_result(result, "rttm");
    }
    whisp_result_free(result);
    whisp_audio_free(audio);
    whisp_speakers_free(nets);
    whisp_options_free(options);
    return rc;
}

static int speech(const scenario *s)
{
    enum { N = 20000 };
    static float samples[N], probability;
    whisp_vad *vad = NULL;
    whisp_speech *speech = NULL;
    whisp_vad_stream *stream = NULL;
    whisp_span span;
    (void)s;
    tone(samples, N);
    int rc = whisp_vad_load(model_path("silero-vad"), &vad);
    if (!rc)
        rc = speech_in_samples(vad, samples, N, NULL, &speech);
    if (!rc) {
        whisp_speech_info info = speech_info(speech);
        keep(info.probabilities, info.n_probabilities * sizeof *info.probabilities);
        keep(info.spans, info.n_spans * sizeof *info.spans);
        rc = whisp_vad_stream_new(vad, NULL, &stream);
    }
    for (size_t at = 0; !rc && at < N; at += 500) {
        int64_t n = whisp_vad_push(stream, samples + at, 500, &probability, 1);
        rc = n < 0 ? (int)n : WHISP_OK;
        keep(&probability, sizeof probability);
    }
    if (!rc && (rc = whisp_vad_finish(stream, &probability)) > 0)
        rc = WHISP_OK;
    while (!rc && (rc = whisp_vad_pull(stream, &span)) == 1) {
        keep(&span, sizeof span);
        rc = WHISP_OK;
    }
    whisp_vad_stream_free(stream);
    whisp_speech_free(speech);
    whisp_vad_free(vad);
    return rc == WHISP_END ? WHISP_OK : rc;
}

static int voice(const scenario *s)
{
    enum { N = 5000 };
    static float samples[N], numbers[WHISP_VOICE_SIZE];
    whisp_options *options = NULL;
    whisp_speakers *speakers = NULL;
    tone(samples, N);
    int rc = set_options(s, &options);
    if (!rc)
        rc = whisp_speakers_load(invented_path("invented-speakers"), options, &speakers);
    if (!rc)
        rc = whisp_speakers_embed(speakers, samples, N, numbers);
    if (!rc)
        keep(numbers, sizeof numbers);
    whisp_speakers_free(speakers);
    whisp_options_free(options);
    return rc;
}

/* ---- the scenarios ---- */

static const scenario scenarios[] = {
    {.name = "load_path", .run = load_path},
    {.name = "load_fd", .run = load_fd},
    {.name = "load_memory", .run = load_memory},
    {.name = "find", .run = find},
    {.name = "list", .run = list},
    {.name = "plain", .run = transcribe, .input = "tone.wav", .is_slow = 1},
    {.name = "fallback",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"temperature", "0.0,0.5", "logprob_threshold", "0", "best_of", "2", "initial_prompt", "and the"},
     .is_long = 1},
    {.name = "beams",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"beam_size", "3", "patience", "2"},
     .is_long = 1},
    {.name = "words", .run = transcribe, .input = "tone.wav", .options = {"word_timestamps", "True"}, .is_long = 1},
    {.name = "confidence", .run = transcribe, .input = "tone.wav", .options = {"confidence", "True"}, .is_long = 1},
    {.name = "vocabulary",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"vocabulary", "temp:terms.txt"},
     .is_long = 1},
    {.name = "regex",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"suppress_regex", "^ (a|the)$", "suppress_tokens", "-1,5", "no_repeat_ngram_size", "2"},
     .is_long = 1},
    {.name = "guard", .run = transcribe, .input = "tone.wav", .options = {"hallucination_guard", "True"}, .is_long = 1},
    {.name = "multilingual", .run = transcribe, .input = "tone.wav", .is_multilingual = 1, .is_long = 1},
    {.name = "f32", .run = transcribe, .input = "tone.wav", .options = {"compute_type", "f32"}, .is_long = 1},
    {.name = "bf16", .run = transcribe, .input = "tone.wav", .options = {"compute_type", "bf16"}, .is_long = 1},
    {.name = "threads", .run = transcribe, .input = "tone.wav", .options = {"threads", "3"}, .is_long = 1},
    {.name = "much",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"beam_size", "2", "word_timestamps", "True", "vocabulary", "temp:terms.txt", "suppress_regex",
                 "^ (a|the)$", "confidence", "True", "initial_prompt", "and the"}},
    {.name = "stereo", .run = transcribe, .input = "stereo.wav", .options = {"split_stereo", "True"}, .is_long = 1},
    {.name = "speech_only",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"vad_filter", "True", "vad_threshold", "0.01"},
     .is_long = 1},
    {.name = "clips",
     .run = transcribe,
     .input = "tone.wav",
     .options = {"clip_timestamps", "0,0.1,0.2"},
     .is_long = 1},
    {.name = "written",
     .run = transcribe_and_write,
     .input = "tone.wav",
     .options = {"confidence", "True"},
     .is_slow = 1},
    {.name = "wav", .run = decode_audio, .input = "tone.wav"},
    {.name = "flac", .run = decode_audio, .input = "tone.flac"},
    {.name = "vorbis", .run = decode_audio, .input = "tone.ogg"},
    {.name = "opus", .run = decode_audio, .input = "tone.opus"},
    {.name = "mp3", .run = decode_audio, .input = "tone.mp3"},
    {.name = "aiff", .run = decode_audio, .input = "tone.aiff"},
    {.name = "adpcm", .run = decode_audio, .input = "adpcm.wav"},
    {.name = "pieces", .run = decode_in_pieces, .input = "pieces.mp3"},
    {.name = "flac_pieces", .run = decode_in_pieces, .input = "pieces.flac", .is_long = 1},
    {.name = "align", .run = align, .input = "tone.wav", .is_long = 1},
    {.name = "language", .run = language, .input = "tone.wav", .is_multilingual = 1, .is_long = 1},
    {.name = "mel", .run = mel},
    {.name = "files", .run = files, .input = "tone.wav", .options = {"batch_size", "2"}, .is_long = 1},
    {.name = "queue", .run = queue, .input = "tone.wav", .is_slow = 1},
    {.name = "push", .run = push, .is_slow = 1},
    {.name = "live", .run = live},
    {.name = "tokens", .run = tokens},
    {.name = "read_back", .run = read_back},
    {.name = "speech", .run = speech},
    {.name = "voice", .run = voice, .options = {"compute_type", "int8"}, .is_slow = 1, .step = 20},
    {.name = "voice_f32", .run = voice, .options = {"compute_type", "f32"}, .is_long = 1, .step = 40},
    {.name = "speakers", .run = speakers, .input = "talk.wav", .options = {"threads", "1"}, .is_long = 1},
    {.name = "named",
     .run = speakers,
     .input = "talk.wav",
     .options = {"speaker", "Ann=temp:talk.wav", "speakers_out", "temp:voices.gguf", "threads", "1"},
     .is_slow = 1,
     .step = 40},
    {.name = "diarize",
     .run = transcribe,
     .input = "talk.wav",
     .options = {"diarize", "True", "speakers_model", "model:speakers", "threads", "1"},
     .is_slow = 1,
     .step = 40},
    {.name = "live_diarize",
     .run = live,
     .options = {"diarize", "True", "speakers_model", "model:speakers", "threads", "1"},
     .is_slow = 1,
     .step = 40},
    {.name = "resume",
     .run = resume,
     .input = "minute.wav",
     .options = {"cut", "off", "word_timestamps", "True", "no_speech_threshold", "None"},
     .is_slow = 1,
     .step = 8,
     .journal = 1},
    {.name = "resume_parts",
     .run = resume,
     .input = "minute.wav",
     .options = {"cut", "20", "batch_size", "3", "confidence", "True", "no_speech_threshold", "None"},
     .is_long = 1,
     .journal = 1},
    {.name = "resume_anew",
     .run = resume,
     .input = "minute.wav",
     .options = {"cut", "off", "language", "en", "no_speech_threshold", "None"},
     .is_long = 1,
     .journal = 2},
    {.name = "parts",
     .run = transcribe,
     .input = "minute.wav",
     .options = {"cut", "20", "batch_size", "3"},
     .is_long = 1},
};

static void every_allocation(void **state)
{
    (void)state;
    const char *only = getenv("WHISP_FAULT_ONLY"), *form = getenv("WHISP_FAULT");
    is_long = form && !strcmp(form, "long");
    seed = getenv("WHISP_SEED") ? strtoull(getenv("WHISP_SEED"), NULL, 10) : (uint64_t)time(NULL);
    printf("WHISP_SEED=%llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const scenario *s = &scenarios[i];
        if (only ? strcmp(only, s->name) != 0 : (s->is_long || (s->is_slow && IS_SANITIZED)) && !is_long)
            continue;
        undisturbed.n = 0;
        fail_each(s, 0);
        if (is_long)
            fail_each(s, 1);
    }
    assert_int_equal(n_wrong, 0);
}

/* ---- recordings ---- */

static void write_recording(const char *name, int format, int channels, int rate, size_t n)
{
    SF_INFO info = {.channels = channels, .samplerate = rate, .format = format};
    SNDFILE *file = sf_open(temp_path(name), SFM_WRITE, &info);
    if (!file)
        fail_msg("%s: %s", name, sf_strerror(NULL));
    float *samples = malloc(n * (size_t)channels * sizeof *samples);
    assert_non_null(samples);
    tone(samples, n * (size_t)channels);
    assert_int_equal(sf_writef_float(file, samples, (sf_count_t)n), (sf_count_t)n);
    free(samples);
    sf_close(file);
}

/* The beginning of the recording that comes with the repository. */
static void write_speech(const char *name, size_t n)
{
    SF_INFO info = {.channels = 1, .samplerate = 16000, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    whisp_audio *audio;
    float *samples = calloc(n, sizeof *samples);
    assert_int_equal(whisp_audio_open("test/data/demo.flac", &audio), WHISP_OK);
    for (size_t done = 0; done < n;) {
        int64_t got = whisp_audio_read(audio, samples + done, n - done);
        assert_true(got > 0);
        done += (size_t)got;
    }
    whisp_audio_free(audio);
    SNDFILE *file = sf_open(temp_path(name), SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_writef_float(file, samples, (sf_count_t)n), (sf_count_t)n);
    free(samples);
    sf_close(file);
}

/* Where threads cannot start, fewer do it, down to the caller's own, and the bytes are the same. */
static void fewer_threads(void **state)
{
    (void)state;
    static const scenario threads = {.name = "threads",
                                     .run = transcribe,
                                     .input = "tone.wav",
                                     .options = {"threads", "4"}};
    undisturbed.n = 0;
    assert_int_equal(run(&threads, &undisturbed), WHISP_OK);
    for (int n = 0; n < 4; n++) {
        threads_fail(n);
        int rc = run(&threads, &disturbed);
        threads_fail(-1);
        assert_int_equal(rc, WHISP_OK);
        assert_true(same());
    }
}

static int prepare(void **state)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    write_recording("tone.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, 22050, 6615); /* resampling takes part */
    write_recording("stereo.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, 22050, 6615);
    write_recording("tone.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1, 22050, 6615);
    write_recording("tone.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 1, 22050, 6615);
    write_recording("tone.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 1, 48000, 9600);
    write_recording("tone.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 1, 22050, 6615);
    write_recording("tone.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1, 22050, 6615);
    write_recording("adpcm.wav", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 1, 22050, 6615);
    write_recording("minute.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, 16000, 70 * 16000);
    write_recording("pieces.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 1, 8000, 125 * 8000);
    write_recording("pieces.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1, 8000, 125 * 8000);
    write_speech("talk.wav", 3 * 16000);
    FILE *file = fopen(temp_path("terms.txt"), "w");
    assert_non_null(file);
    fputs("theon\nandit\nkubernetes\nisin\n", file);
    fclose(file);
    return load_models(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(fewer_threads),
    };
    return cmocka_run_group_tests(tests, prepare, free_models);
}
