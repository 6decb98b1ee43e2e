/* test_stream.c - live transcription: where hypotheses agree, states, bounded buffers, and that only samples count. */
#include "support/testing.h"
#include "support/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "live/stream.h"
#include "support/calls.h"
#include "util/text.h"

/* Words a quarter of a second long, one after the other from `start` on. */
static wh_hypothesis say(double start, const char *text)
{
    wh_hypothesis saying = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "), start += 0.25) {
        wh_said times = {.start = start, .end = start + 0.25};
        int32_t token = (int32_t)saying.n;
        assert_int_equal(wh_hypothesis_add(&saying, &times, word, strlen(word), word, strlen(word), &token, 1),
                         WHISP_OK);
    }
    return saying;
}

static size_t skipped(const char *settled, const char *heard)
{
    wh_hypothesis a = say(0, settled), b = say(0, heard);
    size_t n = 99;
    assert_int_equal(wh_hypothesis_skip(&a, &b, &n), WHISP_OK);
    wh_hypothesis_free(&a);
    wh_hypothesis_free(&b);
    return n;
}

static void test_skip(void **state)
{
    (void)state;
    assert_int_equal(skipped("", "a b c"), 0);
    assert_int_equal(skipped("a b", ""), 0);
    assert_int_equal(skipped("a b", "a b c d"), 2);
    assert_int_equal(skipped("a b c", "a x c d"), 3);   /* heard differently, but the same place */
    assert_int_equal(skipped("a b c", "a c d e"), 2);   /* a word is not heard any more */
    assert_int_equal(skipped("a c d", "a b c d e"), 4); /* one more is */
    assert_int_equal(skipped("a a a a", "a a a a a a"), 4);
    assert_int_equal(skipped("a b c d", "x y z w v"), 4); /* nothing is the same: the time decides */
}

static void test_common(void **state)
{
    (void)state;
    wh_hypothesis a = say(0, "x a b c"), b = say(0, "a b d");
    assert_int_equal(wh_hypothesis_common(&a, 1, &b, 0), 2);
    assert_int_equal(wh_hypothesis_common(&a, 0, &b, 0), 0);
    assert_int_equal(wh_hypothesis_common(&a, 4, &b, 0), 0);
    assert_int_equal(wh_hypothesis_common(&a, 2, &b, 1), 1);
    wh_hypothesis_free(&a);
    wh_hypothesis_free(&b);
}

static void test_copies(void **state)
{
    (void)state;
    wh_hypothesis a = say(1, "one two three"), b = {0};
    assert_int_equal(wh_hypothesis_copy(&b, &a, 2), WHISP_OK);
    assert_int_equal(wh_hypothesis_copy(&b, &a, 0), WHISP_OK);
    assert_string_equal(b.text.data + b.list[0].text, "three");
    assert_string_equal(b.keys.data + b.list[1].key, "one");
    assert_int_equal(b.tokens[b.list[0].first_token], 2);
    assert_true(b.list[0].start == 1.5);
    wh_hypothesis_clear(&b);
    assert_int_equal(b.n, 0);
    wh_hypothesis_free(&a);
    wh_hypothesis_free(&b);
}

static int ends_sentence(const char *word)
{
    return wh_is_sentence_end(word, strlen(word));
}

static void test_sentences(void **state)
{
    (void)state;
    assert_true(ends_sentence(" you."));
    assert_true(ends_sentence(" \"you?\""));
    assert_true(ends_sentence("。"));
    assert_false(ends_sentence(" you,"));
    assert_false(ends_sentence(""));
    assert_false(ends_sentence("..5"));
}

static float *make_noise(size_t n)
{
    float *samples = malloc(n * sizeof *samples);
    uint64_t seed = 7;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)((random_unit(&seed) - 0.5) * (0.1 + 0.4 * sin((double)i / 40000)));
    return samples;
}

/* Invented models know no speech: everything they say counts here, once, few words at a time. */
static whisp_options *make_options(void)
{
    static const char *const pairs[] = {"temperature_increment_on_fallback",
                                        "None",
                                        "no_speech_threshold",
                                        "None",
                                        "sample_len",
                                        "12",
                                        "stream_step",
                                        "2",
                                        "threads",
                                        "1",
                                        "hallucination_guard",
                                        "False"};
    whisp_options *o = whisp_options_new();
    for (size_t i = 0; i < WH_COUNT(pairs); i += 2)
        assert_int_equal(whisp_options_set(o, pairs[i], pairs[i + 1]), WHISP_OK);
    return o;
}

