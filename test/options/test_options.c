/* test_options.c - options by name: defaults, what is accepted, what is refused and how, the temperatures they mean. */
#include "support/testing.h"

#include <math.h>
#include <string.h>

#include "options/options.h"
#include "tokenizer/languages.h"

static void every_default_is_accepted_and_given_back(void **state)
{
    (void)state;
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    whisp_options *o = whisp_options_new();
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(whisp_options_get(o, list[i]->name), list[i]->initial);
        assert_int_equal(whisp_options_set(o, list[i]->name, list[i]->initial), WHISP_OK);
        assert_true(strlen(list[i]->help) > 10);
    }
    assert_null(whisp_options_get(o, "no_such_option"));
    whisp_options_free(o);
}

static void named_voices_are_read(void **state)
{
    (void)state;
    whisp_options *o = whisp_options_new();
    wh_named_voice voice;
    assert_int_equal(wh_options_voice(&o->values, 0, &voice), 0);
    assert_int_equal(whisp_options_set(o, "speaker", "Ann=a=b.wav\n\n Bob Mc\u00e9 = two words.wav \n"), WHISP_OK);
    static const char *const want[][2] = {{"Ann", "a=b.wav"}, {"Bob Mc\u00e9", "two words.wav"}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(wh_options_voice(&o->values, i, &voice), 1);
        assert_int_equal(voice.name_length, strlen(want[i][0]));
        assert_memory_equal(voice.name, want[i][0], voice.name_length);
        assert_int_equal(voice.path_length, strlen(want[i][1]));
        assert_memory_equal(voice.path, want[i][1], voice.path_length);
    }
    assert_int_equal(wh_options_voice(&o->values, 2, &voice), 0);
    assert_int_equal(whisp_options_set(o, "speaker", "None"), WHISP_OK);
    assert_int_equal(wh_options_voice(&o->values, 0, &voice), 0);
    whisp_options_free(o);
}

static void speakers_that_contradict_each_other(void **state)
{
    (void)state;
    static const char *const cases[][4] = {{"2", "None", "None", NULL},
                                           {"2", "1", "2", NULL},
                                           {"None", "2", "2", NULL},
                                           {"None", "3", "2", "min_speakers 3 and max_speakers 2"},
                                           {"2", "3", "None", "num_speakers 2 and min_speakers 3"},
                                           {"2", "None", "1", "num_speakers 2 and max_speakers 1"}};
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        whisp_options *o = whisp_options_new();
        assert_int_equal(whisp_options_set(o, "num_speakers", cases[i][0]), WHISP_OK);
        assert_int_equal(whisp_options_set(o, "min_speakers", cases[i][1]), WHISP_OK);
        assert_int_equal(whisp_options_set(o, "max_speakers", cases[i][2]), WHISP_OK);
        assert_int_equal(wh_options_check(&o->values), cases[i][3] ? WHISP_ERR_ARGUMENT : WHISP_OK);
        if (cases[i][3])
            assert_non_null(strstr(whisp_last_error(), cases[i][3]));
        whisp_options_free(o);
    }
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "diarize", "True"), WHISP_OK);
    assert_int_equal(wh_options_check(&o->values), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "split_stereo", "True"), WHISP_OK);
    assert_int_equal(wh_options_check(&o->values), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "exclude each other"));
    whisp_options_free(o);
}

