/* test_ahead.c - reading a recording ahead gives what reading it gives: samples, end, errors; wherever it is stopped. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/testing.h"

#include "audio/ahead.h"
#include "whisp.h"

#define SECONDS 75 /* more than the ring holds */

/* A WAV file of noise, 16-bit, mono, 16 kHz. */
static const char *noise(int seconds)
{
    const char *path = temp_path("noise.wav");
    uint32_t n = (uint32_t)seconds * 16000u, bytes = 2 * n, riff = 36 + bytes, sixteen = 16, rate = 16000,
             twice = 32000;
    uint16_t one = 1, two = 2, bits = 16;
    uint64_t seed = 5;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite("RIFF", 1, 4, f), fwrite(&riff, 4, 1, f), fwrite("WAVEfmt ", 1, 8, f), fwrite(&sixteen, 4, 1, f);
    fwrite(&one, 2, 1, f), fwrite(&one, 2, 1, f), fwrite(&rate, 4, 1, f), fwrite(&twice, 4, 1, f);
    fwrite(&two, 2, 1, f), fwrite(&bits, 2, 1, f), fwrite("data", 1, 4, f), fwrite(&bytes, 4, 1, f);
    for (uint32_t i = 0; i < n; i++) {
        int16_t x = (int16_t)(20000 * (2 * random_unit(&seed) - 1));
        fwrite(&x, 2, 1, f);
    }
    assert_int_equal(fclose(f), 0);
    return path;
}

static whisp_audio *open_audio(const char *path)
{
    whisp_audio *audio;
    if (whisp_audio_open(path, &audio))
        fail_msg("%s", whisp_last_error());
    return audio;
}

static void test_same(void **state)
{
    static float want[WH_AHEAD_BLOCK];
    (void)state;
    const char *path = noise(SECONDS);
    whisp_audio *a = open_audio(path), *b = open_audio(path);
    wh_ahead *ahead;
    const float *samples;
    int64_t n, total = 0;
    assert_int_equal(wh_ahead_start(a, 1, &ahead), WHISP_OK);
    while ((n = wh_ahead_read(ahead, &samples)) > 0) {
        assert_int_equal(whisp_audio_read(b, want, WH_AHEAD_BLOCK), n);
        assert_memory_equal(samples, want, (size_t)n * sizeof *want);
        total += n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(wh_ahead_read(ahead, &samples), 0); /* and stays there */
    assert_int_equal(total, SECONDS * 16000);
    assert_int_equal(whisp_audio_read(b, want, WH_AHEAD_BLOCK), 0);
    wh_ahead_stop(ahead);
    wh_ahead_stop(NULL);
    whisp_audio_free(a);
    whisp_audio_free(b);
}

/* Stopped at once, while the ring is full, and in the middle: the writer is gone, the audio its owner's again. */
static void test_stop(void **state)
{
    static float rest[WH_AHEAD_BLOCK];
    (void)state;
    const char *path = noise(SECONDS);
    for (int reads = 0; reads < 4; reads++)
        for (int wait = 0; wait < 2; wait++) {
            whisp_audio *audio = open_audio(path);
            wh_ahead *ahead;
            const float *samples;
            assert_int_equal(wh_ahead_start(audio, 1, &ahead), WHISP_OK);
            for (int i = 0; i < reads; i++)
                assert_true(wh_ahead_read(ahead, &samples) > 0);
            if (wait)
                usleep(20000);
            wh_ahead_stop(ahead);
            assert_true(whisp_audio_read(audio, rest, WH_AHEAD_BLOCK) > 0); /* it stopped before the end */
            whisp_audio_free(audio);
        }
}

/* An error comes after the samples before it, in the reader's thread, with its text: here the descriptor stops being
 * readable once the file is open. */
static void test_error(void **state)
{
    (void)state;
    int fd = open(noise(SECONDS), O_RDONLY), other = open("/dev/null", O_WRONLY);
    assert_true(fd >= 0 && other >= 0);
    whisp_audio *audio;
    if (whisp_audio_open_fd(fd, &audio))
        fail_msg("%s", whisp_last_error());
    assert_true(dup2(other, fd) >= 0);
    wh_ahead *ahead;
    const float *samples;
    int64_t n, total = 0;
    assert_int_equal(wh_ahead_start(audio, 1, &ahead), WHISP_OK);
    wh_fail(WHISP_ERR_STATE, "something else");
    while ((n = wh_ahead_read(ahead, &samples)) > 0)
        total += n;
    printf("  %d after %d samples: %s\n", (int)n, (int)total, whisp_last_error());
    assert_int_equal(n, WHISP_ERR_IO);
    assert_null(strstr(whisp_last_error(), "something else"));
    assert_int_equal(wh_ahead_read(ahead, &samples), WHISP_ERR_IO); /* and stays so */
    wh_ahead_stop(ahead);
    whisp_audio_free(audio);
    close(fd), close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