/* A stream that hears silence and noise too. */
static whisp_stream *open_stream(const whisp_model *m)
{
    whisp_stream *st;
    whisp_options *o = make_options();
    if (whisp_stream_new(m, o, &st))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    whisp_vad_stream_free(st->activity);
    st->activity = NULL;
    return st;
}

/* All words with their times. block: 0: all is pushed and finished before the first pull. */
static char *hear(whisp_stream *st, const float *samples, size_t n, size_t block)
{
    wh_buf text = {0};
    const whisp_word *const *words;
    size_t done = 0, n_words;
    double last = 0;
    int rc;
    wh_buf_puts(&text, "");
    if (!block) {
        assert_int_equal(whisp_stream_push(st, samples, n), n);
        assert_int_equal(whisp_stream_finish(st), WHISP_OK);
        done = n;
    }
    for (;;) {
        while ((rc = whisp_stream_pull(st, &words, &n_words)) == 1)
            for (size_t i = 0; i < n_words; i++) {
                assert_true(words[i]->start >= last && words[i]->end >= words[i]->start);
                last = words[i]->end;
                wh_buf_printf(&text, "%.2f %.2f %s|", words[i]->start, words[i]->end, words[i]->text);
            }
        assert_true(st->heard <= WH_WINDOW_FRAMES * WH_HOP);
        assert_true(st->n <= WH_STREAM_CAPACITY);
        assert_true(st->n_past <= 2 * 448 + 224);
        if (rc == WHISP_END)
            break;
        if (rc < 0)
            fail_msg("%s", whisp_last_error());
        if (done == n) {
            assert_int_equal(whisp_stream_finish(st), WHISP_OK);
        } else {
            int64_t taken = whisp_stream_push(st, samples + done, WH_MIN(block, n - done));
            assert_true(taken >= 0);
            done += (size_t)taken;
        }
    }
    assert_true(last <= (double)n / WH_SAMPLE_RATE + 0.05);
    return text.data;
}

/* Three minutes with a model that never agrees with itself: the buffer stays bounded and time goes on. */
static void test_bounded(void **state)
{
    (void)state;
    size_t n = 180 * WH_SAMPLE_RATE;
    float *noise = make_noise(n);
    whisp_stream *st = open_stream(model);
    char *text = hear(st, noise, n, 4000);
    assert_true(strlen(text) > 0);
    assert_int_equal(st->n_passes, 91); /* one every two seconds, and the last one hears as a recording is heard */
    assert_true(st->offset > (int64_t)(n - 26 * WH_SAMPLE_RATE));
    free(text);
    free(noise);
    whisp_stream_free(st);
}

static void test_only_samples_count(void **state)
{
    (void)state;
    const whisp_model *models[] = {model, multilingual};
    static const size_t blocks[] = {1000, 33333, 1 << 20, 0};
    static const size_t lengths[] = {21 * WH_SAMPLE_RATE + 77, 12 * WH_SAMPLE_RATE}; /* the second: whole steps */
    float *noise = make_noise(lengths[0]);
    for (size_t k = 0; k < 2 * WH_COUNT(lengths); k++) {
        char *first = NULL;
        for (size_t b = 0; b < WH_COUNT(blocks); b++) {
            whisp_stream *st = open_stream(models[k % 2]);
            char *text = hear(st, noise, lengths[k / 2], blocks[b]);
            if (first)
                assert_string_equal(text, first);
            else
                first = strdup(text);
            free(text);
            whisp_stream_free(st);
        }
        free(first);
    }
    free(noise);
}

static void note_segment(void *user, const whisp_segment *segment)
{
    wh_buf_printf(user, "%d %.2f %.2f %s|", segment->id, segment->start, segment->end, segment->text);
}

/* The text of a session that is pushed the same samples. */
static void transcribe_pushed(const whisp_model *m, whisp_options *o, const float *samples, size_t n)
{
    whisp_session *s;
    const whisp_segment *segment;
    assert_int_equal(whisp_session_new(m, o, &s), WHISP_OK);
    for (size_t done = 0; done < n;) {
        done += (size_t)whisp_session_push(s, samples + done, n - done);
        while (whisp_session_pull(s, &segment) == 1)
            ;
    }
    assert_int_equal(whisp_session_finish(s), WHISP_OK);
    while (whisp_session_pull(s, &segment) == 1)
        ;
    whisp_session_free(s);
}

