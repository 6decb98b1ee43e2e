/* test_wave.c - WAV files and their like as people have them: joined, unfinished, cut off, with chunks of all kinds, with more
 * than two channels, with floats in the range of integers, with channels that cancel each other; from a file and from a
 * pipe. And jumping in them.
 *
 * All are made here, byte by byte. What every one must give is docs/audio.md's table. */
#include "support/testing.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio.h"
#include "audio/mix.h"
#include "audio/pcm.h"

#define PI 3.14159265358979323846
#define RATE 16000

/* ---- making ---- */

typedef struct bytes {
    unsigned char *data;
    size_t n, capacity;
} bytes;

static void add(bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->capacity)
        b->data = realloc(b->data, b->capacity = 2 * (b->n + n) + 1024);
    assert_non_null(b->data);
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void add_number(bytes *b, uint64_t number, int n, int is_big)
{
    for (int i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)(number >> 8 * (is_big ? n - 1 - i : i));
        add(b, &byte, 1);
    }
}

static void add_zeros(bytes *b, size_t n)
{
    while (n--)
        add(b, "", 1);
}

/* A chunk's header; the size may be a lie. */
static void begin(bytes *b, const char *name, uint32_t size)
{
    add(b, name, 4);
    add_number(b, size, 4, 0);
}

static void format_of(bytes *b, int tag, int channels, int rate, int bits)
{
    begin(b, "fmt ", 16);
    add_number(b, (uint64_t)tag, 2, 0);
    add_number(b, (uint64_t)channels, 2, 0);
    add_number(b, (uint64_t)rate, 4, 0);
    add_number(b, (uint64_t)(rate * channels * bits / 8), 4, 0);
    add_number(b, (uint64_t)(channels * bits / 8), 2, 0);
    add_number(b, (uint64_t)bits, 2, 0);
}

static void extensible(bytes *b, int channels, int rate, uint32_t speakers)
{
    format_of(b, 0xfffe, channels, rate, 16);
    b->data[b->n - 20] = 40;
    add_number(b, 22, 2, 0);
    add_number(b, 16, 2, 0);
    add_number(b, speakers, 4, 0);
    add(b, "\1\0\0\0\0\0\20\0\200\0\0\252\0\070\233\161", 16);
}

/* Sound whose every sample is another: i and its place can be told from each. */
static int16_t sample(int64_t i)
{
    return (int16_t)((i * 7919 + i / 3 * 31) % 60001 - 30000);
}

static void add_sound(bytes *b, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        add_number(b, (uint16_t)sample(i), 2, 0);
}

/* RIFF with the right size, a format, and sound from .. to. */
static void add_wav(bytes *b, int64_t from, int64_t to)
{
    begin(b, "RIFF", (uint32_t)(36 + 2 * (to - from)));
    add(b, "WAVE", 4);
    format_of(b, 1, 1, RATE, 16);
    begin(b, "data", (uint32_t)(2 * (to - from)));
    add_sound(b, from, to);
}

/* ---- hearing ---- */

typedef struct heard {
    int rc;
    float *x;
    int64_t n;
    char notes[1024], error[512];
    int incomplete;
    double duration;
} heard;

static heard hear(int fd)
{
    heard h = { 0 };
    whisp_audio *audio;
    whisp_audio_info info = { .size = sizeof info };
    const char *text;
    size_t capacity = 1 << 14;
    int64_t got;
    int incomplete;
    if ((h.rc = whisp_audio_open_fd(fd, &audio))) {
        snprintf(h.error, sizeof h.error, "%s", whisp_last_error());
        return h;
    }
    h.x = malloc(capacity * sizeof *h.x);
    while ((got = whisp_audio_read(audio, h.x + h.n, capacity - (size_t)h.n)) > 0)
        if ((size_t)(h.n += got) == capacity)
            h.x = realloc(h.x, (capacity *= 2) * sizeof *h.x);
    assert_int_equal(got, 0);
    whisp_audio_describe(audio, &info);
    h.duration = info.duration;
    for (size_t i = 0; (text = whisp_audio_warning(audio, i, &incomplete)); i++) {
        strncat(h.notes, text, sizeof h.notes - strlen(h.notes) - 1);
        h.incomplete |= incomplete;
    }
    whisp_audio_close(audio);
    return h;
}

