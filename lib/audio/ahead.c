/* ahead.c - the thread that reads ahead (see ahead.h): a ring of blocks between one writer and one reader.
 *
 * The writer fills a block outside the lock, because no one else touches those that the ring does not hold. It ends
 * with the recording, at an error, or when it is told to; the memory is fixed, so a slow reader costs nothing but
 * waiting. */
#include "audio/ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "util/pool.h"

#define BLOCKS 32 /* half a minute, 2 MiB */

struct wh_ahead {
    whisp_audio *audio;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int stop;              /* the reader wants no more */
    int ended;             /* the writer has no more, for the reason `last` */
    int64_t last;          /* 0: the recording's end; else an error's code */
    char message[1024];    /* its text */
    size_t written, given; /* blocks so far; the one last given is still being looked at */
    int64_t n[BLOCKS];     /* samples of each */
    float samples[BLOCKS][WH_AHEAD_BLOCK];
};

/* Wait for a free block. 0: stop. */
static int wait_for_room(wh_ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    while (!a->stop && a->written - a->given >= BLOCKS - 1) /* one is with the reader */
        pthread_cond_wait(&a->changed, &a->mutex);
    int go_on = !a->stop;
    pthread_mutex_unlock(&a->mutex);
    return go_on;
}

static void *writer_main(void *argument)
{
    wh_ahead *a = argument;
    for (int go_on = 1; go_on && wait_for_room(a);) {
        size_t at = a->written % BLOCKS;
        int64_t n = whisp_audio_read(a->audio, a->samples[at], WH_AHEAD_BLOCK);
        pthread_mutex_lock(&a->mutex);
        if (n > 0) {
            a->n[at] = n;
            a->written++;
        } else {
            a->ended = 1;
            a->last = n;
            strncpy(a->message, n < 0 ? whisp_last_error() : "", sizeof a->message - 1);
            go_on = 0;
        }
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->mutex);
    }
    return NULL;
}

int wh_ahead_start(whisp_audio *audio, wh_ahead **ahead)
{
    *ahead = NULL;
    wh_ahead *a = wh_calloc(1, sizeof *a);
    if (!a)
        return wh_fail_memory();
    a->audio = audio;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (wh_thread_start(&a->thread, writer_main, a)) {
        pthread_cond_destroy(&a->changed);
        pthread_mutex_destroy(&a->mutex);
        free(a);
        return wh_fail(WHISP_ERR_MEMORY, "cannot start a thread");
    }
    *ahead = a;
    return WHISP_OK;
}

int64_t wh_ahead_read(wh_ahead *a, const float **samples)
{
    pthread_mutex_lock(&a->mutex);
    while (a->given == a->written && !a->ended)
        pthread_cond_wait(&a->changed, &a->mutex);
    int64_t n = a->last;
    if (a->given < a->written) {
        size_t at = a->given++ % BLOCKS;
        n = a->n[at];
        *samples = a->samples[at];
        pthread_cond_signal(&a->changed);
    } else if (n < 0) {
        wh_fail((int)n, "%s", a->message);
    }
    pthread_mutex_unlock(&a->mutex);
    return n;
}

void wh_ahead_stop(wh_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = 1;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}
