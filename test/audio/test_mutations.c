/* test_mutations.c - damaged recordings: thousands of random mutations of each container, read as a file and through a
 * pipe.
 *
 * None may crash, hang, print, or become hours of sound. A row of `containers` is one kind; it is made here, by
 * libsndfile or by a function of its own. Each row runs in a child process with an alarm for every mutation. The seed
 * is printed; WHISP_SEED repeats a run, WHISP_MUTATIONS changes the number. */
#include "support/testing.h"

#include <FLAC/stream_encoder.h>
#include <fcntl.h>
#include <math.h>
#include <ogg/ogg.h>
#include <signal.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audio/audio.h"
#include "audio/mpeg_frames.h"

#ifdef __SANITIZE_ADDRESS__
#define MUTATIONS 300 /* `make test-long` does 2,000 under the sanitizers, too */
#else
#define MUTATIONS 2000
#endif
#define SECONDS 0.4 /* of sound in what is mutated */
#define LIMIT 10    /* seconds for one mutation, under the sanitizers too */
#define LONGEST 600 /* seconds of sound that a mutation may become */
#define MOST 60000  /* bytes: they fit into a pipe */

typedef struct bytes {
    unsigned char *data;
    size_t n;
} bytes;

/* ---- what is mutated ---- */

/* Noise that swells, written by libsndfile. n is 0 where it does not write the format. */
static bytes record(int format, int rate, int channels)
{
    const char *path = temp_path("original");
    bytes made = {NULL, 0};
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (!file)
        return made;
    uint64_t random = 7;
    sf_set_string(file, SF_STR_TITLE, "Noise");
    for (int i = 0; i < (int)(SECONDS * rate); i++) {
        float frame[8];
        for (int c = 0; c < channels; c++)
            frame[c] = (float)((random_unit(&random) - 0.5) * sin(0.001 * i));
        assert_int_equal(sf_writef_float(file, frame, 1), 1);
    }
    sf_close(file);
    made.data = (unsigned char *)read_file(path, &made.n);
    return made;
}

/* Ogg pages with wrong checksums are never looked into: half of the mutations have them put right. */
static void repair_ogg(bytes *b)
{
    for (size_t at = 0; at + 27 < b->n; at++) {
        size_t segments = b->data[at + 26], head = 27 + segments, body = 0;
        if (memcmp(b->data + at, "OggS", 4) != 0 || at + head > b->n)
            continue;
        for (size_t i = 0; i < segments; i++)
            body += b->data[at + 27 + i];
        if (at + head + body > b->n)
            continue;
        ogg_page page = {b->data + at, (long)head, b->data + at + head, (long)body};
        ogg_page_checksum_set(&page);
        at += head + body - 1;
    }
}

/* Two in one file, of different rates. */
static bytes join(int format, int rate, int channels)
{
    bytes a = record(format, rate, channels), b = record(format, rate / 2, 1), both = {NULL, 0};
    if (a.n && b.n) {
        both.data = malloc(a.n + b.n);
        memcpy(both.data, a.data, a.n);
        memcpy(both.data + a.n, b.data, b.n);
        both.n = a.n + b.n;
    }
    free(a.data);
    free(b.data);
    return both;
}

/* FLAC in Ogg, which libsndfile does not write: with libFLAC's encoder. */
static bytes record_ogg_flac(int format, int rate, int channels)
{
    bytes made = {NULL, 0};
    const char *path = temp_path("original.oga");
    FLAC__StreamEncoder *encoder = FLAC__stream_encoder_new();
    uint64_t random = 7;
    (void)format;
    assert_non_null(encoder);
    FLAC__stream_encoder_set_sample_rate(encoder, (uint32_t)rate);
    FLAC__stream_encoder_set_channels(encoder, (uint32_t)channels);
    FLAC__stream_encoder_set_blocksize(encoder, 576);
    if (FLAC__stream_encoder_init_ogg_file(encoder, path, NULL, NULL) == FLAC__STREAM_ENCODER_INIT_STATUS_OK) {
        for (int i = 0; i < (int)(SECONDS * rate); i++) {
            FLAC__int32 frame[8];
            for (int c = 0; c < channels; c++)
                frame[c] = (FLAC__int32)((random_unit(&random) - 0.5) * 2000.0);
            assert_true(FLAC__stream_encoder_process_interleaved(encoder, frame, 1));
        }
        assert_true(FLAC__stream_encoder_finish(encoder));
        made.data = (unsigned char *)read_file(path, &made.n);
    }
    FLAC__stream_encoder_delete(encoder);
    return made;
}

