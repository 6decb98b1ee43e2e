/* test_align.c - texts matched with what was heard; then whole sessions with words, clips and given texts. */
#include "support/testing.h"
#include "support/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/align_text.h"
#include "support/calls.h"
#include "support/words.h"

/* ---- texts and what was heard ---- */

static void expect_match(const char *heard, const char *given, size_t next, size_t first, size_t end)
{
    wh_words h = make_words(heard), g = make_words(given);
    wh_keys hk = {0}, gk = {0};
    size_t got_first, got_end;
    wh_buf_puts(&h.text, "");
    wh_buf_puts(&g.text, "");
    assert_int_equal(wh_keys_make(&h, &hk), WHISP_OK);
    assert_int_equal(wh_keys_make(&g, &gk), WHISP_OK);
    assert_int_equal(wh_match(&hk, &gk, next, &got_first, &got_end), WHISP_OK);
    if (got_first != first || got_end != end)
        fail_msg("\"%s\" in \"%s\": %zu to %zu", heard, given, got_first, got_end);
    wh_keys_free(&hk);
    wh_keys_free(&gk);
    wh_words_free(&h);
    wh_words_free(&g);
}

static void a_window_covers_a_part_of_the_text(void **state)
{
    (void)state;
    expect_match("a|b|c", "a|b|c|d|e", 0, 0, 3);
    expect_match(" A|,| B|.| c", "\"a|\"|B|.|C|!|d", 0, 0, 6); /* letters count, punctuation goes with them */
    expect_match("d|e", "a|b|c|d|e", 3, 3, 5);
    expect_match("a|x|c", "a|b|c|d", 0, 0, 3); /* misheard within, at the end, at the beginning */
    expect_match("a|b|x", "a|b|c|d", 0, 0, 3);
    expect_match("x|b|c", "a|b|c|d", 0, 0, 3);
    expect_match("d|e|f|g", "a|b|c|d|e|f|g|h", 0, 3, 7); /* a passage that nobody says */
    expect_match("u|v|w|x|y|z", "a|b|c|d|e|f", 0, 0, 0); /* speech that is not in the text */
    expect_match("u|v|w|x|a|b|c", "a|b|c|d|e|f", 0, 0, 3);
    expect_match("", "a|b", 0, 0, 0);
    expect_match("a", "a|b", 2, 2, 2); /* nothing is left */
    expect_match(".|,", "a|b", 0, 0, 0);
    expect_match("\u00c4pfel", "\u00e4pfel|!", 0, 0, 2);
}

/* ---- sessions ---- */

static float *make_noise(size_t n)
{
    float *samples = malloc(n * sizeof *samples);
    uint64_t seed = 7;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)((random_unit(&seed) - 0.5) * (0.1 + 0.4 * sin((double)i / 40000)));
    return samples;
}

/* A session at temperature 0; then name, value pairs up to NULL. */
static whisp_session *open_session(const whisp_model *m, const char *name, ...)
{
    whisp_options *o = whisp_options_new();
    whisp_session *s;
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"),
                     WHISP_OK); /* invented models hear words in noise */
    assert_int_equal(whisp_options_set(o, "temperature", "0"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "no_speech_threshold", "None"), WHISP_OK);
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *))
        assert_int_equal(whisp_options_set(o, name, va_arg(args, const char *)), WHISP_OK);
    va_end(args);
    if (whisp_session_new(m, o, &s))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    return s;
}

