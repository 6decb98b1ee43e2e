/* test_streams.c - compressed streams as they come: joined end to end, chained, damaged, cut off, with tags and junk
 * around them. What is there is heard, from files and pipes alike; what is not is told; what is whole gives no warning.
 *
 * The recordings are made here, with libsndfile: two tones that swell, which differ in every part that is joined. */
#include "support/testing.h"

#include <fcntl.h>
#include <math.h>
#include <ogg/ogg.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio.h"
#include "audio/damage.h"
#include "audio/mpeg_frames.h"

#define PI 3.14159265358979323846
#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define VORBIS (SF_FORMAT_OGG | SF_FORMAT_VORBIS)
#define OPUS (SF_FORMAT_OGG | SF_FORMAT_OPUS)
#define MP3 (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

/* ---- recordings ---- */

typedef struct bytes {
    char *data;
    size_t n;
} bytes;

/* n is 0 where this libsndfile does not write the format. */
static bytes record(int format, int rate, int channels, double seconds, double pitch)
{
    const char *path = temp_path("recording");
    bytes made = {NULL, 0};
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (!file) {
        printf("skipped: this libsndfile does not write format %x\n", (unsigned)format);
        return made;
    }
    float block[64 * 2];
    for (int64_t at = 0, frames = (int64_t)(seconds * rate); at < frames; at += 64) {
        int64_t n = WH_MIN(64, frames - at);
        for (int64_t i = 0; i < n * channels; i++) {
            double t = (double)(at + i / channels) / rate;
            block[i] = (float)(0.3 * (1 + 0.5 * sin(3 * t)) * sin(2 * PI * pitch * t) + 0.05 * sin(9e6 * t * t));
        }
        assert_int_equal(sf_writef_float(file, block, n), n);
    }
    sf_close(file);
    made.data = read_file(path, &made.n);
    return made;
}

static bytes join(bytes a, bytes b)
{
    bytes both = {malloc(a.n + b.n), a.n + b.n};
    assert_non_null(both.data);
    memcpy(both.data, a.data, a.n);
    memcpy(both.data + a.n, b.data, b.n);
    return both;
}

static bytes copy_of(bytes a, size_t from, size_t to)
{
    return join((bytes){a.data + from, to - from}, (bytes){a.data, 0});
}

static void spoil(bytes b, size_t at, size_t n)
{
    uint64_t random = 3;
    for (size_t i = at; i < at + n && i < b.n; i++)
        b.data[i] = (char)(int)(random_unit(&random) * 256);
}

/* ---- hearing ---- */

typedef struct heard {
    int rc;
    int64_t n; /* samples */
    float *samples;
    int warnings, incomplete;
    char first[512]; /* warning */
} heard;

static heard hear_fd(int fd)
{
    heard h = {0};
    whisp_audio *audio;
    if ((h.rc = whisp_audio_open_fd(fd, &audio)) != WHISP_OK)
        return h;
    size_t room = 16000 * 100;
    int64_t got;
    h.samples = malloc(room * sizeof *h.samples);
    assert_non_null(h.samples);
    while ((got = whisp_audio_read(audio, h.samples + h.n, WH_MIN(room - (size_t)h.n, 5000))) > 0)
        h.n += got;
    h.rc = (int)got;
    int incomplete;
    const char *text;
    for (; (text = whisp_audio_warning(audio, (size_t)h.warnings, &incomplete)); h.warnings++) {
        if (h.warnings == 0)
            snprintf(h.first, sizeof h.first, "%s", text);
        h.incomplete |= incomplete;
    }
    whisp_audio_free(audio);
    return h;
}

typedef struct feeder {
    bytes b;
    int fd;
} feeder;

static void *feed(void *user)
{
    feeder *f = user;
    for (size_t done = 0; done < f->b.n;) {
        ssize_t n = write(f->fd, f->b.data + done, WH_MIN(f->b.n - done, 777));
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(f->fd);
    return NULL;
}

/* As a file and through a pipe, which must give the same. Frees the bytes. */
static heard hear(bytes b)
{
    const char *path = temp_path("heard");
    int ends[2], fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, b.data, b.n), b.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    heard h = hear_fd(fd);
    close(fd);
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    feeder f = {b, ends[1]};
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    heard piped = hear_fd(ends[0]);
    close(ends[0]);
    pthread_join(thread, NULL);
    assert_int_equal(h.rc, piped.rc);
    assert_int_equal(h.n, piped.n);
    assert_int_equal(h.warnings, piped.warnings);
    assert_string_equal(h.first, piped.first);
    if (h.n)
        assert_memory_equal(h.samples, piped.samples, (size_t)h.n * sizeof *h.samples);
    free(piped.samples);
    free(b.data);
    return h;
}

