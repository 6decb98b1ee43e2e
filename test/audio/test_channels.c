/* test_channels.c - what becomes of channels and of floats: mixing as ffmpeg does, two channels that cancel each
 * other, floats in the range of integers; and jumping, which must find the same samples. */
#include "support/testing.h"
#include "support/waves.h"

#include <math.h>
#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "audio/mix.h"

#define PI 3.14159265358979323846

/* ---- channels ---- */

enum { FL = 1, FR = 2, FC = 4, LFE = 8, BL = 16, BR = 32, FLC = 64, FRC = 128, BC = 256, SL = 512, SR = 1024 };

/* The gains of `ffmpeg -ac 1` (5.1.9), read off its output for one channel at a time, in 1/32768; docs/audio.md has
 * how. */
static const struct {
    uint32_t speakers;
    int channels;
    int gains[8];
} layouts[] = {
    {0, 1, {32768}},
    {FL, 1, {32768}},
    {0, 2, {16384, 16384}},
    {FL | FR, 2, {16384, 16384}},
    {FC | LFE, 2, {32768, 0}},
    {0, 3, {16384, 16384, 0}}, /* 2.1 */
    {FL | FR | FC, 3, {9598, 9598, 13573}},
    {FL | FR | BC, 3, {12104, 12104, 8559}},
    {0, 4, {7951, 7951, 11244, 5622}}, /* 4.0 */
    {FL | FR | BL | BR, 4, {9598, 9598, 6786, 6786}},
    {FL | FR | SL | SR, 4, {9598, 9598, 6786, 6786}},
    {FL | FR | FC | LFE, 4, {9598, 9598, 13573, 0}},
    {0, 5, {6786, 6786, 9598, 4799, 4799}}, /* 5.0 */
    {FL | FR | FC | SL | SR, 5, {6786, 6786, 9598, 4799, 4799}},
    {FL | FR | FC | LFE | BC, 5, {7951, 7951, 11244, 0, 5622}},
    {0, 6, {6786, 6786, 9598, 0, 4799, 4799}}, /* 5.1 */
    {0x3f, 6, {6786, 6786, 9598, 0, 4799, 4799}},
    {0x60f, 6, {6786, 6786, 9598, 0, 4799, 4799}},
    {FL | FR | FC | BC | SL | SR, 6, {5920, 5920, 8372, 4186, 4186, 4186}},
    {FL | FR | FLC | FRC | SL | SR, 6, {6052, 6052, 6052, 6052, 4280, 4280}},
    {0, 7, {5920, 5920, 8372, 0, 4186, 4186, 4186}}, /* 6.1 */
    {FL | FR | FC | FLC | FRC | SL | SR, 7, {4799, 4799, 6786, 4799, 4799, 3393, 3393}},
    {0, 8, {5249, 5249, 7423, 0, 3712, 3712, 3712, 3712}},    /* 7.1 */
    {0xff, 8, {4799, 4799, 6786, 0, 3393, 3393, 4799, 4799}}, /* 7.1 (wide) */
    {FL | FC, 2, {16384, 16384}},                             /* what ffmpeg refuses: each as loud as the others */
    {SL | SR, 2, {16384, 16384}},
};

static void test_gains(void **state)
{
    (void)state;
    for (size_t k = 0; k < WH_COUNT(layouts); k++)
        for (int is_16_bit = 0; is_16_bit < 2; is_16_bit++) {
            wh_sound sound = {RATE, layouts[k].channels, layouts[k].speakers, is_16_bit, 0};
            float gains[8];
            wh_mix_gains(&sound, gains);
            for (int c = 0; c < sound.channels; c++) {
                double off = fabs((double)gains[c] * 32768 - layouts[k].gains[c]);
                if (off > (is_16_bit ? 0 : 0.51)) /* "within half a step" where they are exact numbers */
                    fail_msg("layout %zu, channel %d: %.2f, not %d", k, c, (double)gains[c] * 32768,
                             layouts[k].gains[c]);
            }
        }
}

