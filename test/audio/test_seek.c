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

#define RATE 16000
#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define OGG_FLAC (SF_FORMAT_OGG | SF_FORMAT_FLAC)
#define VORBIS (SF_FORMAT_OGG | SF_FORMAT_VORBIS)
#define OPUS (SF_FORMAT_OGG | SF_FORMAT_OPUS)
#define MP3 (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

typedef struct bytes {
    char *data;
    size_t n;
} bytes;

typedef struct kind {
    const char *name;
    int format, rate, channels;
    double quality;   /* 0, the best, to 1; -1: as it comes */
    int bitrate_mode; /* MP3: SF_BITRATE_MODE_... */
} kind;

/* n is 0 where this libsndfile does not write the format. */
static bytes record(const kind *k, double seconds)
{
    const char *path = temp_path("recording");
    bytes made = {NULL, 0};
    SF_INFO info = {.samplerate = k->rate, .channels = k->channels, .format = k->format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (!file) {
        printf("skipped: this libsndfile does not write %s\n", k->name);
        return made;
    }
    double quality = k->quality;
    int mode = k->bitrate_mode;
    if (quality >= 0) {
        sf_command(file, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
        sf_command(file, SFC_SET_COMPRESSION_LEVEL, &quality, sizeof quality);
    }
    float block[64 * 2];
    uint64_t random = 5;
    for (int64_t at = 0, frames = (int64_t)(seconds * k->rate); at < frames; at += 64) {
        int64_t n = WH_MIN(64, frames - at);
        for (int64_t i = 0; i < n * k->channels; i++) {
            double t = (double)(at + i / k->channels) / k->rate, swell = sin(0.7 * t + (double)(i % k->channels));
            block[i] = (float)(0.2 * (1 + swell) * sin(2000 * t + 3 * sin(t)) +
                               0.2 * swell * swell * (random_unit(&random) - 0.5));
        }
        assert_int_equal(sf_writef_float(file, block, n), n);
    }
    sf_close(file);
    made.data = read_file(path, &made.n);
    return made;
}

static const char *store(bytes b)
{
    const char *path = temp_path("sought");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(b.data, 1, b.n, file), b.n);
    fclose(file);
    return path;
}

static bytes join(bytes a, bytes b)
{
    bytes both = {malloc(a.n + b.n), a.n + b.n};
    assert_non_null(both.data);
    memcpy(both.data, a.data, a.n);
    memcpy(both.data + a.n, b.data, b.n);
    return both;
}

/* Bytes of a that begin at `from`. */
static bytes tail_of(bytes a, size_t from)
{
    return join((bytes){a.data + from, a.n - from}, (bytes){a.data, 0});
}

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

static void check_kinds(const kind *kinds, size_t n, double seconds, int jumps)
{
    for (size_t i = 0; i < n; i++) {
        bytes a = record(&kinds[i], seconds);
        if (a.n)
            check_jumps(kinds[i].name, store(a), seconds - 5, jumps);
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
    static const kind kinds[] = {{"FLAC", FLAC, 16000, 1, -1, 0},
                                 {"FLAC at 44.1 kHz", FLAC, 44100, 2, 1, 0},
                                 {"FLAC at 22.05 kHz of 24 bits", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 22050, 1, 0, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    bytes a = record(&kinds[0], 60), both = join(a, a);
    check_refused("joined FLAC", store(both), 80);
    check_jumps("joined FLAC", store(both), 55, 5);
    memset(a.data + a.n / 2, 0x55, 30000);
    check_refused("damaged FLAC", store(a), 50);
    check_jumps("damaged FLAC", store(a), 25, 5);
    free(both.data);
    free(a.data);
}

static void test_mpeg(void **state)
{
    static const kind kinds[] = {{"MP3", MP3, 44100, 2, 0.5, SF_BITRATE_MODE_CONSTANT},
                                 {"MP3 of variable bit rate", MP3, 44100, 2, 0.6, SF_BITRATE_MODE_VARIABLE},
                                 {"MP3 at 48 kHz", MP3, 48000, 1, 0.9, SF_BITRATE_MODE_AVERAGE},
                                 {"MP3 at 16 kHz", MP3, 16000, 1, 0.2, SF_BITRATE_MODE_CONSTANT},
                                 {"MP3 at 24 kHz of few bits", MP3, 24000, 2, 1, SF_BITRATE_MODE_CONSTANT},
                                 {"MP3 at 8 kHz", MP3, 8000, 1, 1, SF_BITRATE_MODE_CONSTANT}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    bytes a = record(&kinds[0], 60);
    if (!a.n)
        return;
    bytes both = join(a, a), tail = tail_of(a, 7777); /* whose first frames miss what came before */
    check_refused("joined MP3", store(both), 80);
    check_jumps("joined MP3", store(both), 55, 5);
    check_jumps("MP3 cut out of a longer one", store(tail), 50, 5);
    memset(a.data + a.n / 2, 0x55, 3000);
    check_refused("damaged MP3", store(a), 50);
    check_jumps("damaged MP3", store(a), 25, 5);
    free(tail.data);
    free(both.data);
    free(a.data);
}

static void test_ogg(void **state)
{
    static const kind kinds[] = {{"Vorbis", VORBIS, 44100, 2, 0.5, 0},
                                 {"Vorbis at 16 kHz", VORBIS, 16000, 1, 0.9, 0},
                                 {"Vorbis at 8 kHz", VORBIS, 8000, 1, 0.2, 0},
                                 {"FLAC in Ogg", OGG_FLAC, 44100, 1, -1, 0}};
    (void)state;
    check_kinds(kinds, WH_COUNT(kinds), 90, 8);
    bytes a = record(&kinds[0], 60), b = record(&kinds[1], 60);
    if (a.n && b.n) {
        bytes both = join(a, b);
        check_refused("chained Vorbis", store(both), 80);
        memset(a.data + a.n / 2, 0x55, 30000);
        check_jumps("damaged Vorbis", store(a), 55, 5);
        free(both.data);
    }
    free(a.data);
    free(b.data);
    kind opus = {"Opus", OPUS, 48000, 1, -1, 0};
    if ((a = record(&opus, 40)).n)
        check_refused("Opus", store(a), 30);
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