typedef struct feeder {
    int fd;
    const bytes *b;
} feeder;

static void *feed(void *arg)
{
    const feeder *f = arg;
    for (size_t done = 0; done < f->b->n;) {
        ssize_t wrote = write(f->fd, f->b->data + done, WH_MIN(f->b->n - done, (size_t)30001));
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    close(f->fd);
    return NULL;
}

/* As a file and through a pipe, which must be the same; frees the bytes. */
static heard hear_both(bytes *b)
{
    FILE *file = tmpfile();
    int ends[2];
    pthread_t thread;
    assert_non_null(file);
    assert_int_equal(fwrite(b->data, 1, b->n, file), b->n);
    rewind(file);
    heard h = hear(fileno(file));
    fclose(file);

    assert_int_equal(pipe(ends), 0);
    feeder f = { ends[1], b };
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    heard piped = hear(ends[0]);
    close(ends[0]);
    pthread_join(thread, NULL);
    assert_int_equal(h.rc, piped.rc);
    assert_int_equal(h.n, piped.n);
    if (h.n)
        assert_memory_equal(h.x, piped.x, (size_t)h.n * sizeof *h.x);
    assert_string_equal(h.notes, piped.notes);
    free(piped.x);
    free(b->data);
    *b = (bytes){ 0 };
    return h;
}

/* Samples from .. to at h->x[at], as they are. */
static void is_sound(const heard *h, int64_t at, int64_t from, int64_t to)
{
    assert_true(h->n >= at + to - from);
    for (int64_t i = from; i < to; i++)
        if (h->x[at + i - from] * 32768.0f != (float)sample(i))
            fail_msg("sample %lld is %g, not %d", (long long)i, (double)h->x[at + i - from] * 32768, sample(i));
}

/* All 3 s, nothing to be said; frees. */
static void is_whole(bytes *b, const char *what)
{
    heard h = hear_both(b);
    if (h.rc || h.n != 48000 || h.notes[0])
        fail_msg("%s: %d (%s), %lld samples, '%s'", what, h.rc, h.error, (long long)h.n, h.notes);
    is_sound(&h, 0, 0, 48000);
    free(h.x);
}

/* ---- what is there is heard ---- */

static void test_joined(void **state)
{
    (void)state;
    bytes b = { 0 };
    add_wav(&b, 0, 10000);
    add_wav(&b, 10000, 30001);
    add_wav(&b, 30001, 48000);
    is_whole(&b, "three files");

    for (int k = 0; k < 3; k++) { /* zeros between, a tag, an odd byte */
        add_wav(&b, 0, 20000);
        if (k == 0)
            add_zeros(&b, 777);
        else if (k == 1)
            add(&b, "TAG", 3), add_zeros(&b, 125);
        else
            add_zeros(&b, 1);
        add_wav(&b, 20000, 48000);
        is_whole(&b, "something between");
    }
    for (int k = 0; k < 2; k++) { /* lengths that are not known, as where programs wrote into pipes */
        add_wav(&b, 0, 20000);
        memset(b.data + 40, k ? 0xff : 0, 4);
        add_wav(&b, 20000, 48000);
        is_whole(&b, "joined without lengths");
    }
    add_wav(&b, 0, 20000); /* another rate and number of channels after the join */
    begin(&b, "RIFF", 36 + 4 * 8000);
    add(&b, "WAVE", 4);
    format_of(&b, 1, 2, 8000, 16);
    begin(&b, "data", 4 * 8000);
    add_zeros(&b, 4 * 8000);
    add_wav(&b, 20000, 48000);
    heard h = hear_both(&b);
    assert_int_equal(h.n, 48000 + RATE);
    assert_string_equal(h.notes, "");
    is_sound(&h, 0, 0, 20000);
    is_sound(&h, 20000 + RATE, 20000, 48000);
    assert_true(fabs(h.duration - 4.0) < 1e-6);
    free(h.x);
}

static void test_chunks(void **state)
{
    (void)state;
    bytes b = { 0 };
    for (int pads = 0; pads < 2; pads++) { /* two data chunks and more, odd ones with and without their pad byte */
        begin(&b, "RIFF", 0);
        add(&b, "WAVE", 4);
        begin(&b, "bext", 603);
        add_zeros(&b, 603 + (size_t)pads);
        format_of(&b, 1, 1, RATE, 16);
        begin(&b, "data", 2 * 20000);
        add_sound(&b, 0, 20000);
        begin(&b, "abcd", 5);
        add_zeros(&b, 6);
        begin(&b, "data", 0);
        begin(&b, "data", 2 * 28000);
        add_sound(&b, 20000, 48000);
        begin(&b, "LIST", 4);
        add(&b, "INFO", 4);
        is_whole(&b, "chunks between");
    }
    static const size_t before[] = { 0, 60000, 70000, 390000, 3000000 }; /* what recorders write before the sound */
    static const uint32_t marks[] = { 0, 0xffffffffu, 0xffffffffu - 44, 0x7ffff000u, 0x7fffffffu, 0x80000000u };
    for (size_t i = 0; i < WH_COUNT(before); i++)
        for (size_t k = 0; k < WH_COUNT(marks); k++) {
            begin(&b, "RIFF", marks[k]);
            add(&b, "WAVE", 4);
            format_of(&b, 1, 1, RATE, 16);
            begin(&b, "LIST", (uint32_t)before[i]);
            add_zeros(&b, before[i]);
            begin(&b, "data", marks[k]);
            add_sound(&b, 0, 48000);
            is_whole(&b, "an unfinished recording");
        }
    for (int k = 0; k < 6; k++) { /* 64-bit lengths: known, 0, -1 */
        uint64_t length = k % 3 == 0 ? 96000 : k % 3 == 1 ? 0 : UINT64_MAX;
        begin(&b, k < 3 ? "RF64" : "BW64", UINT32_MAX);
        add(&b, "WAVE", 4);
        begin(&b, "ds64", 28);
        add_number(&b, length, 8, 0);
        add_number(&b, length, 8, 0);
        add_zeros(&b, 12);
        format_of(&b, 1, 1, RATE, 16);
        begin(&b, "data", UINT32_MAX);
        add_sound(&b, 0, 48000);
        is_whole(&b, "RF64, BW64");
    }
    begin(&b, "RIFF", 36); /* no sound in it, which is no error */
    add(&b, "WAVE", 4);
    format_of(&b, 1, 1, RATE, 16);
    begin(&b, "data", 0);
    heard h = hear_both(&b);
    assert_int_equal(h.rc, WHISP_OK);
    assert_int_equal(h.n, 0);
    assert_string_equal(h.notes, "");
    free(h.x);
}

/* AU and AIFF: joined, and with lengths that are not known. */
static void test_relatives(void **state)
{
    (void)state;
    bytes b = { 0 };
    for (int k = 0; k < 2; k++) {
        for (int part = 0; part < 2; part++) {
            add(&b, ".snd", 4);
            uint32_t header[] = { 24, part && k ? UINT32_MAX : part ? 56000 : 40000, 3, RATE, 1 };
            for (size_t i = 0; i < WH_COUNT(header); i++)
                add_number(&b, header[i], 4, 1);
            for (int64_t i = part ? 20000 : 0; i < (part ? 48000 : 20000); i++)
                add_number(&b, (uint16_t)sample(i), 2, 1);
        }
        is_whole(&b, "AU");
    }
    static const uint32_t marks[] = { 96008, 0, 8, UINT32_MAX, 0x7f000024 };
    for (size_t k = 0; k < WH_COUNT(marks); k++) {
        add(&b, "FORM\0\0\0\0AIFF", 12);
        add(&b, "NAME\377\377\377\370", k == 0 ? 0 : 0);
        add(&b, "ANNO\0\0\0\3abc\0COMM\0\0\0\22\0\1\0\0\0\0\0\20\100\14\372\0\0\0\0\0\0\0", 12 + 26);
        add(&b, "SSND", 4);
        add_number(&b, marks[k], 4, 1);
        add_zeros(&b, 8);
        for (int64_t i = 0; i < 48000; i++)
            add_number(&b, (uint16_t)sample(i), 2, 1);
        is_whole(&b, "AIFF");
    }
}

/* ---- what is not all there is told ---- */

static void test_told(void **state)
{
    (void)state;
    bytes b = { 0 };
    add_wav(&b, 0, 48000); /* cut off */
    b.n = 44 + 2 * 20000;
    heard h = hear_both(&b);
    assert_int_equal(h.n, 20000);
    assert_string_equal(h.notes, "stopped at 0:01.3 of 0:03.0: the rest is not there");
    assert_true(h.incomplete);
    free(h.x);

    add_wav(&b, 0, 48000); /* cut off, then joined */
    b.n = 44 + 2 * 20000;
    add_wav(&b, 20000, 48000);
    h = hear_both(&b);
    assert_int_equal(h.n, 48000);
    is_sound(&h, 0, 0, 48000);
    assert_true(h.incomplete);
    free(h.x);

    add_wav(&b, 0, 48000); /* something behind it that is nothing */
    for (unsigned i = 1; i <= 500; i++)
        add_number(&b, i * 37 % 255 + 1, 1, 0);
    h = hear_both(&b);
    assert_int_equal(h.n, 48000);
    assert_string_equal(h.notes, "500 bytes behind its sound (at 0:03.0) were not understood");
    assert_true(h.incomplete);
    free(h.x);

    for (int k = 0; k < 4; k++) { /* nothing worth a word: zeros, a chunk, a tag, a length that counts the header */
        add_wav(&b, 0, 48000);
        if (k == 0)
            add_zeros(&b, 5000);
        else if (k == 1)
            begin(&b, "wxyz", 3), add_zeros(&b, 4);
        else if (k == 2)
            add(&b, "TAG", 3), add_zeros(&b, 125);
        else
            begin(&b, "LIST", 4), add(&b, "INFO", 4);
        is_whole(&b, "behind the sound");
    }
    /* libsndfile's parser stays in this chunk for ever: an entry of -8 bytes */
    add(&b, "RIFF\110\0\0\0WAVELIST\34\0\0\0INFOxxxx\370\377\377\377", 28);
    add_zeros(&b, 16);
    h = hear_both(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "no sound"));
}

