/* test_confidence.c - evidence about words, the score, and the list of the doubtful ones.
 *
 * test/data/confidence.tsv holds words' features with the scores that bench/confidence/fit.py computed for them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "confidence/confidence.h"
#include "output/result.h"
#include "support/testing.h"
#include "support/calls.h"

static void scores_are_those_of_the_fit(void **state)
{
    (void)state;
    size_t n;
    char *text = read_file("test/data/confidence.tsv", &n), *at = strchr(text, '\n');
    int rows = 0;
    double least = 1, most = 0;
    while (at && at[1]) {
        float x[WH_FEATURES];
        double expected = strtod(at, &at);
        for (int k = 0; k < WH_FEATURES; k++) {
            assert_int_equal(*at, '\t');
            x[k] = strtof(at, &at);
        }
        assert_int_equal(*at, '\n');
        assert_true(fabs(wh_confidence_score(x) - expected) < 1e-5);
        least = fmin(least, expected);
        most = fmax(most, expected);
        rows++;
    }
    assert_true(rows >= 8 && least < 0.9 && most > 0.95);
    free(text);
}

static void scores_stay_within_bounds(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        float x[WH_FEATURES];
        for (int k = 0; k < WH_FEATURES; k++)
            x[k] = (float)sign * 1e30f;
        double score = wh_confidence_score(x);
        assert_true(score > 0 && score < 1);
    }
}

static void a_row_of_logits_is_read(void **state)
{
    (void)state;
    const float logits[4] = {logf(0.5f), logf(0.25f), logf(0.125f), logf(0.125f)};
    wh_evidence e = {0};
    wh_evidence_read(logits, 4, 1, &e);
    assert_true(fabs(e.logprob - log(0.25)) < 1e-5);
    assert_true(fabs(e.margin + log(2)) < 1e-5);
    assert_true(fabs(e.entropy - 1.75 * log(2)) < 1e-5);
    wh_evidence_read(logits, 4, 0, &e);
    assert_true(fabs(e.margin - log(2)) < 1e-5);
    const float bad[3] = {NAN, -INFINITY, 1};
    for (int id = 0; id < 3; id++) {
        wh_evidence_read(bad, 3, id, &e);
        assert_true(isfinite(e.logprob) && isfinite(e.margin) && isfinite(e.entropy));
    }
    const float sharp[4] = {0, 1, 0, 0}, even[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    e = (wh_evidence){0};
    wh_evidence_attend(sharp, 4, 2, &e);
    wh_evidence_attend(even, 4, 2, &e);
    assert_true(fabs(e.peak - 0.625) < 1e-6);
    assert_true(fabs(e.spread - log(4) / 2) < 1e-6);
}

static void samples_agree_token_by_token(void **state)
{
    (void)state;
    const uint64_t chosen[] = {1, 2, 3, 4, 5}, one_off[] = {1, 2, 9, 4, 5}, shifted[] = {7, 1, 2, 4, 5};
    float counts[5] = {0};
    assert_int_equal(wh_agree(chosen, 5, one_off, 5, counts), WHISP_OK);
    assert_int_equal(wh_agree(chosen, 5, shifted, 5, counts), WHISP_OK);
    assert_int_equal(wh_agree(chosen, 5, NULL, 0, counts), WHISP_OK);
    const float expected[5] = {2, 2, 0, 2, 2};
    for (int i = 0; i < 5; i++)
        assert_true(counts[i] == expected[i]);
}

static void neighbours_and_edges_have_features(void **state)
{
    (void)state;
    wh_word_evidence words[3] = {{.start = 0, .end = 0.5, .n_letters = 4},
                                 {.start = 0.5, .end = 0.5}, /* punctuation */
                                 {.start = 0.7, .end = 1, .n_letters = 5}};
    const wh_evidence sure = {-0.1f, 5, 0.2f, 0.3f, 2}, unsure = {-2, -1, 3, 0.1f, 4};
    const wh_window_evidence window = {.logprob = -0.3, .begin = -1, .end = 3};
    float x[WH_FEATURES];
    wh_word_take(&words[0], 300, &sure, &sure, 1);
    wh_word_take(&words[2], 400, &sure, &unsure, 0.5f);
    wh_word_take(&words[2], 9000, &unsure, &sure, 0.25f);
    assert_true(words[2].told_least == -2 && words[2].told_margin == -1 && words[2].bare_entropy == 3);
    assert_true(fabsf(words[2].told_mean + 1.05f) < 1e-6f && words[2].agreement == 0.25f && words[2].rarest == 9000);
    for (size_t i = 0; i < 3; i++) {
        wh_word_features(words, 3, i, &window, x);
        for (int k = 0; k < WH_FEATURES; k++)
            assert_true(isfinite(x[k]));
    }
    wh_word_features(words, 3, 0, &window, x);
    for (int k = 0; k < WH_FEATURES; k++) {
        if (!strcmp(wh_feature_names[k], "after_agreement")) /* over the punctuation */
            assert_true(x[k] == 0.25f);
        if (!strcmp(wh_feature_names[k], "before_agreement"))
            assert_true(x[k] == 1);
        if (!strcmp(wh_feature_names[k], "since_begin"))
            assert_true(x[k] == 1);
        if (!strcmp(wh_feature_names[k], "until_end"))
            assert_true(x[k] == 2.5f);
        if (!strcmp(wh_feature_names[k], "around_least"))
            assert_true(x[k] == -2);
    }
}