static void wrong_values_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"no_such_option", "1", "no option"},
        {"language", "klingon", "no such language"},
        {"task", "sing", "no such task"},
        {"temperature", "hot", "number"},
        {"temperature", "0.1,,0.2", "number"},
        {"temperature", "-1", "within"},
        {"temperature", "nan", "number"},
        {"best_of", "0", "within"},
        {"best_of", "99999999999999999999", "whole number"},
        {"best_of", "2.5", "whole number"},
        {"condition_on_previous_text", "yes", "True or False"},
        {"suppress_tokens", "1,x", "token ids"},
        {"suppress_tokens", "-2", "token ids"},
        {"threads", "-1", "within"},
        {"threads", "257", "within"},
        {"max_initial_timestamp", "31", "within"},
        {"backend", "abacus", "no such backend"},
        {"clip_timestamps", "1,x", "seconds"},
        {"clip_timestamps", "1,,2", "seconds"},
        {"clip_timestamps", "5,3", "ascend"},
        {"clip_timestamps", "0,10,5,20", "ascend"},
        {"clip_timestamps", "-1,3", "not negative"},
        {"clip_timestamps", "1,", "seconds"},
        {"clip_timestamps", "1,inf", "seconds"},
        {"word_timestamps", "1", "True or False"},
        {"hallucination_silence_threshold", "-1", "within"},
        {"alignment_heads", "left", "no such alignment_heads"},
        {"word_times", "letters", "no such word_times"},
        {"compute_type", "int3", "no such arithmetic"},
        {"encoder_padding", "none", "no such encoder_padding"},
        {"length_penalty", "1.5", "within"},
        {"beam_size", "0", "within"},
        {"beam_size", "17", "within"},
        {"patience", "-1", "within"},
        {"repetition_penalty", "0", "within"},
        {"no_repeat_ngram_size", "None", "whole number"},
        {"max_new_tokens", "0", "within"},
        {"multilingual", "1", "True or False"},
        {"hallucination_guard", "1", "True or False"},
        {"device", "gpu", "no such device"},
        {"device", "cuda:", "no such device"},
        {"device", "cuda:x", "no such device"},
        {"device", "cuda:1024", "within"},
        {"device", "-1", "within"},
        {"compute_type", "int16", "no such arithmetic"},
        {"initial_prompt_tokens", "so", "token ids"},
        {"diarize", "1", "True or False"},
        {"num_speakers", "0", "within"},
        {"max_speakers", "101", "within"},
        {"speaker", "ann.wav", "NAME=FILE is expected"},
        {"speaker", "", "NAME=FILE is expected"},
        {"speaker", "=ann.wav", "a name is missing"},
        {"speaker", "Ann=", "a file is missing"},
        {"speaker", "Ann=a.wav\nAnn =b.wav", "there twice"},
        {"speaker", "A\tn=a.wav", "control character"},
        {"speaker", "A\xff=a.wav", "not UTF-8"},
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
    assert_string_equal(wh_language_code(o->values.language), "es");
    assert_int_equal(whisp_options_set(o, "no_speech_threshold", "None"), WHISP_OK);
    assert_true(isnan(o->values.no_speech_threshold));
    assert_int_equal(whisp_options_set(o, "suppress_tokens", ""), WHISP_OK);
    assert_string_equal(o->values.suppress_tokens, "");
    whisp_options_free(o);
}

static void other_programs_names_mean_the_same(void **state)
{
    (void)state;
    static const char *const same[][3] = {
        /* compute_type, device, what it is then */
        {"float32", "auto", "f32"},         {"float16", "auto", "f32"},       {"float16", "cuda", "auto"},
        {"bfloat16", "cpu", "bf16"},        {"int8_float32", "auto", "int8"}, {"default", "auto", "auto"},
        {"int8_float16", "cuda:1", "int8"},
    };
    for (size_t i = 0; i < 2 * WH_COUNT(same); i++) { /* in either order */
        whisp_options *o = whisp_options_new();
        const char *names[] = {"compute_type", "device"}, *const *row = same[i / 2];
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(whisp_options_set(o, names[(k + i) % 2], row[(k + i) % 2]), WHISP_OK);
        whisp_options *copy = wh_options_copy(o);
        assert_string_equal(copy->values.compute_type, row[2]);
        assert_string_equal(whisp_options_get(copy, "compute_type"), row[0]);
        whisp_options_free(o);
        whisp_options_free(copy);
    }
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "language", "it"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "language", "auto"), WHISP_OK);
    assert_int_equal(o->values.language, -1);
    whisp_options_free(o);
}

static void a_device_is_a_backend_and_a_number(void **state)
{
    (void)state;
    static const struct {
        const char *device, *backend, *means;
        int number, fits;
    } list[] = {
        {"auto", "auto", "auto", 0, 1}, {"cpu", "auto", "cpu", 0, 1},     {"cpu", "blas", "blas", 0, 1},
        {"cuda", "auto", "cuda", 0, 1}, {"cuda:3", "auto", "cuda", 3, 1}, {"cuda:1", "cuda", "cuda", 1, 1},
        {"2", "cuda", "cuda", 2, 1},    {"2", "auto", "auto", 2, 1},      {"auto", "cuda", "cuda", 0, 1},
        {"cuda:1", "cpu", "cpu", 1, 0}, {"cuda", "blas", "blas", 0, 0},   {"cpu", "cuda", "cuda", 0, 0},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        whisp_options *o = whisp_options_new();
        assert_int_equal(whisp_options_set(o, "device", list[i].device), WHISP_OK);
        assert_int_equal(whisp_options_set(o, "backend", list[i].backend), WHISP_OK);
        assert_string_equal(o->values.backend, list[i].means);
        assert_int_equal(o->values.device, list[i].number);
        assert_int_equal(wh_options_check(&o->values), list[i].fits ? WHISP_OK : WHISP_ERR_ARGUMENT);
        whisp_options_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_accepted_and_given_back),
        cmocka_unit_test(wrong_values_are_refused_with_the_reason),
        cmocka_unit_test(named_voices_are_read),
        cmocka_unit_test(speakers_that_contradict_each_other),
        cmocka_unit_test(temperatures_follow_both_options),
        cmocka_unit_test(strings_and_none_are_kept_apart),
        cmocka_unit_test(other_programs_names_mean_the_same),
        cmocka_unit_test(a_device_is_a_backend_and_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