static void expect(const char *what, const heard *h, double seconds, double tolerance, int warnings, int incomplete)
{
    double got = (double)h->n / 16000;
    if (h->rc || fabs(got - seconds) > tolerance || !h->warnings != !warnings || h->incomplete != incomplete)
        fail_msg("%s: rc %d, %.3f s instead of %.3f, %d warnings, incomplete %d; %s", what, h->rc, got, seconds,
                 h->warnings, h->incomplete, h->first);
}

/* How strong is a pitch between two times? 0.3 where it is recorded. */
static double strength(const heard *h, double from, double to, double pitch)
{
    double c = 0, s = 0;
    int64_t a = (int64_t)(from * 16000), b = WH_MIN((int64_t)(to * 16000), h->n);
    for (int64_t i = a; i < b; i++) {
        c += h->samples[i] * cos(2 * PI * pitch * (double)i / 16000);
        s += h->samples[i] * sin(2 * PI * pitch * (double)i / 16000);
    }
    return 2 * sqrt(c * c + s * s) / (double)WH_MAX(b - a, 1);
}

/* ---- tests ---- */

/* Joined end to end: also of other rates, channels and codings. */
static void test_joined(void **state)
{
    static const struct {
        const char *name;
        int format[2], rate[2], channels[2];
    } pairs[] = {
        {"FLAC", {FLAC, FLAC}, {16000, 16000}, {1, 1}},
        {"FLAC of another rate", {FLAC, FLAC}, {44100, 22050}, {2, 1}},
        {"Vorbis", {VORBIS, VORBIS}, {44100, 44100}, {1, 1}},
        {"Vorbis of another rate", {VORBIS, VORBIS}, {16000, 48000}, {1, 2}},
        {"Vorbis and Opus", {VORBIS, OPUS}, {22050, 48000}, {2, 1}},
        {"Opus and Vorbis", {OPUS, VORBIS}, {16000, 8000}, {2, 1}},
        {"MP3", {MP3, MP3}, {44100, 44100}, {1, 1}},
        {"MP3 of another rate", {MP3, MP3}, {44100, 22050}, {2, 2}},
        {"MP3 of other channels", {MP3, MP3}, {32000, 32000}, {2, 1}},
    };
    (void)state;
    for (size_t k = 0; k < WH_COUNT(pairs); k++) {
        bytes a = record(pairs[k].format[0], pairs[k].rate[0], pairs[k].channels[0], 2, 440);
        bytes b = record(pairs[k].format[1], pairs[k].rate[1], pairs[k].channels[1], 3, 1250);
        if (a.n && b.n) {
            heard h = hear(join(a, b));
            expect(pairs[k].name, &h, 5, 0.12, 0, 0);
            assert_true(strength(&h, 0.5, 1.5, 440) > 0.2);
            assert_true(strength(&h, 2.5, 3.0, 1250) > 0.2 && strength(&h, 4.2, 4.7, 1250) > 0.1);
            assert_true(strength(&h, 2.5, 3.0, 440) < 0.02);
            free(h.samples);
        }
        free(a.data);
        free(b.data);
    }
}

static size_t find_page(bytes b, size_t from)
{
    char *page = memmem(b.data + from, b.n - from, "OggS", 4);
    return page ? (size_t)(page - b.data) : b.n;
}

/* Pages of two files taken in turn: streams side by side. */
static bytes multiplex(bytes a, bytes b)
{
    bytes m = {malloc(a.n + b.n), 0};
    size_t at[2] = {0, 0};
    bytes from[2] = {a, b};
    for (int i = 0; at[0] < a.n || at[1] < b.n; i = !i) {
        size_t end = at[i] < from[i].n ? find_page(from[i], at[i] + 4) : at[i];
        memcpy(m.data + m.n, from[i].data + at[i], end - at[i]);
        m.n += end - at[i];
        at[i] = end;
    }
    return m;
}

static void test_streams_at_once(void **state)
{
    (void)state;
    bytes a = record(VORBIS, 16000, 1, 3, 440), b = record(VORBIS, 22050, 1, 3, 1250);
    if (a.n && b.n) {
        bytes both = multiplex(a, b);
        bytes twice = join(both, a);
        heard h = hear(both);
        expect("two at once", &h, 3, 0.01, 1, 0);
        assert_non_null(strstr(h.first, "2 streams"));
        assert_true(strength(&h, 1, 2, 440) > 0.2 && strength(&h, 1, 2, 1250) < 0.02);
        free(h.samples);
        h = hear(twice);
        expect("two at once, then one", &h, 6, 0.01, 1, 0);
        free(h.samples);
    }
    free(a.data);
    free(b.data);
}

