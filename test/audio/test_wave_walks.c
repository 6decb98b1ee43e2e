/* test_wave_walks.c - WAV files and their like whose chunks, lengths and joints mislead whoever walks through them; from
 * a file and from a pipe. */
#include "support/testing.h"
#include "support/waves.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio.h"
#include "util/util.h"

/* All 3 s, nothing to be said; frees. */
static void is_whole(wave_bytes *b, const char *what)
{
    wave_heard h = wave_hear(b);
    if (h.rc || h.n != 48000 || h.notes[0])
        fail_msg("%s: %d (%s), %lld samples, '%s'", what, h.rc, h.error, (long long)h.n, h.notes);
    wave_is(&h, 0, 0, 48000);
    free(h.x);
}

/* An AIFF's COMM and SSND; a CAF's beginning and data: 16 bits, mono. */
static void add_common(wave_bytes *b)
{
    wave_add(b, "COMM\0\0\0\22\0\1\0\0\0\0\0\20\100\14\372\0\0\0\0\0\0\0", 26);
}

static void add_aiff_sound(wave_bytes *b, int64_t from, int64_t to)
{
    wave_add(b, "SSND", 4);
    wave_number(b, (uint64_t)(8 + 2 * (to - from)), 4, 1);
    wave_zeros(b, 8);
    for (int64_t i = from; i < to; i++)
        wave_number(b, (uint16_t)wave_sample(i), 2, 1);
}

static void add_description(wave_bytes *b)
{
    wave_add(b, "caff\0\1\0\0desc\0\0\0\0\0\0\0\40\100\317\100\0\0\0\0\0lpcm", 8 + 12 + 12);
    wave_add(b, "\0\0\0\0\0\0\0\2\0\0\0\1\0\0\0\1\0\0\0\20", 20);
}

static void add_caf_data(wave_bytes *b, int64_t size, int64_t from, int64_t to)
{
    wave_add(b, "data", 4);
    wave_number(b, (uint64_t)size, 8, 1);
    wave_zeros(b, 4);
    for (int64_t i = from; i < to; i++)
        wave_number(b, (uint16_t)wave_sample(i), 2, 1);
}

/* More than one chunk of sound in AIFF and CAF, which their rules do not have. */
static void test_second_sound(void **state)
{
    (void)state;
    wave_bytes b = {0};
    wave_add(&b, "FORM\0\0\0\0AIFF", 12);
    add_common(&b);
    add_aiff_sound(&b, 0, 20000);
    add_aiff_sound(&b, 20000, 48000);
    is_whole(&b, "AIFF with two SSND");
    add_description(&b);
    add_caf_data(&b, 4 + 2 * 20000, 0, 20000);
    add_caf_data(&b, -1, 20000, 48000);
    is_whole(&b, "CAF with two data");

    wave_whole(&b, 0, 48000); /* of a second format, which makes no sense */
    wave_chunk(&b, "fmt ", 2);
    wave_add(&b, "\1", 2);
    wave_chunk(&b, "data", 2000);
    wave_sound(&b, 0, 1000);
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.n, 48000);
    assert_true(h.incomplete);
    assert_non_null(strstr(h.notes, "behind its sound (at 0:03.0) were not understood"));
    free(h.x);
}

/* 3 s of silence as MPEG Layer III in WAV: 125 frames of 1152 samples, 64 kbit/s, 48 kHz, mono; `left` are there. */
static void add_mpeg(wave_bytes *b, int left)
{
    wave_chunk(b, "RIFF", 36 + 125 * 192);
    wave_add(b, "WAVE", 4);
    wave_format(b, 0x55, 1, 48000, 0);
    wave_chunk(b, "data", 125 * 192);
    for (int i = 0; i < left; i++) {
        wave_add(b, "\377\373\124\300", 4);
        wave_zeros(b, 188);
    }
}

/* What is joined to an MPEG recording in WAV is heard, and that one's end is missed. */
static void test_mpeg(void **state)
{
    (void)state;
    wave_bytes b = {0};
    add_mpeg(&b, 125);
    wave_whole(&b, 0, 16000);
    add_mpeg(&b, 125);
    add_mpeg(&b, 125);
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.rc, WHISP_OK);
    assert_int_equal(h.n, 3 * 48000 + 16000);
    assert_string_equal(h.notes, "");
    wave_is(&h, 48000, 0, 16000);
    free(h.x);

    add_mpeg(&b, 50);
    h = wave_hear(&b);
    assert_int_equal(h.n, 50 * 384);
    assert_string_equal(h.notes, "stopped at 0:01.2 of 0:03.0: the rest is not there");
    assert_true(h.incomplete);
    free(h.x);
}

/* A seek does not pass over the header of a file that was joined to one whose length is not known, or is not there. */
static void test_seek(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        wave_bytes b = {0};
        float x[100];
        whisp_audio *audio;
        wave_whole(&b, 0, (k == 2 ? 5 : 10) * RATE);
        if (k < 2)
            memset(b.data + 40, k ? 0 : 0xff, 4);
        else /* cut off: its length, 8.2 s, lies within the whole file's */
            memset(b.data + 40, 4, 3);
        wave_chunk(&b, "RIFF", 36 + 4 * 80000);
        wave_add(&b, "WAVE", 4);
        wave_format(&b, 1, 2, 8000, 16);
        wave_chunk(&b, "data", 4 * 80000);
        for (int i = 0; i < 2 * 80000; i++)
            wave_number(&b, 1000, 2, 0);
        const char *path = temp_path("seek.wav");
        FILE *file = fopen(path, "wb");
        fwrite(b.data, 1, b.n, file);
        fclose(file);
        free(b.data);
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        int64_t at = 14 * RATE;
        if (wh_audio_seek(audio, at) == 0)
            for (; at > 0; at -= 100)
                assert_int_equal(whisp_audio_read(audio, x, 100), 100);
        assert_int_equal(whisp_audio_read(audio, x, 100), 100);
        for (int i = 0; i < 100; i++)
            assert_true(fabsf(x[i] * 32768 - 1000) < 2);
        whisp_audio_free(audio);
    }
}

