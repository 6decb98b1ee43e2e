/* test_who.c - option diarize, with an invented model for the words and the real nets: whichever way a recording comes and
 * is worked on, the same words have the same speakers; callbacks, a run that goes on from its journal, live transcription,
 * what is refused. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/calls.h"
#include "support/models.h"
#include "util/util.h"
#include "whisp_live.h"
#include "whisp_speakers.h"

static const char *nets, *call, *meeting;

/* What the callbacks told. */
typedef struct told {
    char names[4096]; /* of the segments, in their order */
    int n, late;      /* segments; of which progress was told afterwards */
    double done, total;
    int fell;            /* progress went back */
    double cancel_after; /* seconds of progress; 0: never */
    int journal;
} told;

static void on_segment(void *user, const whisp_segment *segment)
{
    told *t = user;
    t->n++;
    snprintf(t->names + strlen(t->names), sizeof t->names - strlen(t->names), "%s,",
             segment->speaker_name ? segment->speaker_name : "-");
}

static void on_progress(void *user, double done, double total)
{
    told *t = user;
    t->fell += done < t->done;
    t->late += t->n > 0 && done < total;
    t->done = done;
    t->total = total;
}

static int on_cancel(void *user)
{
    const told *t = user;
    return t->cancel_after > 0 && t->done >= t->cancel_after;
}

static int on_journal(void *user, const char *recording, char *path, size_t capacity)
{
    (void)recording;
    snprintf(path, capacity, "%s", temp_path("who.journal"));
    return ((told *)user)->journal;
}

