/* test_seek.c - jumping in compressed files: what is heard from there on is what reading through gives, to the last
 * bit. Where a jump cannot be right the decoder says so, and reading goes on as if nothing had been asked.
 *
 * The recordings are made here, with libsndfile: a tone that swells and noise that is different everywhere. */
#include "support/testing.h"

#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio.h"
#include "support/recorded.h"

#define RATE 16000

typedef struct heard {
    float *x;
    int64_t n;
    int warnings;
    char first[512];
} heard;

static void read_on(whisp_audio *audio, heard *h, int64_t most)
{
    int64_t got, room = 0;
    *h = (heard){0};
    while (h->n < most) {
        if (h->n + 5000 > room)
            h->x = realloc(h->x, (size_t)(room += 1 << 20) * sizeof *h->x);
        assert_non_null(h->x);
        got = whisp_audio_read(audio, h->x + h->n, (size_t)WH_MIN(5000, most - h->n));
        assert_true(got >= 0);
        if (got == 0)
            break;
        h->n += got;
    }
    const char *text;
    while ((text = whisp_audio_warning(audio, (size_t)h->warnings, NULL)))
        if (h->warnings++ == 0)
            snprintf(h->first, sizeof h->first, "%s", text);
}

static heard hear_all(const char *path)
{
    whisp_audio *audio;
    heard h;
    assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
    read_on(audio, &h, INT64_MAX);
    whisp_audio_free(audio);
    return h;
}

/* Compare what comes next, or all that is left, with what comes at `at` when all is read. */
static void compare(const char *name, whisp_audio *audio, const heard *whole, int64_t at, int64_t most)
{
    heard h;
    read_on(audio, &h, most);
    int64_t n = WH_MIN(most, WH_MAX(whole->n - at, 0)), i = 0;
    while (i < WH_MIN(n, h.n) && h.x[i] == whole->x[at + i])
        i++;
    if (h.n != n || i < n)
        fail_msg("%s: from %.4f s on %lld samples instead of %lld, of which the first %lld are right", name,
                 (double)at / RATE, (long long)h.n, (long long)n, (long long)i);
    if (n < most && (h.warnings != whole->warnings || strcmp(h.first, whole->first) != 0))
        fail_msg("%s: from %.4f s on: '%s' instead of '%s'", name, (double)at / RATE, h.first, whole->first);
    free(h.x);
}

/* Jumps, each from the beginning, from a bit behind it and, forward, from where the one before went. */
static void check_jumps(const char *name, const char *path, double seconds, int jumps)
{
    heard whole = hear_all(path);
    uint64_t random = 7;
    int64_t n = (int64_t)(seconds * RATE);
    for (int i = 0; i < jumps; i++) {
        int64_t at = (int64_t)(random_unit(&random) * (double)n);
        whisp_audio *audio;
        heard h;
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        assert_true(wh_audio_seeks(audio));
        read_on(audio, &h, i & 1 ? 31234 : 0);
        free(h.x);
        if (wh_audio_seek(audio, at) != 1)
            fail_msg("%s: does not jump to %.4f s", name, (double)at / RATE);
        compare(name, audio, &whole, at, i % 5 == 4 ? INT64_MAX : 30000);
        int64_t next = at + (int64_t)(random_unit(&random) * (double)(n - at));
        if (i % 5 != 4 && next > at + 30 * RATE) {
            assert_int_equal(wh_audio_seek(audio, next), 1);
            compare(name, audio, &whole, next, i % 5 == 3 ? INT64_MAX : 30000);
        }
        whisp_audio_free(audio);
    }
    free(whole.x);
}

static void check_kinds(const recorded_kind *kinds, size_t n, double seconds, int jumps)
{
    for (size_t i = 0; i < n; i++) {
        recorded_bytes a = recorded_make(&kinds[i], seconds);
        if (a.n)
            check_jumps(kinds[i].name, recorded_store(a, "sought"), seconds - 5, jumps);
        free(a.data);
    }
}

