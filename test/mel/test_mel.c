/* test_mel.c - the log-Mel spectrogram against the reference, against a slow transform, and cut in many ways. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mel/mel.h"

#define BINS 201
#define WINDOW 3000
#define CAPACITY 3100

static float *filters_of(int n_mels)
{
    float *filters = calloc((size_t)n_mels * BINS, sizeof *filters);
    assert_non_null(filters);
    wh_mel_filters(n_mels, filters);
    return filters;
}

/* Something between speech and noise, with soft and loud parts, as 16-bit samples. */
static float *invent_samples(size_t n, uint64_t seed)
{
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        double loud = 0.3 * fabs(sin((double)i / 7000.0)) + 0.001;
        double value = loud * (sin(0.05 * (double)i) + 0.4 * sin(0.61 * (double)i) + random_unit(&seed) - 0.5);
        x[i] = (float)(floor(value * 32768.0 + 0.5) / 32768.0);
    }
    return x;
}

/* The definition: a direct transform in double. Sample -i is sample i; behind the end there are zeros. */
static double *slow_log_mel(const float *x, size_t n, int n_mels, const float *filters, int64_t frame)
{
    const double turn = 2.0 * acos(-1.0);
    double *mel = calloc((size_t)n_mels, sizeof *mel), windowed[400], power[BINS];
    assert_non_null(mel);
    for (int i = 0; i < 400; i++) {
        int64_t at = llabs(160 * frame - 200 + i);
        windowed[i] = at < (int64_t)n ? x[at] * (0.5 - 0.5 * cos(turn * i / 400)) : 0.0;
    }
    for (int k = 0; k < BINS; k++) {
        double re = 0.0, im = 0.0;
        for (int i = 0; i < 400; i++) {
            double angle = turn * (i * k % 400) / 400;
            re += windowed[i] * cos(angle);
            im -= windowed[i] * sin(angle);
        }
        power[k] = re * re + im * im;
    }
    for (int m = 0; m < n_mels; m++) {
        for (int k = 0; k < BINS; k++)
            mel[m] += filters[m * BINS + k] * power[k];
        mel[m] = log10(fmax(mel[m], 1e-10));
    }
    return mel;
}

static void test_filters(void **state)
{
    (void)state;
    for (int n_mels = 80; n_mels <= 128; n_mels += 48) {
        float *filters = filters_of(n_mels);
        for (int m = 0; m < n_mels; m++) {
            const float *filter = filters + m * BINS;
            int rises = 0, falls = 0, touched = 0;
            for (int k = 0; k < BINS; k++) {
                assert_true(filter[k] >= 0.0f);
                touched += filter[k] > 0.0f;
                if (k > 0 && filter[k] > filter[k - 1])
                    rises += falls > 0; /* up again after down would be no triangle */
                if (k > 0 && filter[k] < filter[k - 1])
                    falls++;
            }
            assert_int_equal(rises, 0);
            assert_true(touched >= 1 && touched < 25);
        }
        /* librosa.filters.mel(sr=16000, n_fft=400, n_mels=...)[0, 1], [m, k] */
        if (n_mels == 80) {
            assert_float_equal(filters[0 * BINS + 1], 0.02486259f, 1e-7f);
            assert_float_equal(filters[40 * BINS + 43], 0.01473557f, 1e-7f);
            assert_float_equal(filters[79 * BINS + 199], 0.000448759f, 1e-7f);
        }
        /* Up to 1 kHz the corners lie 200/3 Hz per Mel apart: 40 Hz is 0.6 Mel. */
        double step = (15.0 + log(8.0) * 27.0 / log(6.4)) / (n_mels + 1), at = 0.6;
        double height = 2.0 / (2.0 * step * 200.0 / 3.0);
        assert_float_equal(filters[1], height * fmax(0.0, fmin(at / step, (2.0 * step - at) / step)), 1e-7);
        free(filters);
    }
}