/* A stretch in the middle is overwritten: the rest is heard, at its own time where the format says when. */
static void test_damaged(void **state)
{
    static const struct {
        const char *name;
        int format, rate, keeps_time;
    } kinds[] = {
        {"FLAC", FLAC, 44100, 1},
        {"Vorbis", VORBIS, 44100, 1},
        {"Opus", OPUS, 48000, 1},
        {"MP3", MP3, 44100, 0},
    };
    (void)state;
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(kinds[k].format, kinds[k].rate, 1, 6, 440);
        if (!a.n)
            continue;
        heard whole = hear(copy_of(a, 0, a.n));
        expect(kinds[k].name, &whole, 6, 0.001, 0, 0);
        spoil(a, a.n / 2, 1500);
        heard h = hear(a);
        expect(kinds[k].name, &h, 6, kinds[k].keeps_time ? 0.001 : 0.3, 1, 1);
        assert_non_null(strstr(h.first, "damaged at 0:0"));
        assert_non_null(strstr(h.first, kinds[k].keeps_time ? "became silence" : "could not be heard"));
        for (int64_t i = kinds[k].keeps_time ? h.n - 16000 : h.n; i < h.n; i++)
            assert_true(fabsf(h.samples[i] - whole.samples[i]) < 1e-3f);
        assert_true(strength(&h, 0.2, 2, 440) > 0.2 && strength(&h, h.n / 16000.0 - 1, h.n / 16000.0, 440) > 0.1);
        free(h.samples);
        free(whole.samples);
    }
}

/* Cut off, at any place: told, and heard as far as it goes. */
static void test_cut_off(void **state)
{
    static const int kinds[] = {FLAC, VORBIS, OPUS, MP3};
    (void)state;
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(kinds[k], 48000, 1, 4, 440);
        for (int part = 4; a.n && part < 10; part++) {
            heard h = hear(copy_of(a, 0, a.n * (size_t)part / 10 - 1));
            double seconds = (double)h.n / 16000;
            if (h.rc || h.warnings != 1 || !h.incomplete || !strstr(h.first, "stopped at 0:0"))
                fail_msg("format %x, %d tenths: %d, %s", (unsigned)kinds[k], part, h.warnings, h.first);
            assert_true(seconds > 0.4 * part - 1.3 && seconds < 0.4 * part + 0.3);
            free(h.samples);
        }
        free(a.data);
    }
}

/* STREAMINFO may promise too little, or nothing. */
static void test_promises(void **state)
{
    static const unsigned char promises[3][4] = {{0, 0, 3, 232}, {0, 0, 0, 0}, {0, 16, 0, 0}};
    (void)state;
    bytes a = record(FLAC, 16000, 1, 3, 440);
    for (int k = 0; k < 3; k++) {
        bytes b = copy_of(a, 0, a.n);
        b.data[21] &= (char)0xf0;
        memcpy(b.data + 22, promises[k], 4);
        heard h = hear(b);
        expect("a promise", &h, 3, 1e-6, k == 2, k == 2);
        if (k == 2)
            assert_non_null(strstr(h.first, "stopped at 0:03.0 of 1:05.5"));
        free(h.samples);
    }
    free(a.data);
}

/* Tags, zeros and junk before, between and behind. */
static void test_around(void **state)
{
    static const int kinds[] = {MP3, FLAC, VORBIS};
    (void)state;
    bytes zeros = {calloc(3000001, 1), 3000001}, id3v1 = {calloc(128, 1), 128}, ape = {calloc(200064, 1), 200064};
    bytes junk = {malloc(200000), 200000};
    memcpy(id3v1.data, "TAGsomething", 12);
    static const char ape_head[33] = "APETAGEX\xd0\7\0\0\x60\x0d\3\0\1\0\0\0\0\0\0\xa0"; /* 200,032 bytes after this */
    memcpy(ape.data, ape_head, 32);
    spoil(ape, 32, 200000);
    spoil(junk, 0, junk.n);
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(kinds[k], 16000, 1, 3, 440);
        if (!a.n)
            continue;
        const bytes before[] = {zeros, ape, junk, a}, behind[] = {id3v1, ape, zeros};
        for (size_t i = 0; i < WH_COUNT(before); i++) {
            heard h = hear(join(before[i], a));
            int is_junk = i == 2, twice = i == 3;
            expect("something before it", &h, twice ? 6 : 3, twice ? 0.12 : 0.001, is_junk, 0);
            free(h.samples);
        }
        for (size_t i = 0; i < WH_COUNT(behind); i++) {
            bytes tagged = join(a, behind[i]);
            heard h = hear(copy_of(tagged, 0, tagged.n));
            expect("something behind it", &h, 3, 0.001, 0, 0);
            free(h.samples);
            h = hear(join(tagged, a));
            expect("something between", &h, 6, 0.12, 0, 0);
            free(h.samples);
            free(tagged.data);
        }
        heard h = hear(join(a, junk));
        expect("junk behind it", &h, 3, 0.03, 1, 1);
        free(h.samples);
        h = hear(join(a, (bytes){junk.data, 1000}));
        expect("a little junk behind it", &h, 3, 0.03, 1, kinds[k] == VORBIS);
        free(h.samples);
        free(a.data);
    }
    free(zeros.data);
    free(id3v1.data);
    free(ape.data);
    free(junk.data);
}

