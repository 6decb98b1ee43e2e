/* waves.h - WAV files made byte by byte, and heard as files and through pipes, which must be the same. */
#ifndef WAVES_H
#define WAVES_H

#include <stddef.h>
#include <stdint.h>

#include "whisp.h"

#define RATE 16000

typedef struct wave_bytes {
    unsigned char *data;
    size_t n, capacity;
} wave_bytes;

void wave_add(wave_bytes *b, const void *data, size_t n);
void wave_number(wave_bytes *b, uint64_t number, int n, int is_big); /* of n bytes */
void wave_zeros(wave_bytes *b, size_t n);

/* A chunk's header; the size may be a lie. Format chunks, whole. */
void wave_chunk(wave_bytes *b, const char *name, uint32_t size);
void wave_format(wave_bytes *b, int tag, int channels, int rate, int bits);
void wave_extensible(wave_bytes *b, int channels, int rate, uint32_t speakers);

/* Sound of which each sample tells its place; from .. to - 1 as 16 bits. And a whole file of it, 16 kHz mono. */
int16_t wave_sample(int64_t i);
void wave_sound(wave_bytes *b, int64_t from, int64_t to);
void wave_whole(wave_bytes *b, int64_t from, int64_t to);

/* What was heard. */
typedef struct wave_heard {
    int rc;
    float *x; /* [n], to be freed */
    int64_t n;
    char notes[1024], error[512];
    int incomplete;
    double duration;
} wave_heard;

wave_heard wave_hear_fd(int fd);
/* As a file and through a pipe, which must be the same; frees the bytes. */
wave_heard wave_hear(wave_bytes *b);
/* Samples from .. to - 1 of wave_sound() must be at h->x[at]. */
void wave_is(const wave_heard *h, int64_t at, int64_t from, int64_t to);

#endif
