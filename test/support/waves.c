/* waves.c - see waves.h. */
#include "support/waves.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/testing.h"
#include "util/util.h"

/* ---- making ---- */

void wave_add(wave_bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->capacity)
        b->data = realloc(b->data, b->capacity = 2 * (b->n + n) + 1024);
    assert_non_null(b->data);
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

void wave_number(wave_bytes *b, uint64_t number, int n, int is_big)
{
    for (int i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)(number >> 8 * (is_big ? n - 1 - i : i));
        wave_add(b, &byte, 1);
    }
}

void wave_zeros(wave_bytes *b, size_t n)
{
    while (n--)
        wave_add(b, "", 1);
}

/* A chunk's header; the size may be a lie. */
void wave_chunk(wave_bytes *b, const char *name, uint32_t size)
{
    wave_add(b, name, 4);
    wave_number(b, size, 4, 0);
}

void wave_format(wave_bytes *b, int tag, int channels, int rate, int bits)
{
    wave_chunk(b, "fmt ", 16);
    wave_number(b, (uint64_t)tag, 2, 0);
    wave_number(b, (uint64_t)channels, 2, 0);
    wave_number(b, (uint64_t)rate, 4, 0);
    wave_number(b, (uint64_t)(rate * channels * bits / 8), 4, 0);
    wave_number(b, (uint64_t)(channels * bits / 8), 2, 0);
    wave_number(b, (uint64_t)bits, 2, 0);
}

void wave_extensible(wave_bytes *b, int channels, int rate, uint32_t speakers)
{
    wave_format(b, 0xfffe, channels, rate, 16);
    b->data[b->n - 20] = 40;
    wave_number(b, 22, 2, 0);
    wave_number(b, 16, 2, 0);
    wave_number(b, speakers, 4, 0);
    wave_add(b, "\1\0\0\0\0\0\20\0\200\0\0\252\0\070\233\161", 16);
}

/* Sound whose every sample is another: i and its place can be told from each. */
int16_t wave_sample(int64_t i)
{
    return (int16_t)((i * 7919 + i / 3 * 31) % 60001 - 30000);
}

void wave_sound(wave_bytes *b, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        wave_number(b, (uint16_t)wave_sample(i), 2, 0);
}

/* RIFF with the right size, a format, and sound from .. to. */
void wave_whole(wave_bytes *b, int64_t from, int64_t to)
{
    wave_chunk(b, "RIFF", (uint32_t)(36 + 2 * (to - from)));
    wave_add(b, "WAVE", 4);
    wave_format(b, 1, 1, RATE, 16);
    wave_chunk(b, "data", (uint32_t)(2 * (to - from)));
    wave_sound(b, from, to);
}

/* ---- hearing ---- */

wave_heard wave_hear_fd(int fd)
{
    wave_heard h = {0};
    whisp_audio *audio;
    whisp_audio_info info = {.size = sizeof info};
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
    whisp_audio_free(audio);
    return h;
}

typedef struct feeder {
    int fd;
    const wave_bytes *b;
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
wave_heard wave_hear(wave_bytes *b)
{
    FILE *file = tmpfile();
    int ends[2];
    pthread_t thread;
    assert_non_null(file);
    assert_int_equal(fwrite(b->data, 1, b->n, file), b->n);
    rewind(file);
    wave_heard h = wave_hear_fd(fileno(file));
    fclose(file);

    assert_int_equal(pipe(ends), 0);
    feeder f = {ends[1], b};
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    wave_heard piped = wave_hear_fd(ends[0]);
    close(ends[0]);
    pthread_join(thread, NULL);
    assert_int_equal(h.rc, piped.rc);
    assert_int_equal(h.n, piped.n);
    if (h.n)
        assert_memory_equal(h.x, piped.x, (size_t)h.n * sizeof *h.x);
    assert_string_equal(h.notes, piped.notes);
    free(piped.x);
    free(b->data);
    *b = (wave_bytes){0};
    return h;
}

/* Samples from .. to at h->x[at], as they are. */
void wave_is(const wave_heard *h, int64_t at, int64_t from, int64_t to)
{
    assert_true(h->n >= at + to - from);
    for (int64_t i = from; i < to; i++)
        if (h->x[at + i - from] * 32768.0f != (float)wave_sample(i))
            fail_msg("sample %lld is %g, not %d", (long long)i, (double)h->x[at + i - from] * 32768, wave_sample(i));
}
