/* test_pieces.c - a recording that several threads read in pieces gives what one thread gives: the same bits and the same
 * warnings, whatever it is, wherever it is damaged, cut, joined or changes. */
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "support/recorded.h"
#include "support/testing.h"

#include "audio/ahead.h"
#include "audio/audio.h"
#include "audio/handle.h"
#include "audio/pieces.h"

#define SECONDS 125 /* of sound: four pieces, and a bit */
#ifdef __SANITIZE_ADDRESS__
#define DAMAGES 1 /* of each kind; none of those that take longer */
#else
#define DAMAGES 4
#endif

typedef struct heard {
    int64_t n, rc;
    uint64_t sum;        /* of the samples' bits */
    uint64_t first[400]; /* of each second's, to say where a difference is */
    char notes[2048];
    char error[256];
} heard;

static void add(heard *h, const float *samples, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, samples + i, sizeof bits);
        h->sum = (h->sum ^ bits) * 1099511628211u;
        int64_t second = (h->n + i) / 16000;
        if (second < (int64_t)(sizeof h->first / sizeof *h->first))
            h->first[second] = h->sum;
    }
    h->n += n;
}

/* One thread reads the caller's handle, several in pieces; *by_pieces: whether it was so. */
static void hear(whisp_audio *audio, int threads, heard *h)
{
    wh_ahead *ahead;
    const float *samples;
    memset(h, 0, sizeof *h);
    assert_int_equal(wh_ahead_start(audio, threads, &ahead), WHISP_OK);
    while ((h->rc = wh_ahead_read(ahead, &samples)) > 0)
        add(h, samples, h->rc);
    if (h->rc < 0)
        snprintf(h->error, sizeof h->error, "%s", whisp_last_error());
    assert_int_equal(wh_ahead_read(ahead, &samples), h->rc); /* and stays so */
    wh_ahead_stop(ahead);
    const char *text;
    int incomplete;
    for (size_t i = 0; (text = whisp_audio_warning(audio, i, &incomplete)); i++)
        snprintf(h->notes + strlen(h->notes), sizeof h->notes - strlen(h->notes), "%d %s\n", incomplete, text);
}

/* Compare one thread and several. How many samples there were. */
static int64_t compare(const char *name, recorded_bytes b, int channel)
{
    static heard one, other;
    for (int threads = 1; threads <= 3; threads++) {
        whisp_audio *audio;
        heard *h = threads == 1 ? &one : &other;
        if (whisp_audio_open_memory(b.data, b.n, &audio))
            return 0; /* damaged so that nothing is left of it */
        if (channel >= 0)
            assert_int_equal(whisp_audio_select_channel(audio, channel), WHISP_OK);
        hear(audio, threads, h);
        whisp_audio_free(audio);
        int second = 0;
        while (second < 399 && one.first[second] == h->first[second])
            second++;
        if (h->n != one.n || h->sum != one.sum)
            fail_msg("%s: %d threads: %lld samples instead of %lld, the same until second %d", name, threads,
                     (long long)h->n, (long long)one.n, second);
        if (h->rc != one.rc || strcmp(h->notes, one.notes) != 0 || strcmp(h->error, one.error) != 0)
            fail_msg("%s: %d threads: %d '%s' %s\ninstead of %d '%s' %s", name, threads, (int)h->rc, h->error, h->notes,
                     (int)one.rc, one.error, one.notes);
    }
    return one.n;
}

/* Is it read in pieces, as far as the last but one? */
static void check_plain(const char *name, recorded_bytes b)
{
    whisp_audio *audio, *other = NULL;
    wh_place place;
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    assert_int_equal(wh_audio_open_piece(audio, &other), WHISP_OK);
    if (!other || !wh_audio_find_piece(audio, INT64_C(90) * 16000, &place))
        fail_msg("%s: is not read in pieces", name);
    assert_int_equal(wh_audio_go_piece(other, &place, INT64_C(90) * 16000), 1);
    assert_true(wh_audio_is_plain(other));
    whisp_audio_free(other);
    whisp_audio_free(audio);
}