/* Codings that nothing here decodes: the line that helps. */
static void test_refused(void **state)
{
    (void)state;
    bytes b = { 0 };
    begin(&b, "RIFF", 100);
    add(&b, "WAVE", 4);
    format_of(&b, 0x45, 1, 8000, 4);
    begin(&b, "data", 1000);
    add_zeros(&b, 1000);
    heard h = hear_both(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "ffmpeg -i - -ac 1 -ar 16000 -f wav - | whisp -"));

    add(&b, "caff\0\1\0\0desc\0\0\0\0\0\0\0\40\100\345\210\200\0\0\0\0aac ", 8 + 12 + 12);
    add_zeros(&b, 12);
    add(&b, "\0\0\0\1\0\0\0\0data\0\0\0\0\0\0\0\10\0\0\0\0abcd", 8 + 12 + 8);
    h = hear_both(&b);
    assert_int_equal(h.rc, WHISP_ERR_AUDIO);
    assert_non_null(strstr(h.error, "ffmpeg"));
}

/* ---- samples ---- */

/* Every kind of sample through libsndfile's writer and our reader: the same as through libsndfile's. */
static void test_samples(void **state)
{
    (void)state;
    static const int kinds[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_WAV | SF_FORMAT_PCM_24,
        SF_FORMAT_WAV | SF_FORMAT_PCM_32, SF_FORMAT_WAV | SF_FORMAT_FLOAT, SF_FORMAT_WAV | SF_FORMAT_DOUBLE,
        SF_FORMAT_WAV | SF_FORMAT_ULAW, SF_FORMAT_WAV | SF_FORMAT_ALAW, SF_FORMAT_AIFF | SF_FORMAT_PCM_S8,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_24, SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE,
        SF_FORMAT_AIFF | SF_FORMAT_DOUBLE, SF_FORMAT_CAF | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE,
        SF_FORMAT_CAF | SF_FORMAT_PCM_32, SF_FORMAT_AU | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE, SF_FORMAT_AU | SF_FORMAT_FLOAT,
        SF_FORMAT_W64 | SF_FORMAT_PCM_24, SF_FORMAT_RF64 | SF_FORMAT_PCM_U8, SF_FORMAT_CAF | SF_FORMAT_ALAC_16,
    };
    for (size_t k = 0; k < WH_COUNT(kinds); k++) {
        const char *path = temp_path("kind");
        SF_INFO info = { .samplerate = RATE, .channels = 2, .format = kinds[k] };
        static float frames[5000][2], again[5000][2];
        SNDFILE *file = sf_open(path, SFM_WRITE, &info);
        assert_non_null(file);
        for (int i = 0; i < 5000; i++) {
            frames[i][0] = (float)sample(i) / 32768.0f;
            frames[i][1] = (float)sin(i * 0.01);
        }
        sf_writef_float(file, frames[0], 5000);
        sf_close(file);
        info = (SF_INFO){ 0 };
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
        whisp_audio_close(audio);
    }
}

