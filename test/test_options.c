/* test_options.c - options by name: defaults, what is accepted, what is refused and how, the temperatures they mean. */
#include "support/testing.h"

#include <math.h>
#include <string.h>

#include "api/options.h"

static void every_default_is_accepted_and_given_back(void **state)
{
    (void)state;
    size_t n;
    const whisp_option_info *list = whisp_option_list(&n);
    whisp_options *o = whisp_options_new();
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(whisp_options_get(o, list[i].name), list[i].initial);
        assert_int_equal(whisp_options_set(o, list[i].name, list[i].initial), WHISP_OK);
        assert_true(strlen(list[i].help) > 10);
    }
    assert_null(whisp_options_get(o, "no_such_option"));
    whisp_options_free(o);
}

static void wrong_values_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"no_such_option", "1", "no option"},      {"language", "klingon", "no such language"},
        {"task", "sing", "no such task"},          {"temperature", "hot", "number"},
        {"temperature", "0.1,,0.2", "number"},     {"temperature", "-1", "within"},
        {"temperature", "nan", "number"},          {"best_of", "0", "within"},
        {"best_of", "99999999999999999999", "whole number"}, {"best_of", "2.5", "whole number"},
        {"condition_on_previous_text", "yes", "True or False"}, {"suppress_tokens", "1,x", "token ids"},
        {"suppress_tokens", "-2", "token ids"},    {"threads", "-1", "within"},
        {"max_initial_timestamp", "31", "within"}, {"backend", "abacus", "no such backend"},
        {"clip_timestamps", "1,x", "seconds"},     {"clip_timestamps", "1,,2", "seconds"},
        {"clip_timestamps", "5,3", "ascend"},      {"clip_timestamps", "0,10,5,20", "ascend"},
        {"clip_timestamps", "-1,3", "not negative"}, {"clip_timestamps", "1,", "seconds"},
        {"clip_timestamps", "1,inf", "seconds"},   {"word_timestamps", "1", "True or False"},
        {"hallucination_silence_threshold", "-1", "within"}, {"alignment_heads", "left", "no such choice"},
        {"compute_type", "int3", "no such arithmetic"}, {"length_penalty", "1.5", "within"},
        {"beam_size", "0", "within"},              {"beam_size", "17", "within"},
        {"patience", "-1", "within"},              {"repetition_penalty", "0", "within"},
        {"no_repeat_ngram_size", "None", "whole number"}, {"max_new_tokens", "0", "within"},
        {"multilingual", "1", "True or False"},    {"hallucination_guard", "1", "True or False"},
    };
    whisp_options *o = whisp_options_new();
    for (size_t i = 0; i < WH_COUNT(wrong); i++) {
        const char *had = whisp_options_get(o, wrong[i][0]);
        char before[64];
        snprintf(before, sizeof before, "%s", had ? had : "");
        assert_int_equal(whisp_options_set(o, wrong[i][0], wrong[i][1]), WHISP_ERR_ARGUMENT);
        if (!strstr(whisp_last_error(), wrong[i][2]) || !strstr(whisp_last_error(), wrong[i][0]))
            fail_msg("%s=%s: %s", wrong[i][0], wrong[i][1], whisp_last_error());
        if (had)
            assert_string_equal(whisp_options_get(o, wrong[i][0]), before);
    }
    assert_int_equal(whisp_options_set(NULL, "task", "translate"), WHISP_ERR_ARGUMENT);
    whisp_options_free(o);
}

static void assert_temperatures(const char *temperature, const char *increment, const double *want, int n)
{
    whisp_options *o = whisp_options_new();
    double got[WH_MAX_TEMPERATURES];
    if (temperature)
        assert_int_equal(whisp_options_set(o, "temperature", temperature), WHISP_OK);
    if (increment)
        assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", increment), WHISP_OK);
    whisp_options *copy = wh_options_copy(o); /* a copy means the same */
    whisp_options_free(o);
    assert_int_equal(wh_options_temperatures(&copy->values, got), n);
    for (int i = 0; i < n; i++)
        assert_true(fabs(got[i] - want[i]) < 1e-12);
    whisp_options_free(copy);
}

static void temperatures_follow_both_options(void **state)
{
    (void)state;
    const double all[] = {0, 0.2, 0.4, 0.6, 0.8, 1.0}, from_half[] = {0.5, 0.75, 1.0}, list[] = {0.3, 0.1};
    assert_temperatures(NULL, NULL, all, 6);
    assert_temperatures("0", NULL, all, 6);
    assert_temperatures("0", "None", all, 1);
    assert_temperatures(NULL, "None", all, 1);
    assert_temperatures("0.5", "0.25", from_half, 3);
    assert_temperatures("0.3,0.1", "0.25", list, 2);
    const double hot[] = {2.0};
    assert_temperatures("2", "0.2", hot, 1);
}

static void strings_and_none_are_kept_apart(void **state)
{
    (void)state;
    whisp_options *o = whisp_options_new();
    assert_null(o->values.initial_prompt);
    assert_int_equal(whisp_options_set(o, "initial_prompt", "Recsperts"), WHISP_OK);
    assert_string_equal(o->values.initial_prompt, "Recsperts");
    assert_int_equal(whisp_options_set(o, "initial_prompt", "None"), WHISP_OK);
    assert_null(o->values.initial_prompt);
    assert_int_equal(whisp_options_set(o, "language", "Castilian"), WHISP_OK);
    assert_string_equal(whisp_language_code(o->values.language), "es");
    assert_int_equal(whisp_options_set(o, "no_speech_threshold", "None"), WHISP_OK);
    assert_true(isnan(o->values.no_speech_threshold));
    assert_int_equal(whisp_options_set(o, "suppress_tokens", ""), WHISP_OK);
    assert_string_equal(o->values.suppress_tokens, "");
    whisp_options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_accepted_and_given_back),
        cmocka_unit_test(wrong_values_are_refused_with_the_reason),
        cmocka_unit_test(temperatures_follow_both_options),
        cmocka_unit_test(strings_and_none_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
