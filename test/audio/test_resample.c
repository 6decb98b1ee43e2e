/* test_resample.c - the resampler against tones whose samples are known, and against libsamplerate.
 *
 * `build/test/test_resample --table` prints the measurements that docs/audio.md shows. */
#include "support/testing.h"

#include <math.h>
#include <samplerate.h>
#include <stdlib.h>
#include <string.h>

#include "audio/resample.h"

#define PI 3.14159265358979323846
#define RATE 16000
#define OURS (-1) /* otherwise a quality of libsamplerate's */

static const int usual_rates[] = {8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000};
static const int odd_rates[] = {8001, 15999, 16001, 22255, 44056, 191999}; /* left to libsamplerate */

/* ---- helpers ---- */

static size_t length_at_16k(size_t n, int rate)
{
    return (size_t)floor((double)n * RATE / rate + 0.5);
}

/* All of x, fed in blocks and taken in pieces. Returns [*made], to be freed. */
static float *convert_blocks(int rate, const float *x, size_t n, size_t block, size_t piece, size_t *made)
{
    wh_resampler *resampler;
    assert_int_equal(wh_resampler_new(rate, &resampler), WHISP_OK);
    size_t room = length_at_16k(n, rate) + 2 * piece, total = 0, fed = 0, used, got;
    float *y = calloc(room, sizeof *y);
    assert_non_null(y);
    while (fed < n) {
        assert_true(total + piece <= room);
        size_t offered = n - fed < block ? n - fed : block;
        assert_int_equal(wh_resample(resampler, x + fed, offered, &used, y + total, piece, &got), WHISP_OK);
        assert_true(used <= offered && got <= piece && (used == offered || got == piece));
        fed += used;
        total += got;
    }
    wh_resampler_end(resampler);
    do {
        assert_true(total + piece <= room);
        assert_int_equal(wh_resample(resampler, NULL, 0, &used, y + total, piece, &got), WHISP_OK);
        assert_int_equal(used, 0);
        total += got;
    } while (got == piece);
    assert_int_equal(wh_resample(resampler, NULL, 0, &used, y, piece, &got), WHISP_OK);
    assert_int_equal(got, 0);
    wh_resampler_free(resampler);
    *made = total;
    return y;
}

static float *convert(int quality, int rate, const float *x, size_t n, size_t *made)
{
    if (quality == OURS)
        return convert_blocks(rate, x, n, 4096, 4096, made);
    size_t room = length_at_16k(n, rate);
    float *y = calloc(room, sizeof *y);
    assert_non_null(y);
    SRC_DATA data = {.data_in = x,
                     .input_frames = (long)n,
                     .data_out = y,
                     .output_frames = (long)room,
                     .src_ratio = (double)RATE / rate};
    assert_int_equal(src_simple(&data, quality, 1), 0);
    *made = (size_t)data.output_frames_gen;
    return y;
}

static double decibel(double ratio)
{
    return 20.0 * log10(ratio + 1e-12);
}

/* How a tone of amplitude 1 comes out, in the middle of 0.4 s. */
typedef struct tone {
    double gain, phase; /* of that tone: amplitude, radians */
    double rest;        /* amplitude of everything else */
} tone;

static tone measure(int quality, int rate, double frequency)
{
    enum { FIRST = 1200, LAST = 5200 };
    size_t n = (size_t)rate * 2 / 5, made;
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)cos(2.0 * PI * fmod(frequency * (double)i / rate, 1.0));
    float *y = convert(quality, rate, x, n, &made);
    assert_true(made >= LAST);

    double weights = 0.0, re = 0.0, im = 0.0, rest = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = FIRST; i < LAST; i++) {
            double u = (i - FIRST + 0.5) / (LAST - FIRST), angle = 2.0 * PI * fmod(frequency * i / RATE, 1.0);
            double w = 0.35875 - 0.48829 * cos(2 * PI * u) + 0.14128 * cos(4 * PI * u) - 0.01168 * cos(6 * PI * u);
            if (pass == 0) {
                weights += w;
                re += 2.0 * w * y[i] * cos(angle);
                im -= 2.0 * w * y[i] * sin(angle);
            } else {
                double error = y[i] - re / weights * cos(angle) + im / weights * sin(angle);
                rest += w * error * error;
            }
        }
    }
    free(x);
    free(y);
    tone t = {hypot(re, im) / weights, atan2(im, re), sqrt(2.0 * rest / weights)};
    return t;
}

