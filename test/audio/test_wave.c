/* test_wave.c - WAV files and their like as people have them: joined, unfinished, cut off, with chunks of all kinds;
 * from a file and from a pipe. All are made here, byte by byte. What every one must give is docs/audio.md's table. */
#include "support/testing.h"
#include "support/waves.h"

#include <math.h>
#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- what is there is heard ---- */

static void test_joined(void **state)
{
    (void)state;
    wave_bytes b = {0};
    wave_whole(&b, 0, 10000);
    wave_whole(&b, 10000, 30001);
    wave_whole(&b, 30001, 48000);
    is_whole(&b, "three files");

    for (int k = 0; k < 3; k++) { /* zeros between, a tag, an odd byte */
        wave_whole(&b, 0, 20000);
        if (k == 0)
            wave_zeros(&b, 777);
        else if (k == 1)
            wave_add(&b, "TAG", 3), wave_zeros(&b, 125);
        else
            wave_zeros(&b, 1);
        wave_whole(&b, 20000, 48000);
        is_whole(&b, "something between");
    }
    for (int k = 0; k < 2; k++) { /* lengths that are not known, as where programs wrote into pipes */
        wave_whole(&b, 0, 20000);
        memset(b.data + 40, k ? 0xff : 0, 4);
        wave_whole(&b, 20000, 48000);
        is_whole(&b, "joined without lengths");
    }
    wave_whole(&b, 0, 20000); /* another rate and number of channels after the join */
    wave_chunk(&b, "RIFF", 36 + 4 * 8000);
    wave_add(&b, "WAVE", 4);
    wave_format(&b, 1, 2, 8000, 16);
    wave_chunk(&b, "data", 4 * 8000);
    wave_zeros(&b, 4 * 8000);
    wave_whole(&b, 20000, 48000);
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.n, 48000 + RATE);
    assert_string_equal(h.notes, "");
    wave_is(&h, 0, 0, 20000);
    wave_is(&h, 20000 + RATE, 20000, 48000);
    assert_true(fabs(h.duration - 4.0) < 1e-6);
    free(h.x);
}

static void test_chunks(void **state)
{
    (void)state;
    wave_bytes b = {0};
    for (int pads = 0; pads < 2; pads++) { /* two data chunks and more, odd ones with and without their pad byte */
        wave_chunk(&b, "RIFF", 0);
        wave_add(&b, "WAVE", 4);
        wave_chunk(&b, "bext", 603);
        wave_zeros(&b, 603 + (size_t)pads);
        wave_format(&b, 1, 1, RATE, 16);
        wave_chunk(&b, "data", 2 * 20000);
        wave_sound(&b, 0, 20000);
        wave_chunk(&b, "abcd", 5);
        wave_zeros(&b, 6);
        wave_chunk(&b, "data", 0);
        wave_chunk(&b, "data", 2 * 28000);
        wave_sound(&b, 20000, 48000);
        wave_chunk(&b, "LIST", 4);
        wave_add(&b, "INFO", 4);
        is_whole(&b, "chunks between");
    }
    static const size_t before[] = {0, 60000, 70000, 390000, 3000000}; /* what recorders write before the sound */
    static const uint32_t marks[] = {0, 0xffffffffu, 0xffffffffu - 44, 0x7ffff000u, 0x7fffffffu, 0x80000000u};
    for (size_t i = 0; i < WH_COUNT(before); i++)
        for (size_t k = 0; k < WH_COUNT(marks); k++) {
            wave_chunk(&b, "RIFF", marks[k]);
            wave_add(&b, "WAVE", 4);
            wave_format(&b, 1, 1, RATE, 16);
            wave_chunk(&b, "LIST", (uint32_t)before[i]);
            wave_zeros(&b, before[i]);
            wave_chunk(&b, "data", marks[k]);
            wave_sound(&b, 0, 48000);
            is_whole(&b, "an unfinished recording");
        }
    for (int k = 0; k < 6; k++) { /* 64-bit lengths: known, 0, -1 */
        uint64_t length = k % 3 == 0 ? 96000 : k % 3 == 1 ? 0 : UINT64_MAX;
        wave_chunk(&b, k < 3 ? "RF64" : "BW64", UINT32_MAX);
        wave_add(&b, "WAVE", 4);
        wave_chunk(&b, "ds64", 28);
        wave_number(&b, length, 8, 0);
        wave_number(&b, length, 8, 0);
        wave_zeros(&b, 12);
        wave_format(&b, 1, 1, RATE, 16);
        wave_chunk(&b, "data", UINT32_MAX);
        wave_sound(&b, 0, 48000);
        is_whole(&b, "RF64, BW64");
    }
    wave_chunk(&b, "RIFF", 36); /* no sound in it, which is no error */
    wave_add(&b, "WAVE", 4);
    wave_format(&b, 1, 1, RATE, 16);
    wave_chunk(&b, "data", 0);
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.rc, WHISP_OK);
    assert_int_equal(h.n, 0);
    assert_string_equal(h.notes, "");
    free(h.x);
}