/* A film: who speaks in the centre is louder than the music around. */
static void test_surround(void **state)
{
    (void)state;
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        wave_bytes b = {0};
        wave_chunk(&b, "RIFF", 0);
        wave_add(&b, "WAVE", 4);
        if (with_mask)
            wave_extensible(&b, 6, RATE, 0x3f);
        else
            wave_format(&b, 1, 6, RATE, 16);
        wave_chunk(&b, "data", 12 * 5000);
        for (int64_t i = 0; i < 5000; i++)
            for (int c = 0; c < 6; c++) /* speech in the centre, a loud subwoofer, music elsewhere */
                wave_number(&b, (uint16_t)(c == 2 ? 16000 : c == 3 ? 30000 : i & 1 ? 1000 : -1000), 2, 0);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.n, 5000);
        assert_true(with_mask ? !h.notes[0] : strstr(h.notes, "5.1") != NULL);
        assert_false(h.incomplete);
        for (int64_t i = 0; i < 5000; i++) {
            double music = (i & 1 ? 1000.0 : -1000.0) * (2 * 6786 + 2 * 4799) / 32768, speech = 16000.0 * 9598 / 32768;
            assert_true(fabs((double)h.x[i] * 32768 - music - speech) <= 0.51);
        }
        free(h.x);
    }
}

/* Something like speech: a noise that swells, its spectrum falling. */
static double voice(int64_t i, uint64_t *seed)
{
    static double last;
    last = i == 0 ? 0 : 0.9 * last + 0.2 * (random_unit(seed) - 0.5);
    return last * (1 + sin(2 * PI * 3 * (double)i / RATE));
}

static void add_stereo(wave_bytes *b, int64_t frames, double (*make)(int64_t, double, int))
{
    uint64_t seed = 5;
    wave_chunk(b, "RIFF", 0);
    wave_add(b, "WAVE", 4);
    wave_format(b, 1, 2, RATE, 16);
    wave_chunk(b, "data", (uint32_t)(4 * frames));
    for (int64_t i = 0; i < frames; i++) {
        double x = voice(i, &seed);
        for (int c = 0; c < 2; c++)
            wave_number(b, (uint16_t)(int16_t)lrint(20000 * make(i, x, c)), 2, 0);
    }
}

static double inverted(int64_t i, double x, int c)
{
    (void)i;
    return c ? -x : x;
}
static double weaker(int64_t i, double x, int c)
{
    (void)i;
    return c ? -0.9 * x : x;
}
static double louder(int64_t i, double x, int c)
{
    (void)i;
    return c ? -x : 0.7 * x;
}
static double later(int64_t i, double x, int c)
{
    return c && i >= 20 * RATE ? -x : x;
}
static double one(int64_t i, double x, int c)
{
    (void)i;
    return c ? 0 : x;
}
static double nothing(int64_t i, double x, int c)
{
    (void)x;
    return (c ? -1.0 : 1.0) * (double)(i & 1) / 20000;
}

static double wide(int64_t i, double x, int c) /* the sides twice as loud as the middle */
{
    double side = 2 * 0.3 * sin(i * 0.07) * sin(i * 0.0013);
    return 0.3 * x + (c ? -side : side) * 0.3;
}

static double delayed(int64_t i, double x, int c)
{
    static double old[16];
    double before = old[i % 16];
    if (c == 0)
        return x;
    old[i % 16] = x;
    return before;
}

static void test_cancelling(void **state)
{
    (void)state;
    wave_bytes b = {0};
    static const struct {
        double (*make)(int64_t, double, int);
        double seconds, from; /* that they cancel each other; 0: they do not */
        const char *heard;
    } cases[] = {
        {inverted, 25, 0, "left"}, {weaker, 25, 0, "left"}, {louder, 25, 0, "right"}, {later, 5, 20, "left"},
        {one, 0, 0, ""},           {nothing, 0, 0, ""},     {wide, 0, 0, ""},         {delayed, 0, 0, ""},
    };
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        uint64_t seed = 5;
        add_stereo(&b, 25 * RATE, cases[k].make);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.n, 25 * RATE);
        char note[128] = "";
        if (cases[k].seconds > 0)
            snprintf(note, sizeof note,
                     "its two channels cancel each other for %.1f s from 0:%04.1f on: the %s one "
                     "was heard there, not both",
                     cases[k].seconds, cases[k].from, cases[k].heard);
        assert_string_equal(h.notes, note);
        assert_false(h.incomplete);
        for (int64_t i = 0; i < h.n && k < 4; i++) {
            double x = voice(i, &seed), expected = 20000 * (k == 2 ? -x : x);
            assert_true(fabs((double)h.x[i] * 32768 - expected) < 1);
        }
        free(h.x);
    }
}

/* ---- floats ---- */

static void add_floats(wave_bytes *b, int64_t n, double (*make)(int64_t))
{
    wave_chunk(b, "RIFF", 0);
    wave_add(b, "WAVE", 4);
    wave_format(b, 3, 1, RATE, 32);
    wave_chunk(b, "data", (uint32_t)(4 * n));
    for (int64_t i = 0; i < n; i++) {
        float x = (float)make(i);
        uint32_t bits;
        memcpy(&bits, &x, 4);
        wave_number(b, bits, 4, 0);
    }
}