static float feature(const wh_word_evidence *words, size_t n, size_t i, const char *name)
{
    const wh_window_evidence window = {.end = 30};
    float x[WH_FEATURES];
    wh_word_features(words, n, i, &window, x);
    for (int k = 0; k < WH_FEATURES; k++)
        if (!strcmp(wh_feature_names[k], name))
            return x[k];
    fail_msg("there is no feature %s", name);
    return 0;
}

static void words_said_again_are_known(void **state)
{
    (void)state;
    wh_word_evidence words[7] = {0};
    for (int i = 0; i < 7; i++)
        words[i] = (wh_word_evidence){
            .start = i, .end = i + 0.5, .n_letters = 5, .n_tokens = 1, .sound = 10 + (i == 3)};
    words[6].end = 7;
    assert_true(feature(words, 7, 3, "repeated") == 0 && feature(words, 7, 3, "elsewhere") == 0);
    assert_true(feature(words, 7, 0, "repeated") == 0 && feature(words, 7, 0, "elsewhere") == 4);
    words[0].sound = words[6].sound = 99;
    assert_true(feature(words, 7, 6, "repeated") == 0 && feature(words, 7, 6, "elsewhere") == 1);
    words[2].sound = 99;
    assert_true(feature(words, 7, 6, "repeated") == 1 && feature(words, 7, 6, "elsewhere") == 2);
    assert_true(feature(words, 7, 6, "pace") > 0.5f && feature(words, 7, 6, "before_duration") == 0.5f);
    assert_true(fabsf(feature(words, 7, 2, "pace")) < 0.2f);
}

/* A result of n words w0 w1 ..., half a second each; those in `doubtful` (closed by -1) with confidence 0.2. */
static whisp_result *invent_result(size_t n, const int *doubtful)
{
    whisp_result *result;
    whisp_word *words = calloc(n, sizeof *words);
    const whisp_word **list = calloc(n, sizeof *list);
    char(*texts)[16] = calloc(n, sizeof *texts);
    for (size_t i = 0; i < n; i++) {
        list[i] = &words[i];
        snprintf(texts[i], sizeof texts[i], " w%zu", i);
        words[i] = (whisp_word){.text = texts[i],
                                .start = 0.5 * (double)i,
                                .end = 0.5 * (double)i + 0.5,
                                .confidence = 0.9};
    }
    for (; *doubtful >= 0; doubtful++)
        words[*doubtful].confidence = 0.2;
    whisp_segment segment = {.text = " text", .end = 0.5 * (double)n, .words = list, .n_words = n, .confidence = 0.5};
    assert_int_equal(wh_result_new(&result), WHISP_OK);
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    assert_int_equal(wh_result_finish(result, " text", "en", 0.5 * (double)n), WHISP_OK);
    free(words);
    free(list);
    free(texts);
    return result;
}

