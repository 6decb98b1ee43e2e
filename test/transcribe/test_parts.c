/* test_parts.c - long recordings cut into parts: where the cuts are, and that what comes out depends neither on how many
 * parts are transcribed at a time nor on threads; cancelling, callbacks, errors. With an invented model. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sndfile.h>

#include "support/testing.h"
#include "transcribe/cut.h"
#include "support/bounds.h"
#include "support/calls.h"

static whisp_model *model;
static float *noise;
#define SECONDS_OF_NOISE 100
#define N_NOISE (SECONDS_OF_NOISE * 16000)

/* ---- where to cut ---- */

static void add_level(wh_levels *levels, double seconds, float loudness)
{
    float block[WH_CUT_STEP];
    for (int i = 0; i < WH_CUT_STEP; i++)
        block[i] = i % 2 ? loudness : -loudness;
    for (int i = 0; i < (int)(seconds * 20); i++)
        assert_int_equal(wh_levels_add(levels, block, WH_CUT_STEP), WHISP_OK);
}

static void cuts_are_in_pauses(void **state)
{
    (void)state;
    wh_levels levels = {0};
    for (int i = 0; i < 12; i++) { /* 12 x 10 s, a pause of 1 s at the end of each, silent at every third */
        add_level(&levels, 9, 0.3f);
        add_level(&levels, 1, i % 3 == 2 ? 0 : 0.001f);
    }
    int64_t at = 0, end;
    for (int i = 0; i < 3; i++) { /* as soon as 45 s are there, or all */
        wh_levels seen = levels;
        seen.samples = at + 45 * 16000;
        assert_int_equal(wh_cut_next(&seen, at, 30, 0, &end), 0);
        seen.samples++;
        seen.n = (size_t)seen.samples / WH_CUT_STEP;
        if (at + 45 * 16000 < levels.samples) {
            assert_int_equal(wh_cut_next(&seen, at, 30, 0, &end), 1);
            assert_true(fabs((double)end / 16000 - (30.0 * (i + 1) - 0.5)) < 0.3);
            assert_int_equal(end % WH_CUT_STEP, 0);
            int64_t later;
            assert_int_equal(wh_cut_next(&levels, at, 30, 1, &later), 1);
            assert_int_equal(end, later); /* what comes later does not move it */
            at = end;
        }
    }
    assert_true(at > 89 * 16000);
    assert_int_equal(wh_cut_next(&levels, at, 30, 1, &end), 1);
    assert_true(end == INT64_MAX);
    wh_levels_free(&levels);
    assert_true(wh_cut_whole(NAN) >= 300 * 16000);
    assert_true(wh_cut_whole(30) == wh_cut_longest(30));
}

/* Levels do not depend on how the samples are cut into calls. */
static void levels_do_not_depend_on_blocks(void **state)
{
    (void)state;
    wh_levels one = {0}, many = {0};
    assert_int_equal(wh_levels_add(&one, noise, 100001), WHISP_OK);
    for (size_t at = 0, step = 1; at < 100001; at += step, step = step * 7 % 1009 + 1)
        assert_int_equal(wh_levels_add(&many, noise + at, WH_MIN(step, 100001 - at)), WHISP_OK);
    assert_int_equal(one.n, many.n);
    assert_memory_equal(one.quiet, many.quiet, one.n);
    assert_int_equal(one.samples, many.samples);
    wh_levels_free(&one);
    wh_levels_free(&many);
}

/* ---- whole recordings ---- */

static whisp_options *options(const char *cut, const char *batch, const char *name, const char *value)
{
    whisp_options *o = whisp_options_new();
    const char *const set[][2] = {{"cut", cut},
                                  {"batch_size", batch},
                                  {"language", "en"},
                                  {"sample_len", "12"},
                                  {"hallucination_guard", "False"},
                                  {"no_speech_threshold", "None"},
                                  {"threads", "2"},
                                  {name, value}};
    for (size_t i = 0; i < WH_COUNT(set); i++)
        assert_int_equal(whisp_options_set(o, set[i][0], set[i][1]), WHISP_OK);
    return o;
}

