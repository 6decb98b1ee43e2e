/* test_confidence.c - evidence about words, the score, and the list of the doubtful ones.
 *
 * test/data/confidence.tsv holds words' features with the scores that bench/confidence/fit.py computed for them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "confidence/confidence.h"
#include "cpu/registry.h"
#include "output/places.h"
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
    const wh_kernels *kernels = wh_cpu_best().kernels;
    const float logits[4] = {logf(0.5f), logf(0.25f), logf(0.125f), logf(0.125f)};
    wh_evidence e = {0};
    wh_evidence_read(kernels, logits, 4, 1, &e);
    assert_true(fabs(e.logprob - log(0.25)) < 1e-5);
    assert_true(fabs(e.margin + log(2)) < 1e-5);
    assert_true(fabs(e.entropy - 1.75 * log(2)) < 1e-5);
    wh_evidence_read(kernels, logits, 4, 0, &e);
    assert_true(fabs(e.margin - log(2)) < 1e-5);
    const float bad[3] = {NAN, -INFINITY, 1};
    for (int id = 0; id < 3; id++) {
        wh_evidence_read(kernels, bad, 3, id, &e);
        assert_true(isfinite(e.logprob) && isfinite(e.margin) && isfinite(e.entropy));
    }
    const float sharp[4] = {0, 1, 0, 0}, even[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    e = (wh_evidence){0};
    const float sharp_scores[4] = {0, 40, 0, 0}, even_scores[4] = {5, 5, 5, 5};
    wh_evidence_attend(sharp_scores, sharp, 4, 2, &e);
    wh_evidence_attend(even_scores, even, 4, 2, &e);
    assert_true(fabs(e.peak - 0.625) < 1e-6);
    assert_true(fabs(e.spread - log(4) / 2) < 1e-6);
}

static void samples_agree_token_by_token(void **state)
{
    (void)state;
    const uint64_t chosen[] = {1, 2, 3, 4, 5}, one_off[] = {1, 2, 9, 4, 5}, shifted[] = {7, 1, 2, 4, 5};
    float counts[5] = {0};
    int32_t partners[5];
    assert_int_equal(wh_agree(chosen, 5, one_off, 5, counts, partners), WHISP_OK);
    assert_int_equal(wh_agree(chosen, 5, shifted, 5, counts, partners), WHISP_OK);
    assert_true(partners[0] == 1 && partners[1] == 2 && partners[2] == -1 && partners[3] == 3 && partners[4] == 4);
    assert_int_equal(wh_agree(chosen, 5, NULL, 0, counts, partners), WHISP_OK);
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
    char(*texts)[24] = calloc(n, sizeof *texts);
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
    assert_non_null(strstr(text, "4 of 40, in 4 places; 3 of 20 s"));
    assert_string_equal(lines, "00:00:00.0  20%  [w0] w1 w2 w3 w4 w5 ...\n"
                               "00:00:10.5  20%  ... w16 w17 w18 w19 w20 [w21] w22 w23 [w24] w25 w26 ...\n"
                               "00:00:12.0  20%  ... w19 w20 [w21] w22 w23 [w24] w25 w26 w27 w28 w29 ...\n"
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

/* Neighbours are one place, which is its words and a breath; the place that gives most for its time comes first. */
static void places_are_in_the_order_of_worth(void **state)
{
    (void)state;
    static const int doubtful[] = {5, 20, 21, -1};
    whisp_result *result = invent_result(40, doubtful);
    wh_spots spots = {0};
    assert_int_equal(wh_spots_find(result, 0.075, &spots), WHISP_OK);
    assert_true(spots.n == 2 && spots.n_doubtful == 3 && spots.n_words == 40 && spots.n_judged == 40);
    const wh_spot *one = &spots.list[0], *two = &spots.list[1];
    assert_true(one->first == 5 && one->last == 5 && two->first == 20 && two->last == 21);
    assert_true(one->start < 2.5 && one->start > 2 && one->end > 3 && one->end < 3.5);
    assert_true(fabs(one->chance - 0.2) < 1e-9 && fabs(one->errors - 0.8) < 1e-9 && fabs(two->errors - 1.6) < 1e-9);
    assert_true(fabs(spots.seconds - (one->end - one->start) - (two->end - two->start)) < 1e-9);
    wh_spots_free(&spots);
    assert_int_equal(wh_spots_walk(result, 0.075, &spots), WHISP_OK);
    assert_true(spots.n == 2 && spots.list[0].first == 20 && spots.list[1].first == 5);
    wh_spots_free(&spots);
    whisp_result_free(result);
}