/* ---- channels ---- */

enum { FL = 1, FR = 2, FC = 4, LFE = 8, BL = 0x10, BR = 0x20, FLC = 0x40, FRC = 0x80, BC = 0x100, SL = 0x200, SR = 0x400 };

/* The gains of `ffmpeg -ac 1` (5.1.9), read off its output for one channel at a time, in 1/32768; docs/audio.md has how. */
static const struct {
    uint32_t speakers;
    int channels;
    int gains[8];
} layouts[] = {
    { 0, 1, { 32768 } },
    { FL, 1, { 32768 } },
    { 0, 2, { 16384, 16384 } },
    { FL | FR, 2, { 16384, 16384 } },
    { FC | LFE, 2, { 32768, 0 } },
    { 0, 3, { 16384, 16384, 0 } }, /* 2.1 */
    { FL | FR | FC, 3, { 9598, 9598, 13573 } },
    { FL | FR | BC, 3, { 12104, 12104, 8559 } },
    { 0, 4, { 7951, 7951, 11244, 5622 } }, /* 4.0 */
    { FL | FR | BL | BR, 4, { 9598, 9598, 6786, 6786 } },
    { FL | FR | SL | SR, 4, { 9598, 9598, 6786, 6786 } },
    { FL | FR | FC | LFE, 4, { 9598, 9598, 13573, 0 } },
    { 0, 5, { 6786, 6786, 9598, 4799, 4799 } }, /* 5.0 */
    { FL | FR | FC | SL | SR, 5, { 6786, 6786, 9598, 4799, 4799 } },
    { FL | FR | FC | LFE | BC, 5, { 7951, 7951, 11244, 0, 5622 } },
    { 0, 6, { 6786, 6786, 9598, 0, 4799, 4799 } }, /* 5.1 */
    { 0x3f, 6, { 6786, 6786, 9598, 0, 4799, 4799 } },
    { 0x60f, 6, { 6786, 6786, 9598, 0, 4799, 4799 } },
    { FL | FR | FC | BC | SL | SR, 6, { 5920, 5920, 8372, 4186, 4186, 4186 } },
    { FL | FR | FLC | FRC | SL | SR, 6, { 6052, 6052, 6052, 6052, 4280, 4280 } },
    { 0, 7, { 5920, 5920, 8372, 0, 4186, 4186, 4186 } }, /* 6.1 */
    { FL | FR | FC | FLC | FRC | SL | SR, 7, { 4799, 4799, 6786, 4799, 4799, 3393, 3393 } },
    { 0, 8, { 5249, 5249, 7423, 0, 3712, 3712, 3712, 3712 } }, /* 7.1 */
    { 0xff, 8, { 4799, 4799, 6786, 0, 3393, 3393, 4799, 4799 } }, /* 7.1 (wide) */
    { FL | FC, 2, { 16384, 16384 } }, /* what ffmpeg refuses: each as loud as the others */
    { SL | SR, 2, { 16384, 16384 } },
};