/* A tone above 8 kHz: whatever comes out is wrong. */
static double leak(int quality, int rate, double frequency)
{
    tone t = measure(quality, rate, frequency);
    return decibel(hypot(t.gain, t.rest));
}

static double nyquist(int rate)
{
    return 0.5 * (rate < RATE ? rate : RATE);
}

/* Where the reference's filter cuts off, in units of the recording's Nyquist frequency. */
static double cutoff(int rate)
{
    return fmin(0.97 * RATE / rate, 1.0);
}

static void assert_close(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g, expected %g within %g", value, expected, tolerance);
}

/* ---- tones ---- */

static void passes_tones(void **state)
{
    (void)state;
    static const double where[] = {0.01, 0.125, 0.4, 0.6, 0.75};
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++)
        for (size_t i = 0; i < WH_COUNT(where); i++) {
            tone t = measure(OURS, usual_rates[r], where[i] * nyquist(usual_rates[r]) + 0.7);
            assert_close(decibel(t.gain), 0.0, 0.01);
            assert_close(t.phase, 0.0, 1e-4);
            if (decibel(t.rest) > -72.0)
                fail_msg("%d Hz: noise or images at %g of the band: %.1f dB", usual_rates[r], where[i],
                         decibel(t.rest));
        }
}

static void stops_tones(void **state)
{
    (void)state;
    static const double where[] = {10008.0, 10977.0, 12001.0, 15999.0, 22049.0, 40000.0, 95000.0};
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++)
        for (size_t i = 0; i < WH_COUNT(where) && where[i] < 0.5 * usual_rates[r]; i++)
            if (leak(OURS, usual_rates[r], where[i]) > -80.0)
                fail_msg("%d Hz: a tone at %g Hz comes out at %.1f dB", usual_rates[r], where[i],
                         leak(OURS, usual_rates[r], where[i]));
}

static void cuts_off_where_the_reference_does(void **state)
{
    (void)state;
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++)
        if (usual_rates[r] > RATE)
            assert_close(decibel(measure(OURS, usual_rates[r], 0.97 * nyquist(usual_rates[r])).gain), -6.02, 0.05);
}

/* ---- against libsamplerate ---- */

/* 60 tones up to a limit. */
static float *make_sound(int rate, size_t n, double limit)
{
    uint64_t seed = 7;
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    for (int t = 0; t < 60; t++) {
        double frequency = 20.0 + (limit - 20.0) * random_unit(&seed), phase = 2.0 * PI * random_unit(&seed);
        for (size_t i = 0; i < n; i++)
            x[i] += (float)(0.02 * cos(2.0 * PI * frequency * (double)i / rate + phase));
    }
    return x;
}

static void agrees_with_libsamplerate(void **state)
{
    (void)state;
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++) {
        int rate = usual_rates[r];
        size_t n = (size_t)rate / 4, ours, theirs;
        float *x = make_sound(rate, n, fmin(5000.0, 0.6 * nyquist(rate)));
        float *a = convert(OURS, rate, x, n, &ours), *b = convert(SRC_SINC_BEST_QUALITY, rate, x, n, &theirs);
        assert_int_equal(ours, length_at_16k(n, rate));
        double power = 0.0, error = 0.0;
        for (size_t i = 400; i + 400 < theirs; i++) {
            power += a[i] * a[i];
            error += (a[i] - b[i]) * (a[i] - b[i]);
        }
        if (decibel(sqrt(error / power)) > -72.0)
            fail_msg("%d Hz: %.1f dB apart", rate, decibel(sqrt(error / power)));
        free(x);
        free(a);
        free(b);
    }
}

/* ---- blocks and edges ---- */