/* Chunks and tags that say to be longer than all there is hide no recording that was joined behind them. */
static void test_huge(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        int is_told;
    } huge[] = {
        {"LIST\377\377\377\177INFO", 12, 0},
        {"bext\0\0\0\2", 8, 0},
        {"wxyz\0\0\0\2", 8, 1},
        {"ID3\4\0\0\177\177\177\177", 10, 0},
        {"APETAGEX\320\7\0\0\0\0\0\17\1\0\0\0\0\0\0\040\0\0\0\0\0\0\0\0", 32, 0},
        {"APETAGEX\320\7\0\0\0\0\0\360\1\0\0\0\0\0\0\040\0\0\0\0\0\0\0\0", 32, 1},
    };
    wave_bytes b = {0};
    for (size_t k = 0; k < 2 * WH_COUNT(huge); k++) {
        wave_whole(&b, 0, 20000);
        wave_add(&b, huge[k / 2].bytes, huge[k / 2].n);
        for (int i = 0; i < (k & 1 ? 300000 : 0); i++) /* more than a pipe keeps */
            wave_add(&b, "text", 4);
        wave_whole(&b, 20000, 48000);
        wave_heard h = wave_hear(&b);
        if (h.n != 48000 || h.incomplete != huge[k / 2].is_told)
            fail_msg("%zu: %lld samples, '%s'", k, (long long)h.n, h.notes);
        wave_is(&h, 0, 0, 48000);
        free(h.x);
    }
    for (int k = 0; k < 3; k++) { /* nothing behind them: a cut list is harmless, one of 2 GiB is not what it says */
        wave_whole(&b, 0, 48000);
        wave_chunk(&b, k == 2 ? "abcd" : "LIST", k ? 0x7fffffff : 5000);
        wave_add(&b, "INFOsome text", 13);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.n, 48000);
        assert_int_equal(h.incomplete, k > 0);
        free(h.x);
    }
    wave_whole(&b, 0, 20000); /* in the joined file, before its sound */
    wave_add(&b, "RIFF\0\0\0\0WAVELIST\377\377\377\177", 20);
    wave_whole(&b, 20000, 48000);
    is_whole(&b, "LIST in a joined file");
}

/* Headers upon headers: each is a joined file without sound. Here nothing may be read again and again. */
static void test_many_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"RIFF\0\0\0\0WAVE", "RIFF\0\0\0\0WAVE\1", "FORM\0\0\0\0AIFF"};
    for (size_t k = 0; k < WH_COUNT(headers); k++) {
        wave_bytes b = {0};
        wave_whole(&b, 0, 20000);
        for (int i = 0; i < 50000; i++)
            wave_add(&b, headers[k], k == 1 ? 13 : 12);
        wave_whole(&b, 20000, 48000);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.n, 48000);
        wave_is(&h, 0, 0, 48000);
        free(h.x);
    }
}

/* Chunks of a size below zero, at which a walk could stay for ever. */
static void test_no_size(void **state)
{
    (void)state;
    for (int64_t size = -12; size <= -1; size++) {
        wave_bytes b = {0};
        wave_add(&b, "caff\0\1\0\0", 8);
        add_caf_data(&b, size, 0, 100);
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.rc, WHISP_ERR_AUDIO);

        add_description(&b);
        add_caf_data(&b, 4 + 2 * 16000, 0, 16000);
        add_caf_data(&b, size - 1, 0, 100);
        h = wave_hear(&b);
        assert_int_equal(h.n, 16000);
        assert_true(h.incomplete);
        free(h.x);
    }
}

/* An AIFF whose sound comes first: a pipe cannot go back to it, and the error says so. */
static void test_sound_first(void **state)
{
    (void)state;
    wave_bytes b = {0};
    int ends[2];
    wave_add(&b, "FORM\0\0\0\0AIFF", 12);
    add_aiff_sound(&b, 0, 16000);
    add_common(&b);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], b.data, b.n), b.n);
    close(ends[1]);
    wave_heard h = wave_hear_fd(ends[0]);
    close(ends[0]);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "cannot be read from a pipe; give the file's name"));
    free(b.data);
}

/* Chunks without end before the sound: that many are no recording, and are not looked at one by one. */
static void test_empty_chunks(void **state)
{
    (void)state;
    wave_bytes b = {0};
    for (int n = 1000; n <= 400000; n *= 400) {
        wave_add(&b, "FORM\0\0\0\0AIFF", 12);
        for (int i = 0; i < n; i++)
            wave_add(&b, "ANNO\0\0\0\0", 8);
        add_common(&b);
        add_aiff_sound(&b, 0, 48000);
        if (n == 1000) {
            is_whole(&b, "AIFF with a thousand empty chunks");
            continue;
        }
        wave_heard h = wave_hear(&b);
        assert_int_equal(h.rc, WHISP_ERR_AUDIO);
        assert_non_null(strstr(h.error, "there is no sound"));
        free(h.x);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_sound), cmocka_unit_test(test_mpeg),         cmocka_unit_test(test_seek),
        cmocka_unit_test(test_huge),         cmocka_unit_test(test_many_headers), cmocka_unit_test(test_no_size),
        cmocka_unit_test(test_sound_first),  cmocka_unit_test(test_empty_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