/* Frames of MPEG audio with right headers and random bits in them: `format` is the header's second byte, which says
 * version and layer. */
static bytes random_mpeg(int format, int rate, int channels)
{
    bytes made = {malloc(MOST), 0};
    uint64_t random = 7;
    (void)rate;
    for (int i = 0; i < 30; i++) {
        unsigned char bits = (unsigned char)((1 + i % 14) << 4 | 4), mode = channels == 1 ? 0xc0 : 0x60;
        unsigned char head[4] = {0xff, (unsigned char)format, bits, mode};
        wh_mpeg_header header;
        assert_true(wh_mpeg_parse(head, &header));
        memcpy(made.data + made.n, head, 4);
        for (int k = 4; k < header.size; k++)
            made.data[made.n + (size_t)k] = (unsigned char)(random_unit(&random) * 256.0);
        made.n += (size_t)header.size;
    }
    return made;
}

typedef struct container {
    const char *name;
    bytes (*make)(int format, int rate, int channels);
    int format, rate, channels;
    void (*repair)(bytes *); /* NULL: nothing to put right */
} container;

static const container containers[] = {
    {"flac", record, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, NULL},
    {"flac joined", join, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 2, NULL},
    {"ogg vorbis", record, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, repair_ogg},
    {"ogg vorbis chained", join, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, repair_ogg},
    {"ogg opus", record, SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, 2, repair_ogg},
    {"ogg flac", record_ogg_flac, 0, 16000, 1, repair_ogg},
    {"mp3", record, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 16000, 1, NULL},
    {"mp3 joined", join, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 32000, 2, NULL},
    {"mpeg layer 1", random_mpeg, 0xff, 0, 2, NULL},
    {"mpeg layer 2", random_mpeg, 0xfd, 0, 2, NULL},
    {"mpeg layer 2, mono", random_mpeg, 0xfd, 0, 1, NULL},
    {"mpeg 2 layer 2", random_mpeg, 0xf5, 0, 2, NULL},
    {"mpeg layer 3", random_mpeg, 0xfb, 0, 2, NULL},
    {"mpeg 2 layer 3", random_mpeg, 0xf3, 0, 2, NULL},
};

/* ---- mutations ---- */

static size_t below(uint64_t *random, size_t n)
{
    return (size_t)(random_unit(random) * (double)n);
}

/* A number of 1 to 8 bytes becomes one that programs stumble over. */
static void put_number(unsigned char *at, size_t room, uint64_t *random)
{
    static const uint64_t numbers[] = {
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xfffffff8,
        0xffffffff,
        0x7fffffffffffffff,
        0x8000000000000000,
        UINT64_MAX,
    };
    uint64_t number = numbers[below(random, WH_COUNT(numbers))];
    size_t size = (size_t)1 << below(random, 4), n = WH_MIN(room, size);
    int big = random_unit(random) < 0.5;
    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)(number >> 8 * (big ? n - 1 - i : i));
}

/* One change: near the beginning, where the headers are, or anywhere. */
static void mutate(bytes *b, uint64_t *random)
{
    size_t head = (size_t)64 << below(random, 5), length = 1 + below(random, 200);
    size_t range = random_unit(random) < 0.6 ? WH_MIN(b->n, head) : b->n;
    size_t at = below(random, range), n = WH_MIN(length, b->n - at);
    switch (below(random, 8)) {
    case 0:
    case 1: b->data[at] = (unsigned char)below(random, 256); break;
    case 2: b->data[at] ^= (unsigned char)(1 << below(random, 8)); break;
    case 3:
    case 4: put_number(b->data + at, b->n - at, random); break;
    case 5: /* take out */
        memmove(b->data + at, b->data + at + n, b->n - at - n);
        b->n = WH_MAX(b->n - n, 1);
        break;
    case 6: /* twice */
        n = WH_MIN(n, MOST - b->n);
        memmove(b->data + at + n, b->data + at, b->n - at);
        b->n += n;
        break;
    default: /* cut off, or random bytes */
        if (random_unit(random) < 0.3)
            b->n = at + 1;
        else
            for (size_t i = 0; i < n; i++)
                b->data[at + i] = (unsigned char)below(random, 256);
    }
}

