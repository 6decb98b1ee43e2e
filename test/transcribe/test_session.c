/* test_session.c - sessions on an invented model: pushes and pulls, states, callbacks, fallback, languages, limits. */
#include "support/testing.h"
#include "support/models.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/session.h"
#include "support/calls.h"

/* Noise that swells and fades, so that windows differ. */
static float *make_noise(size_t n)
{
    float *samples = malloc((n ? n : 1) * sizeof *samples);
    uint64_t seed = 7;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)((random_unit(&seed) - 0.5) * (0.1 + 0.4 * sin((double)i / 40000)));
    return samples;
}

/* New options, single temperature 0 without fallback; then name, value pairs up to NULL. */
static whisp_options *make_options(const char *name, ...)
{
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"),
                     WHISP_OK); /* invented models hear words in noise */
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *))
        assert_int_equal(whisp_options_set(o, name, va_arg(args, const char *)), WHISP_OK);
    va_end(args);
    return o;
}

static whisp_session *open_session(const whisp_model *m, whisp_options *options)
{
    whisp_session *s;
    if (whisp_session_new(m, options, &s))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(options);
    return s;
}

static char *transcribe(whisp_session *s, const float *samples, size_t n)
{
    whisp_result *result;
    char *json;
    if (transcribe_samples(s, samples, n, &result))
        fail_msg("%s", whisp_last_error());
    assert_int_equal(whisp_result_format(result, "json", NULL, &json, NULL), WHISP_OK);
    whisp_result_free(result);
    return json;
}

/* Push everything in blocks of varying size; the segments' times and tokens as text. */
static char *stream(whisp_session *s, const float *samples, size_t n, size_t block)
{
    wh_buf text = {0};
    const whisp_segment *segment;
    size_t done = 0;
    int rc, finished = 0;
    while ((rc = whisp_session_pull(s, &segment)) != WHISP_END) {
        if (rc < 0)
            fail_msg("%s", whisp_last_error());
        if (rc == 1) {
            wh_buf_printf(&text, "%d %.2f %.2f:", segment->id, segment->start, segment->end);
            for (size_t i = 0; i < segment->n_tokens; i++)
                wh_buf_printf(&text, " %d", (int)segment->tokens[i].id);
            wh_buf_puts(&text, "\n");
        } else if (done < n) {
            size_t take = WH_MIN(block, n - done);
            int64_t taken = whisp_session_push(s, samples + done, take);
            assert_in_range(taken, 1, take);
            done += (size_t)taken;
        } else {
            assert_false(finished);
            assert_int_equal(whisp_session_finish(s), WHISP_OK);
            finished = 1;
        }
    }
    assert_false(text.failed);
    return text.data ? text.data : strdup("");
}

static void pushes_of_any_size_give_the_same_words(void **state)
{
    (void)state;
    size_t n = 16000 * 34;
    float *samples = make_noise(n);
    whisp_session *s = open_session(model, make_options(NULL));
    char *first = NULL;
    for (int measured = 0; measured < 2; measured++) {
        static const size_t blocks[] = {1 << 20, 12345, 160, 77777};
        free(first);
        first = NULL;
        for (size_t i = 0; i < WH_COUNT(blocks); i++) {
            assert_int_equal(whisp_session_reset(s), WHISP_OK);
            if (measured) {
                for (size_t at = 0; at < n; at += 30001)
                    assert_int_equal(whisp_session_measure(s, samples + at, WH_MIN((size_t)30001, n - at)), WHISP_OK);
                assert_int_equal(whisp_session_measure(s, NULL, 0), WHISP_OK);
            }
            char *text = stream(s, samples, n, blocks[i]);
            assert_true(strlen(text) > 20);
            if (first)
                assert_string_equal(text, first);
            else
                first = strdup(text);
            free(text);
        }
    }
    free(first);
    whisp_session_free(s);
    free(samples);
}