static void test_reference(void **state)
{
    (void)state;
    const char *pcm = shared_path("reference/jfk.pcm_176000.f32");
    const char *dump = shared_path("reference/jfk.mel_80x3000.f32");
    if (!pcm || !dump)
        return;
    size_t n, n_expected;
    float *x = read_floats(pcm, &n), *expected = read_floats(dump, &n_expected), *filters = filters_of(80);
    assert_int_equal(n_expected, 80 * WINDOW);
    wh_mel *mel;
    assert_int_equal(wh_mel_new(80, filters, CAPACITY, &mel), WHISP_OK);
    assert_int_equal(wh_mel_push(mel, x, n), n);
    wh_mel_finish(mel);
    assert_int_equal(wh_mel_content(mel), 1100);
    float *out = calloc((size_t)WINDOW * 80, sizeof *out);
    wh_mel_window(mel, 0, WINDOW, WH_PAD_SAMPLES, out);
    double largest = 0.0;
    for (int t = 0; t < WINDOW; t++)
        for (int m = 0; m < 80; m++)
            largest = fmax(largest, fabs((double)out[t * 80 + m] - expected[m * WINDOW + t]));
    printf("log-Mel of jfk: largest difference from the reference %.2g\n", largest);
    assert_true(largest < 1e-4);
    wh_mel_free(mel);
    free(out);
    free(x);
    free(expected);
    free(filters);
}

/* Short recordings of awkward lengths, every frame against the slow transform. */
static void test_definition(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 159, 160, 199, 200, 201, 250, 359, 360, 399, 400, 440, 1600, 3001};
    for (int n_mels = 80; n_mels <= 128; n_mels += 48) {
        float *filters = filters_of(n_mels), *out = calloc((size_t)WINDOW * 128, sizeof *out);
        wh_mel *mel;
        assert_int_equal(wh_mel_new(n_mels, filters, CAPACITY, &mel), WHISP_OK);
        for (size_t i = 0; i < WH_COUNT(lengths); i++) {
            size_t n = lengths[i];
            float *x = invent_samples(n, i);
            wh_mel_reset(mel);
            assert_int_equal(wh_mel_push(mel, x, n), n);
            assert_int_equal(wh_mel_ready(mel), n < 200 ? 0 : (n - 200) / 160 + 1);
            wh_mel_finish(mel);
            assert_int_equal(wh_mel_content(mel), n / 160);
            assert_int_equal(wh_mel_samples(mel), n);

            double *slow[24], loudest = -10.0;
            for (int t = 0; t < 24; t++) {
                slow[t] = slow_log_mel(x, n, n_mels, filters, t);
                for (int m = 0; m < n_mels; m++)
                    loudest = fmax(loudest, slow[t][m]);
            }
            assert_float_equal(wh_mel_loudest(mel, WINDOW), loudest, 1e-4);
            wh_mel_window(mel, 0, WINDOW, WH_PAD_SAMPLES, out);
            for (int t = 0; t < 24; t++)
                for (int m = 0; m < n_mels; m++)
                    assert_float_equal(out[t * n_mels + m], (fmax(slow[t][m], loudest - 8.0) + 4.0) / 4.0, 2e-4);
            for (size_t k = 24 * (size_t)n_mels; k < (size_t)WINDOW * (size_t)n_mels; k++)
                assert_float_equal(out[k], (fmax(-10.0, loudest - 8.0) + 4.0) / 4.0, 1e-5);

            /* the other padding: frames of the recording, then Mel value 0 */
            wh_mel_window(mel, 0, (int64_t)(n / 160), WH_PAD_MEL, out);
            for (size_t t = 0; t < 24; t++)
                for (int m = 0; m < n_mels; m++)
                    assert_float_equal(out[t * (size_t)n_mels + (size_t)m],
                                       t < n / 160 ? (fmax(slow[t][m], loudest - 8.0) + 4.0) / 4.0 : 0.0, 2e-4);
            for (int t = 0; t < 24; t++)
                free(slow[t]);
            free(x);
        }
        wh_mel_free(mel);
        free(out);
        free(filters);
    }
}

/* ---- frames computed elsewhere ---- */

typedef struct elsewhere {
    const float *filters;
    int n_mels, calls, most, fails_at;
} elsewhere;

static int frames_elsewhere(void *user, const float *samples, int n, float *out)
{
    elsewhere *e = user;
    if (++e->calls == e->fails_at)
        return 1;
    e->most = WH_MAX(e->most, n);
    for (int t = 0; t < n; t++) {
        double power[BINS];
        const double turn = 2.0 * acos(-1.0);
        for (int k = 0; k < BINS; k++) {
            double re = 0.0, im = 0.0;
            for (int i = 0; i < 400; i++) {
                double x = samples[160 * t + i] * (0.5 - 0.5 * cos(turn * i / 400)), angle = turn * (i * k % 400) / 400;
                re += x * cos(angle), im -= x * sin(angle);
            }
            power[k] = re * re + im * im;
        }
        for (int m = 0; m < e->n_mels; m++) {
            double sum = 0;
            for (int k = 0; k < BINS; k++)
                sum += e->filters[m * BINS + k] * power[k];
            out[t * e->n_mels + m] = (float)log10(fmax(sum, 1e-10));
        }
    }
    return 0;
}