/* The final text is that of a session with the same samples, whatever the passes between its windows did. */
static void test_final(void **state)
{
    (void)state;
    size_t n = 71 * WH_SAMPLE_RATE + 99;
    float *noise = make_noise(n);
    const whisp_model *models[] = {model, multilingual};
    for (size_t m = 0; m < 2; m++) {
        wh_buf live = {0}, offline = {0};
        whisp_options *o = make_options();
        assert_int_equal(whisp_options_set(o, "stream_step", "3"), WHISP_OK);
        set_callbacks(o, NULL, NULL, note_segment, NULL, &live);
        whisp_stream *st;
        assert_int_equal(whisp_stream_new(models[m], o, &st), WHISP_OK);
        free(hear(st, noise, n, 16000));
        set_callbacks(o, NULL, NULL, note_segment, NULL, &offline);
        transcribe_pushed(models[m], o, noise, n);
        assert_true(live.length > 0);
        assert_string_equal(live.data, offline.data);
        assert_true(wh_session_seek(st->session) * WH_HOP >= (int64_t)n - WH_HOP);
        whisp_options_free(o);
        whisp_stream_free(st);
        wh_buf_free(&live);
        wh_buf_free(&offline);
    }
    free(noise);
}

/* What the final text has is dropped from the buffer, its words with it, once nothing before is left to settle; and its
 * tokens are the prompt. */
static void test_final_leads(void **state)
{
    (void)state;
    size_t n = 33 * WH_SAMPLE_RATE, n_words;
    float *noise = make_noise(n);
    const whisp_word *const *words;
    whisp_stream *st = open_stream(model);
    for (size_t done = 0; done < n; done += 8000) {
        assert_int_equal(whisp_stream_push(st, noise + done, 8000), 8000);
        while (whisp_stream_pull(st, &words, &n_words) == 1)
            ;
    }
    int64_t seek = wh_session_seek(st->session) * WH_HOP;
    assert_true(seek > 0);
    /* the passes' own trimming may be ahead already: begin again where it is not */
    st->offset = seek - 5 * WH_SAMPLE_RATE;
    st->heard = st->n = 6 * WH_SAMPLE_RATE;
    wh_hypothesis_clear(&st->settled);
    wh_hypothesis_clear(&st->tail);
    double at = (double)seek / WH_SAMPLE_RATE;
    const wh_said before = {.start = at - 1, .end = at - 0.5}, behind = {.start = at + 0.1, .end = at + 0.4};
    assert_int_equal(wh_hypothesis_add(&st->settled, &before, "a", 1, "a", 1, &(int32_t){1}, 1), WHISP_OK);
    assert_int_equal(wh_hypothesis_add(&st->tail, &before, "b", 1, "b", 1, &(int32_t){2}, 1), WHISP_OK);
    assert_int_equal(wh_stream_follow_final(st), WHISP_OK);
    assert_int_equal(st->offset, seek - 5 * WH_SAMPLE_RATE); /* "b" must settle first */
    wh_hypothesis_clear(&st->tail);
    assert_int_equal(wh_hypothesis_add(&st->settled, &behind, "c", 1, "c", 1, &(int32_t){3}, 1), WHISP_OK);
    assert_int_equal(wh_stream_follow_final(st), WHISP_OK);
    assert_int_equal(st->offset, seek);
    assert_int_equal(st->settled.n, 1);
    assert_string_equal(st->settled.text.data, "c");
    size_t n_written;
    const int32_t *written = wh_window_history(st->session->window, &n_written);
    assert_int_equal(st->n_past, WH_MIN(n_written, 448));
    assert_memory_equal(st->past, written + n_written - st->n_past, st->n_past * sizeof *st->past);
    free(noise);
    whisp_stream_free(st);
}

/* Temperatures that the first pass over eight seconds went on to, where only the guard can find fault with it. */
static int fallbacks(const char *guard, const float *samples)
{
    static const char *const pairs[] = {"temperature_increment_on_fallback",
                                        "0.5",
                                        "compression_ratio_threshold",
                                        "None",
                                        "logprob_threshold",
                                        "None",
                                        "sample_len",
                                        "60",
                                        "hallucination_guard"};
    size_t n = 8 * WH_SAMPLE_RATE, n_words;
    const whisp_word *const *words;
    whisp_stream *st;
    whisp_options *o = make_options();
    for (size_t i = 0; i < WH_COUNT(pairs); i += 2)
        assert_int_equal(whisp_options_set(o, pairs[i], i + 1 < WH_COUNT(pairs) ? pairs[i + 1] : guard), WHISP_OK);
    assert_int_equal(whisp_stream_new(model, o, &st), WHISP_OK);
    whisp_options_free(o);
    whisp_vad_stream_free(st->activity);
    st->activity = NULL;
    assert_int_equal(whisp_stream_push(st, samples, n), n);
    whisp_stream_catch_up(st);
    assert_int_equal(whisp_stream_pull(st, &words, &n_words), 1);
    assert_int_equal(st->n_passes, 1);
    int made = st->session->timings.n_fallbacks;
    whisp_stream_free(st);
    return made;
}