/* AU and AIFF: joined, and with lengths that are not known. */
static void test_relatives(void **state)
{
    (void)state;
    wave_bytes b = {0};
    for (int k = 0; k < 2; k++) {
        for (int part = 0; part < 2; part++) {
            wave_add(&b, ".snd", 4);
            uint32_t header[] = {24, part && k ? UINT32_MAX : part ? 56000 : 40000, 3, RATE, 1};
            for (size_t i = 0; i < WH_COUNT(header); i++)
                wave_number(&b, header[i], 4, 1);
            for (int64_t i = part ? 20000 : 0; i < (part ? 48000 : 20000); i++)
                wave_number(&b, (uint16_t)wave_sample(i), 2, 1);
        }
        is_whole(&b, "AU");
    }
    static const uint32_t marks[] = {96008, 0, 8, UINT32_MAX, 0x7f000024};
    for (size_t k = 0; k < WH_COUNT(marks); k++) {
        wave_add(&b, "FORM\0\0\0\0AIFF", 12);
        wave_add(&b, "ANNO\0\0\0\3abc\0COMM\0\0\0\22\0\1\0\0\0\0\0\20\100\14\372\0\0\0\0\0\0\0", 12 + 26);
        wave_add(&b, "SSND", 4);
        wave_number(&b, marks[k], 4, 1);
        wave_zeros(&b, 8);
        for (int64_t i = 0; i < 48000; i++)
            wave_number(&b, (uint16_t)wave_sample(i), 2, 1);
        is_whole(&b, "AIFF");
    }
}

/* ---- what is not all there is told ---- */

static void test_told(void **state)
{
    (void)state;
    wave_bytes b = {0};
    wave_whole(&b, 0, 48000); /* cut off */
    b.n = 44 + 2 * 20000;
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.n, 20000);
    assert_string_equal(h.notes, "stopped at 0:01.3 of 0:03.0: the rest is not there");
    assert_true(h.incomplete);
    free(h.x);

    wave_whole(&b, 0, 48000); /* cut off, then joined */
    b.n = 44 + 2 * 20000;
    wave_whole(&b, 20000, 48000);
    h = wave_hear(&b);
    assert_int_equal(h.n, 48000);
    wave_is(&h, 0, 0, 48000);
    assert_true(h.incomplete);
    free(h.x);

    wave_whole(&b, 0, 48000); /* something behind it that is nothing */
    for (unsigned i = 1; i <= 500; i++)
        wave_number(&b, i * 37 % 255 + 1, 1, 0);
    h = wave_hear(&b);
    assert_int_equal(h.n, 48000);
    assert_string_equal(h.notes, "500 bytes behind its sound (at 0:03.0) were not understood");
    assert_true(h.incomplete);
    free(h.x);

    for (int k = 0; k < 4; k++) { /* nothing worth a word: zeros, a chunk, a tag, a length that counts the header */
        wave_whole(&b, 0, 48000);
        if (k == 0)
            wave_zeros(&b, 5000);
        else if (k == 1)
            wave_chunk(&b, "wxyz", 3), wave_zeros(&b, 4);
        else if (k == 2)
            wave_add(&b, "TAGA title of many words", 24), wave_zeros(&b, 104);
        else
            wave_chunk(&b, "LIST", 4), wave_add(&b, "INFO", 4);
        is_whole(&b, "behind the sound");
    }
    /* libsndfile's parser stays in this chunk for ever: an entry of -8 bytes */
    wave_add(&b, "RIFF\110\0\0\0WAVELIST\34\0\0\0INFOxxxx\370\377\377\377", 28);
    wave_zeros(&b, 16);
    h = wave_hear(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "no sound"));
}