static void a_session_is_reusable_and_threads_do_not_matter(void **state)
{
    (void)state;
    size_t n = 16000 * 5;
    float *samples = make_noise(n);
    char *want = NULL;
    static const char *const threads[] = {"1", "2", "3"};
    for (size_t i = 0; i < WH_COUNT(threads); i++) {
        whisp_session *s = open_session(model, make_options("threads", threads[i], NULL));
        for (int again = 0; again < 2; again++) {
            char *json = transcribe(s, samples, n);
            if (want)
                assert_string_equal(json, want);
            else
                want = strdup(json);
            free(json);
        }
        whisp_session_free(s);
    }
    free(want);
    free(samples);
}

/* What an invented model says is doubtful: with few rows of padding a short window is heard a second time, with all, and its
 * words and their times are those of all. */
static void doubtful_words_are_heard_with_all_the_padding(void **state)
{
    (void)state;
    static const struct {
        const char *padding, *compute;
        int64_t times; /* that a window is encoded */
    } rows[] = {{"full", "int8", 1}, {"few", "int8", 2}, {"auto", "int8", 2},
                {"full", "f32", 1},  {"few", "f32", 2},  {"auto", "f32", 1}};
    size_t n = 16000 * 5;
    float *samples = make_noise(n);
    char *want = NULL;
    int64_t n_windows = 0;
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        whisp_session *s = open_session(model, make_options("encoder_padding", rows[i].padding, "compute_type",
                                                            rows[i].compute, "word_timestamps", "True", NULL));
        char *json = transcribe(s, samples, n);
        int64_t n_encode = session_info(s).timings->n_encode;
        if (strcmp(rows[i].padding, "full") == 0) {
            free(want);
            want = strdup(json);
            n_windows = n_encode;
        }
        assert_string_equal(json, want);
        assert_int_equal(n_encode, rows[i].times * n_windows);
        free(json);
        whisp_session_free(s);
    }
    free(want);
    free(samples);
}

static void calls_out_of_order_are_errors(void **state)
{
    (void)state;
    float *samples = make_noise(16000);
    const whisp_segment *segment;
    whisp_session *s = open_session(model, make_options(NULL));
    assert_int_equal(whisp_session_pull(s, &segment), 0);
    assert_int_equal(whisp_session_push(s, samples, 100), 100);
    assert_int_equal(whisp_session_measure(s, samples, 100), WHISP_ERR_STATE);
    assert_int_equal(whisp_session_finish(s), WHISP_OK);
    assert_int_equal(whisp_session_finish(s), WHISP_ERR_STATE);
    assert_int_equal(whisp_session_push(s, samples, 100), WHISP_ERR_STATE);
    assert_non_null(strstr(whisp_last_error(), "reset"));
    assert_int_equal(whisp_session_pull(s, &segment), WHISP_END);
    assert_int_equal(whisp_session_pull(s, &segment), WHISP_END);
    assert_int_equal(whisp_session_push(NULL, samples, 100), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_session_push(s, NULL, 100), WHISP_ERR_ARGUMENT);
    whisp_session_free(s);
    free(samples);
}

static void push_takes_a_bounded_amount(void **state)
{
    (void)state;
    size_t n = 16000 * 120;
    float *samples = make_noise(n);
    whisp_session *s = open_session(model, make_options(NULL));
    int64_t taken = whisp_session_push(s, samples, n);
    assert_in_range(taken, 16000 * 60, 16000 * 63);
    assert_int_equal(whisp_session_push(s, samples, n), 0);
    whisp_session_free(s);
    free(samples);
}

static void short_and_empty_recordings_are_no_error(void **state)
{
    (void)state;
    float samples[1600] = {0.5f};
    static const size_t lengths[] = {0, 1, 159, 160, 1600};
    whisp_session *s = open_session(model, make_options(NULL));
    for (size_t i = 0; i < WH_COUNT(lengths); i++) {
        whisp_result *result;
        assert_int_equal(transcribe_samples(s, samples, lengths[i], &result), WHISP_OK);
        if (lengths[i] < 160)
            assert_int_equal(result_info(result).n_segments, 0);
        assert_string_equal(result_info(result).language, "en");
        assert_true(fabs(result_info(result).duration - (double)lengths[i] / 16000) < 1e-9);
        whisp_result_free(result);
    }
    whisp_session_free(s);
}