/* Of a file, or of samples where `path` is NULL. */
static char *transcribe_recording(whisp_options *o, const char *path, const float *samples, size_t n)
{
    whisp_session *session;
    whisp_result *result;
    char *text;
    if (whisp_session_new(model, o, &session) ||
        (path ? transcribe_file(session, path, &result) : transcribe_samples(session, samples, n, &result)))
        fail_msg("%s", whisp_last_error());
    assert_int_equal(whisp_result_format(result, "json", NULL, &text, NULL), WHISP_OK);
    double last = 0;
    for (size_t i = 0; i < result_info(result).n_segments; i++) {
        const whisp_segment *s = whisp_result_segment(result, i);
        assert_int_equal(s->id, i);
        assert_true(s->start <= s->end && s->start >= last - 1e-9);
        last = s->start;
    }
    assert_true(last > SECONDS_OF_NOISE / 2);
    whisp_result_free(result);
    whisp_session_free(session);
    whisp_options_free(o);
    return text;
}

static char *transcribe(whisp_options *o)
{
    return transcribe_recording(o, NULL, noise, N_NOISE);
}

/* The noise in a file. A FLAC loses the number of its samples, as when it was written to a pipe. */
static void write_noise(const char *path, int format, sf_count_t n)
{
    SF_INFO info = {.samplerate = 16000, .channels = 1, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_write_float(file, noise, n), n);
    sf_close(file);
    if ((format & SF_FORMAT_TYPEMASK) != SF_FORMAT_FLAC)
        return;
    unsigned char head[26];
    FILE *f = fopen(path, "r+b");
    assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
    head[21] &= 0xf0;
    memset(head + 22, 0, 4);
    rewind(f);
    assert_int_equal(fwrite(head, 1, sizeof head, f), sizeof head);
    fclose(f);
}

static void files_are_cut_like_samples(void **state)
{
    (void)state;
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    float *samples = malloc((N_NOISE + 16000) * sizeof *samples);
    char path[] = "/tmp/whisp_parts_XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < WH_COUNT(formats); i++) {
        whisp_audio *audio;
        int64_t n = 0, got;
        write_noise(path, formats[i], N_NOISE);
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        whisp_audio_info info = {.size = sizeof info};
        assert_int_equal(whisp_audio_describe(audio, &info), WHISP_OK);
        assert_true((info.duration < 0) == (i == 1)); /* both ways of knowing that a recording is long */
        while ((got = whisp_audio_read(audio, samples + n, (size_t)(N_NOISE + 16000 - n))) > 0)
            n += got;
        whisp_audio_free(audio);
        for (int k = 0; k < 2; k++) {
            const char *cut = k ? "15" : "90"; /* 90: not long enough */
            char *file = transcribe_recording(options(cut, "3", "seed", "0"), path, NULL, 0);
            char *array = transcribe_recording(options(cut, "3", "seed", "0"), NULL, samples, (size_t)n);
            assert_string_equal(file, array);
            whisp_string_free(file);
            whisp_string_free(array);
        }
    }
    unlink(path);
    free(samples);
}

typedef struct handed {
    char *json[8];
    int rc[8];
    size_t n, most;
} handed;

static int on_file(void *user, size_t index, int rc, whisp_result *result)
{
    handed *h = user;
    assert_int_equal(index, h->n);
    assert_true((rc == WHISP_OK) == (result != NULL));
    assert_true(rc == WHISP_OK || *whisp_last_error());
    h->rc[h->n] = rc;
    if (result)
        assert_int_equal(whisp_result_format(result, "json", NULL, &h->json[h->n], NULL), WHISP_OK);
    whisp_result_free(result);
    return ++h->n == h->most;
}

