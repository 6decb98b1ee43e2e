/* test_wave_mutations.c - damaged headers of WAV and its family, AIFF, CAF, AU and what libsndfile opens beside them:
 * nothing hangs, nothing crashes, and a pipe hears what a file does.
 *
 * Every run takes another seed, which it prints; WHISP_SEED=N repeats one, WHISP_ROW=NAME takes one kind of
 * recording, WHISP_MUTATIONS=N changes how many, and WHISP_KEEP=PATH leaves there what was heard last. */
#include "support/testing.h"

#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "audio/audio.h"

#ifdef __SANITIZE_ADDRESS__
#define MUTATIONS 300 /* `make test-long` does 2,000 under the sanitizers, too */
#else
#define MUTATIONS 2000 /* of each recording */
#endif
#define SECONDS 10         /* of the CPU that one may take, under the sanitizers too; of waiting ten times as much */
#define HEAD 400           /* bytes in which most of them are made */
#define MOST (16000 * 600) /* samples that so small a file can become */

/* ---- recordings ---- */

typedef struct bytes {
    unsigned char *data; /* [capacity] */
    size_t n;
} bytes;

#define CAPACITY 65536

static void add(bytes *b, const void *data, size_t n)
{
    assert_true(b->n + n <= CAPACITY / 2);
    memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void add_chunk(bytes *b, const char *name, const void *data, uint32_t n)
{
    add(b, name, 4);
    add(b, &n, 4);
    add(b, data, n);
    if (n & 1)
        add(b, "", 1);
}

/* A WAV with the chunks that recorders and editors write, before and behind its sound. */
static void make_chunks(bytes *b)
{
    static const unsigned char format[16] = {1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0};
    static const char info[] = "INFOINAM\6\0\0\0Title\0IART\4\0\0\0Who\0ICMT\10\0\0\0Comment\0ISFT\4\0\0\0abc";
    static const char labels[] = "adtllabl\12\0\0\0\1\0\0\0Label\0note\10\0\0\0\1\0\0\0abc";
    unsigned char zeros[700] = {1}, sound[2000];
    for (size_t i = 0; i < sizeof sound; i++)
        sound[i] = (unsigned char)(i * i >> (i & 1 ? 12 : 3));
    add(b, "RIFF\0\0\0\0WAVE", 12);
    add_chunk(b, "LIST", info, sizeof info);
    add_chunk(b, "bext", zeros, 603);
    add_chunk(b, "fmt ", format, 16);
    add_chunk(b, "cue ", zeros, 28);
    add_chunk(b, "LIST", labels, sizeof labels - 1);
    add_chunk(b, "PEAK", zeros, 16);
    add_chunk(b, "data", sound, 1000);
    add_chunk(b, "smpl", zeros, 60);
    add_chunk(b, "data", sound + 1000, 1000);
    add_chunk(b, "LIST", info, sizeof info);
    add_chunk(b, "id3 ", "ID3\4\0\0\0\0\0\0", 10);
}

/* The callbacks with which libsndfile writes into a `bytes`. */
static sf_count_t at;
static sf_count_t get_length(void *user)
{
    return (sf_count_t)((bytes *)user)->n;
}
static sf_count_t get_at(void *user)
{
    (void)user;
    return at;
}

static sf_count_t seek_to(sf_count_t offset, int whence, void *user)
{
    at = offset + (whence == SEEK_CUR ? at : whence == SEEK_END ? get_length(user) : 0);
    return at;
}

static sf_count_t read_back(void *data, sf_count_t n, void *user)
{
    bytes *b = user;
    n = WH_MAX(0, WH_MIN(n, (sf_count_t)b->n - at));
    memcpy(data, b->data + at, (size_t)n);
    at += n;
    return n;
}

static sf_count_t write_out(const void *data, sf_count_t n, void *user)
{
    bytes *b = user;
    assert_true(at + n <= CAPACITY / 2);
    memcpy(b->data + at, data, (size_t)n);
    at += n;
    b->n = WH_MAX(b->n, (size_t)at);
    return n;
}

static int make_by_sndfile(bytes *b, int format, int rate, int channels)
{
    SF_VIRTUAL_IO io = {get_length, seek_to, read_back, write_out, get_at};
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    float block[2 * 1500];
    at = 0;
    b->n = 0;
    SNDFILE *file = sf_open_virtual(&io, SFM_WRITE, &info, b);
    if (!file)
        return 0;
    for (size_t i = 0; i < WH_COUNT(block); i++)
        block[i] = (float)(i % 100) / 200.0f;
    sf_set_string(file, SF_STR_TITLE, "Title");
    sf_set_string(file, SF_STR_COMMENT, "A comment");
    sf_writef_float(file, block, 1500);
    sf_close(file);
    return 1;
}

static const struct recording {
    const char *name;
    int format, rate, channels; /* format 0: make_chunks() */
    int same;                   /* file and pipe hear the same, however it is damaged. -1: libsndfile reads it from the
                                   first byte on, lib/audio never: a quarter of the mutations */
} recordings[] = {
    {"WAV with chunks", 0, 16000, 1, 1},
    {"WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 2, 1},
    {"WAV extensible", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 44100, 2, 1},
    {"WAV float", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, 1},
    {"WAV ADPCM", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 16000, 2, 1},
    {"WAV MS ADPCM", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, 16000, 1, 1},
    {"WAV GSM", SF_FORMAT_WAV | SF_FORMAT_GSM610, 8000, 1, 1},
    {"RIFX", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 16000, 1, 1},
    {"RF64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 16000, 1, 1},
    {"Wave64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 16000, 1, 1},
    {"AIFF", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 16000, 1, 0},
    {"AIFF-C float", SF_FORMAT_AIFF | SF_FORMAT_FLOAT, 16000, 1, 0},
    {"AIFF-C ADPCM", SF_FORMAT_AIFF | SF_FORMAT_IMA_ADPCM, 16000, 1, 0},
    {"CAF", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 16000, 1, 0},
    {"CAF ALAC", SF_FORMAT_CAF | SF_FORMAT_ALAC_16, 16000, 1, 0},
    {"AU", SF_FORMAT_AU | SF_FORMAT_PCM_16, 16000, 1, 1},
    {"AU ADPCM", SF_FORMAT_AU | SF_FORMAT_G721_32, 8000, 1, 1},
    {"VOC", SF_FORMAT_VOC | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"NIST", SF_FORMAT_NIST | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"IRCAM", SF_FORMAT_IRCAM | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"SVX", SF_FORMAT_SVX | SF_FORMAT_PCM_16, 16000, 1, 1},
    {"AVR", SF_FORMAT_AVR | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"HTK", SF_FORMAT_HTK | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"PAF", SF_FORMAT_PAF | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"PVF", SF_FORMAT_PVF | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"MAT4", SF_FORMAT_MAT4 | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"MAT5", SF_FORMAT_MAT5 | SF_FORMAT_PCM_16, 16000, 1, -1},
    {"WVE", SF_FORMAT_WVE | SF_FORMAT_ALAW, 8000, 1, -1},
    {"XI", SF_FORMAT_XI | SF_FORMAT_DPCM_16, 44100, 1, -1},
    {"MPC2K", SF_FORMAT_MPC2K | SF_FORMAT_PCM_16, 44100, 1, -1},
};

/* ---- damage ---- */

static size_t below(uint64_t *seed, size_t n)
{
    return n ? (size_t)(random_unit(seed) * (double)n) % n : 0;
}

/* A number that sizes and counts are compared with, little- or big-endian. */
static void put_number(unsigned char *p, uint64_t *seed, size_t n)
{
    const uint32_t numbers[] = {
        0,          1,          2,          7,          8,          0xff,        0xffff,
        0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 0xfffffff0, (uint32_t)n, (uint32_t)below(seed, 2 * n),
        0x7ffff000, 0x10000};
    uint32_t number = numbers[below(seed, WH_COUNT(numbers))];
    int is_big = below(seed, 2) == 0;
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(number >> 8 * (is_big ? 3 - i : i));
}

static void damage(bytes *b, uint64_t *seed)
{
    size_t range = below(seed, 4) ? WH_MIN(b->n, (size_t)HEAD) : b->n, place = below(seed, range), n;
    switch (below(seed, 7)) {
    case 0:
    case 1: /* a number */
        if (place + 4 <= b->n)
            put_number(b->data + place / 2 * 2, seed, b->n);
        break;
    case 2: /* a byte */ b->data[place] = (unsigned char)below(seed, 256); break;
    case 3: /* bytes lost */
        n = 1 + below(seed, 40);
        n = WH_MIN(n, b->n - place);
        memmove(b->data + place, b->data + place + n, b->n - place - n);
        b->n -= n;
        break;
    case 4: /* bytes twice */
        n = 1 + below(seed, 100);
        n = WH_MIN(n, b->n - place);
        memmove(b->data + place + n, b->data + place, b->n - place);
        b->n += n;
        break;
    case 5: /* the end lost */ b->n = below(seed, 8) ? b->n : 1 + below(seed, b->n); break;
    default: /* joined to itself */
        if (below(seed, 8) == 0 && b->n < CAPACITY / 4) {
            memcpy(b->data + b->n, b->data, b->n);
            b->n *= 2;
        }
    }
}

/* ---- hearing ---- */

static char current[128]; /* what is being heard, for the alarm */

static void on_alarm(int number)
{
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, current, strlen(current));
    (void)ignored;
    _exit(1);
}

/* All samples' number and a sum over them; -1 where it cannot be opened or read. */
static int64_t hear(int fd, uint64_t *sum)
{
    static float x[16384];
    whisp_audio *audio;
    int64_t n = 0, got;
    *sum = 0;
    if (whisp_audio_open_fd(fd, &audio) != WHISP_OK)
        return -1;
    while ((got = whisp_audio_read(audio, x, WH_COUNT(x))) > 0) {
        for (int64_t i = 0; i < got; i++) {
            assert_true(x[i] >= -1.0f && x[i] < 1.0f);
            *sum = *sum * 31 + (uint64_t)(int64_t)(x[i] * 32768.0f);
        }
        n += got;
        assert_true(n <= MOST);
    }
    whisp_audio_free(audio);
    return got < 0 ? -1 : n;
}

/* A pipe holds 64 KiB, so the writer need not wait for the reader. */
static int64_t hear_pipe(const bytes *b, uint64_t *sum)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], b->data, b->n), b->n);
    close(ends[1]);
    int64_t n = hear(ends[0], sum);
    close(ends[0]);
    return n;
}