/* A walk over all that is worth it: 20 to 22 are heard at once although 21 is as good as certain, the certain ones are
 * not heard, what gives less comes later, and no word twice. */
static void a_walk_goes_where_it_pays(void **state)
{
    (void)state;
    static const int doubtful[] = {-1};
    whisp_result *result = invent_result(40, doubtful);
    wh_spots spots = {0};
    unsigned char heard[40] = {0};
    for (int i = 0; i < 40; i++) {
        whisp_word *word = (whisp_word *)(uintptr_t)whisp_result_segment(result, 0)->words[i];
        word->confidence = i == 20 || i == 22 ? 0.1 : i == 5 ? 0.5 : i == 30 ? 0.92 : 0.999;
        word->start = i == 21 ? 10.32 : i == 22 ? 10.42 : word->start;
        word->end = word->start + (i == 21 ? 0.08 : 0.3); /* and a pause of 0.2 s where the next one is not so near */
    }
    assert_int_equal(wh_spots_walk(result, 0, &spots), WHISP_OK);
    assert_int_equal(spots.n, 3);
    assert_true(spots.list[0].first == 20 && spots.list[0].last == 22 && fabs(spots.list[0].chance - 0.1) < 1e-9);
    assert_true(spots.list[1].first == 5 && spots.list[1].last == 5 && spots.list[2].first == 30);
    assert_true(spots.list[1].end - spots.list[1].start < 0.6 && spots.list[1].start < 2.5);
    assert_true(spots.n_doubtful == 5 && fabs(spots.errors - (1.8 + 0.5 + 0.08 + 36 * 0.001)) < 1e-9);
    for (size_t i = 0; i < spots.n; i++)
        for (size_t k = spots.list[i].first; k <= spots.list[i].last; k++)
            assert_int_equal(heard[k]++, 0);
    wh_spots_free(&spots);
    whisp_result_free(result);
    assert_int_equal(wh_result_new(&result), WHISP_OK); /* nothing said */
    assert_int_equal(wh_spots_walk(result, 0, &spots), WHISP_OK);
    assert_true(spots.n == 0 && spots.seconds == 0);
    wh_spots_free(&spots);
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

/* Does a word of the transcript say it (0), or is it among some word's alternatives (1)? -1: neither. */
static int place_of(const whisp_result *result, const char *right)
{
    int found = -1;
    for (size_t i = 0; i < result_info(result).n_segments; i++)
        for (size_t k = 0; k < whisp_result_segment(result, i)->n_words; k++) {
            const whisp_word *word = whisp_result_segment(result, i)->words[k];
            if (strcmp(word->text, right) == 0)
                return 0;
            assert_true(!word->alternatives == !word->n_alternatives && word->n_alternatives <= 5);
            for (size_t a = 0; a < word->n_alternatives; a++) {
                assert_true(isfinite(word->alternatives[a].logprob));
                found = strcmp(word->alternatives[a].text, right) == 0 ? 1 : found;
            }
        }
    return found;
}

/* A film: "turned your car over", "get it back on its wheels and drive it". tiny.en writes "turn to" and "this wheel some
 * driving"; at least half of what it misses is offered. */
static void the_right_word_is_offered(void **state)
{
    (void)state;
    static const char *const right[] = {" turned", " your", " its", " wheels", " and", " drive"};
    const char *path = model_path("tiny.en");
    const char *film = shared_path("audio/night_119s_theres_supposed_to_be_another_broadcast.wav");
    whisp_model *model;
    whisp_result *result;
    int missed = 0, offered = 0;
    if (!path || !film)
        return;
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "confidence", "True"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "language", "en"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "clip_timestamps", "40,50"), WHISP_OK);
    assert_int_equal(whisp_model_load(path, NULL, &model), WHISP_OK);
    assert_int_equal(whisp_transcribe(model, film, o, &result), WHISP_OK);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        int place = place_of(result, right[i]);
        missed += place != 0;
        offered += place == 1;
    }
    if (2 * offered < missed || missed == 0)
        fail_msg("%d of %d words that were missed are offered: %s", offered, missed, whisp_result_text(result));
    whisp_result_free(result);
    whisp_model_free(model);
    whisp_options_free(o);
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
        cmocka_unit_test(places_are_in_the_order_of_worth),
        cmocka_unit_test(a_walk_goes_where_it_pays),
        cmocka_unit_test(the_transcript_stays_as_it_is),
        cmocka_unit_test(a_recording_is_judged),
        cmocka_unit_test(the_right_word_is_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