static void test_gains(void **state)
{
    (void)state;
    for (size_t k = 0; k < WH_COUNT(layouts); k++)
        for (int is_16_bit = 0; is_16_bit < 2; is_16_bit++) {
            wh_sound sound = { RATE, layouts[k].channels, layouts[k].speakers, is_16_bit, 0 };
            float gains[8];
            wh_mix_gains(&sound, gains);
            for (int c = 0; c < sound.channels; c++) {
                double off = fabs((double)gains[c] * 32768 - layouts[k].gains[c]);
                if (off > (is_16_bit ? 0 : 0.51)) /* "within half a step" where they are exact numbers */
                    fail_msg("layout %zu, channel %d: %.2f, not %d", k, c, (double)gains[c] * 32768, layouts[k].gains[c]);
            }
        }
}

/* A film: who speaks in the centre is louder than the music around. */
static void test_surround(void **state)
{
    (void)state;
    for (int with_mask = 0; with_mask < 2; with_mask++) {
        bytes b = { 0 };
        begin(&b, "RIFF", 0);
        add(&b, "WAVE", 4);
        if (with_mask)
            extensible(&b, 6, RATE, 0x3f);
        else
            format_of(&b, 1, 6, RATE, 16);
        begin(&b, "data", 12 * 5000);
        for (int64_t i = 0; i < 5000; i++)
            for (int c = 0; c < 6; c++) /* speech in the centre, a loud subwoofer, music elsewhere */
                add_number(&b, (uint16_t)(c == 2 ? 16000 : c == 3 ? 30000 : i & 1 ? 1000 : -1000), 2, 0);
        heard h = hear_both(&b);
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

static void add_stereo(bytes *b, int64_t frames, double (*make)(int64_t, double, int))
{
    uint64_t seed = 5;
    begin(b, "RIFF", 0);
    add(b, "WAVE", 4);
    format_of(b, 1, 2, RATE, 16);
    begin(b, "data", (uint32_t)(4 * frames));
    for (int64_t i = 0; i < frames; i++) {
        double x = voice(i, &seed);
        for (int c = 0; c < 2; c++)
            add_number(b, (uint16_t)(int16_t)lrint(20000 * make(i, x, c)), 2, 0);
    }
}

static double inverted(int64_t i, double x, int c) { (void)i; return c ? -x : x; }
static double weaker(int64_t i, double x, int c) { (void)i; return c ? -0.9 * x : x; }
static double louder(int64_t i, double x, int c) { (void)i; return c ? -x : 0.7 * x; }
static double later(int64_t i, double x, int c) { return c && i >= 20 * RATE ? -x : x; }
static double one(int64_t i, double x, int c) { (void)i; return c ? 0 : x; }
static double nothing(int64_t i, double x, int c) { (void)x; return c ? -(double)(i & 1) / 20000 : (double)(i & 1) / 20000; }

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
    bytes b = { 0 };
    static const struct {
        double (*make)(int64_t, double, int);
        const char *note;
    } cases[] = {
        { inverted, "its two channels cancel each other for 25.0 s from 0:00.0 on: the left one was heard there, not both" },
        { weaker, "its two channels cancel each other for 25.0 s from 0:00.0 on: the left one was heard there, not both" },
        { louder, "its two channels cancel each other for 25.0 s from 0:00.0 on: the right one was heard there, not both" },
        { later, "its two channels cancel each other for 5.0 s from 0:20.0 on: the left one was heard there, not both" },
        { one, "" }, { nothing, "" }, { wide, "" }, { delayed, "" },
    };
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        uint64_t seed = 5;
        add_stereo(&b, 25 * RATE, cases[k].make);
        heard h = hear_both(&b);
        assert_int_equal(h.n, 25 * RATE);
        assert_string_equal(h.notes, cases[k].note);
        assert_false(h.incomplete);
        for (int64_t i = 0; i < h.n && k < 4; i++) {
            double x = voice(i, &seed), expected = 20000 * (k == 2 ? -x : x);
            assert_true(fabs((double)h.x[i] * 32768 - expected) < 1);
        }
        free(h.x);
    }
}