/* No jump, and what comes next is what would have come. */
static void check_refused(const char *name, const char *path, double seconds)
{
    heard whole = hear_all(path), h;
    whisp_audio *audio;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        read_on(audio, &h, i ? 7000 : 0);
        free(h.x);
        if (wh_audio_seek(audio, (int64_t)(seconds * RATE)) != 0)
            fail_msg("%s: jumps to %.1f s", name, seconds);
        compare(name, audio, &whole, i ? 7000 : 0, INT64_MAX);
        whisp_audio_free(audio);
    }
    free(whole.x);
}

static void test_flac(void **state)
{
    static const recorded_kind kinds[] = {{"FLAC", RECORDED_FLAC, 16000, 1, -1, 0},
                                          {"FLAC at 44.1 kHz", RECORDED_FLAC, 44100, 2, 1, 0},
                                          {"FLAC at 22.05 kHz of 24 bits", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 22050, 1,
                                           0, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    recorded_bytes a = recorded_make(&kinds[0], 60), both = recorded_join(a, a);
    check_refused("joined FLAC", recorded_store(both, "sought"), 80);
    check_jumps("joined FLAC", recorded_store(both, "sought"), 55, 5);
    memset(a.data + a.n / 2, 0x55, 30000);
    check_refused("damaged FLAC", recorded_store(a, "sought"), 50);
    check_jumps("damaged FLAC", recorded_store(a, "sought"), 25, 5);
    free(both.data);
    free(a.data);
}

static void test_mpeg(void **state)
{
    static const recorded_kind kinds[] = {{"MP3", RECORDED_MP3, 44100, 2, 0.5, SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 of variable bit rate", RECORDED_MP3, 44100, 2, 0.6,
                                           SF_BITRATE_MODE_VARIABLE},
                                          {"MP3 at 48 kHz", RECORDED_MP3, 48000, 1, 0.9, SF_BITRATE_MODE_AVERAGE},
                                          {"MP3 at 16 kHz", RECORDED_MP3, 16000, 1, 0.2, SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 at 24 kHz of few bits", RECORDED_MP3, 24000, 2, 1,
                                           SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 at 8 kHz", RECORDED_MP3, 8000, 1, 1, SF_BITRATE_MODE_CONSTANT}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    recorded_bytes a = recorded_make(&kinds[0], 60);
    if (!a.n)
        return;
    recorded_bytes both = recorded_join(a, a),
                   tail = recorded_tail(a, 7777); /* whose first frames miss what came before */
    check_jumps("joined MP3", recorded_store(both, "sought"), 115, 8);
    check_jumps("MP3 cut out of a longer one", recorded_store(tail, "sought"), 50, 5);
    memset(a.data + a.n / 2, 0x55, 3000);
    check_refused("damaged MP3", recorded_store(a, "sought"), 50);
    check_jumps("damaged MP3", recorded_store(a, "sought"), 25, 5);
    free(tail.data);
    free(both.data);
    free(a.data);
}

static void test_ogg(void **state)
{
    static const recorded_kind kinds[] = {{"Vorbis", RECORDED_VORBIS, 44100, 2, 0.5, 0},
                                          {"Vorbis at 16 kHz", RECORDED_VORBIS, 16000, 1, 0.9, 0},
                                          {"Vorbis at 8 kHz", RECORDED_VORBIS, 8000, 1, 0.2, 0},
                                          {"FLAC in Ogg", RECORDED_OGG_FLAC, 44100, 1, -1, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    recorded_bytes a = recorded_make(&kinds[0], 60), b = recorded_make(&kinds[1], 60);
    if (a.n && b.n) {
        recorded_bytes both = recorded_join(a, b);
        check_refused("chained Vorbis", recorded_store(both, "sought"), 80);
        memset(a.data + a.n / 2, 0x55, 30000);
        check_jumps("damaged Vorbis", recorded_store(a, "sought"), 55, 5);
        free(both.data);
    }
    free(a.data);
    free(b.data);
    recorded_kind opus = {"Opus", RECORDED_OPUS, 48000, 1, -1, 0};
    if ((a = recorded_make(&opus, 40)).n)
        check_refused("Opus", recorded_store(a, "sought"), 30);
    free(a.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flac),
        cmocka_unit_test(test_mpeg),
        cmocka_unit_test(test_ogg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