/* The invented model says the same token without end: a pass that does is decoded again, as any window is. */
static void test_loops_are_retried(void **state)
{
    (void)state;
    float *noise = make_noise(8 * WH_SAMPLE_RATE);
    assert_int_equal(fallbacks("False", noise), 0);
    assert_true(fallbacks("True", noise) > 0);
    free(noise);
}

static void test_catching_up(void **state)
{
    (void)state;
    size_t n = 9 * WH_SAMPLE_RATE, n_words;
    const whisp_word *const *words;
    float *noise = make_noise(n);
    whisp_stream *st = open_stream(model);
    assert_int_equal(whisp_stream_push(st, noise, n), n);
    whisp_stream_catch_up(st);
    assert_int_equal(whisp_stream_pull(st, &words, &n_words), 1);
    assert_int_equal(st->heard, n);
    assert_int_equal(whisp_stream_pull(st, &words, &n_words), 0);
    assert_int_equal(st->n_passes, 1);
    free(noise);
    whisp_stream_free(st);
}

/* With a model of voice activity silence is not heard, and does not pile up. */
static void test_silence(void **state)
{
    (void)state;
    const char *path = model_path("silero-vad");
    whisp_stream *st;
    if (!path)
        return;
    whisp_options *o = make_options();
    assert_int_equal(whisp_options_set(o, "vad_model", path), WHISP_OK);
    assert_int_equal(whisp_stream_new(model, o, &st), WHISP_OK);
    whisp_options_free(o);
    float *zeros = calloc(60 * WH_SAMPLE_RATE, sizeof *zeros);
    char *text = hear(st, zeros, 60 * WH_SAMPLE_RATE, 16000);
    assert_string_equal(text, "");
    assert_int_equal(st->n_passes, 0);
    assert_true(st->heard <= 2 * WH_SAMPLE_RATE);
    free(text);
    free(zeros);
    whisp_stream_free(st);
}

static void test_states(void **state)
{
    (void)state;
    const whisp_word *const *words;
    size_t n;
    float sample = 0;
    whisp_stream *st = open_stream(model);
    assert_int_equal(whisp_stream_pull(st, &words, &n), 0);
    assert_string_equal(stream_info(st).tail, "");
    assert_int_equal(whisp_stream_finish(st), WHISP_OK);
    assert_int_equal(whisp_stream_finish(st), WHISP_ERR_STATE);
    assert_int_equal(whisp_stream_push(st, &sample, 1), WHISP_ERR_STATE);
    while (whisp_stream_pull(st, &words, &n) == 1)
        assert_int_equal(n, 0);
    assert_int_equal(whisp_stream_pull(st, &words, &n), WHISP_END);
    whisp_stream_free(st);
    whisp_stream_free(NULL);
    assert_int_equal(whisp_stream_new(NULL, NULL, &st), WHISP_ERR_ARGUMENT);
    assert_null(st);
    assert_int_equal(whisp_stream_push(NULL, &sample, 1), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_stream_pull(NULL, &words, &n), WHISP_ERR_ARGUMENT);
}

static void test_options_that_need_all(void **state)
{
    (void)state;
    static const char *const pairs[] = {"vad_filter", "True", "split_stereo", "True", "clip_timestamps", "1,2"};
    for (size_t i = 0; i < WH_COUNT(pairs); i += 2) {
        whisp_stream *st;
        whisp_options *o = make_options();
        assert_int_equal(whisp_options_set(o, pairs[i], pairs[i + 1]), WHISP_OK);
        assert_int_equal(whisp_stream_new(model, o, &st), WHISP_ERR_ARGUMENT);
        assert_non_null(strstr(whisp_last_error(), pairs[i]));
        whisp_options_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_only_samples_count),
        cmocka_unit_test(test_final),
        cmocka_unit_test(test_final_leads),
        cmocka_unit_test(test_loops_are_retried),
        cmocka_unit_test(test_catching_up),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_options_that_need_all),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