static void the_doubtful_tenth_is_listed(void **state)
{
    (void)state;
    static const int doubtful[] = {0, 21, 24, 39, -1};
    whisp_result *result = invent_result(40, doubtful);
    char *text;
    assert_int_equal(whisp_result_format(result, "doubtful", NULL, &text, NULL), WHISP_OK);
    const char *lines = strstr(text, "00:00:00.0");
    assert_non_null(strstr(text, "4 of 40, in 3 places"));
    assert_string_equal(lines, "00:00:00.0  20%  [w0] w1 w2 w3 w4 w5 ...\n"
                               "00:00:10.5  20%  ... w16 w17 w18 w19 w20 [w21] w22 w23 [w24] w25 w26 w27 w28 w29 ...\n"
                               "00:00:19.5  20%  ... w34 w35 w36 w37 w38 [w39]\n");
    whisp_string_free(text);
    whisp_writer_options layout = {.size = sizeof layout, .doubtful_share = 1};
    assert_int_equal(whisp_result_format(result, "doubtful", &layout, &text, NULL), WHISP_OK);
    assert_non_null(strstr(text, "40 of 40, in 1 places"));
    whisp_string_free(text);
    layout.doubtful_share = 1.5;
    assert_int_equal(whisp_result_format(result, "doubtful", &layout, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_result_format(result, "json", NULL, &text, NULL), WHISP_OK);
    assert_non_null(strstr(text, "\"confidence\": 0.2"));
    whisp_string_free(text);
    whisp_result_free(result);
    assert_int_equal(wh_result_new(&result), WHISP_OK); /* nothing said */
    assert_int_equal(whisp_result_format(result, "doubtful", NULL, &text, NULL), WHISP_OK);
    assert_non_null(strstr(text, "0 of 0"));
    whisp_string_free(text);
    whisp_result_free(result);
}

static whisp_result *transcribe(const whisp_model *model, const char *path, const char *confidence, const char *prefix,
                                const char *beam)
{
    whisp_options *o = whisp_options_new();
    whisp_result *result;
    /* invented models hear words in noise */
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "confidence", confidence), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "prefix", prefix), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "beam_size", beam), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "language", "en"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature", "0"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    assert_int_equal(whisp_transcribe(model, path, o, &result), WHISP_OK);
    whisp_options_free(o);
    return result;
}

/* The transcript with confidence is the one without, to the last number; every word has a confidence. */
static void compare(const whisp_model *model, const char *path, const char *prefix, const char *beam)
{
    whisp_result *with = transcribe(model, path, "True", prefix, beam);
    whisp_result *without = transcribe(model, path, "False", prefix, beam);
    assert_string_equal(whisp_result_text(with), whisp_result_text(without));
    assert_int_equal(result_info(with).n_segments, result_info(without).n_segments);
    for (size_t i = 0; i < result_info(with).n_segments; i++) {
        const whisp_segment *a = whisp_result_segment(with, i), *b = whisp_result_segment(without, i);
        assert_true(a->start == b->start && a->end == b->end && a->seek == b->seek && a->n_tokens == b->n_tokens);
        for (size_t k = 0; k < a->n_tokens; k++)
            assert_true(a->tokens[k].id == b->tokens[k].id && a->tokens[k].logprob == b->tokens[k].logprob);
        assert_true(b->confidence == 0 && !b->words);
        assert_true(a->n_words == 0 || (a->confidence > 0 && a->confidence <= 1));
        for (size_t k = 0; k < a->n_words; k++)
            assert_true(a->words[k]->confidence > 0 && a->words[k]->confidence <= 1);
    }
    whisp_result_free(with);
    whisp_result_free(without);
}

static void the_transcript_stays_as_it_is(void **state)
{
    (void)state;
    const char *path = invented_path("invented"), *demo = "test/data/demo.flac";
    whisp_model *model;
    if (!path)
        return;
    assert_int_equal(whisp_model_load(path, NULL, &model), WHISP_OK);
    compare(model, demo, "None", "None");
    compare(model, demo, "and so", "None");
    compare(model, demo, "None", "3");
    whisp_model_free(model);
}

static void a_recording_is_judged(void **state)
{
    (void)state;
    const char *path = model_path("tiny.en");
    whisp_model *model;
    if (!path)
        return;
    assert_int_equal(whisp_model_load(path, NULL, &model), WHISP_OK);
    compare(model, "test/data/demo.flac", "None", "None");
    whisp_result *result = transcribe(model, "test/data/demo.flac", "True", "None", "None");
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < result_info(result).n_segments; i++)
        for (size_t k = 0; k < whisp_result_segment(result, i)->n_words; k++, n++)
            sum += whisp_result_segment(result, i)->words[k]->confidence;
    assert_true(n > 20 && sum / (double)n > 0.8); /* clear speech */
    whisp_result_free(result);
    whisp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_fit),
        cmocka_unit_test(scores_stay_within_bounds),
        cmocka_unit_test(a_row_of_logits_is_read),
        cmocka_unit_test(samples_agree_token_by_token),
        cmocka_unit_test(neighbours_and_edges_have_features),
        cmocka_unit_test(words_said_again_are_known),
        cmocka_unit_test(the_doubtful_tenth_is_listed),
        cmocka_unit_test(the_transcript_stays_as_it_is),
        cmocka_unit_test(a_recording_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