/* Short files side by side, among them one that is none, an empty one and a long one that goes alone. */
static void files_come_in_order(void **state)
{
    (void)state;
    static const int seconds[] = {7, 20, 0, 100, 12, 3}, none = 4;
    const char *paths[8];
    handed h = {.most = 100};
    size_t n = 0;
    for (; n < 6; n++) {
        char name[32];
        snprintf(name, sizeof name, "noise%zu.wav", n);
        paths[n] = strdup(temp_path(name));
        write_noise(paths[n], SF_FORMAT_WAV | SF_FORMAT_PCM_16, seconds[n] * 16000);
    }
    FILE *text = fopen(paths[none], "w");
    fputs("not a recording", text);
    fclose(text);
    paths[n++] = strdup("/nowhere/x.wav");
    whisp_session *session;
    whisp_options *o = options("15", "3", "seed", "0");
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(whisp_session_transcribe_files(session, paths, n, on_file, &h), WHISP_OK);
    assert_int_equal(h.n, n);
    for (size_t i = 0; i < n; i++) {
        whisp_result *alone = NULL;
        char *json;
        assert_int_equal(transcribe_file(session, paths[i], &alone), h.rc[i]);
        if (h.rc[i])
            continue;
        assert_int_equal(whisp_result_format(alone, "json", NULL, &json, NULL), WHISP_OK);
        assert_string_equal(json, h.json[i]);
        whisp_string_free(json);
        whisp_string_free(h.json[i]);
        whisp_result_free(alone);
    }
    assert_true(h.rc[2] == WHISP_ERR_AUDIO && h.rc[none] == WHISP_ERR_AUDIO && h.rc[6] == WHISP_ERR_IO && !h.rc[0] &&
                !h.rc[5]);
    handed some = {.most = 2};
    assert_int_equal(whisp_session_transcribe_files(session, paths, n, on_file, &some), WHISP_ERR_CANCELLED);
    assert_int_equal(some.n, 2);
    whisp_string_free(some.json[0]);
    whisp_string_free(some.json[1]);
    const char *both[] = {paths[3], paths[3]}; /* much of the second is final when the first one is handed over */
    handed one = {.most = 1};
    assert_int_equal(whisp_session_transcribe_files(session, both, 2, on_file, &one), WHISP_ERR_CANCELLED);
    assert_int_equal(one.n, 1);
    whisp_string_free(one.json[0]);
    whisp_session_free(session);
    whisp_options_free(o);
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)paths[i]);
}

static void batch_and_threads_change_nothing(void **state)
{
    (void)state;
    static const char *const more[][2] = {
        {"temperature", "0"},           {"temperature", "0.5"},  {"beam_size", "3"},
        {"word_timestamps", "True"},    {"confidence", "True"},  {"initial_prompt", "And so"},
        {"logprob_threshold", "-0.01"}, {"compute_type", "bf16"}};
    for (size_t i = 0; i < WH_COUNT(more); i++) {
        char *one = transcribe(options("15", "1", more[i][0], more[i][1]));
        static const char *const sizes[] = {"2", "3", "16", "auto"};
        for (size_t k = 0; k < WH_COUNT(sizes); k += BOUNDS_SANITIZED ? 3 : 1) {
            whisp_options *o = options("15", sizes[k], more[i][0], more[i][1]);
            assert_int_equal(whisp_options_set(o, "threads", k % 2 ? "1" : "3"), WHISP_OK);
            char *many = transcribe(o);
            assert_string_equal(one, many);
            whisp_string_free(many);
        }
        whisp_string_free(one);
    }
}

static void off_and_short_ones_stay_whole(void **state)
{
    (void)state;
    char *whole = transcribe(options("off", "auto", "seed", "0"));
    char *automatic = transcribe(options("auto", "auto", "seed", "0"));
    char *clipped = transcribe(options("15", "auto", "clip_timestamps", "0"));
    char *cut = transcribe(options("15", "auto", "seed", "0"));
    assert_string_equal(whole, automatic);
    assert_string_equal(cut, clipped);
    assert_string_not_equal(whole, cut);
    whisp_string_free(whole);
    whisp_string_free(automatic);
    whisp_string_free(clipped);
    whisp_string_free(cut);
}

typedef struct seen {
    int segments, last_id, left;
    double start, progress, first_progress; /* the last: when the first segment had come; 0: not yet */
    pthread_t thread;
} seen;

static void on_segment(void *user, const whisp_segment *segment)
{
    seen *s = user;
    assert_true(pthread_equal(s->thread, pthread_self()));
    assert_int_equal(segment->id, s->last_id + 1);
    assert_true(segment->start >= s->start);
    s->last_id = segment->id;
    s->start = segment->start;
    s->segments++;
}