static void count_warnings(void *user, int level, const char *text)
{
    if (level == WHISP_LOG_WARNING && strstr(text, "not finite"))
        ++*(int *)user;
}

static void samples_that_are_no_numbers_are_silence(void **state)
{
    (void)state;
    size_t n = 16000;
    float *samples = make_noise(n);
    int warnings = 0;
    samples[100] = NAN;
    samples[200] = INFINITY;
    samples[300] = -INFINITY;
    whisp_options *o = make_options(NULL);
    set_callbacks(o, count_warnings, NULL, NULL, NULL, &warnings);
    whisp_session *s = open_session(model, o);
    char *with = transcribe(s, samples, n);
    assert_int_equal(warnings, 1);
    samples[100] = samples[200] = samples[300] = 0;
    char *without = transcribe(s, samples, n);
    assert_string_equal(with, without);
    free(with);
    free(without);
    whisp_session_free(s);
    free(samples);
}

struct calls {
    int progress, segments, cancels, cancel_at;
    double done, total;
};

static void on_progress(void *user, double done, double total)
{
    struct calls *c = user;
    assert_true(done >= c->done);
    c->progress++;
    c->done = done;
    c->total = total;
}

static void on_segment(void *user, const whisp_segment *segment)
{
    struct calls *c = user;
    assert_int_equal(segment->id, c->segments);
    c->segments++;
}

static int on_cancel(void *user)
{
    struct calls *c = user;
    return ++c->cancels == c->cancel_at;
}

static void callbacks_tell_progress_and_can_cancel(void **state)
{
    (void)state;
    size_t n = 16000 * 3;
    float *samples = make_noise(n);
    struct calls c = {0};
    whisp_options *o = make_options(NULL);
    set_callbacks(o, NULL, on_progress, on_segment, on_cancel, &c);
    whisp_session *s = open_session(model, o);
    whisp_result *result;
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    assert_int_equal(c.segments, result_info(result).n_segments);
    assert_true(c.progress > 0);
    assert_true(fabs(c.done - 3) < 1e-9 && fabs(c.total - 3) < 1e-9);
    whisp_result_free(result);

    int all = c.cancels;
    assert_true(all > 10);
    for (int at = 1; at <= all; at += 1 + all / 7) {
        c = (struct calls){.cancel_at = at};
        assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_ERR_CANCELLED);
        assert_null(result);
    }
    const whisp_segment *segment;
    assert_int_equal(whisp_session_pull(s, &segment), WHISP_ERR_STATE);
    c = (struct calls){0};
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

static void fallback_climbs_and_sampling_depends_on_the_seed_alone(void **state)
{
    (void)state;
    size_t n = 16000 * 4;
    float *samples = make_noise(n);
    char *texts[3];
    static const char *const seeds[] = {"1", "1", "2"}, *const threads[] = {"1", "2", "1"};
    for (int i = 0; i < 3; i++) {
        whisp_options *o = make_options("temperature", "0.0,0.5,0.9", "logprob_threshold", "0", "no_speech_threshold",
                                        "None", "seed", seeds[i], "threads", threads[i], NULL);
        whisp_session *s = open_session(model, o);
        texts[i] = transcribe(s, samples, n);
        const whisp_timings t = *session_info(s).timings;
        assert_int_equal(t.n_fallbacks, 2 * t.n_windows);
        assert_true(t.n_decode_tokens > t.n_decode_steps); /* candidates share steps */
        whisp_session_free(s);
        assert_non_null(strstr(texts[i], "\"temperature\": 0.9"));
    }
    assert_string_equal(texts[0], texts[1]);
    assert_string_not_equal(texts[0], texts[2]);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    free(samples);
}