/* Words in order, within the recording, and with their segment's text. Returns how many there are. */
static size_t check_words(const whisp_result *result)
{
    double last = 0;
    size_t count = 0;
    for (size_t i = 0; i < result_info(result).n_segments; i++) {
        const whisp_segment *segment = whisp_result_segment(result, i);
        wh_buf text = {0};
        wh_buf_puts(&text, "");
        assert_non_null(segment->words);
        for (size_t k = 0; k < segment->n_words; k++) {
            const whisp_word *word = segment->words[k];
            assert_true(word->start >= last && word->end >= word->start);
            assert_true(word->end <= result_info(result).duration + 0.02);
            assert_true(word->probability >= 0 && word->probability <= 1);
            assert_true(strlen(word->text) > 0);
            assert_true(word->first_token + word->n_tokens <= segment->n_tokens);
            wh_buf_puts(&text, word->text);
            last = word->end;
            count++;
        }
        if (segment->n_words)
            assert_int_equal(strncmp(text.data, segment->text, text.length), 0);
        wh_buf_free(&text);
    }
    return count;
}

static void segments_get_words(void **state)
{
    (void)state;
    size_t n = 16000 * 40;
    float *samples = make_noise(n);
    const whisp_model *models[] = {model, multilingual};
    static const char *const settings[][2] = {{"alignment_heads", "model"},
                                              {"alignment_heads", "upper_half"},
                                              {"hallucination_silence_threshold", "0.5"},
                                              {"word_times", "characters"},
                                              {"without_timestamps", "True"}};
    for (size_t m = 0; m < WH_COUNT(models); m++)
        for (size_t k = 0; k < WH_COUNT(settings); k++) {
            whisp_session *s = open_session(models[m], "word_timestamps", "True", settings[k][0], settings[k][1],
                                            (char *)NULL);
            whisp_result *result;
            assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
            size_t words = check_words(result);
            if (k != 2)
                assert_true(words > 3);
            const whisp_timings timings = *session_info(s).timings;
            assert_true(timings.words > 0);
            assert_true(timings.n_windows < 400);
            whisp_result_free(result);
            whisp_session_free(s);
        }
    free(samples);
}

/* Times by characters: the words and their probabilities are the same, the times are not. */
static void characters_change_times_alone(void **state)
{
    (void)state;
    size_t n = 16000 * 40, same = 0, words = 0;
    float *samples = make_noise(n);
    whisp_result *results[2];
    static const char *const by[2] = {"tokens", "characters"};
    for (int k = 0; k < 2; k++) {
        whisp_session *s = open_session(model, "word_timestamps", "True", "word_times", by[k], "clip_timestamps",
                                        "0,30", (char *)NULL);
        assert_int_equal(transcribe_samples(s, samples, n, &results[k]), WHISP_OK);
        whisp_session_free(s);
    }
    const whisp_segment *a, *b;
    for (size_t i = 0; (a = whisp_result_segment(results[0], i)) && a->seek == 0; i++) {
        b = whisp_result_segment(results[1], i);
        assert_non_null(b);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->n_words, b->n_words);
        for (size_t w = 0; w < a->n_words; w++, words++) {
            assert_string_equal(a->words[w]->text, b->words[w]->text);
            assert_true(a->words[w]->probability == b->words[w]->probability);
            same += a->words[w]->start == b->words[w]->start && a->words[w]->end == b->words[w]->end;
        }
    }
    assert_true(words > 3 && same < words);
    for (int k = 0; k < 2; k++)
        whisp_result_free(results[k]);
    free(samples);
}

/* The seeks and starts of all segments, from pushes of some size. */
static char *stream(whisp_session *s, const float *samples, size_t n, size_t block)
{
    wh_buf text = {0};
    const whisp_segment *segment;
    size_t done = 0;
    int rc;
    wh_buf_puts(&text, "");
    assert_int_equal(whisp_session_reset(s), WHISP_OK);
    while ((rc = whisp_session_pull(s, &segment)) != WHISP_END) {
        assert_true(rc >= 0);
        if (rc == 1) {
            wh_buf_printf(&text, "%d@%.2f(%zu) ", (int)segment->seek, segment->start, segment->n_words);
        } else if (done < n) {
            int64_t taken = whisp_session_push(s, samples + done, WH_MIN(block, n - done));
            assert_true(taken > 0);
            done += (size_t)taken;
        } else {
            assert_int_equal(whisp_session_finish(s), WHISP_OK);
        }
    }
    return text.data;
}