static void on_progress(void *user, double done, double total)
{
    seen *s = user;
    assert_true(pthread_equal(s->thread, pthread_self()));
    assert_true(done >= s->progress && done <= total + 1e-6);
    s->progress = done;
    if (s->segments && s->first_progress == 0)
        s->first_progress = done;
}

static int on_cancel(void *user)
{
    seen *s = user;
    assert_true(pthread_equal(s->thread, pthread_self()));
    return s->left >= 0 && s->left-- == 0;
}

/* The seconds that had been heard when text came. */
static double heard_before_text(void)
{
    seen s = {.last_id = -1, .left = -1, .thread = pthread_self()};
    whisp_options *o = options("15", "4", "seed", "0");
    set_callbacks(o, NULL, on_progress, on_segment, on_cancel, &s);
    whisp_string_free(transcribe(o));
    assert_true(s.segments >= 6);
    assert_true(fabs(s.progress - SECONDS_OF_NOISE) < 0.05);
    assert_true(s.first_progress > 0);
    return s.first_progress;
}

static void callbacks_come_in_order(void **state)
{
    (void)state;
    /* the first part goes ahead: it alone, of at most one and a half times 15 s, has been heard when text comes; unless
     * on a busy machine this thread sleeps just then */
    double heard = heard_before_text();
    for (int tries = 0; heard > 22.5 && tries < 10; tries++)
        heard = heard_before_text();
    assert_true(heard <= 22.5);
}

/* The parts behind it decode together, however soon the reader has come to the end. */
static void parts_share_their_steps(void **state)
{
    (void)state;
    static const char *const languages[] = {"en", "None"};
    for (size_t i = 0; i < WH_COUNT(languages); i++) {
        whisp_options *o = options("15", "8", "language", languages[i]);
        whisp_session *session;
        whisp_result *result;
        assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
        assert_int_equal(transcribe_samples(session, noise, N_NOISE, &result), WHISP_OK);
        const whisp_timings t = *session_info(session).timings;
        printf("  %d tokens in %d steps\n", (int)t.n_decode_tokens, (int)t.n_decode_steps);
        assert_true(t.n_decode_steps < t.n_decode_tokens);
        whisp_result_free(result);
        whisp_session_free(session);
        whisp_options_free(o);
    }
}

static void cancelling_ends_everything(void **state)
{
    (void)state;
    for (int left = 0; left < 400; left = left * 2 + 3) {
        seen s = {.left = left, .thread = pthread_self()};
        whisp_options *o = options("15", "4", "seed", "0");
        set_callbacks(o, NULL, NULL, NULL, on_cancel, &s);
        whisp_session *session;
        whisp_result *result = NULL;
        assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
        int rc = transcribe_samples(session, noise, N_NOISE, &result);
        if (rc && rc != WHISP_ERR_CANCELLED)
            fail_msg("%s (%d), %d asked for", whisp_last_error(), rc, left);
        assert_true(rc == WHISP_ERR_CANCELLED || s.left >= 0);
        whisp_result_free(result);
        s.left = -1; /* and the session can be used again */
        assert_int_equal(transcribe_samples(session, noise, N_NOISE, &result), WHISP_OK);
        whisp_result_free(result);
        whisp_session_free(session);
        whisp_options_free(o);
    }
}

/* ---- divided ---- */

/* A stretch of the noise, as whisp_live.h says; and what is seen of its parts. */
typedef struct stretch {
    int64_t at, end; /* samples of the recording; of parts that begin between them something is kept */
    double loudest;
    int leaves_out, answer;
    int n;
    int64_t starts[32];
    double loudness[32];
    int is_last;
} stretch;

static int on_part(void *user, whisp_part *part)
{
    stretch *s = user;
    if (s->leaves_out) {
        assert_memory_equal(part->samples, noise + part->at, part->n * sizeof *noise);
    } else {
        if (part->at == 0)
            part->loudest = s->loudest;
        part->at += s->at;
        part->is_last = part->is_last && s->end == N_NOISE;
    }
    s->starts[s->n] = part->at;
    s->loudness[s->n++] = part->loudest;
    s->is_last = part->is_last;
    return s->answer ? s->answer : s->leaves_out;
}