static int64_t hear_file(const bytes *b, uint64_t *sum)
{
    int fd = memfd_create("mutation", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->data, b->n), b->n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    int64_t n = hear(fd, sum);
    close(fd);
    return n;
}

static void keep_for_a_person(const bytes *b)
{
    const char *path = getenv("WHISP_KEEP");
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(b->data, 1, b->n, file);
        fclose(file);
    }
}

static void mutate(const struct recording *r, int mutations, uint64_t first_seed)
{
    bytes whole = {malloc(CAPACITY), 0}, b = {malloc(CAPACITY), 0};
    int heard = 0;
    if (r->format == 0)
        make_chunks(&whole);
    else if (!make_by_sndfile(&whole, r->format, r->rate, r->channels))
        printf("skipped: this libsndfile does not write %s\n", r->name);
    int rounds = r->same < 0 ? mutations / 4 : mutations;
    for (int k = 0; k < rounds && whole.n; k++) {
        uint64_t seed = first_seed + (uint64_t)k, sum, sum_piped;
        memcpy(b.data, whole.data, b.n = whole.n);
        for (size_t n = 1 + below(&seed, 4); n > 0; n--)
            damage(&b, &seed);
        snprintf(current, sizeof current, "%s, WHISP_SEED=%llu: longer than %d s\n", r->name,
                 (unsigned long long)(first_seed + (uint64_t)k), SECONDS);
        keep_for_a_person(&b);
        alarm(10 * SECONDS);
        setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = SECONDS}, NULL);
        int64_t n = hear_file(&b, &sum), n_piped = hear_pipe(&b, &sum_piped);
        alarm(0);
        heard += n > 0;
        if (r->same > 0 && (n != n_piped || sum != sum_piped))
            fail_msg("%s, WHISP_SEED=%llu: a pipe hears something else than a file: %lld, %lld samples", r->name,
                     (unsigned long long)(first_seed + (uint64_t)k), (long long)n, (long long)n_piped);
    }
    printf("%s: %d of %d heard\n", r->name, heard, rounds);
    free(whole.data);
    free(b.data);
}

static void test_mutations(void **state)
{
    (void)state;
    const char *given = getenv("WHISP_SEED"), *row = getenv("WHISP_ROW"), *number = getenv("WHISP_MUTATIONS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003 % 1000000007;
    printf("WHISP_SEED=%llu\n", (unsigned long long)seed);
    signal(SIGALRM, on_alarm);
    signal(SIGPROF, on_alarm);
    for (size_t i = 0; i < WH_COUNT(recordings); i++)
        if (!row || strcmp(row, recordings[i].name) == 0)
            mutate(&recordings[i], number ? atoi(number) : MUTATIONS, seed);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