/* The same windows, whoever computes the frames, and when he gives up in between. */
static void test_delegate(void **state)
{
    (void)state;
    enum { MELS = 80 };
    float *filters = filters_of(MELS), *want = calloc((size_t)WINDOW * MELS, sizeof *want);
    float *out = calloc((size_t)WINDOW * MELS, sizeof *out);
    size_t n = 160 * 130 + 77;
    float *x = invent_samples(n, 5);
    for (int kind = 0; kind < 3; kind++) { /* here; elsewhere; elsewhere until the third call */
        elsewhere e = {filters, MELS, 0, 0, kind == 2 ? 3 : 0};
        wh_mel *mel;
        assert_int_equal(wh_mel_new(MELS, filters, CAPACITY, &mel), WHISP_OK);
        if (kind)
            assert_int_equal(wh_mel_delegate(mel, 50, frames_elsewhere, &e), WHISP_OK);
        for (size_t at = 0, piece = 1; at < n; at += piece, piece = WH_MIN(piece * 7, 9000))
            assert_int_equal(wh_mel_push(mel, x + at, WH_MIN(piece, n - at)), WH_MIN(piece, n - at));
        wh_mel_finish(mel);
        assert_int_equal(wh_mel_content(mel), n / 160);
        wh_mel_window(mel, 0, WINDOW, WH_PAD_SAMPLES, kind ? out : want);
        for (size_t i = 0; kind && i < (size_t)WINDOW * MELS; i++)
            assert_float_equal(out[i], want[i], 2e-4);
        if (kind == 1)
            assert_true(e.calls > 2 && e.most > 20 && e.most <= 50);
        if (kind == 2)
            assert_int_equal(e.calls, 3);
        wh_mel_free(mel);
    }
    free(x), free(out), free(want), free(filters);
}

/* Push everything in pieces, discarding what a reader of windows would not need any more; returns a checksum of all
 * frames (bit patterns) and of the loudest values. */
static uint64_t checksum(wh_mel *mel, const float *x, size_t n, size_t most, uint64_t seed)
{
    static float window[WINDOW * 80];
    uint64_t sum = 0;
    size_t at = 0;
    int64_t seek = 0;
    wh_mel_reset(mel);
    for (int finished = 0;;) {
        while (!finished && wh_mel_ready(mel) < seek + WINDOW) {
            size_t piece = most == 1 ? 1 : 1 + (size_t)(random_unit(&seed) * (double)most);
            piece = WH_MIN(piece, n - at);
            size_t taken = wh_mel_push(mel, x + at, piece);
            assert_true(taken == piece || wh_mel_ready(mel) >= seek + WINDOW);
            at += taken;
            if (at == n) {
                wh_mel_finish(mel);
                finished = 1;
            }
        }
        wh_mel_window(mel, seek, WINDOW, WH_PAD_SAMPLES, window);
        for (size_t i = 0; i < WH_COUNT(window); i++) {
            uint32_t bits;
            memcpy(&bits, &window[i], 4);
            sum = sum * 1099511628211u + bits;
        }
        if (finished && seek + WINDOW >= wh_mel_content(mel))
            return sum;
        seek += 2700;
        wh_mel_discard(mel, seek);
    }
}

static void test_pushes(void **state)
{
    (void)state;
    size_t n = 160 * 7000 + 77;
    float *filters = filters_of(80), *x = invent_samples(n, 5);
    wh_mel *mel;
    assert_int_equal(wh_mel_new(80, filters, CAPACITY, &mel), WHISP_OK);
    uint64_t whole = checksum(mel, x, n, n, 1);
    assert_int_equal(checksum(mel, x, n, 1, 0), whole);
    assert_int_equal(checksum(mel, x, n, 37, 2), whole);
    assert_int_equal(checksum(mel, x, n, 1000, 3), whole);
    assert_int_equal(checksum(mel, x, n, 100000, 4), whole);
    x[n / 2] += 0.25f;
    assert_int_not_equal(checksum(mel, x, n, n, 1), whole); /* the check can fail */
    wh_mel_free(mel);
    free(x);
    free(filters);
}