static void blocks_do_not_matter(void **state)
{
    (void)state;
    static const size_t blocks[][2] = {{1, 4096}, {7, 64}, {4096, 1}, {4096, 4096}, {5000, 311}, {12288, 3}};
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++) {
        int rate = usual_rates[r];
        size_t n = 12288, expected, made;
        uint64_t seed = 11;
        float *x = calloc(n, sizeof *x);
        assert_non_null(x);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(2.0 * random_unit(&seed) - 1.0);
        float *whole = convert_blocks(rate, x, n, n, 2 * n, &expected);
        assert_int_equal(expected, length_at_16k(n, rate));
        for (size_t b = 0; b < WH_COUNT(blocks); b++) {
            float *y = convert_blocks(rate, x, n, blocks[b][0], blocks[b][1], &made);
            assert_int_equal(made, expected);
            assert_memory_equal(y, whole, made * sizeof *y);
            free(y);
        }
        free(x);
        free(whole);
    }
}

/* All rates here put an output sample on input sample 4 * M: its neighbours are the low pass itself, and symmetric. */
static void impulse_stays_in_place(void **state)
{
    (void)state;
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++) {
        int rate = usual_rates[r];
        size_t n = (size_t)rate / 5, made, middle = RATE / 10;
        float *x = calloc(n, sizeof *x);
        assert_non_null(x);
        double sum = 0.0;
        if (rate % 10 == 0) {
            x[rate / 10] = 1.0f;
        } else { /* 11025: 441 input samples are 640 output samples */
            x[441 * 2] = 1.0f;
            middle = 640 * 2;
        }
        float *y = convert(OURS, rate, x, n, &made);
        assert_int_equal(made, length_at_16k(n, rate));
        assert_close(y[middle], cutoff(rate), 1e-3);
        for (size_t i = 0; i < made; i++)
            sum += y[i];
        for (size_t i = 1; i < 800; i++)
            assert_close(y[middle - i], y[middle + i], 1e-8);
        assert_close(sum, (double)RATE / rate, 1e-5);
        free(x);
        free(y);
    }
}

/* Inside DC stays what it is; at both ends half of the step to silence is seen. */
static void dc_and_ends(void **state)
{
    (void)state;
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++) {
        int rate = usual_rates[r];
        size_t n = (size_t)rate / 5, made;
        float *x = calloc(n, sizeof *x);
        assert_non_null(x);
        for (size_t i = 0; i < n; i++)
            x[i] = 0.5f;
        float *y = convert(OURS, rate, x, n, &made);
        for (size_t i = 400; i + 400 < made; i++)
            assert_close(y[i], 0.5, 2e-7);
        /* half a step, and half of sample 0's share beyond the step's middle */
        assert_close(y[0], 0.25 + 0.25 * cutoff(rate), 1e-3);
        assert_true(y[made - 1] > 0.2f && y[made - 1] < 0.65f);
        free(x);
        free(y);
    }
}

static void short_inputs(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 5, 11, 100, 1001};
    static float x[1001];
    uint64_t seed = 3;
    for (size_t i = 0; i < WH_COUNT(x); i++)
        x[i] = (float)(random_unit(&seed) - 0.5);
    for (size_t r = 0; r < WH_COUNT(usual_rates) + WH_COUNT(odd_rates); r++) {
        size_t usual = WH_COUNT(usual_rates), made;
        int rate = r < usual ? usual_rates[r] : odd_rates[r - usual];
        for (size_t i = 0; i < WH_COUNT(lengths); i++) {
            free(convert_blocks(rate, x, lengths[i], 64, 64, &made));
            assert_int_equal(made, length_at_16k(lengths[i], rate));
        }
    }
    size_t made;
    float *y = convert(OURS, 8000, (const float[]){1.0f}, 1, &made); /* one sample of two: at 0 and at 1/16000 s */
    assert_int_equal(made, 2);
    assert_close(y[0], 1.0, 1e-3);
    assert_close(y[1], 1.0 / (PI / 2.0), 0.01);
    free(y);
}

/* ---- which rates ---- */