static whisp_options *options_of(told *t, const char *name, const char *value)
{
    whisp_options *o = whisp_options_new();
    const char *const all[][2] = {{"diarize", "True"},
                                  {"speakers_model", nets},
                                  {"sample_len", "12"},
                                  {"threads", "2"},
                                  {"temperature", "0"},
                                  {"no_speech_threshold", "None"},
                                  {"temperature_increment_on_fallback", "None"},
                                  {"hallucination_guard", "False"},
                                  {name ? name : "task", value ? value : "transcribe"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(whisp_options_set(o, all[i][0], all[i][1]), WHISP_OK);
    if (t) {
        const whisp_callbacks callbacks = {.size = sizeof callbacks,
                                           .user = t,
                                           .progress = on_progress,
                                           .segment = on_segment,
                                           .cancel = on_cancel,
                                           .journal = t->journal ? on_journal : NULL};
        whisp_options_on(o, &callbacks);
    }
    return o;
}

/* The JSON document; free() it. */
static char *json_of(const whisp_result *result)
{
    char *text;
    assert_int_equal(whisp_result_format(result, "json", NULL, &text, NULL), WHISP_OK);
    return text;
}

static char *heard(told *t, const char *name, const char *value, int *rc)
{
    whisp_options *o = options_of(t, name, value);
    whisp_result *result = NULL;
    int got = whisp_transcribe(model, call, o, &result);
    char *json = result ? json_of(result) : NULL;
    if (rc)
        *rc = got;
    else if (got)
        fail_msg("%s", whisp_last_error());
    whisp_result_free(result);
    whisp_options_free(o);
    return json;
}

/* A copy, for paths that are asked for live only until some others are. */
static const char *keep(const char *path, char *copy, size_t capacity)
{
    snprintf(copy, capacity, "%s", path ? path : "");
    return path ? copy : NULL;
}

static int prepare(void **state)
{
    static char copies[3][1024];
    nets = keep(model_path("speakers"), copies[0], sizeof copies[0]);
    call = keep(shared_path("speakers/telephone.flac"), copies[1], sizeof copies[1]);
    meeting = keep(shared_path("speakers/meeting_2clean.flac"), copies[2], sizeof copies[2]);
    return load_models(state);
}

#define NEEDS_NETS()                                                                                                   \
    do {                                                                                                               \
        (void)state;                                                                                                   \
        if (!nets || !call || !meeting)                                                                                \
            skip();                                                                                                    \
    } while (0)

/* Many runs through the nets take minutes under a sanitizer; one run of each kind is left to it. */
#ifdef __SANITIZE_ADDRESS__
#define NOT_SANITIZED()                                                                                                \
    do {                                                                                                               \
        printf("skipped: many runs, not under a sanitizer\n");                                                         \
        skip();                                                                                                        \
    } while (0)
#else
#define NOT_SANITIZED() (void)0
#endif

/* ---- one recording, many ways ---- */

static float *samples_of(const char *path, size_t *n)
{
    enum { MOST = 31 * 16000 };
    whisp_audio *audio;
    float *samples = calloc(MOST, sizeof *samples);
    int64_t got = 1;
    assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
    for (*n = 0; *n < MOST && (got = whisp_audio_read(audio, samples + *n, MOST - *n)) > 0;)
        *n += (size_t)got;
    assert_int_equal(got, 0);
    whisp_audio_free(audio);
    return samples;
}

static void expect_queue(const char *want, const char *names)
{
    whisp_queue *queue;
    whisp_options *o = options_of(NULL, NULL, NULL);
    whisp_event event = {.size = sizeof event};
    char told_names[4096] = "";
    int ends = 0;
    assert_int_equal(whisp_queue_new(model, o, &queue), WHISP_OK);
    for (int i = 0; i < 3; i++) {
        whisp_audio *audio;
        assert_int_equal(whisp_audio_open(call, &audio), WHISP_OK);
        assert_int_equal(whisp_queue_submit(queue, audio, o, NULL, NULL), WHISP_OK);
    }
    while (ends < 3 && whisp_queue_next(queue, -1, &event) == 1) {
        if (event.kind == WHISP_EVENT_SEGMENT && event.id == 1)
            snprintf(told_names + strlen(told_names), sizeof told_names - strlen(told_names), "%s,",
                     event.segment->speaker_name ? event.segment->speaker_name : "-");
        if (event.kind != WHISP_EVENT_END)
            continue;
        ends++;
        assert_int_equal(event.rc, WHISP_OK);
        char *json = json_of(event.result);
        assert_string_equal(json, want);
        whisp_string_free(json);
        whisp_result_free(event.result);
    }
    assert_string_equal(told_names, names);
    whisp_options_free(o);
    whisp_queue_free(queue);
}

static int is_alike(void *user, size_t index, int rc, whisp_result *result)
{
    (void)index;
    assert_int_equal(rc, WHISP_OK);
    char *json = json_of(result);
    assert_string_equal(json, user);
    whisp_string_free(json);
    whisp_result_free(result);
    return 0;
}

static void every_way_names_the_same(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    told t = {0};
    size_t n;
    char *want = heard(&t, NULL, NULL, NULL), *got;
    assert_non_null(strstr(want, "\"speaker\": \"SPEAKER_01\""));
    assert_non_null(strstr(want, "\"turns\": [{"));
    for (int i = 0; i < 2; i++) {
        got = heard(NULL, i ? "threads" : "batch_size", "1", NULL);
        assert_string_equal(got, want);
        whisp_string_free(got);
    }
    float *samples = samples_of(call, &n);
    whisp_options *o = options_of(NULL, NULL, NULL);
    whisp_session *session;
    whisp_result *result;
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(transcribe_samples(session, samples, n, &result), WHISP_OK);
    got = json_of(result);
    assert_string_equal(got, want);
    whisp_string_free(got);
    whisp_result_free(result);
    const char *const paths[] = {call, call, call};
    assert_int_equal(whisp_session_transcribe_files(session, paths, 3, is_alike, want), WHISP_OK);
    whisp_session_free(session);
    whisp_options_free(o);
    expect_queue(want, t.names);
    free(samples);
    whisp_string_free(want);
}

static void turns_do_not_depend_on_the_words(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    static const char *const ways[][2] = {{"task", "transcribe"},     {"cut", "8"},
                                          {"vad_filter", "True"},     {"word_timestamps", "True"},
                                          {"clip_timestamps", "4,9"}, {"threads", "3"}};
    char *turns = NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *json = heard(NULL, ways[i][0], ways[i][1], NULL), *here = strstr(json, "\"speakers\": ");
        assert_non_null(here);
        if (turns)
            assert_string_equal(here, turns);
        else
            turns = strdup(here);
        whisp_string_free(json);
    }
    whisp_speakers *alone;
    whisp_audio *audio;
    whisp_result *result;
    char *json;
    assert_int_equal(whisp_speakers_load(nets, NULL, &alone), WHISP_OK);
    assert_int_equal(whisp_audio_open(call, &audio), WHISP_OK);
    for (int i = 0; i < 2; i++) { /* and again */
        assert_int_equal(whisp_speakers_diarize(alone, audio, NULL, &result), WHISP_OK);
        json = json_of(result);
        assert_non_null(strstr(json, turns));
        whisp_string_free(json);
        whisp_result_free(result);
    }
    whisp_audio_free(audio);
    whisp_speakers_free(alone);
    free(turns);
}

/* ---- what is told ---- */

static void segments_come_at_the_end_and_progress_goes_on(void **state)
{
    NEEDS_NETS();
    told t = {0};
    char *json = heard(&t, "cut", "8", NULL);
    if (t.n < 2 || t.late || t.fell)
        fail_msg("%d segments, %d times progress after them, %d times back", t.n, t.late, t.fell);
    assert_true(t.done == t.total && t.total > 29);
    assert_non_null(strstr(t.names, "SPEAKER_01,"));
    whisp_string_free(json);
}

static void a_cancel_leaves_the_words(void **state)
{
    NEEDS_NETS();
    told t = {.cancel_after = 25};
    int rc;
    char *json = heard(&t, NULL, NULL, &rc);
    assert_int_equal(rc, WHISP_ERR_CANCELLED);
    assert_non_null(json);
    assert_non_null(strstr(json, "nobody told the speakers apart"));
    assert_null(strstr(json, "SPEAKER_0"));
    assert_true(t.n > 0 && !strstr(t.names, "SPEAKER"));
    whisp_string_free(json);
}

static void a_run_goes_on(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    told whole = {0}, ended = {.cancel_after = 15, .journal = WHISP_JOURNAL_NEW},
         resumed = {.journal = WHISP_JOURNAL_RESUME};
    int rc;
    char *want = heard(&whole, "cut", "8", NULL), *part = heard(&ended, "cut", "8", &rc),
         *got = (assert_int_equal(rc, WHISP_ERR_CANCELLED), heard(&resumed, "cut", "8", NULL));
    assert_string_equal(got, want);
    assert_string_equal(resumed.names, whole.names);
    unlink(temp_path("who.journal"));
    whisp_string_free(want);
    whisp_string_free(part);
    whisp_string_free(got);
}

/* ---- live ---- */

/* What a live transcription gave: words with their speakers, segments (told), the result. */
typedef struct lived {
    wh_buf words;
    told told;
    whisp_result *result;
} lived;

static int pull_words(lived *l, whisp_stream *stream)
{
    const whisp_word *const *words;
    size_t n;
    int rc;
    while ((rc = whisp_stream_pull(stream, &words, &n)) == 1)
        for (size_t i = 0; i < n; i++) {
            whisp_stream_info info = {.size = sizeof info};
            assert_int_equal(whisp_stream_describe(stream, &info), WHISP_OK);
            assert_in_range(words[i]->speaker, 0, info.n_speakers);
            wh_buf_printf(&l->words, "%.2f %s %s|", words[i]->start, words[i]->text,
                          words[i]->speaker ? info.speakers[words[i]->speaker - 1] : "-");
        }
    return rc;
}

static whisp_stream *open_live(lived *l, const char *name, const char *value)
{
    whisp_stream *stream;
    *l = (lived){0};
    wh_buf_puts(&l->words, "");
    whisp_options *o = options_of(&l->told, name, value);
    assert_int_equal(whisp_options_set(o, "stream_step", "4"), WHISP_OK);
    if (whisp_stream_new(model, o, &stream))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    return stream;
}

/* Pushed in blocks of so many samples, to the end. */
static void live(lived *l, const float *samples, size_t n, size_t block, const char *threads)
{
    whisp_stream *stream = open_live(l, "threads", threads);
    whisp_result *again;
    for (size_t done = 0; done < n;) {
        const size_t part = n - done < block ? n - done : block;
        done += (size_t)whisp_stream_push(stream, samples + done, part);
        assert_int_equal(pull_words(l, stream), 0);
    }
    assert_int_equal(whisp_stream_finish(stream), WHISP_OK);
    assert_int_equal(pull_words(l, stream), WHISP_END);
    assert_int_equal(whisp_stream_result(stream, &l->result), WHISP_OK);
    assert_int_equal(whisp_stream_result(stream, &again), WHISP_ERR_STATE);
    assert_null(again);
    whisp_stream_free(stream);
}

static void end_live(lived *l)
{
    wh_buf_free(&l->words);
    whisp_result_free(l->result);
}

/* However it is pushed, words, segments and result are the same; and the turns are a whole recording's. */
static void a_stream_has_the_turns_of_the_recording(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    size_t n;
    float *samples = samples_of(call, &n);
    lived first, second;
    live(&first, samples, n, 16000, "1");
    live(&second, samples, n, 99991, "2");
    assert_string_equal(first.words.data, second.words.data);
    assert_string_equal(first.told.names, second.told.names);
    assert_true(strstr(first.told.names, "SPEAKER_00") && strstr(first.words.data, "SPEAKER_00"));
    char *json = json_of(first.result), *other = json_of(second.result), *rttm, *want;
    assert_string_equal(json, other);
    whisp_result *whole;
    whisp_options *o = options_of(NULL, NULL, NULL);
    assert_int_equal(whisp_transcribe(model, call, o, &whole), WHISP_OK);
    assert_int_equal(whisp_result_format(first.result, "rttm", NULL, &rttm, NULL), WHISP_OK);
    assert_int_equal(whisp_result_format(whole, "rttm", NULL, &want, NULL), WHISP_OK);
    assert_string_equal(rttm, want);
    assert_non_null(strstr(rttm, "SPEAKER_01"));
    char *const texts[] = {json, other, rttm, want};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        whisp_string_free(texts[i]);
    whisp_result_free(whole);
    whisp_options_free(o);
    end_live(&first);
    end_live(&second);
    free(samples);
}

/* Who is known by name has it from his first words on. */
static void a_known_voice_is_named_at_once(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    size_t n;
    char speaker[1100];
    float *samples = samples_of(call, &n);
    lived l;
    snprintf(speaker, sizeof speaker, "Ann=%s", meeting);
    whisp_stream *stream = open_live(&l, "speaker", speaker); /* nobody of the call, and two people: warned of */
    assert_int_equal(whisp_stream_push(stream, samples, 8 * 16000), 8 * 16000);
    assert_int_equal(pull_words(&l, stream), 0);
    assert_null(strstr(l.words.data, "Ann"));
    whisp_stream_free(stream);
    end_live(&l);
    snprintf(speaker, sizeof speaker, "Ann=%s", call);
    stream = open_live(&l, "speaker", speaker);
    assert_int_equal(whisp_stream_push(stream, samples, n), n);
    assert_int_equal(pull_words(&l, stream), 0);
    assert_non_null(strstr(l.words.data, "Ann"));
    whisp_stream_free(stream);
    end_live(&l);
    free(samples);
}

/* Who stops early has what was final until then; a cancel ends it, and nothing leaks. */
static void a_stream_may_end_early(void **state)
{
    NEEDS_NETS();
    NOT_SANITIZED();
    size_t n;
    float *samples = samples_of(call, &n);
    const whisp_word *const *words;
    whisp_result_info info = {.size = sizeof info};
    lived l;
    whisp_stream *stream = open_live(&l, NULL, NULL);
    assert_int_equal(whisp_stream_result(stream, &l.result), WHISP_ERR_STATE);
    assert_int_equal(whisp_stream_push(stream, samples, n), n);
    assert_int_equal(whisp_stream_push(stream, samples, 8 * 16000), 8 * 16000);
    assert_int_equal(pull_words(&l, stream), 0);
    assert_true(l.told.n > 0);
    assert_int_equal(whisp_stream_result(stream, &l.result), WHISP_OK);
    assert_int_equal(whisp_result_describe(l.result, &info), WHISP_OK);
    assert_non_null(info.incomplete);
    assert_true(info.n_segments > 0 && info.n_turns > 0 && info.n_speakers > 0);
    assert_int_equal(whisp_stream_pull(stream, &words, &n), WHISP_ERR_STATE);
    whisp_stream_free(stream);
    end_live(&l);
    stream = open_live(&l, NULL, NULL);
    l.told.done = l.told.cancel_after = 1; /* at once */
    assert_int_equal(whisp_stream_push(stream, samples, 16 * 16000), 16 * 16000);
    assert_int_equal(pull_words(&l, stream), WHISP_ERR_CANCELLED);
    whisp_stream_free(stream);
    end_live(&l);
    free(samples);
}

/* ---- what is refused ---- */

static void what_is_not_a_whole_recording_is_refused(void **state)
{
    NEEDS_NETS();
    static float silence[16000];
    const whisp_segment *segment;
    whisp_session *session;
    whisp_stream *stream;
    whisp_options *o = options_of(NULL, NULL, NULL);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(whisp_session_push(session, silence, 16000), 16000);
    assert_int_equal(whisp_session_pull(session, &segment), WHISP_ERR_STATE);
    assert_non_null(strstr(whisp_last_error(), "diarize"));
    whisp_session_free(session);
    assert_int_equal(whisp_options_set(o, "speakers_model", "nowhere"), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_ERR_MODEL);
    assert_non_null(strstr(whisp_last_error(), "speakers_model"));
    assert_int_equal(whisp_stream_new(model, o, &stream), WHISP_ERR_MODEL);
    assert_non_null(strstr(whisp_last_error(), "speakers_model"));
    assert_int_equal(whisp_options_set(o, "speakers_model", nets), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "speaker", "Ann=nowhere.wav"), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), "Ann: nowhere.wav"));
    whisp_options_free(o);
}