static void without_timestamps_windows_follow_each_other(void **state)
{
    (void)state;
    size_t n = 16000 * 65;
    float *samples = make_noise(n);
    whisp_session *s = open_session(model,
                                    make_options("without_timestamps", "True", "no_speech_threshold", "None", NULL));
    whisp_result *result;
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 3);
    static const double starts[] = {0, 30, 60};
    for (size_t i = 0; i < 3; i++) {
        const whisp_segment *segment = whisp_result_segment(result, i);
        assert_true(fabs(segment->start - starts[i]) < 1e-9);
        assert_int_equal(segment->seek, i * 3000);
    }
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

static void prompts_of_any_length_are_cut(void **state)
{
    (void)state;
    size_t n = 16000 * 2;
    float *samples = make_noise(n);
    char *words = malloc(60001), *plain = NULL, *prompted;
    memset(words, 'q', 60000);
    words[60000] = 0;
    static const char *const carry[] = {"False", "True"};
    whisp_session *s = open_session(model, make_options(NULL));
    plain = transcribe(s, samples, n);
    whisp_session_free(s);
    for (int i = 0; i < 2; i++) {
        s = open_session(model, make_options("initial_prompt", words, "carry_initial_prompt", carry[i], NULL));
        prompted = transcribe(s, samples, n);
        assert_string_not_equal(prompted, plain);
        const whisp_timings t = *session_info(s).timings;
        assert_true(t.n_prompt_tokens >= 225 && (i == 0 || t.n_prompt_tokens == 225 * t.n_encode));
        free(prompted);
        whisp_session_free(s);
    }
    free(plain);
    free(words);
    free(samples);
}

static void languages_are_detected(void **state)
{
    (void)state;
    size_t n = 16000 * 2;
    float *samples = make_noise(n), probabilities[100], sum = 0;
    whisp_session *s = open_session(multilingual, make_options(NULL));
    assert_null(session_info(s).language);
    int best = detect_in_samples(s, samples, n, probabilities, 100);
    assert_in_range(best, 0, 98);
    for (int i = 0; i < 99; i++) {
        assert_true(probabilities[i] >= 0 && probabilities[i] <= probabilities[best]);
        sum += probabilities[i];
    }
    assert_true(fabsf(sum - 1) < 1e-4f);
    assert_int_equal(detect_in_samples(s, samples, n, probabilities, 98), WHISP_ERR_ARGUMENT);
    whisp_result *result;
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    assert_string_equal(result_info(result).language, wh_language_code(best));
    assert_string_equal(session_info(s).language, wh_language_code(best));
    whisp_result_free(result);
    whisp_session_free(s);

    s = open_session(multilingual, make_options("language", "de", "task", "translate", NULL));
    assert_string_equal(session_info(s).language, "de");
    whisp_session_free(s);

    s = open_session(model, make_options("language", "de", NULL)); /* English only: a warning, and English */
    assert_string_equal(session_info(s).language, "en");
    assert_int_equal(detect_in_samples(s, samples, n, probabilities, 100), WHISP_ERR_ARGUMENT);
    whisp_session_free(s);
    free(samples);
}

static void options_that_do_not_fit_the_model_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"task", "translate", "English only"},
        {"suppress_tokens", "-1,999999", "not in the vocabulary"},
    };
    for (size_t i = 0; i < WH_COUNT(wrong); i++) {
        whisp_options *o = make_options(wrong[i][0], wrong[i][1], NULL);
        whisp_session *s = (whisp_session *)&s;
        assert_int_equal(whisp_session_new(model, o, &s), WHISP_ERR_ARGUMENT);
        assert_null(s);
        assert_non_null(strstr(whisp_last_error(), wrong[i][2]));
        whisp_options_free(o);
    }
    whisp_options *o = make_options("language", "yue", NULL);
    whisp_session *s;
    assert_int_equal(whisp_session_new(multilingual, o, &s), WHISP_ERR_ARGUMENT);
    whisp_options_free(o);
}