static void only_the_clips_are_heard(void **state)
{
    (void)state;
    size_t n = 16000 * 95;
    float *samples = make_noise(n);
    for (int with_words = 0; with_words < 2; with_words++)
        for (int m = 0; m < 2; m++) {
            whisp_session *s = open_session(m ? multilingual : model, "clip_timestamps", "2,6.5,70,78,90",
                                            "word_timestamps", with_words ? "True" : "False", (char *)NULL);
            whisp_result *result;
            assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
            int seen[3] = {0};
            for (size_t i = 0; i < result_info(result).n_segments; i++) {
                const whisp_segment *segment = whisp_result_segment(result, i);
                int64_t seek = segment->seek;
                int clip = seek >= 200 && seek < 650 ? 0 : seek >= 7000 && seek < 7800 ? 1 : seek >= 9000 ? 2 : 3;
                assert_in_range(clip, 0, 2);
                seen[clip]++;
            }
            assert_true(seen[0] && seen[1] && seen[2]);
            whisp_result_free(result);
            char *first = stream(s, samples, n, 1 << 20), *second = stream(s, samples, n, 12345);
            assert_true(strlen(first) > 10);
            assert_string_equal(first, second);
            free(first);
            free(second);
            whisp_session_free(s);
        }
    whisp_session *s = open_session(model, "clip_timestamps", "200,210", (char *)NULL); /* past the end */
    whisp_result *result;
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 0);
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