/* A number in a damaged stream can be anything: no hours of silence for it. */
static void test_hostile_positions(void **state)
{
    (void)state;
    bytes a = record(VORBIS, 16000, 1, 6, 440);
    if (!a.n)
        return;
    spoil(a, a.n / 3, 100);
    for (size_t at = find_page(a, a.n / 3 + 100); at < a.n; at = find_page(a, at + 4)) {
        size_t segments = (unsigned char)a.data[at + 26], body = 0;
        for (size_t i = 0; i < segments; i++)
            body += (unsigned char)a.data[at + 27 + i];
        a.data[at + 11] = 1; /* 2^40 samples, two years */
        unsigned char *head = (unsigned char *)a.data + at;
        ogg_page page = {head, (long)(27 + segments), head + 27 + segments, (long)body};
        ogg_page_checksum_set(&page);
    }
    heard h = hear(a);
    assert_int_equal(h.rc, 0);
    assert_true(h.incomplete && h.n > 16000 * 3 && h.n < 16000 * 6);
    free(h.samples);

    wh_notes notes = {0};
    wh_progress progress = {.notes = &notes};
    wh_progress_heard(&progress, 10, 100000);
    assert_true(wh_progress_missing(&progress, 3, 30000, "why") && progress.seconds == 13 && progress.silence == 0);
    assert_false(wh_progress_missing(&progress, 100, 30000, "why"));
    assert_true(progress.seconds == 13);
    assert_true(wh_progress_missing(&progress, 8, 0, "why"));  /* bytes that are not there: as much as was heard */
    assert_false(wh_progress_missing(&progress, 8, 0, "why")); /* in all */
    assert_true(wh_progress_missing(&progress, 3, 0, "why"));
}

/* The page at `at`: its bytes before the sound, the sound's. */
static size_t page_head(bytes b, size_t at, size_t *body)
{
    size_t segments = (unsigned char)b.data[at + 26];
    *body = 0;
    for (size_t i = 0; i < segments; i++)
        *body += (unsigned char)b.data[at + 27 + i];
    return 27 + segments;
}

static void sign_page(bytes b, size_t at)
{
    size_t body, head = page_head(b, at, &body);
    unsigned char *p = (unsigned char *)b.data + at;
    ogg_page page = {p, (long)head, p + head, (long)body};
    ogg_page_checksum_set(&page);
}

/* Pages that are whole, of packets that are not: nothing is decoded, and the next positions say how much it was. */
static void test_packets_that_are_none(void **state)
{
    static const int kinds[] = {VORBIS, OPUS};
    (void)state;
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(kinds[k], 48000, 1, 12, 440);
        for (size_t at = find_page(a, a.n / 3); a.n && at < a.n / 3 * 2; at = find_page(a, at + 4)) {
            size_t body, head = page_head(a, at, &body), packet = at + head, length = 0;
            for (size_t i = at + 27; i < at + head; packet += (unsigned char)a.data[i], i++) {
                if (length == 0 && kinds[k] == VORBIS)
                    a.data[packet] |= 1; /* a header */
                else if (length == 0)
                    a.data[packet] |= 3, a.data[packet + 1] = 0; /* no frames */
                length = (unsigned char)a.data[i] == 255;
            }
            sign_page(a, at);
        }
        if (a.n) {
            heard h = hear(a);
            expect("packets that are none", &h, 12, 0.05, 1, 1);
            assert_non_null(strstr(h.first, "packets are damaged"));
            assert_true(strength(&h, 0.5, 2, 440) > 0.2 && strength(&h, 10, 11.5, 440) > 0.1);
            free(h.samples);
        }
    }
}