static void test_full_store(void **state)
{
    (void)state;
    size_t n = 160 * 4000;
    float *filters = filters_of(80), *x = invent_samples(n, 6), *a = calloc(WINDOW * 80, sizeof *a),
          *b = calloc(WINDOW * 80, sizeof *b);
    wh_mel *small, *large;
    assert_int_equal(wh_mel_new(80, filters, CAPACITY, &small), WHISP_OK);
    assert_int_equal(wh_mel_new(80, filters, 5000, &large), WHISP_OK);
    assert_int_equal(wh_mel_push(large, x, n), n);
    wh_mel_finish(large);

    size_t taken = wh_mel_push(small, x, n);
    assert_true(taken < n);
    assert_int_equal(wh_mel_ready(small), CAPACITY);
    assert_int_equal(wh_mel_push(small, x + taken, n - taken), 0);
    wh_mel_discard(small, 500);
    assert_true(wh_mel_ready(small) > CAPACITY); /* what was waiting */
    taken += wh_mel_push(small, x + taken, n - taken);
    assert_int_equal(wh_mel_ready(small), CAPACITY + 500);
    wh_mel_discard(small, 1500);
    taken += wh_mel_push(small, x + taken, n - taken);
    assert_int_equal(taken, n);
    wh_mel_finish(small);
    assert_int_equal(wh_mel_push(small, x, n), 0);
    assert_int_equal(wh_mel_content(small), 4000);
    wh_mel_window(small, 1500, 2500, WH_PAD_MEL, a);
    wh_mel_window(large, 1500, 2500, WH_PAD_MEL, b);
    assert_memory_equal(a, b, WINDOW * 80 * sizeof *a);

    /* finished while full: the frames that were waiting and the tail still have room */
    wh_mel_reset(small);
    wh_mel_reset(large);
    taken = wh_mel_push(small, x, n);
    assert_int_equal(wh_mel_push(large, x, taken), taken);
    wh_mel_finish(small);
    wh_mel_finish(large);
    assert_int_equal(wh_mel_content(small), taken / 160);
    wh_mel_window(small, 200, WINDOW, WH_PAD_SAMPLES, a);
    wh_mel_window(large, 200, WINDOW, WH_PAD_SAMPLES, b);
    assert_memory_equal(a, b, WINDOW * 80 * sizeof *a);
    wh_mel_free(small);
    wh_mel_free(large);
    free(a);
    free(b);
    free(x);
    free(filters);
}

/* A quiet recording with one loud place: loudest before it, after it, of the whole, and set from outside. */
static void test_loudest(void **state)
{
    (void)state;
    size_t n = 160 * 3000;
    float *filters = filters_of(80), *x = calloc(n, sizeof *x), *out = calloc(WINDOW * 80, sizeof *out);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i / 160 == 2000 ? 0.5 : 0.001) * sin(0.3 * (double)i));
    wh_mel *mel;
    assert_int_equal(wh_mel_new(80, filters, 4000, &mel), WHISP_OK);
    assert_float_equal(wh_mel_loudest(mel, 100), -10.0, 0.0);
    wh_mel_push(mel, x, n);
    float quiet = wh_mel_loudest(mel, 1990), loud = wh_mel_loudest(mel, 2010);
    assert_true(loud > quiet + 3.0f);
    assert_float_equal(wh_mel_loudest(mel, WINDOW), loud, 0.0);
    wh_mel_discard(mel, 1000);
    assert_float_equal(wh_mel_loudest(mel, 1990), quiet, 0.0);
    wh_mel_finish(mel);
    /* the words must not depend on whether the end was already known */
    assert_float_equal(wh_mel_loudest(mel, 1990), quiet, 0.0);
    assert_float_equal(wh_mel_loudest(mel, wh_mel_content(mel)), loud, 0.0);

    wh_mel_set_loudest(mel, 3.0f);
    assert_float_equal(wh_mel_loudest(mel, 10), 3.0, 0.0);
    wh_mel_window(mel, 1000, 2000, WH_PAD_MEL, out);
    assert_float_equal(out[0], (3.0 - 8.0 + 4.0) / 4.0, 1e-6); /* all of it is below 3 - 8 or close above */
    wh_mel_reset(mel);
    assert_float_equal(wh_mel_loudest(mel, 10), -10.0, 0.0);

    /* measuring without keeping: everything is dropped at once */
    wh_mel_discard(mel, INT64_MAX);
    assert_int_equal(wh_mel_push(mel, x, n), n);
    assert_int_equal(wh_mel_push(mel, x, n), n);
    wh_mel_finish(mel);
    assert_float_equal(wh_mel_loudest(mel, wh_mel_content(mel)), loud, 1e-5);
    wh_mel_free(mel);
    free(out);
    free(x);
    free(filters);
}