static void rates(void **state)
{
    (void)state;
    wh_resampler *resampler;
    for (size_t r = 0; r < WH_COUNT(usual_rates) + WH_COUNT(odd_rates); r++) {
        size_t usual = WH_COUNT(usual_rates);
        assert_int_equal(wh_resampler_new(r < usual ? usual_rates[r] : odd_rates[r - usual], &resampler), WHISP_OK);
        wh_resampler_free(resampler);
    }
    static const int bad[] = {-44100, 0, 1, WH_MIN_RATE - 1, 16000, WH_MAX_RATE + 1, 2147483647};
    for (size_t i = 0; i < WH_COUNT(bad); i++) {
        assert_int_equal(wh_resampler_new(bad[i], &resampler), WHISP_ERR_ARGUMENT);
        assert_null(resampler);
    }
    wh_resampler_free(NULL);
}

/* Rates without a bank: the same contract through libsamplerate. */
static void odd_rates_pass_tones(void **state)
{
    (void)state;
    for (size_t r = 0; r < WH_COUNT(odd_rates); r++) {
        tone t = measure(OURS, odd_rates[r], 1234.5 * nyquist(odd_rates[r]) / 8000.0);
        assert_close(decibel(t.gain), 0.0, 0.001);
        assert_close(t.phase, 0.0, 1e-4);
    }
}

/* ---- the table ---- */

/* The frequency at which a tone has fallen by so many decibels, in units of the band. */
static double edge(int quality, int rate, double fall)
{
    double low = 0.7, high = 1.0;
    for (int i = 0; i < 14; i++) {
        double middle = 0.5 * (low + high);
        if (decibel(measure(quality, rate, middle * nyquist(rate)).gain) > -fall)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double speed(int quality, int rate)
{
    size_t n = (size_t)rate * (quality == OURS ? 40 : 8), made;
    float *x = make_sound(rate, n / 40, 7000.0);
    x = realloc(x, n * sizeof *x);
    assert_non_null(x);
    for (size_t i = n / 40; i < n; i++)
        x[i] = x[i - n / 40];
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        double start = wh_now();
        free(convert(quality, rate, x, n, &made));
        best = fmin(best, wh_now() - start);
    }
    free(x);
    return (double)n / rate / best;
}

static void print_table(void)
{
    static const struct {
        const char *name;
        int quality;
    } which[] = {{"ours", OURS},
                 {"libsamplerate best", SRC_SINC_BEST_QUALITY},
                 {"libsamplerate medium", SRC_SINC_MEDIUM_QUALITY}};
    printf(
        "| rate | resampler | -0.1 dB | -3 dB | -6 dB | rest in pass band | 8000 Hz | 8080 Hz | above, worst | x real time "
        "|\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t r = 0; r < WH_COUNT(usual_rates); r++)
        for (size_t q = 0; q < WH_COUNT(which); q++) {
            int rate = usual_rates[r], quality = which[q].quality;
            if (q > 0 && rate != 8000 && rate != 44100 && rate != 48000)
                continue;
            double rest = 0.0, worst = -300.0;
            for (double f = 0.05; f < 0.9; f += 0.05)
                rest = fmax(rest, measure(quality, rate, f * nyquist(rate)).rest);
            for (double f = 8101.0; f < 0.5 * rate; f *= 1.02)
                worst = fmax(worst, leak(quality, rate, f));
            printf("| %d | %s | %.4f | %.4f | %.4f | %.1f dB | ", rate, which[q].name, edge(quality, rate, 0.1),
                   edge(quality, rate, 3.0), edge(quality, rate, 6.0), decibel(rest));
            if (rate > RATE)
                printf("%.1f dB | %.1f dB | %.1f dB", leak(quality, rate, 8000.0), leak(quality, rate, 8080.0), worst);
            else
                printf("- | - | -");
            printf(" | %.0f |\n", speed(quality, rate));
        }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        print_table();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_tones),
        cmocka_unit_test(stops_tones),
        cmocka_unit_test(cuts_off_where_the_reference_does),
        cmocka_unit_test(agrees_with_libsamplerate),
        cmocka_unit_test(blocks_do_not_matter),
        cmocka_unit_test(impulse_stays_in_place),
        cmocka_unit_test(dc_and_ends),
        cmocka_unit_test(short_inputs),
        cmocka_unit_test(rates),
        cmocka_unit_test(odd_rates_pass_tones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
