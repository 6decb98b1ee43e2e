/* test_guard.c - hallucination_guard: which sounds may be speech, and, with tiny.en, silence and noise that say nothing,
 * speech in noise that stays, and the same words however the samples are pushed. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mel/mel.h"
#include "output/result.h"
#include "support/calls.h"
#include "window/state.h"

#define RATE 16000

/* ---- sounds, 16 kHz ---- */

static double level(double t)
{
    return 0.02 + 0.2 * (1 + sin(2 * acos(-1.0) * 0.5 * t)) / 2;
}

static float *hiss(size_t n, double loud, int swells)
{
    float *x = calloc(n, sizeof *x);
    uint64_t seed = 11;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((random_unit(&seed) - 0.5) * 2 * loud * (swells ? level((double)i / RATE) : 1));
    return x;
}

static float *hum(size_t n, double hertz)
{
    float *x = calloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (int k = 1; k <= 5; k++)
            x[i] += (float)(0.05 / k * sin(2 * acos(-1.0) * hertz * k * (double)i / RATE));
    return x;
}

/* Half a second with the resonances of a vowel, and a pitch that falls, from sample `at` on. */
static void add_vowel(float *x, size_t at, double loud)
{
    double phase = 0;
    for (size_t i = 0; i < RATE / 2; i++) {
        double f0 = 140 - 40.0 * (double)i / (RATE / 2);
        phase += 2 * acos(-1.0) * f0 / RATE;
        for (int k = 1; k < 30; k++) {
            double f = f0 * k, gain = exp(-pow((f - 700) / 150, 2)) + 0.6 * exp(-pow((f - 1200) / 200, 2));
            x[at + i] += (float)(loud * gain * sin(k * phase) * sin(acos(-1.0) * (double)i / (RATE / 2)));
        }
    }
}

static int activity(float *samples, size_t n)
{
    static float filters[80 * 201];
    unsigned char active[WH_VOICE_BLOCKS], sounds[WH_VOICE_BLOCKS];
    wh_mel *mel;
    wh_mel_filters(80, filters);
    assert_int_equal(wh_mel_new(80, filters, 3200, &mel), WHISP_OK);
    assert_int_equal(wh_mel_push(mel, samples, n), n);
    wh_mel_finish(mel);
    float *window = malloc((size_t)WH_WINDOW_FRAMES * 80 * sizeof *window);
    wh_mel_window(mel, 0, wh_mel_content(mel), WH_PAD_MEL, window);
    int found = wh_voice_activity(window, wh_mel_content(mel), 80, active, sounds);
    free(window);
    wh_mel_free(mel);
    free(samples);
    return found;
}

static void steady_sounds_have_no_activity(void **state)
{
    (void)state;
    size_t n = 20 * RATE;
    assert_int_equal(activity(calloc(n, sizeof(float)), n), 0);
    assert_int_equal(activity(hiss(n, 0.1, 0), n), 0);
    assert_int_equal(activity(hiss(n, 0.00003, 0), n), 0);
    assert_int_equal(activity(hiss(n, 0.5, 1), n), 0);
    assert_int_equal(activity(hum(n, 50), n), 0);
    assert_int_equal(activity(hum(n, 440), n), 0); /* a tone held */
    float *offset = hiss(n, 0.001, 0);
    for (size_t i = 0; i < n; i++)
        offset[i] += 0.1f;
    assert_int_equal(activity(offset, n), 0);
    assert_int_equal(activity(calloc(100, sizeof(float)), 100), 0); /* less than a block */
}

/* A sanitizer sees what overflows. */
static void what_is_no_number_has_no_activity(void **state)
{
    (void)state;
    unsigned char active[WH_VOICE_BLOCKS], sounds[WH_VOICE_BLOCKS];
    size_t n = (size_t)WH_WINDOW_FRAMES * 80;
    float *window = malloc(n * sizeof *window);
    for (size_t i = 0; i < n; i++)
        window[i] = i % 3 ? NAN : -NAN;
    assert_int_equal(wh_voice_activity(window, WH_WINDOW_FRAMES, 80, active, sounds), 0);
    free(window);
}