static void test_bad_samples(void **state)
{
    (void)state;
    float *filters = filters_of(80), *out = calloc(WINDOW * 80, sizeof *out);
    float x[4000] = {0};
    wh_mel *mel;
    assert_int_equal(wh_mel_new(80, filters, CAPACITY, &mel), WHISP_OK);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < 4000; i++)
            x[i] = kind == 0 ? (i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY) : i % 2 ? 3e38f : -3e38f;
        wh_mel_reset(mel);
        wh_mel_push(mel, x, 4000);
        wh_mel_finish(mel);
        assert_int_equal(wh_mel_bad_samples(mel), kind == 0 ? 4000 : 0);
        wh_mel_window(mel, 0, WINDOW, WH_PAD_SAMPLES, out);
        for (int i = 0; i < WINDOW * 80; i++)
            assert_true(isfinite(out[i]));
        if (kind == 0) /* heard as silence: every value is -10 */
            assert_float_equal(out[0], (-10.0 + 4.0) / 4.0, 0.0);
    }
    wh_mel_free(mel);
    free(out);
    free(filters);
}

/* What was pushed, as 16 bits a sample; how often it was asked for. */
struct kept {
    int16_t samples[60000];
    size_t n;
    int asked;
};

static void give_again(const void *user, int64_t at, float *samples, size_t n)
{
    struct kept *k = (struct kept *)(uintptr_t)user;
    assert_true(at >= 0);
    k->asked++;
    for (size_t i = 0; i < n; i++)
        samples[i] = at + (int64_t)i < (int64_t)k->n ? (float)k->samples[at + (int64_t)i] / 32768.0f : 0;
}

/* Frames that are made a second time from 16-bit samples are the same in every bit; and where a sample is none (here one of
 * a third of a step, in the middle), those that hold it are kept. */
static void test_again(void **state)
{
    (void)state;
    enum { SAMPLES = 60000 };
    static struct kept kept;
    float *filters = filters_of(80), *x = calloc(SAMPLES, sizeof *x);
    float *out = calloc(WINDOW * 80, sizeof *out), *expected = calloc(WINDOW * 80, sizeof *out);
    for (int inexact = 0; inexact < 2; inexact++) {
        wh_mel *plain, *twice;
        assert_int_equal(wh_mel_new(80, filters, CAPACITY, &plain), WHISP_OK);
        assert_int_equal(wh_mel_new(80, filters, CAPACITY, &twice), WHISP_OK);
        assert_int_equal(wh_mel_hear_again(twice, give_again, &kept), WHISP_OK);
        kept.n = SAMPLES;
        kept.asked = 0;
        for (int i = 0; i < SAMPLES; i++) {
            kept.samples[i] = (int16_t)(i * 7919 % 65536 - 32768);
            x[i] = (float)kept.samples[i] / 32768.0f;
        }
        if (inexact)
            x[SAMPLES / 2] += 1.0f / 98304;
        for (size_t at = 0, n; at < SAMPLES; at += n) {
            n = WH_MIN(SAMPLES - at, (size_t)777);
            assert_int_equal(wh_mel_push(plain, x + at, n), n);
            assert_int_equal(wh_mel_push(twice, x + at, n), n);
        }
        wh_mel_finish(plain);
        wh_mel_finish(twice);
        for (int64_t seek = 0; seek < 200; seek += 37) {
            wh_mel_window(plain, seek, 300, WH_PAD_SAMPLES, expected);
            wh_mel_window(twice, seek, 300, WH_PAD_SAMPLES, out);
            assert_memory_equal(out, expected, WINDOW * 80 * sizeof *out);
        }
        /* of at most 376 frames a window, eight at once */
        assert_in_range(kept.asked, inexact ? 50 : 200, inexact ? 150 : 230);
        wh_mel_free(plain);
        wh_mel_free(twice);
    }
    free(filters);
    free(x);
    free(out);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),  cmocka_unit_test(test_reference),   cmocka_unit_test(test_definition),
        cmocka_unit_test(test_delegate), cmocka_unit_test(test_pushes),      cmocka_unit_test(test_full_store),
        cmocka_unit_test(test_loudest),  cmocka_unit_test(test_bad_samples), cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