/* ---- floats ---- */

static void add_floats(bytes *b, int64_t n, double (*make)(int64_t))
{
    begin(b, "RIFF", 0);
    add(b, "WAVE", 4);
    format_of(b, 3, 1, RATE, 32);
    begin(b, "data", (uint32_t)(4 * n));
    for (int64_t i = 0; i < n; i++) {
        float x = (float)make(i);
        uint32_t bits;
        memcpy(&bits, &x, 4);
        add_number(b, bits, 4, 0);
    }
}

static double usual(int64_t i) { return 0.4 * sin(i * 0.1); }
static double hot(int64_t i) { return 4.0 * sin(i * 0.1); }
static double silent(int64_t i) { (void)i; return 0; }
static double in_16(int64_t i) { return sample(i); }
static double fractions(int64_t i) { return sample(i) + 0.25; }
static double quiet(int64_t i) { return rint(3 * sin(i * 0.1)); }
static double in_24(int64_t i) { return sample(i) * 256.0; }
static double in_32(int64_t i) { return sample(i) * 65536.0; }
static double zeros_first(int64_t i) { return i < 11 * RATE ? 0 : sample(i); }
static double rubbish(int64_t i) { return i % 5000 == 7 ? 1e20 : 0.4 * sin(i * 0.1); }