static void a_single_vowel_is_activity(void **state)
{
    (void)state;
    size_t n = 20 * RATE;
    float *quiet = calloc(n, sizeof *quiet), *noisy = hiss(n, 0.02, 0), *swelling = hiss(n, 0.1, 1);
    add_vowel(quiet, 7 * RATE, 0.002);
    add_vowel(noisy, 7 * RATE, 0.02);
    add_vowel(swelling, 7 * RATE, 0.05);
    assert_in_range(activity(quiet, n), 2, 8);
    assert_in_range(activity(noisy, n), 2, 8);
    assert_in_range(activity(swelling, n), 1, 8);
}

static void phrases_in_a_loop(void **state)
{
    (void)state;
    int32_t text[200];
    for (int period = 1; period <= 32; period++) {
        int times = WH_MAX(6, (24 + period - 1) / period), n = 0;
        text[n++] = 1000;
        for (; n < times * period + 1; n++)
            text[n] = 7 + (n - 1) % period;
        text[n] = 1001;
        assert_int_equal(wh_answer_is_loop(text, (size_t)n + 1), 1);
        assert_int_equal(wh_answer_is_loop(text, (size_t)n), 1);
        assert_int_equal(wh_answer_is_loop(text, (size_t)n - 1), 0); /* a token less than so many times */
        text[n / 2] = 1002;
        assert_int_equal(wh_answer_is_loop(text, (size_t)n + 1), 0);
    }
    for (int i = 0; i < 200; i++)
        text[i] = i * 7919 % 997;
    assert_int_equal(wh_answer_is_loop(text, 200), 0);
    assert_int_equal(wh_answer_is_loop(text, 0), 0);
}

/* ---- with a real model ---- */

static char *words_of(const char *guard, const float *samples, size_t n, size_t piece)
{
    const char *path = model_path("tiny.en");
    whisp_model *model;
    whisp_session *s;
    wh_buf text = {0};
    if (!path)
        return NULL;
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "hallucination_guard", guard), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    assert_int_equal(whisp_model_load(path, NULL, &model), WHISP_OK);
    if (whisp_session_new(model, o, &s))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    for (size_t done = 0;;) {
        const whisp_segment *segment;
        int rc = whisp_session_pull(s, &segment);
        if (rc == 1)
            wh_buf_puts(&text, segment->text);
        else if (rc == 0 && done < n)
            done += (size_t)whisp_session_push(s, samples + done, WH_MIN(piece, n - done));
        else if (rc == 0)
            assert_int_equal(whisp_session_finish(s), WHISP_OK);
        else {
            assert_int_equal(rc, WHISP_END);
            break;
        }
    }
    whisp_session_free(s);
    whisp_model_free(model);
    wh_buf_append(&text, "", 1);
    return text.data;
}

static void silence_says_nothing(void **state)
{
    (void)state;
    size_t n = 35 * RATE;
    float *silence = calloc(n, sizeof *silence), *bit = hiss(n, 0.00004, 0);
    char *imagined = words_of("False", silence, n, n);
    if (!imagined) {
        free(silence);
        free(bit);
        skip();
    }
    assert_non_null(strstr(imagined, "you")); /* the reference's behaviour */
    char *words = words_of("True", silence, n, n), *more = words_of("True", bit, n, n);
    assert_string_equal(words, "");
    assert_string_equal(more, "");
    free(imagined);
    free(words);
    free(more);
    free(silence);
    free(bit);
}

static void speech_in_noise_stays(void **state)
{
    (void)state;
    const char *path = shared_path("audio/jfk.mp3");
    whisp_audio *audio;
    if (!path || !model_path("tiny.en"))
        skip();
    size_t n = 40 * RATE, got = 0;
    float *samples = hiss(n, 0.01, 0), *speech = calloc(12 * RATE, sizeof *speech);
    assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
    for (int64_t k; got < 11 * RATE && (k = whisp_audio_read(audio, speech + got, 4096)) > 0;)
        got += (size_t)k;
    whisp_audio_free(audio);
    for (size_t i = 0; i < got; i++)
        samples[18 * RATE + i] += speech[i];
    char *guarded = words_of("True", samples, n, n), *pieces = words_of("True", samples, n, 777);
    assert_non_null(strstr(guarded, "country"));
    assert_string_equal(guarded, pieces);
    free(guarded);
    free(pieces);
    free(samples);
    free(speech);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_sounds_have_no_activity), cmocka_unit_test(what_is_no_number_has_no_activity),
        cmocka_unit_test(a_single_vowel_is_activity),     cmocka_unit_test(phrases_in_a_loop),
        cmocka_unit_test(silence_says_nothing),           cmocka_unit_test(speech_in_noise_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