/* Read all of it. Nonzero: too long. */
static int hear(int fd)
{
    static float samples[16000];
    whisp_audio *audio;
    int64_t n, total = 0;
    if (whisp_audio_open_fd(fd, &audio))
        return 0;
    while (total < 16000 * LONGEST && (n = whisp_audio_read(audio, samples, WH_COUNT(samples))) > 0)
        total += n;
    whisp_audio_free(audio);
    return total >= 16000 * LONGEST;
}

static int hear_both(const bytes *b, const char *path)
{
    int ends[2], fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), too_long;
    if (fd < 0 || write(fd, b->data, b->n) != (ssize_t)b->n || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    too_long = hear(fd);
    close(fd);
    if (pipe(ends) || write(ends[1], b->data, b->n) != (ssize_t)b->n)
        abort();
    close(ends[1]);
    too_long |= hear(ends[0]);
    close(ends[0]);
    return too_long;
}

/* All mutations of a row; *current says to the parent where it stands. */
static void run_row(const container *row, const bytes *original, uint64_t seed, int mutations, const char *path,
                    volatile int *current)
{
    unsigned char *room = malloc(MOST);
    for (int i = 0; i < mutations; i++) {
        uint64_t random = seed + (uint64_t)i * 7919;
        bytes b = {room, original->n};
        memcpy(room, original->data, original->n);
        for (size_t changes = 1 + below(&random, 4); changes > 0; changes--)
            mutate(&b, &random);
        if (row->repair && i % 2)
            row->repair(&b);
        *current = i;
        alarm(LIMIT);
        if (hear_both(&b, path)) {
            fprintf(stderr, "became more than %d seconds of sound\n", LONGEST);
            break;
        }
    }
    alarm(0);
    free(room);
}

/* What a row's child left on standard error, or NULL. */
static const char *printed(const char *path)
{
    static char text[2000];
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = 0;
    return n ? text : NULL;
}

static void test_mutations(void **state)
{
    (void)state;
    const char *env_seed = getenv("WHISP_SEED"), *env_n = getenv("WHISP_MUTATIONS");
    uint64_t seed = env_seed ? strtoull(env_seed, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    int mutations = env_n ? atoi(env_n) : MUTATIONS, failures = 0;
    volatile int *current = mmap(NULL, sizeof *current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(current != MAP_FAILED);
    printf("WHISP_SEED=%llu, %d mutations of each\n", (unsigned long long)seed, mutations);
    for (size_t k = 0; k < WH_COUNT(containers); k++) {
        const container *row = &containers[k];
        bytes original = row->make(row->format, row->rate, row->channels);
        if (original.n == 0) {
            printf("skipped: this libsndfile does not write %s\n", row->name);
            continue;
        }
        assert_true(original.n < MOST - 1000);
        char path[4096], errors[4096];
        snprintf(path, sizeof path, "%s", temp_path("mutation"));
        snprintf(errors, sizeof errors, "%s", temp_path("errors"));
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            dup2(fd, STDERR_FILENO);
            close(fd);
            signal(SIGALRM, SIG_DFL);
            run_row(row, &original, seed, mutations, path, current);
            free(original.data);
            exit(0); /* with the leak check of a sanitizer */
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        const char *text = printed(errors);
        if (status != 0 || text) {
            failures++;
            printf("%s, mutation %d: %s %d; printed: %s\n", row->name, *current,
                   WIFSIGNALED(status) ? "signal" : "exit status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text ? text : "nothing");
        }
        free(original.data);
    }
    munmap((void *)current, sizeof *current);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
