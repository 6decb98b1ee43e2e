/* test_audio.c - recordings in many formats, from files and pipes, and files that are none.
 *
 * The recordings are made here, with libsndfile. */
#include "support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/audio.h"
#include "whisp_live.h"

#define PI 3.14159265358979323846

/* libsndfile 1.2.0 forgets 6 KB when the headers of an Ogg Vorbis file are damaged. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init\nleak:vorbis_synthesis_headerin\n";
}

/* ---- helpers ---- */

typedef struct feeder {
    int fd;
    const char *data;
    size_t n, piece;
} feeder;

static void *feed(void *arg)
{
    feeder *f = arg;
    size_t done = 0;
    while (done < f->n) {
        ssize_t wrote = write(f->fd, f->data + done, WH_MIN(f->piece, f->n - done));
        if (wrote <= 0)
            break; /* the reader has gone */
        done += (size_t)wrote;
    }
    close(f->fd);
    return NULL;
}

/* All samples of an open recording; *n is -1 when reading failed. */
static float *drain(whisp_audio *audio, int64_t *n)
{
    size_t capacity = 1 << 16, piece = 1;
    float *x = malloc(capacity * sizeof *x);
    int64_t got;
    *n = 0;
    for (;;) {
        if ((size_t)*n + 5000 > capacity)
            x = realloc(x, (capacity *= 2) * sizeof *x);
        assert_non_null(x);
        got = whisp_audio_read(audio, x + *n, piece);
        if (got <= 0)
            break;
        *n += got;
        assert_true(*n < 16000 * 200); /* nothing here is that long */
        piece = piece * 7 % 4999;      /* blocks of all sizes */
    }
    if (got < 0)
        *n = -1;
    return x;
}

static float *read_path(const char *path, int64_t *n, whisp_audio_info *info, char *format)
{
    whisp_audio *audio;
    int rc = whisp_audio_open(path, &audio);
    if (rc != WHISP_OK)
        fail_msg("%s", whisp_last_error());
    info->size = sizeof *info;
    assert_int_equal(whisp_audio_describe(audio, info), WHISP_OK);
    snprintf(format, 80, "%s", info->format);
    float *x = drain(audio, n);
    whisp_audio_free(audio);
    return x;
}

/* Bytes through a pipe: rc of the opening, and the samples if that went well. */
static int read_pipe(const char *data, size_t bytes, size_t piece, float **x, int64_t *n)
{
    int ends[2];
    pthread_t thread;
    whisp_audio *audio;
    *x = NULL;
    *n = 0;
    assert_int_equal(pipe(ends), 0);
    feeder f = {ends[1], data, bytes, piece};
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    int rc = whisp_audio_open_fd(ends[0], &audio);
    if (rc == WHISP_OK) {
        whisp_audio_info info = {.size = sizeof info};
        assert_int_equal(whisp_audio_describe(audio, &info), WHISP_OK);
        assert_true(info.duration < 0.0);
        *x = drain(audio, n);
        whisp_audio_free(audio);
    } else {
        assert_null(audio);
    }
    close(ends[0]);
    pthread_join(thread, NULL);
    return rc;
}

