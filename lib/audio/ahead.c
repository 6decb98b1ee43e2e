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
#include "audio/pieces.h"
#include "util/pool.h"

#define BLOCKS 32 /* half a minute, 2 MiB */

struct wh_ahead {
    wh_pieces *pieces; /* instead of what follows; or NULL */
    float *block;      /* [WH_AHEAD_BLOCK] its last one */
    struct ring *ring;
};

/* One thread. */
typedef struct ring {
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
} ring;

/* Wait for a free block. 0: stop. */
static int wait_for_room(ring *a)
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
    ring *a = argument;
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

static int start_ring(whisp_audio *audio, ring **made)
{
    ring *a = wh_calloc(1, sizeof *a);
    *made = NULL;
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
    *made = a;
    return WHISP_OK;
}

static int64_t read_ring(ring *a, const float **samples)
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

static void stop_ring(ring *a)
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

/* ---- for the caller ---- */

int wh_ahead_start(whisp_audio *audio, int threads, wh_ahead **ahead)
{
    *ahead = NULL;
    wh_ahead *a = wh_calloc(1, sizeof *a);
    if (!a)
        return wh_fail_memory();
    /* The block first: once pieces have begun the recording may have been read. Where there is no memory for them there may
     * be enough for the ring. */
    a->block = wh_calloc(WH_AHEAD_BLOCK, sizeof *a->block);
    if (a->block)
        wh_pieces_start(audio, threads, &a->pieces);
    if (!a->pieces) {
        free(a->block);
        a->block = NULL;
    }
    int rc = a->pieces ? WHISP_OK : start_ring(audio, &a->ring);
    if (rc)
        free(a);
    else
        *ahead = a;
    return rc;
}

int64_t wh_ahead_read(wh_ahead *a, const float **samples)
{
    if (!a->pieces)
        return read_ring(a->ring, samples);
    *samples = a->block;
    return wh_pieces_read(a->pieces, a->block, WH_AHEAD_BLOCK);
}

void wh_ahead_stop(wh_ahead *a)
{
    if (!a)
        return;
    wh_pieces_stop(a->pieces);
    stop_ring(a->ring);
    free(a->block);
    free(a);
}