static void test_floats(void **state)
{
    (void)state;
    static const struct {
        double (*make)(int64_t);
        double scale;
        const char *note;
    } cases[] = {
        { usual, 1, NULL }, { hot, 1, NULL }, { silent, 1, NULL }, { rubbish, 1, NULL },
        { in_16, 32768, "range of 16-bit integers" }, { fractions, 32768, "range of 16-bit integers" },
        { quiet, 32768, "range of 16-bit integers" }, { in_24, 8388608, "range of 24-bit integers" },
        { in_32, 2147483648.0, "range of 32-bit integers" }, { zeros_first, 32768, "at 0:10.0" },
    };
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        bytes b = { 0 };
        int64_t n = cases[k].make == zeros_first ? 15 * RATE : 3 * RATE;
        add_floats(&b, n, cases[k].make);
        heard h = hear_both(&b);
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
    } cases[] = { { 16000, 1, NULL }, { 44100, 2, NULL }, { 22050, 1, NULL }, { 16000, 2, later } };
    for (size_t k = 0; k < WH_COUNT(cases); k++) {
        bytes b = { 0 };
        const char *path = temp_path("jump.wav");
        int64_t frames = (int64_t)cases[k].rate * 50;
        if (cases[k].make) {
            add_stereo(&b, frames, cases[k].make);
        } else {
            begin(&b, "RIFF", 0);
            add(&b, "WAVE", 4);
            format_of(&b, 1, cases[k].channels, cases[k].rate, 16);
            begin(&b, "data", (uint32_t)(frames * cases[k].channels * 2));
            add_sound(&b, 0, frames * cases[k].channels);
        }
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fwrite(b.data, 1, b.n, file);
        fclose(file);
        FILE *whole = fopen(path, "rb");
        heard h = hear(fileno(whole));
        fclose(whole);
        assert_int_equal(h.n, 50 * RATE);
        static const int64_t places[] = { 0, 1, 5000, 20 * RATE + 123, 30 * RATE, 50 * RATE - 10, 50 * RATE, 60 * RATE };
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
            whisp_audio_close(audio);
        }
        free(h.x);
        free(b.data);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),   cmocka_unit_test(test_chunks),     cmocka_unit_test(test_relatives),
        cmocka_unit_test(test_told),     cmocka_unit_test(test_refused),    cmocka_unit_test(test_samples),
        cmocka_unit_test(test_gains),    cmocka_unit_test(test_surround),   cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_floats),   cmocka_unit_test(test_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