/* A byte range is overwritten, zeroed, taken out, doubled; or it ends there. */
static recorded_bytes damage(recorded_bytes a, uint64_t *random)
{
    size_t at = (size_t)(random_unit(random) * (double)a.n), n = 1 + (size_t)(exp(9 * random_unit(random)));
    int what = (int)(random_unit(random) * 6);
    n = WH_MIN(n, a.n - at);
    recorded_bytes whole = {a.data, a.n}, head = {a.data, at}, tail = recorded_tail(whole, at + (what == 2 ? n : 0)),
                   made;
    if (what == 3)
        head.n = at + n;
    if (what == 4)
        tail.n = 0;
    made = recorded_join(head, tail);
    free(tail.data);
    for (size_t i = at; i < at + n && i < made.n && (what < 2 || what == 5); i++)
        made.data[i] = what == 0 ? (char)(random_unit(random) * 256) : what == 1 ? 0 : (char)(made.data[i] ^ 16);
    return made;
}

static void check_damaged(const char *name, recorded_bytes a, uint64_t *random, int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t before = *random;
        char text[128];
        recorded_bytes b = damage(a, random);
        snprintf(text, sizeof text, "%s, damage %d of seed %llu", name, i, (unsigned long long)before);
        compare(text, b, -1);
        free(b.data);
    }
}

static void check_kinds(const recorded_kind *kinds, size_t n)
{
    uint64_t random = 11;
    for (size_t i = 0; i < n; i++) {
        recorded_bytes a = recorded_make(&kinds[i], SECONDS);
        if (!a.n)
            continue;
        check_plain(kinds[i].name, a);
        int64_t samples = compare(kinds[i].name, a, -1);
        assert_true(llabs(samples - INT64_C(16000) * SECONDS) < 16000);
        check_damaged(kinds[i].name, a, &random, DAMAGES / (kinds[i].channels * (kinds[i].rate > 24000 ? 2 : 1)));
        free(a.data);
    }
}

static void test_mpeg(void **state)
{
    static const recorded_kind kinds[] = {{"MP3", RECORDED_MP3, 44100, 2, 0.5, SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 of variable bit rate", RECORDED_MP3, 48000, 2, 0.6,
                                           SF_BITRATE_MODE_VARIABLE},
                                          {"MP3 at 32 kHz", RECORDED_MP3, 32000, 1, 0.9, SF_BITRATE_MODE_AVERAGE},
                                          {"MP3 at 16 kHz", RECORDED_MP3, 16000, 1, 0.2, SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 at 24 kHz of few bits", RECORDED_MP3, 24000, 2, 1,
                                           SF_BITRATE_MODE_CONSTANT},
                                          {"MP3 at 8 kHz", RECORDED_MP3, 8000, 1, 1, SF_BITRATE_MODE_CONSTANT}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds));
}

/* Several recordings in one, of one kind and of others; with tags, zeros, rubbish between them. */
static void test_joined_mpeg(void **state)
{
    static const recorded_kind kinds[] = {{"MP3", RECORDED_MP3, 16000, 1, 0.5, SF_BITRATE_MODE_CONSTANT},
                                          {"stereo MP3", RECORDED_MP3, 16000, 2, 0.5, SF_BITRATE_MODE_CONSTANT},
                                          {"faster MP3", RECORDED_MP3, 24000, 1, 0.5, SF_BITRATE_MODE_CONSTANT}};
    static char zeros[3000], tag[128] = "TAGa title";
    char rubbish[700];
    recorded_bytes a[3];
    uint64_t random = 3;
    (void)state;
    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = (char)(random_unit(&random) * 256);
    for (int i = 0; i < 3; i++)
        if (!(a[i] = recorded_make(&kinds[i], 47)).n)
            return;
    const recorded_bytes between[] = {{zeros, 0}, {zeros, 3000}, {tag, 128}, {rubbish, 700}};
    for (int i = 0; i < 4; i++)
        for (int other = 0; other < 3; other++) {
            char name[64];
            snprintf(name, sizeof name, "joined MP3, %d behind, %s", i, kinds[other].name);
            recorded_bytes b = recorded_join(a[0], between[i]), c = recorded_join(b, a[other]);
            recorded_bytes d = recorded_join(c, b), e = recorded_join(d, a[0]);
            int64_t n = compare(name, e, -1);
            assert_true(n > INT64_C(16000) * 186);
            if (other == 0 && (i == 0 || i == 2))
                check_plain(name, e);
            if (other == 0) {
                recorded_bytes cut = {e.data, e.n - a[0].n / 2};
                compare(name, cut, -1);
                memset(e.data + e.n / 2, 0x55, 300);
                compare(name, e, -1);
            }
            free(b.data), free(c.data), free(d.data), free(e.data);
        }
    for (int i = 0; i < 3; i++)
        free(a[i].data);
}