/* A page is missing, and the next one has no position: the one after that tells. */
static void test_late_position(void **state)
{
    (void)state;
    bytes a = record(OPUS, 48000, 1, 12, 440);
    if (!a.n)
        return;
    size_t gap = find_page(a, a.n / 3), next = find_page(a, gap + 4);
    memset(a.data + next + 6, 0xff, 8);
    sign_page(a, next);
    bytes before = {a.data, gap}, behind = {a.data + next, a.n - next};
    heard h = hear(join(before, behind));
    free(a.data);
    expect("a late position", &h, 12, 0.01, 1, 1);
    assert_non_null(strstr(h.first, "became silence"));
    free(h.samples);
}

/* All that the first recording promised was heard, and another begins behind it, which cannot be: that is told. */
static void test_another_kind_behind(void **state)
{
    static const int kinds[] = {FLAC, MP3};
    (void)state;
    bytes wave = record(SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 0.2, 1250);
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(kinds[k], 16000, 1, 3, 440), b = record(kinds[1 - k], 16000, 1, 2, 1250);
        if (a.n && b.n) {
            heard h = hear(join(a, b));
            expect("another coding behind it", &h, 3, 0.03, 1, 1);
            free(h.samples);
            h = hear(join(a, wave));
            expect("a short WAV file behind it", &h, 3, 0.03, 1, 1);
            free(h.samples);
        }
        free(a.data);
        free(b.data);
    }
    free(wave.data);
}

/* Frames of layer 3 with nothing but their headers left: told, and of the same length. */
static void test_rubbish_in_frames(void **state)
{
    static const struct {
        int rate, channels;
        unsigned char rubbish;
    } kinds[] = {{44100, 1, 0xf0}, {16000, 1, 0xff}, {48000, 2, 0xaa}, {22050, 2, 0xee}};
    (void)state;
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        bytes a = record(MP3, kinds[k].rate, kinds[k].channels, 6, 440);
        wh_mpeg_header header;
        if (!a.n)
            continue;
        heard whole = hear(copy_of(a, 0, a.n));
        expect("whole frames", &whole, 6, 0.001, 0, 0);
        for (size_t at = 0, size; at + 4 < a.n && wh_mpeg_parse((unsigned char *)a.data + at, &header); at += size) {
            size = (size_t)header.size;
            if (at > a.n / 3 && at < a.n / 2)
                memset(a.data + at + 4, kinds[k].rubbish, size - 4);
        }
        heard h = hear(a);
        expect("rubbish in frames", &h, 6, 0.001, 1, 1);
        assert_non_null(strstr(h.first, "(frames are damaged): "));
        assert_non_null(strstr(h.first, "became silence"));
        assert_true(strength(&h, 2.3, 2.7, 440) < 0.02 && strength(&h, 4, 5, 440) > 0.1);
        free(h.samples);
        free(whole.samples);
    }
}

/* Lyrics end with their mark, wherever that lies; where there is none, what looks like them is no tag. */
static void test_lyrics(void **state)
{
    (void)state;
    bytes a = record(MP3, 16000, 1, 3, 440), text = {malloc(100000), 100000};
    memset(text.data, 'l', text.n);
    memcpy(text.data, "LYRICSBEGIN", 11);
    for (size_t n = 4070; a.n && n < 4110; n += 3) {
        memcpy(text.data + n - 9, n % 2 ? "LYRICSEND" : "LYRICS200", 9);
        heard h = hear(join((bytes){text.data, n}, a));
        expect("lyrics", &h, 3, 0.001, 0, 0);
        free(h.samples);
        memset(text.data + n - 9, 'l', 9);
    }
    if (a.n) {
        char mark[] = "LYRICSEND";
        bytes open = join((bytes){text.data, 100}, a), both = join(open, (bytes){mark, 9});
        free(open.data);
        heard h = hear(both);
        expect("lyrics without an end", &h, 3, 0.03, 1, 0);
        free(h.samples);
    }
    memset(text.data, 'f', text.n);
    bytes flac = record(FLAC, 16000, 1, 3, 440);
    heard h = hear(join(text, flac));
    expect("many letters f", &h, 3, 0.001, 1, 0);
    free(h.samples);
    free(flac.data);
    free(a.data);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_streams_at_once),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_hostile_positions),
        cmocka_unit_test(test_packets_that_are_none),
        cmocka_unit_test(test_late_position),
        cmocka_unit_test(test_another_kind_behind),
        cmocka_unit_test(test_rubbish_in_frames),
        cmocka_unit_test(test_lyrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