static int hear_stretch(stretch *s, whisp_result **result)
{
    whisp_options *o = options("5", "3", "seed", "0");
    whisp_callbacks callbacks = {.size = sizeof callbacks, .user = s, .part = on_part};
    whisp_session *session;
    assert_int_equal(whisp_options_on(o, &callbacks), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    int rc = transcribe_samples(session, noise + s->at, (size_t)(s->end - s->at), result);
    whisp_session_free(session);
    whisp_options_free(o);
    return rc;
}

/* Each segment of a stretch is the whole's. */
static size_t compare_segments(const whisp_result *whole, size_t first, const whisp_result *result)
{
    size_t n = result_info(result).n_segments;
    for (size_t i = 0; i < n; i++) {
        const whisp_segment *a = whisp_result_segment(whole, first + i), *b = whisp_result_segment(result, i);
        assert_non_null(a);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->n_tokens, b->n_tokens);
        assert_memory_equal(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
        assert_true(a->seek == b->seek && a->start == b->start && a->end == b->end);
        assert_true(a->avg_logprob == b->avg_logprob && a->no_speech_prob == b->no_speech_prob);
    }
    return first + n;
}

static void stretches_have_the_words_of_the_whole(void **state)
{
    (void)state;
    stretch all = {.end = N_NOISE, .leaves_out = 1};
    whisp_result *whole, *none, *result;
    assert_int_equal(hear_stretch(&all, &none), WHISP_OK);
    assert_int_equal(result_info(none).n_segments, 0); /* all were left out */
    assert_true(all.n >= 15 && all.is_last && all.loudness[0] == -INFINITY);
    all.leaves_out = 0;
    all.n = 0;
    all.loudest = -INFINITY;
    assert_int_equal(hear_stretch(&all, &whole), WHISP_OK);
    size_t heard = 0;
    for (int from = 0, to = 6; from<all.n; from = to, to = to + 12> all.n ? all.n : to + 6) {
        stretch s = {.at = all.starts[from],
                     .end = to == all.n ? N_NOISE : all.starts[to],
                     .loudest = all.loudness[from]};
        assert_int_equal(hear_stretch(&s, &result), WHISP_OK);
        assert_int_equal(s.n, to - from);
        assert_memory_equal(s.starts, all.starts + from, (size_t)s.n * sizeof *s.starts);
        assert_memory_equal(s.loudness, all.loudness + from, (size_t)s.n * sizeof *s.loudness);
        assert_int_equal(s.is_last, to == all.n);
        heard = compare_segments(whole, heard, result);
        whisp_result_free(result);
    }
    assert_int_equal(heard, result_info(whole).n_segments);
    stretch stops = {.end = N_NOISE, .answer = -1}, odd = {.at = 1, .end = N_NOISE};
    assert_int_equal(hear_stretch(&stops, &result), WHISP_ERR_CANCELLED);
    assert_int_equal(stops.n, 1);
    assert_int_equal(hear_stretch(&odd, &result), WHISP_ERR_ARGUMENT); /* no frame begins there */
    whisp_result_free(whole);
    whisp_result_free(none);
}

int main(void)
{
    char path[4096];
    uint64_t seed = 5;
    snprintf(path, sizeof path, "%s/invented.gguf", getenv("WHISP_INVENTED") ? getenv("WHISP_INVENTED") : "build/test");
    if (whisp_model_load(path, NULL, &model)) {
        fprintf(stderr, "%s\n", whisp_last_error());
        return 1;
    }
    noise = malloc(N_NOISE * sizeof *noise);
    for (size_t i = 0; i < N_NOISE; i++)
        noise[i] = (float)((random_unit(&seed) - 0.5) * (i / 16000 % 10 == 9 ? 0.01 : 0.4));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_in_pauses),
        cmocka_unit_test(levels_do_not_depend_on_blocks),
        cmocka_unit_test(files_are_cut_like_samples),
        cmocka_unit_test(files_come_in_order),
        cmocka_unit_test(batch_and_threads_change_nothing),
        cmocka_unit_test(off_and_short_ones_stay_whole),
        cmocka_unit_test(callbacks_come_in_order),
        cmocka_unit_test(parts_share_their_steps),
        cmocka_unit_test(cancelling_ends_everything),
        cmocka_unit_test(stretches_have_the_words_of_the_whole),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(noise);
    whisp_model_free(model);
    return rc;
}