/* NULL and nothing. */
static void bad_arguments_are_refused(void **state)
{
    NEEDS_NETS();
    static float voice[WHISP_VOICE_SIZE], sound[8000];
    whisp_speakers *s = NULL;
    whisp_result *result;
    assert_int_equal(whisp_speakers_load(invented_path("invented"), NULL, &s), WHISP_ERR_MODEL);
    assert_null(s);
    assert_int_equal(whisp_speakers_load(nets, NULL, &s), WHISP_OK);
    assert_int_equal(whisp_speakers_diarize(NULL, NULL, NULL, &result), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_diarize(s, NULL, NULL, &result), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_embed(s, sound, 3999, voice), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_embed(s, sound, 8000, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_embed(s, sound, 8000, voice), WHISP_OK); /* silence is some voice, too */
    assert_int_equal(whisp_speakers_cluster(NULL, 3, NULL, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_cluster(NULL, 0, NULL, NULL), 0);
    assert_true(whisp_speakers_compare(voice, NULL) == 0);
    whisp_speakers_free(s);
    whisp_speakers_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_names_the_same),
        cmocka_unit_test(turns_do_not_depend_on_the_words),
        cmocka_unit_test(segments_come_at_the_end_and_progress_goes_on),
        cmocka_unit_test(a_cancel_leaves_the_words),
        cmocka_unit_test(a_run_goes_on),
        cmocka_unit_test(a_stream_has_the_turns_of_the_recording),
        cmocka_unit_test(a_known_voice_is_named_at_once),
        cmocka_unit_test(a_stream_may_end_early),
        cmocka_unit_test(what_is_not_a_whole_recording_is_refused),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("who", tests, prepare, free_models);
}
