/* ways.h - every way of using a model, each as one call whose answer is a text: for tests that take them from many
 * threads, after a fork, again and again. */
#ifndef TEST_WAYS_H
#define TEST_WAYS_H

#include <stddef.h>

#include "whisp_live.h"
#include "whisp_vad.h"

/* What a way is given. Nothing in it changes while ways run. */
typedef struct ways_ground {
    const whisp_model *model; /* an invented multilingual one */
    const char *path;         /* a stereo recording of `n` samples a channel, and the first channel's samples */
    const float *samples;
    size_t n;
    const char *vocabulary; /* a file of terms */
    const char *vad;        /* a model, or NULL */
    const char *model_path;
} ways_ground;

/* Asked at every token; may be NULL. */
typedef struct ways_stop {
    int (*stop)(void *user);
    void *user;
} ways_stop;

/* What way `i` answers: a text to be freed; NULL with *rc set where it failed. Ways that need what is not there (vad)
 * answer "". */
char *ways_take(size_t i, const ways_ground *ground, const ways_stop *stop, int *rc);
size_t ways_count(void);
const char *ways_name(size_t i);

/* Noise with pauses, [n * channels]. */
void ways_noise(float *samples, size_t n, int channels, unsigned seed);

#endif