/* A first recording whose tag tells of less padding than the decoder is late by: nothing is to be cut where it ends. */
static void test_joined_without_padding(void **state)
{
    static const recorded_kind kind = {"MP3", RECORDED_MP3, 44100, 1, 0.5, SF_BITRATE_MODE_CONSTANT};
    static const unsigned char lame[] = {'L', 'A', 'M', 'E'};
    recorded_bytes a = recorded_make(&kind, 60);
    (void)state;
    if (!a.n)
        return;
    size_t at = 0;
    while (at < 2000 && memcmp(a.data + at, lame, sizeof lame) != 0)
        at++;
    assert_true(at < 2000);
    for (int padding = 0; padding < 600; padding += 200) { /* twelve bits, behind twelve of delay */
        a.data[at + 22] = (char)((a.data[at + 22] & 0xf0) | padding >> 8);
        a.data[at + 23] = (char)padding;
        recorded_bytes b = recorded_join(a, a), c = recorded_join(b, a);
        char name[64];
        snprintf(name, sizeof name, "joined MP3 of padding %d", padding);
        compare(name, c, -1);
        check_plain(name, c);
        free(b.data), free(c.data);
    }
    free(a.data);
}

static void test_flac(void **state)
{
    static const recorded_kind kinds[] = {{"FLAC", RECORDED_FLAC, 16000, 1, -1, 0},
                                          {"FLAC at 44.1 kHz", RECORDED_FLAC, 44100, 2, 1, 0},
                                          {"FLAC at 22.05 kHz of 24 bits", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 22050, 1,
                                           0, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds));
    recorded_bytes a = recorded_make(&kinds[0], 70), b = recorded_join(a, a), c = recorded_join(b, a);
    assert_int_equal(compare("joined FLAC", c, -1), 16000 * 210);
    free(a.data), free(b.data), free(c.data);
}