static void a_given_text_is_aligned(void **state)
{
    (void)state;
    size_t n = 16000 * 65;
    float *samples = make_noise(n);
    whisp_session *s = open_session(model, (char *)NULL, (char *)NULL);
    whisp_result *result;
    static const size_t lengths[] = {16000 * 5, 16000 * 30, 16000 * 65, 1000, 0};
    for (size_t k = 0; k < WH_COUNT(lengths); k++) {
        assert_int_equal(align_samples(s, samples, lengths[k],
                                       "The hour is on it. \"And\" the tea!\n"
                                       "\n In the house...",
                                       &result),
                         WHISP_OK);
        assert_string_equal(whisp_result_text(result), " The hour is on it. \"And\" the tea! In the house...");
        assert_int_equal(result_info(result).n_segments, 2); /* a line each */
        assert_int_equal(check_words(result), 11);
        whisp_result_free(result);
    }
    assert_int_equal(align_samples(s, samples, 16000, "One. Two! Three", &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 3); /* a sentence each */
    assert_string_equal(whisp_result_segment(result, 1)->text, " Two!");
    whisp_result_free(result);

    wh_buf text = {0}; /* more than a pass takes */
    for (int i = 0; i < 1000; i++)
        wh_buf_puts(&text, "and the other ");
    assert_int_equal(align_samples(s, samples, 16000 * 3, text.data, &result), WHISP_OK);
    assert_int_equal(check_words(result), 3000);
    whisp_result_free(result);
    wh_buf_free(&text);

    result = (whisp_result *)(void *)&text;
    assert_int_equal(align_samples(s, samples, n, " \n. ", &result), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "no words"));
    assert_null(result);
    assert_int_equal(align_file(s, "no-such-file.wav", "a", &result), WHISP_ERR_IO);
    assert_int_equal(transcribe_samples(s, samples, 16000, &result), WHISP_OK); /* as if never */
    assert_null(whisp_result_segment(result, 0) ? whisp_result_segment(result, 0)->words : NULL);
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

/* Spelled out, a text may be longer than the decoder's context, and then than what is spelled at all. */
static void a_long_text_is_spelled_in_parts(void **state)
{
    (void)state;
    static const size_t repeats[] = {1, 20, 33, 36, 1000}; /* the last ones are more than a pass takes */
    float *samples = make_noise(16000 * 25);
    whisp_session *s = open_session(model, "word_times", "characters", (char *)NULL);
    for (size_t k = 0; k < WH_COUNT(repeats); k++) {
        whisp_result *result;
        wh_buf text = {0};
        for (size_t i = 0; i < repeats[k]; i++)
            wh_buf_puts(&text, "and the other ");
        assert_int_equal(align_samples(s, samples, 16000 * 25, text.data, &result), WHISP_OK);
        assert_int_equal(check_words(result), 3 * repeats[k]);
        const whisp_segment *segment = whisp_result_segment(result, 0);
        if (k < 2)
            assert_true(segment->words[segment->n_words - 1]->end > 0);
        whisp_result_free(result);
        wh_buf_free(&text);
    }
    whisp_session_free(s);
    free(samples);
}

static int stop(void *user)
{
    return ++*(int *)user > 3;
}

static void finding_words_can_be_cancelled(void **state)
{
    (void)state;
    float *samples = make_noise(16000 * 3);
    whisp_options *o = whisp_options_new();
    whisp_session *s;
    whisp_result *result;
    int calls = 0;
    set_callbacks(o, NULL, NULL, NULL, stop, &calls);
    assert_int_equal(whisp_session_new(model, o, &s), WHISP_OK);
    wh_buf text = {0};
    for (int i = 0; i < 100; i++)
        wh_buf_puts(&text, "and the other ");
    assert_int_equal(align_samples(s, samples, 48000, text.data, &result), WHISP_ERR_CANCELLED);
    assert_null(result);
    wh_buf_free(&text);
    whisp_session_free(s);
    whisp_options_free(o);
    free(samples);
}

static void count_warnings(void *user, int level, const char *text)
{
    *(int *)user += level == WHISP_LOG_WARNING && strstr(text, "does not seem to be what is said") != NULL;
}

/* The real thing: the words of jfk.mp3 from their text, and from another text. */
static void a_real_text_is_found(void **state)
{
    (void)state;
    const char *path = model_path("tiny.en"), *audio = shared_path("audio/jfk.mp3");
    if (!path || !audio)
        return;
    whisp_model *real;
    whisp_session *s;
    whisp_result *result, *aligned;
    int warnings = 0;
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_model_load(path, NULL, &real), WHISP_OK);
    whisp_options_set(o, "word_timestamps", "True");
    set_callbacks(o, count_warnings, NULL, NULL, NULL, &warnings);
    assert_int_equal(whisp_session_new(real, o, &s), WHISP_OK);
    assert_int_equal(transcribe_file(s, audio, &result), WHISP_OK);
    assert_int_equal(check_words(result), 22);
    assert_int_equal(align_file(s, audio, whisp_result_text(result), &aligned), WHISP_OK);
    assert_int_equal(check_words(aligned), 22);
    assert_int_equal(warnings, 0);
    const whisp_segment *first = whisp_result_segment(result, 0), *given = whisp_result_segment(aligned, 0);
    for (size_t i = 0; i < first->n_words && i < given->n_words; i++) {
        assert_string_equal(first->words[i]->text, given->words[i]->text);
        assert_true(fabs(first->words[i]->start - given->words[i]->start) < 0.3);
    }
    whisp_result_free(aligned);
    assert_int_equal(align_file(s, audio, "Seven small boats came home before the evening storm.", &aligned), WHISP_OK);
    assert_int_equal(warnings, 1);
    whisp_result_free(aligned);
    whisp_result_free(result);
    whisp_session_free(s);
    whisp_options_free(o);
    whisp_model_free(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_covers_a_part_of_the_text), cmocka_unit_test(segments_get_words),
        cmocka_unit_test(characters_change_times_alone),      cmocka_unit_test(a_long_text_is_spelled_in_parts),
        cmocka_unit_test(only_the_clips_are_heard),           cmocka_unit_test(a_given_text_is_aligned),
        cmocka_unit_test(finding_words_can_be_cancelled),     cmocka_unit_test(a_real_text_is_found),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