static void write_bytes(const char *path, const void *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* What is recorded: two tones that swell, the same in every channel. */
static double tone(double t)
{
    return (0.2 + 0.1 * sin(3.0 * t)) * (sin(2.0 * PI * 440.0 * t) + 0.5 * sin(2.0 * PI * 1330.0 * t));
}

static const char *record(const char *name, int format, int rate, int channels, double seconds)
{
    const char *path = temp_path(name);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (!file)
        return NULL;
    float block[64 * 8];
    sf_count_t frames = (sf_count_t)(seconds * rate);
    sf_set_string(file, SF_STR_TITLE, "Two tones");
    for (sf_count_t at = 0; at < frames; at += 64) {
        sf_count_t n = WH_MIN(64, frames - at);
        for (sf_count_t i = 0; i < n; i++)
            for (int c = 0; c < channels; c++)
                block[i * channels + c] = (float)tone((double)(at + i) / rate);
        assert_int_equal(sf_writef_float(file, block, n), n);
    }
    sf_close(file);
    return path;
}

/* ---- formats ---- */

static const struct format {
    const char *name;
    int format, rate, channels;
    double tolerance; /* root mean square against the tones; lossy coders are allowed more */
} formats[] = {
    {"pcm16.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 2e-5},
    {"stereo.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"surround.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 48000, 6, 1e-4},
    {"float.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 22050, 1, 1e-4},
    {"wide.wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 192000, 2, 1e-4},
    {"mulaw.wav", SF_FORMAT_WAV | SF_FORMAT_ULAW, 8000, 1, 1e-2},
    {"ima.wav", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 16000, 2, 2e-2},
    {"gsm.wav", SF_FORMAT_WAV | SF_FORMAT_GSM610, 8000, 1, 1e-1},
    {"big.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 32000, 1, 1e-4},
    {"long.rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"sony.w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"a.au", SF_FORMAT_AU | SF_FORMAT_PCM_16, 11025, 1, 1e-4},
    {"a.caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"a.voc", SF_FORMAT_VOC | SF_FORMAT_PCM_16, 16000, 1, 1e-4},
    {"a.sph", SF_FORMAT_NIST | SF_FORMAT_PCM_16, 16000, 1, 1e-4},
    {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
    {"a24.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 96000, 1, 1e-4},
    {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100, 2, 2e-2},
    {"a.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 2, 2e-2},
    {"a.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 2, 2e-2},
    {"a16.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 16000, 1, 2e-2},
};

/* Every format by file and by pipe: the right number of samples, in the right place, and the same both ways. */
static void test_formats(void **state)
{
    (void)state;
    for (size_t k = 0; k < WH_COUNT(formats); k++) {
        const struct format *f = &formats[k];
        const double seconds = 3.337;
        const char *path = record(f->name, f->format, f->rate, f->channels, seconds);
        if (!path) {
            printf("skipped: this libsndfile does not write %s\n", f->name);
            continue;
        }
        whisp_audio_info info;
        char format[80];
        int64_t n, n_piped, frames = (int64_t)(seconds * f->rate);
        float *x = read_path(path, &n, &info, format), *piped;
        assert_int_equal(info.sample_rate, f->rate);
        assert_int_equal(info.channels, f->channels);
        assert_true(strlen(format) > 4);

        /* ADPCM and GSM have whole blocks only, Vorbis' decoder drops its first one */
        int64_t expected = (int64_t)floor((double)frames * 16000 / f->rate + 0.5);
        int is_blocky = f->tolerance > 1e-3;
        if (llabs(n - expected) > (is_blocky ? 1024 : 0))
            fail_msg("%s: %lld samples, not %lld", f->name, (long long)n, (long long)expected);
        if (fabs(info.duration - (double)frames / f->rate) > 0.1)
            fail_msg("%s: %.3f seconds", f->name, info.duration);

        double error = 0.0;
        int64_t from = 500, to = WH_MIN(n, expected) - 1500;
        for (int64_t i = from; i < to; i++)
            error += pow(x[i] - tone((double)i / 16000), 2.0);
        error = sqrt(error / (double)(to - from));
        if (!(error < f->tolerance))
            fail_msg("%s: differs from what was recorded by %g", f->name, error);

        size_t bytes;
        char *data = read_file(path, &bytes);
        assert_int_equal(read_pipe(data, bytes, 1 + bytes / 50, &piped, &n_piped), WHISP_OK);
        if (n_piped != n || memcmp(x, piped, (size_t)n * sizeof *x) != 0)
            fail_msg("%s: a pipe gives other samples than the file (%lld, %lld)", f->name, (long long)n_piped,
                     (long long)n);
        free(piped);
        free(data);
        free(x);
    }
}

/* Real recordings by file and by pipe, and the reference's samples. */
static void test_shared(void **state)
{
    (void)state;
    static const char *const names[] = {"audio/jfk.flac", "audio/jfk.mp3", "audio/hotwords.mp3",
                                        "audio/stereo_diarization.wav", "audio/italian.ogg"};
    for (size_t k = 0; k < WH_COUNT(names); k++) {
        const char *path = shared_path(names[k]);
        if (!path)
            return;
        whisp_audio_info info;
        char format[80];
        int64_t n, n_piped;
        size_t bytes;
        float *x = read_path(path, &n, &info, format), *piped;
        char *data = read_file(path, &bytes);
        assert_int_equal(read_pipe(data, bytes, 4096, &piped, &n_piped), WHISP_OK);
        assert_int_equal(n, n_piped);
        assert_memory_equal(x, piped, (size_t)n * sizeof *x);
        if (k == 0) {
            size_t n_expected;
            float *expected = read_floats(shared_path("reference/jfk.pcm_176000.f32"), &n_expected);
            assert_int_equal(n, n_expected);
            double signal = 0.0, noise = 0.0;
            for (size_t i = 0; i < n_expected; i++) {
                signal += (double)expected[i] * expected[i];
                noise += pow((double)x[i] - expected[i], 2.0);
            }
            double decibels = 10.0 * log10(signal / noise);
            printf("jfk.flac: %.1f dB between the reference's samples and the difference from them\n", decibels);
            assert_true(decibels > 65.0);
            free(expected);
        }
        free(x);
        free(piped);
        free(data);
    }
}

/* ---- mixing, rounding, resampling ---- */

static void test_rounding(void **state)
{
    (void)state;
    const char *path = temp_path("round.wav");
    /* left, right -> (left + right) / 2, halves up, clipped */
    static const float frames[][2] = {{1, 2},         {-1, -2},         {3, 4},         {0, -1},
                                      {32767, 32767}, {-32768, -32768}, {40000, 40000}, {-50000, -50000},
                                      {0.25f, 0.25f}, {0.5f, 0.5f}};
    static const float expected[] = {2, -1, 4, 0, 32767, -32768, 32767, -32768, 0, 1};
    float scaled[WH_COUNT(frames)][2];
    for (size_t i = 0; i < WH_COUNT(frames); i++)
        for (int c = 0; c < 2; c++)
            scaled[i][c] = frames[i][c] / 32768.0f;
    SF_INFO make = {.samplerate = 16000, .channels = 2, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &make);
    assert_non_null(file);
    sf_writef_float(file, scaled[0], WH_COUNT(frames));
    sf_close(file);

    whisp_audio_info info;
    char format[80];
    int64_t n;
    float *x = read_path(path, &n, &info, format);
    assert_int_equal(n, WH_COUNT(frames));
    for (size_t i = 0; i < WH_COUNT(frames); i++)
        assert_float_equal(x[i] * 32768.0f, expected[i], 0.0);
    free(x);
}

static void test_not_finite(void **state)
{
    (void)state;
    for (int rate = 16000; rate <= 44100; rate += 28100) {
        const char *path = temp_path("nan.wav");
        SF_INFO make = {.samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
        SNDFILE *file = sf_open(path, SFM_WRITE, &make);
        float bad[300];
        for (int i = 0; i < 300; i++)
            bad[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? INFINITY : i % 4 == 2 ? -INFINITY : 0.0f;
        for (int i = 0; i < 20; i++)
            sf_writef_float(file, bad, 300);
        bad[0] = 3e38f; /* finite, but no sound */
        sf_writef_float(file, bad, 1);
        sf_close(file);

        whisp_audio *audio;
        int64_t n;
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
        float *x = drain(audio, &n);
        int incomplete = 0;
        assert_string_equal(whisp_audio_warning(audio, 0, &incomplete),
                            "4500 samples are not finite numbers; they count as "
                            "silence");
        assert_true(incomplete); /* 4500 are noticeable */
        assert_null(whisp_audio_warning(audio, 1, NULL));
        for (int64_t i = 0; i < n - 200; i++)
            assert_float_equal(x[i], 0.0, 0.0);
        for (int64_t i = n - 200; i < n; i++)
            assert_true(x[i] >= -1.0f && x[i] <= 1.0f);
        free(x);
        whisp_audio_free(audio);
    }
}

static void test_rates(void **state)
{
    (void)state;
    static const int rates[] = {100,   6000,  7999,  384000, 8000,  11025, 12000,
                                16000, 22050, 24000, 37800,  48000, 88200, 192000};
    static const int refused[] = {99, 4000001};
    static const int lengths[] = {0, 1, 2, 3, 1000, 4096, 4097};
    for (size_t r = 0; r < WH_COUNT(rates); r++) {
        for (size_t k = 0; k < WH_COUNT(lengths); k++) {
            const char *path = record("rate.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, rates[r], 1,
                                      (lengths[k] + 0.5) / rates[r]);
            whisp_audio_info info;
            char format[80];
            int64_t n;
            assert_non_null(path);
            free(read_path(path, &n, &info, format));
            assert_int_equal(n, (int64_t)floor((double)lengths[k] * 16000 / rates[r] + 0.5));
        }
    }
    for (size_t r = 0; r < WH_COUNT(refused); r++) {
        const char *path = record("rate.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, refused[r], 1, 0.1);
        whisp_audio *audio;
        assert_non_null(path);
        assert_int_equal(whisp_audio_open(path, &audio), WHISP_ERR_AUDIO);
        assert_non_null(strstr(whisp_last_error(), "sample rate"));
        assert_non_null(strstr(whisp_last_error(), "-ac 1 -ar 16000 -f wav - | whisp -"));
    }
}

/* ---- headers that pipes get, tags, damage ---- */

static void test_unknown_lengths(void **state)
{
    (void)state;
    static const uint32_t marks[] = {0, 0xffffffffu, 0xffffffffu - 44, 0x7ffff000u, 0x7fffffffu, 0x80000000u};
    const char *path = record("head.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 100.0);
    assert_non_null(path);
    size_t bytes;
    char *data = read_file(path, &bytes);
    char *chunk = memmem(data, 512, "data", 4);
    assert_non_null(chunk);
    for (size_t k = 0; k < WH_COUNT(marks); k++) {
        uint32_t riff = marks[k] ? marks[k] : 36;
        int64_t n;
        float *x;
        memcpy(data + 4, &riff, 4);
        memcpy(chunk + 4, &marks[k], 4);
        assert_int_equal(read_pipe(data, bytes, 10000, &x, &n), WHISP_OK);
        if (n < 1600000 || n > 1600100) /* what follows the sound counts as sound */
            fail_msg("length mark %08x: %lld samples", (unsigned)marks[k], (long long)n);
        free(x);
    }
    free(data);
}

static void test_tags_and_junk(void **state)
{
    (void)state;
    const char *path = record("plain.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 1, 3.0);
    if (!path) {
        printf("skipped: this libsndfile does not write MP3\n");
        return;
    }
    size_t bytes, skip = 0;
    char *data = read_file(path, &bytes);
    if (memcmp(data, "ID3", 3) == 0)
        skip = 10u + ((size_t)data[6] << 21 | (size_t)data[7] << 14 | (size_t)data[8] << 7 | (size_t)data[9]);
    int64_t n, n_plain;
    float *x, *plain;
    assert_int_equal(read_pipe(data + skip, bytes - skip, 1000, &plain, &n_plain), WHISP_OK);
    assert_int_equal(n_plain, 48000);

    /* a tag of 3 MB (a picture, say) and padding; then 1,000 bytes of something else */
    static const size_t before[] = {3 << 20, 1000};
    for (size_t k = 0; k < WH_COUNT(before); k++) {
        char *longer = calloc(before[k] + 4096 + bytes, 1);
        size_t at = before[k];
        if (k == 0) {
            memcpy(longer, "ID3\4\0\0", 6);
            size_t size = before[k] - 10;
            for (int i = 0; i < 4; i++)
                longer[6 + i] = (char)(size >> (21 - 7 * i) & 127);
            at += 300;
        } else {
            for (size_t i = 0; i < before[k]; i++)
                longer[i] = (char)(i * i % 251);
        }
        memcpy(longer + at, data + skip, bytes - skip);
        const char *tagged = temp_path("tagged.mp3");
        write_bytes(tagged, longer, at + bytes - skip);
        whisp_audio_info info;
        char format[80];
        x = read_path(tagged, &n, &info, format);
        assert_int_equal(n, n_plain);
        assert_memory_equal(x, plain, (size_t)n * sizeof *x);
        free(x);
        assert_int_equal(read_pipe(longer, at + bytes - skip, 50000, &x, &n), WHISP_OK);
        assert_int_equal(n, n_plain);
        assert_memory_equal(x, plain, (size_t)n * sizeof *x);
        free(x);
        free(longer);
    }
    free(plain);
    free(data);
}

/* Two MP3s in one file, as some programs join them: both are heard, whatever the first one's header says. */
static void test_joined(void **state)
{
    (void)state;
    size_t bytes[2];
    char *data[2];
    for (int k = 0; k < 2; k++) {
        const char *path = record(k ? "second.mp3" : "first.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 16000,
                                  k + 1, 4.0);
        if (!path) {
            printf("skipped: this libsndfile does not write MP3\n");
            return;
        }
        data[k] = read_file(path, &bytes[k]);
    }
    char *joined = malloc(bytes[0] + bytes[1]);
    memcpy(joined, data[0], bytes[0]);
    memcpy(joined + bytes[0], data[1], bytes[1]);
    const char *path = temp_path("joined.mp3");
    write_bytes(path, joined, bytes[0] + bytes[1]);
    whisp_audio_info info;
    char format[80];
    int64_t n, n_piped;
    float *x = read_path(path, &n, &info, format), *piped;
    assert_true(llabs(n - 2 * 64000) < 4000); /* the coder's delay and padding lie between them */
    double power = 0.0;
    for (int64_t i = 70000; i < 120000; i++)
        power += (double)x[i] * x[i];
    assert_true(sqrt(power / 50000) > 0.1);
    assert_int_equal(read_pipe(joined, bytes[0] + bytes[1], 1000, &piped, &n_piped), WHISP_OK);
    assert_int_equal(n, n_piped);
    assert_memory_equal(x, piped, (size_t)n * sizeof *x);
    free(x);
    free(piped);
    free(joined);
    free(data[0]);
    free(data[1]);
}

/* Cut short: what is there is heard, the same from a file and a pipe. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t k = 0; k < WH_COUNT(formats); k++) {
        const char *path = record(formats[k].name, formats[k].format, formats[k].rate, formats[k].channels, 3.0);
        if (!path)
            continue;
        size_t bytes;
        char *data = read_file(path, &bytes);
        for (int part = 0; part < 12; part++) {
            size_t cut = part < 8 ? 3u + 37u * (size_t)(part * part) : bytes * (size_t)(part - 7) / 5;
            const char *cut_path = temp_path("cut");
            whisp_audio *audio;
            int64_t n_file = -2, n_pipe;
            float *x;
            cut = WH_MIN(cut, bytes);
            write_bytes(cut_path, data, cut);
            int rc = whisp_audio_open(cut_path, &audio);
            if (rc == WHISP_OK) {
                free(drain(audio, &n_file));
                whisp_audio_free(audio);
            }
            if (rc != WHISP_OK || n_file < 0)
                assert_non_null(strstr(whisp_last_error(), cut_path));
            int rc_pipe = read_pipe(data, cut, 999, &x, &n_pipe);
            free(x);
            if (part == 11) {
                /* four fifths must give most of it (Ogg pages last a second) */
                if (rc != WHISP_OK || rc_pipe != WHISP_OK || n_file < 16000 || n_pipe < 16000)
                    fail_msg("%s, four fifths of it: %d, %lld; %d, %lld", formats[k].name, rc, (long long)n_file,
                             rc_pipe, (long long)n_pipe);
            }
        }
        free(data);
    }
}

/* Random damage must not crash, hang, make non-numbers or have anything printed. */
static void test_damaged(void **state)
{
    (void)state;
    uint64_t seed = 11;
    const char *printed = temp_path("stderr");
    int errors = open(printed, O_RDWR | O_CREAT | O_TRUNC, 0600), saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(errors, STDERR_FILENO);
    for (size_t k = 0; k < WH_COUNT(formats); k++) {
        const char *path = record(formats[k].name, formats[k].format, formats[k].rate, formats[k].channels, 0.5);
        if (!path)
            continue;
        size_t bytes;
        char *data = read_file(path, &bytes), *copy = malloc(bytes);
        for (int round = 0; round < 30; round++) {
            memcpy(copy, data, bytes);
            size_t range = round % 3 ? WH_MIN(bytes, 120) : bytes;
            for (int i = 0; i < 1 + round / 3; i++)
                copy[(size_t)(random_unit(&seed) * (double)range)] = (char)(int)(random_unit(&seed) * 256.0);
            const char *bad_path = temp_path("damaged");
            whisp_audio *audio;
            int64_t n = 0;
            float *x = NULL;
            write_bytes(bad_path, copy, bytes);
            if (whisp_audio_open(bad_path, &audio) == WHISP_OK) {
                x = drain(audio, &n);
                whisp_audio_free(audio);
            }
            for (int64_t i = 0; i < n; i++)
                assert_true(x[i] >= -1.0f && x[i] <= 1.0f);
            free(x);
            read_pipe(copy, bytes, 5000, &x, &n);
            for (int64_t i = 0; i < n; i++)
                assert_true(x[i] >= -1.0f && x[i] <= 1.0f);
            free(x);
        }
        free(copy);
        free(data);
    }
    dup2(saved, STDERR_FILENO);
    assert_int_equal(lseek(errors, 0, SEEK_END), 0);
    close(errors);
    close(saved);
}

/* ---- what is no recording ---- */

static void refuse(const char *path, int code, const char *why)
{
    whisp_audio *audio = (whisp_audio *)&audio;
    assert_int_equal(whisp_audio_open(path, &audio), code);
    assert_null(audio);
    const char *error = whisp_last_error();
    if (!strstr(error, why) || strncmp(error, path, strlen(path)) != 0 || strchr(error, '\n'))
        fail_msg("'%s' should name %s and say '%s'", error, path, why);
}

static void test_errors(void **state)
{
    (void)state;
    static const char text[] = "This is a text, and whoever called it music was wrong.\n";
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *why;
    } files[] = {
        {"empty.wav", "", 0, "is empty"},
        {"text.mp3", text, sizeof text - 1, "not a recording"},
        {"short.wav", "RIFF\0\0\0\0WAVE", 12, "not a recording"},
        {"talk.m4a", "\0\0\0\040ftypM4A \0\0\0\0", 16, "/talk.m4a' -ac 1 -ar 16000 -f wav - | whisp -"},
        {"it's.webm", "\x1a\x45\xdf\xa3\0\0\0\0", 8, "/it'\\''s.webm' -ac 1 -ar 16000 -f wav - | whisp -"},
        {"talk.wma", "\x30\x26\xb2\x75\x8e\x66\xcf\x11", 8, "Windows Media"},
        {"talk.aac", "\xff\xf1\x50\x80\x2e\x7f\xfc\x21", 8, "AAC"},
        {"talk.amr", "#!AMR\n\0\0", 8, "AMR"},
        {"sampler.sds", "\xf0\x7e\0\1\0\0\0\0\0\0\0\0", 12, "sample dump"},
    };
    for (size_t k = 0; k < WH_COUNT(files); k++) {
        const char *path = temp_path(files[k].name);
        write_bytes(path, files[k].bytes, files[k].n);
        refuse(path, WHISP_ERR_AUDIO, files[k].why);
        float *x;
        int64_t n;
        assert_int_equal(read_pipe(files[k].bytes, files[k].n, 3, &x, &n), WHISP_ERR_AUDIO);
        assert_int_equal(strncmp(whisp_last_error(), "file descriptor ", 16), 0);
    }
    const char *nowhere = temp_path("nowhere.wav");
    refuse(nowhere, WHISP_ERR_IO, "No such file");
    refuse(".", WHISP_ERR_IO, "is a directory");
    if (geteuid() != 0) {
        const char *secret = temp_path("secret.wav");
        write_bytes(secret, text, sizeof text);
        chmod(secret, 0);
        refuse(secret, WHISP_ERR_IO, "Permission denied");
    }
    whisp_audio *audio;
    assert_int_equal(whisp_audio_open_fd(-1, &audio), WHISP_ERR_IO);
    assert_int_equal(whisp_audio_open(NULL, &audio), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_audio_open(nowhere, NULL), WHISP_ERR_ARGUMENT);
}

/* What is pushed into a live transcription and is neither raw samples nor a recording that is read here. */
static void test_live_input_that_is_no_sound(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        int rc;
    } inputs[] = {
        {"<!DOCTYPE html>\n<html><head><title>404</title></head><body>There is no such file here.</body></html>\n", 97,
         WHISP_ERR_AUDIO},
        {"hello\n", 6, WHISP_ERR_AUDIO},
        {"\x0b\x77\x12\x34\x1e\x40\x2f\x84\0\0\0\0", 12, WHISP_ERR_AUDIO}, /* AC-3 */
        {"\x7f\xfe\x80\x01\xfc\x3c\x7d\xe2\0\0\0\0", 12, WHISP_ERR_AUDIO}, /* DTS */
        {"\x1f\x8b\x08\0\0\0\0\0\0\3\1\1", 12, WHISP_ERR_AUDIO},           /* gzip */
        {"FLV\1\4\0\0\0\x09\0\0\0\0", 13, WHISP_ERR_AUDIO},
        {"\0\0\1\xba\x44\0\4\0\4\1", 10, WHISP_ERR_AUDIO},
        {"\0\0\0\040ftypM4A \0\0\0\0", 16, WHISP_ERR_AUDIO},
        {"\1\0\xfe\xff\3\0\xfb\xff\x20\x20\x20\x20", 12, WHISP_OK}, /* quiet samples */
        {"\0\0\0\0\0\0\0\0\0\0\0\0", 12, WHISP_OK},
        {"\x47\0\1\0\2\0", 6, WHISP_OK},
    };
    for (size_t k = 0; k < WH_COUNT(inputs); k++) {
        int fds[2];
        whisp_audio *audio = NULL;
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write(fds[1], inputs[k].bytes, inputs[k].n), inputs[k].n);
        close(fds[1]);
        int rc = whisp_audio_open_live(fds[0], 16000, 1, &audio);
        if (rc != inputs[k].rc || (rc && !strstr(whisp_last_error(), " | whisp --stream -")))
            fail_msg("input %zu: %d, %s", k, rc, rc ? whisp_last_error() : "taken for samples");
        whisp_audio_free(audio);
        close(fds[0]);
    }
}

/* "-" is standard input, from where it stands; a program may have read some of it. */
static void test_standard_input(void **state)
{
    (void)state;
    const char *path = record("in.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, 1.0);
    assert_non_null(path);
    size_t bytes;
    char *data = read_file(path, &bytes), *longer = calloc(bytes + 100, 1);
    memcpy(longer + 100, data, bytes);
    const char *behind = temp_path("behind");
    write_bytes(behind, longer, bytes + 100);
    int fd = open(behind, O_RDONLY), saved = dup(STDIN_FILENO);
    assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    whisp_audio *audio;
    int64_t n;
    assert_int_equal(whisp_audio_open("-", &audio), WHISP_OK);
    free(drain(audio, &n));
    assert_int_equal(n, 16000);
    whisp_audio_free(audio);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* not closed */

    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    assert_int_equal(whisp_audio_open("-", &audio), WHISP_ERR_AUDIO);
    assert_string_equal(whisp_last_error(), "standard input: is empty; there is nothing to hear");
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(nothing);
    close(fd);
    free(data);
    free(longer);
}

/* An endless pipe in constant memory: 200 MB through it, the process grows by less than 8 MB. */
static void *feed_noise(void *arg)
{
    int fd = *(int *)arg;
    static const unsigned char head[44] = "RIFF\377\377\377\377WAVEfmt \20\0\0\0\1\0\2\0\0\356\2\0\0\270\13\0\4\0\20\0"
                                          "data\377\377\377\377";
    static int16_t block[1 << 16];
    for (size_t i = 0; i < WH_COUNT(block); i++)
        block[i] = (int16_t)(i * 7919);
    if (write(fd, head, sizeof head) == (ssize_t)sizeof head)
        for (int i = 0; i < 1600; i++)
            if (write(fd, block, sizeof block) <= 0)
                break;
    close(fd);
    return NULL;
}

static void test_memory(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    whisp_audio *audio;
    struct rusage before, after;
    static float x[16000];
    int64_t n, total = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&thread, NULL, feed_noise, &ends[1]), 0);
    assert_int_equal(whisp_audio_open_fd(ends[0], &audio), WHISP_OK);
    n = whisp_audio_read(audio, x, WH_COUNT(x));
    getrusage(RUSAGE_SELF, &before);
    while (n > 0) {
        total += n;
        n = whisp_audio_read(audio, x, WH_COUNT(x));
    }
    getrusage(RUSAGE_SELF, &after);
    whisp_audio_free(audio);
    close(ends[0]);
    pthread_join(thread, NULL);
    assert_true(n == 0);
    assert_int_equal(total, (1600LL * (1 << 15) + 6) / 12); /* 192 kHz stereo */
    assert_true(after.ru_maxrss - before.ru_maxrss < 8192);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_rounding),       cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_rates),          cmocka_unit_test(test_unknown_lengths),
        cmocka_unit_test(test_tags_and_junk),  cmocka_unit_test(test_joined),
        cmocka_unit_test(test_truncated),      cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_live_input_that_is_no_sound),
        cmocka_unit_test(test_standard_input), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