static void test_wave(void **state)
{
    static const recorded_kind kinds[] = {{"WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 2, -1, 0},
                                          {"WAV at 16 kHz", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, -1, 0},
                                          {"WAV of bytes", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 11025, 1, -1, 0},
                                          {"WAV of floats", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 22050, 2, -1, 0},
                                          {"RF64 of 24 bits", SF_FORMAT_RF64 | SF_FORMAT_PCM_24, 32000, 1, -1, 0},
                                          {"WAV of mu-law", SF_FORMAT_WAV | SF_FORMAT_ULAW, 8000, 1, -1, 0},
                                          {"AIFF", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 22050, 1, -1, 0},
                                          {"CAF", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 16000, 2, -1, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds));
    recorded_bytes a = recorded_make(&kinds[1], 70), b = recorded_join(a, a), c = recorded_join(b, a);
    assert_int_equal(compare("joined WAV", c, -1), 16000 * 210);
    free(a.data), free(b.data), free(c.data);
    /* what cannot be read in pieces is read by one thread */
    const recorded_kind others[] = {{"ADPCM", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 16000, 1, -1, 0},
                                    {"a rate without a bank", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 15999, 1, -1, 0}};
    for (int i = 0; i < 2; i++) {
        a = recorded_make(&others[i], SECONDS);
        assert_true(compare(others[i].name, a, -1) > 16000 * 124);
        free(a.data);
    }
}

static void test_vorbis(void **state)
{
    static const recorded_kind kinds[] = {{"Vorbis", RECORDED_VORBIS, 22050, 1, 0.5, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds));
}

/* What is decided block by block: two channels that cancel each other, from some time on; floats in the range of
 * integers; one channel alone; numbers that are none. */
static void test_decided(void **state)
{
    static const recorded_kind kind = {"floats", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 2, -1, 0};
    static const int from[] = {0, 41, 61, 95};
    (void)state;
    for (int what = 0; what < 3; what++)
        for (size_t i = 0; i < WH_COUNT(from); i++) {
            char name[64];
            recorded_bytes a = recorded_make(&kind, SECONDS);
            size_t frames = (size_t)SECONDS * 8000, head = a.n - frames * 8;
            float *x = malloc(frames * 8);
            assert_non_null(x);
            memcpy(x, a.data + head, frames * 8);
            for (size_t f = (size_t)from[i] * 8000; f < frames; f++) {
                if (what == 0)
                    x[2 * f + 1] = -x[2 * f];
                if (what == 1)
                    x[2 * f] *= 30000, x[2 * f + 1] *= 30000;
                if (what == 2 && f % 8000 == 5)
                    x[2 * f] = NAN;
            }
            memcpy(a.data + head, x, frames * 8);
            snprintf(name, sizeof name, "decided %d from %d s on", what, from[i]);
            compare(name, a, -1);
            compare(name, a, 1);
            free(x);
            free(a.data);
        }
}

/* Stopped at once, while all wait for room, and in the middle. */
static void test_stop(void **state)
{
    static const recorded_kind kind = {"MP3", RECORDED_MP3, 16000, 1, 0.5, SF_BITRATE_MODE_CONSTANT};
    recorded_bytes a = recorded_make(&kind, SECONDS);
    (void)state;
    for (int reads = 0; a.n && reads < 150; reads += reads < 3 ? 1 : 19) {
        whisp_audio *audio;
        wh_ahead *ahead;
        const float *samples;
        assert_int_equal(whisp_audio_open_memory(a.data, a.n, &audio), WHISP_OK);
        assert_int_equal(wh_ahead_start(audio, 4, &ahead), WHISP_OK);
        for (int i = 0; i < reads; i++)
            assert_true(wh_ahead_read(ahead, &samples) >= 0);
        wh_ahead_stop(ahead);
        assert_int_equal(wh_audio_rewind(audio), WHISP_OK); /* all of it is the caller's again */
        float block[1000];
        assert_int_equal(whisp_audio_read(audio, block, 1000), 1000);
        whisp_audio_free(audio);
    }
    free(a.data);
}

/* Short ones, pipes, and what was read of already, are for one thread. */
static void test_refused(void **state)
{
    static const recorded_kind kind = {"WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, -1, 0};
    recorded_bytes a = recorded_make(&kind, SECONDS), b = recorded_make(&kind, 60);
    wh_pieces *pieces;
    whisp_audio *audio;
    float block[1000];
    (void)state;
    assert_int_equal(whisp_audio_open_memory(b.data, b.n, &audio), WHISP_OK);
    assert_int_equal(wh_pieces_start(audio, 2, &pieces), WHISP_OK);
    assert_null(pieces);
    whisp_audio_free(audio);
    assert_int_equal(whisp_audio_open_memory(a.data, a.n, &audio), WHISP_OK);
    assert_int_equal(wh_pieces_start(audio, 1, &pieces), WHISP_OK);
    assert_null(pieces);
    assert_int_equal(wh_pieces_start(audio, 2, &pieces), WHISP_OK);
    assert_non_null(pieces);
    wh_pieces_stop(pieces);
    assert_int_equal(whisp_audio_read(audio, block, 1000), 1000);
    assert_int_equal(wh_pieces_start(audio, 2, &pieces), WHISP_OK);
    assert_null(pieces);
    whisp_audio_free(audio);
    free(a.data), free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mpeg),
        cmocka_unit_test(test_joined_mpeg),
        cmocka_unit_test(test_joined_without_padding),
        cmocka_unit_test(test_flac),
        cmocka_unit_test(test_wave),
        cmocka_unit_test(test_vorbis),
        cmocka_unit_test(test_decided),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