/* A FLAC of noise with damage at half its time, of seconds. */
static const char *damaged_recording(int seconds)
{
    const char *path = temp_path("damaged.flac");
    SF_INFO info = {.samplerate = 16000, .channels = 1, .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    float *noise = make_noise(16000);
    for (int i = 0; i < seconds; i++)
        assert_int_equal(sf_writef_float(file, noise, 16000), 16000);
    free(noise);
    sf_close(file);
    FILE *bytes = fopen(path, "r+b");
    assert_int_equal(fseek(bytes, 0, SEEK_END), 0);
    assert_int_equal(fseek(bytes, ftell(bytes) / 2, SEEK_SET), 0);
    for (int i = 0; i < 5000; i++)
        fputc(85, bytes);
    fclose(bytes);
    return path;
}

static void damage_counts_where_somebody_listens(void **state)
{
    static const struct {
        int seconds;
        const char *clips;
        int incomplete;
    } cases[] = {
        {12, "0", 1},       {12, "0,4", 0},          {12, "9,12", 0},         {12, "5,7", 1},
        {12, "0,2,4,8", 1}, {16 * 60, "470,490", 1}, {32 * 60, "955,965", 1}, {32 * 60, "0,5", 0},
    };
    (void)state;
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        whisp_result *result;
        whisp_session *s = open_session(model,
                                        make_options("clip_timestamps", cases[i].clips, "sample_len", "4", NULL));
        const char *path = damaged_recording(cases[i].seconds);
        if (transcribe_file(s, path, &result))
            fail_msg("%s", whisp_last_error());
        const char *why = result_info(result).incomplete;
        if (!why != !cases[i].incomplete || (why && !strstr(why, "damaged at ")))
            fail_msg("%d s, %s: %s", cases[i].seconds, cases[i].clips, why ? why : "complete");
        whisp_result_free(result);
        whisp_session_free(s);
    }
}

/* Who stops reading is told what is known so far. */
static void warnings_of_a_part(void **state)
{
    (void)state;
    whisp_audio *audio;
    float block[1600];
    int incomplete = 0;
    assert_int_equal(whisp_audio_open(damaged_recording(20), &audio), WHISP_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(whisp_audio_read(audio, block, 1600), 1600);
    assert_null(whisp_audio_warning(audio, 0, NULL));
    for (int i = 0; i < 60; i++)
        assert_int_equal(whisp_audio_read(audio, block, 1600), 1600);
    assert_non_null(whisp_audio_warning(audio, 0, &incomplete));
    assert_true(incomplete);
    assert_null(whisp_audio_warning(audio, 1, NULL));
    whisp_audio_free(audio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes_of_any_size_give_the_same_words),
        cmocka_unit_test(a_session_is_reusable_and_threads_do_not_matter),
        cmocka_unit_test(calls_out_of_order_are_errors),
        cmocka_unit_test(push_takes_a_bounded_amount),
        cmocka_unit_test(short_and_empty_recordings_are_no_error),
        cmocka_unit_test(samples_that_are_no_numbers_are_silence),
        cmocka_unit_test(callbacks_tell_progress_and_can_cancel),
        cmocka_unit_test(fallback_climbs_and_sampling_depends_on_the_seed_alone),
        cmocka_unit_test(without_timestamps_windows_follow_each_other),
        cmocka_unit_test(prompts_of_any_length_are_cut),
        cmocka_unit_test(doubtful_words_are_heard_with_all_the_padding),
        cmocka_unit_test(languages_are_detected),
        cmocka_unit_test(damage_counts_where_somebody_listens),
        cmocka_unit_test(warnings_of_a_part),
        cmocka_unit_test(options_that_do_not_fit_the_model_are_refused),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