/* Formats that libsndfile reads whole and does not tell when they are cut off: what their heads promise. */
static void test_rare_formats_cut_off(void **state)
{
    (void)state;
    static const int kinds[] = {
        SF_FORMAT_NIST | SF_FORMAT_PCM_16, SF_FORMAT_NIST | SF_FORMAT_ULAW,
        SF_FORMAT_AVR | SF_FORMAT_PCM_16,  SF_FORMAT_VOC | SF_FORMAT_PCM_16,

        SF_FORMAT_MAT4 | SF_FORMAT_PCM_16, SF_FORMAT_MAT5 | SF_FORMAT_PCM_16,
        SF_FORMAT_MAT4 | SF_FORMAT_DOUBLE, SF_FORMAT_MAT5 | SF_FORMAT_FLOAT,
        SF_FORMAT_WVE | SF_FORMAT_ALAW,    SF_FORMAT_MAT4 | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG,
    };
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        const char *path = temp_path("rare");
        int rate = (kinds[k] & SF_FORMAT_TYPEMASK) == SF_FORMAT_WVE ? 8000 : RATE;
        static short frames[48000];
        SF_INFO info = {.samplerate = rate, .channels = 1, .format = kinds[k]};
        SNDFILE *file = sf_open(path, SFM_WRITE, &info);
        assert_non_null(file);
        for (int i = 0; i < 3 * rate; i++)
            frames[i] = wave_sample(i);
        sf_writef_short(file, frames, 3 * rate);
        sf_close(file);
        for (int cut = 0; cut < 2; cut++) {
            static unsigned char bytes[500000];
            FILE *all = fopen(path, "rb");
            wave_bytes b = {0};
            size_t n = fread(bytes, 1, sizeof bytes, all);
            fclose(all);
            wave_add(&b, bytes,
                     cut ? (n * 2 / 3) | 1 : n); /* odd: libsndfile takes a VOC file's last byte for its end */
            wave_heard h = wave_hear(&b);
            int is_right = !h.rc && h.n > (cut ? 30000 : 47990) && h.n < (cut ? 34000 : 48010) && h.incomplete == cut;
            if (!is_right || !strstr(h.notes, cut ? "of 0:03.0: the rest is not there" : "") || (!cut && h.notes[0]))
                fail_msg("kind %zu: %d, %lld samples, '%s'", k, h.rc, (long long)h.n, h.notes);
            free(h.x);
        }
    }
}

/* Codings that nothing here decodes: the line that helps. */
static void test_refused(void **state)
{
    (void)state;
    wave_bytes b = {0};
    wave_chunk(&b, "RIFF", 100);
    wave_add(&b, "WAVE", 4);
    wave_format(&b, 0x45, 1, 8000, 4);
    wave_chunk(&b, "data", 1000);
    wave_zeros(&b, 1000);
    wave_heard h = wave_hear(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "ffmpeg -i - -ac 1 -ar 16000 -f wav - | whisp -"));

    wave_add(&b, "caff\0\1\0\0desc\0\0\0\0\0\0\0\40\100\345\210\200\0\0\0\0aac ", 8 + 12 + 12);
    wave_zeros(&b, 12);
    wave_add(&b, "\0\0\0\1\0\0\0\0data\0\0\0\0\0\0\0\10\0\0\0\0abcd", 8 + 12 + 8);
    h = wave_hear(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "ffmpeg"));
}

/* ---- samples ---- */

/* Every kind of sample through libsndfile's writer and our reader: the same as through libsndfile's. */
static void test_samples(void **state)
{
    (void)state;
    static const int kinds[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_U8,
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,
        SF_FORMAT_WAV | SF_FORMAT_PCM_24,
        SF_FORMAT_WAV | SF_FORMAT_PCM_32,
        SF_FORMAT_WAV | SF_FORMAT_FLOAT,
        SF_FORMAT_WAV | SF_FORMAT_DOUBLE,
        SF_FORMAT_WAV | SF_FORMAT_ULAW,
        SF_FORMAT_WAV | SF_FORMAT_ALAW,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_S8,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_24,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE,
        SF_FORMAT_AIFF | SF_FORMAT_DOUBLE,
        SF_FORMAT_CAF | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE,
        SF_FORMAT_CAF | SF_FORMAT_PCM_32,
        SF_FORMAT_AU | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE,
        SF_FORMAT_AU | SF_FORMAT_FLOAT,
        SF_FORMAT_W64 | SF_FORMAT_PCM_24,
        SF_FORMAT_RF64 | SF_FORMAT_PCM_U8,
        SF_FORMAT_CAF | SF_FORMAT_ALAC_16,
    };
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        const char *path = temp_path("kind");
        SF_INFO info = {.samplerate = RATE, .channels = 2, .format = kinds[k]};
        static float frames[5000][2], again[5000][2];
        SNDFILE *file = sf_open(path, SFM_WRITE, &info);
        assert_non_null(file);
        for (int i = 0; i < 5000; i++) {
            frames[i][0] = (float)wave_sample(i) / 32768.0f;
            frames[i][1] = (float)sin(i * 0.01);
        }
        sf_writef_float(file, frames[0], 5000);
        sf_close(file);
        info = (SF_INFO){0};
        file = sf_open(path, SFM_READ, &info);
        assert_int_equal(sf_readf_float(file, again[0], 5000), 5000);
        sf_close(file);
        whisp_audio *audio;
        static float x[6000];
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        assert_int_equal(whisp_audio_read(audio, x, 6000), 5000);
        assert_null(whisp_audio_warning(audio, 0, NULL));
        for (int i = 0; i < 5000; i++) {
            float level = floorf((again[i][0] + again[i][1]) / 2 * 32768.0f + 0.5f);
            if (x[i] * 32768.0f != WH_MIN(level, 32767.0f))
                fail_msg("kind %zu, sample %d: %g, not %g", k, i, (double)x[i] * 32768, (double)level);
        }
        whisp_audio_free(audio);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_relatives),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_rare_formats_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