static double usual(int64_t i)
{
    return 0.4 * sin(i * 0.1);
}
static double hot(int64_t i)
{
    return 4.0 * sin(i * 0.1);
}
static double silent(int64_t i)
{
    (void)i;
    return 0;
}
static double in_16(int64_t i)
{
    return wave_sample(i);
}
static double fractions(int64_t i)
{
    return wave_sample(i) + 0.25;
}
static double quiet(int64_t i)
{
    return rint(3 * sin(i * 0.1));
}
static double in_24(int64_t i)
{
    return wave_sample(i) * 256.0;
}
static double in_32(int64_t i)
{
    return wave_sample(i) * 65536.0;
}
static double zeros_first(int64_t i)
{
    return i < 11 * RATE ? 0 : wave_sample(i);
}
static double rubbish(int64_t i)
{
    return i % 5000 == 7 ? 1e20 : 0.4 * sin(i * 0.1);
}

static void test_floats(void **state)
{
    (void)state;
    static const struct {
        double (*make)(int64_t);
        double scale;
        const char *note;
    } cases[] = {
        {usual, 1, NULL},
        {hot, 1, NULL},
        {silent, 1, NULL},
        {rubbish, 1, NULL},
        {in_16, 32768, "range of 16-bit integers"},
        {fractions, 32768, "range of 16-bit integers"},
        {quiet, 32768, "range of 16-bit integers"},
        {in_24, 8388608, "range of 24-bit integers"},
        {in_32, 2147483648.0, "range of 32-bit integers"},
        {zeros_first, 32768, "at 0:10.0"},
    };
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        wave_bytes b = {0};
        int64_t n = cases[k].make == zeros_first ? 15 * RATE : 3 * RATE;
        add_floats(&b, n, cases[k].make);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.n, n);
        assert_false(h.incomplete);
        if (cases[k].note ? !strstr(h.notes, cases[k].note) : h.notes[0])
            fail_msg("case %zu: '%s'", k, h.notes);
        for (int64_t i = 0; i < n; i++) {
            double level = fmax(-32768, fmin(floor(cases[k].make(i) / cases[k].scale * 32768 + 0.5), 32767));
            assert_true(fabs((double)h.x[i] * 32768 - level) <= 1);
        }
        free(h.x);
    }
}

/* ---- jumping ---- */

/* Where a reader jumps to, it hears what it would have heard by reading on. */
static void test_jumps(void **state)
{
    (void)state;
    static const struct {
        int rate, channels;
        double (*make)(int64_t, double, int);
    } cases[] = {{16000, 1, NULL}, {44100, 2, NULL}, {22050, 1, NULL}, {16000, 2, later}};
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        wave_bytes b = {0};
        const char *path = temp_path("jump.wav");
        int64_t frames = (int64_t)cases[k].rate * 50;
        if (cases[k].make) {
            add_stereo(&b, frames, cases[k].make);
        } else {
            wave_chunk(&b, "RIFF", 0);
            wave_add(&b, "WAVE", 4);
            wave_format(&b, 1, cases[k].channels, cases[k].rate, 16);
            wave_chunk(&b, "data", (uint32_t)(frames * cases[k].channels * 2));
            wave_sound(&b, 0, frames * cases[k].channels);
        }
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fwrite(b.data, 1, b.n, file);
        fclose(file);
        FILE *whole = fopen(path, "rb");
        wave_heard h = wave_hear_fd(fileno(whole));
        fclose(whole);
        assert_int_equal(h.n, 50 * RATE);
        static const int64_t places[] = {0, 1, 5000, 20 * RATE + 123, 30 * RATE, 50 * RATE - 10, 50 * RATE, 60 * RATE};
        for (size_t i = 0; i < WH_COUNT(places); i++) {
            whisp_audio *audio;
            static float x[20000];
            assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
            if (i & 1)
                assert_int_equal(whisp_audio_read(audio, x, 777), 777);
            assert_true(wh_audio_seeks(audio));
            assert_int_equal(wh_audio_seek(audio, places[i]), 1);
            int64_t n = whisp_audio_read(audio, x, 20000), left = WH_MAX(0, 50 * RATE - places[i]);
            assert_int_equal(n, WH_MIN(left, 20000));
            if (n)
                assert_memory_equal(x, h.x + places[i], (size_t)n * sizeof *x);
            whisp_audio_free(audio);
        }
        free(h.x);
        free(b.data);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gains),  cmocka_unit_test(test_surround), cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
