/* pieces.c - see pieces.h.
 *
 * Each thread has a handle of its own and takes the next piece of half a minute. Its decoder begins early enough for
 * all that it remembers to be what it would be after reading everything before (decoder.h: find, go), and so does the
 * resampler; so the piece has the bits that one thread gives. That holds for what is plain: one recording's frames,
 * whole, one after the other, nothing to be told. The caller's handle looks for the places where pieces begin, ahead of
 * all, and there must be a plain way to the end of a piece before anybody takes it. The first place from which there is
 * none, and the first block whose reading shows anything else, is where the caller's handle takes over: it reads from
 * there to the end, as it would alone, and says what it finds. That is also how the recording's end is read.
 *
 * What was given out is never taken back: a block is looked at before it counts. Memory is fixed: a piece for each
 * thread, and the one that is being given out. */
#include "audio/pieces.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audio/handle.h"
#include "util/pool.h"

#define SECONDS 30 /* of a piece; the blocks in which audible.h decides are a part of it */
#define PIECE ((int64_t)SECONDS * WH_AUDIO_RATE)
#define EARLY                                                                                                          \
    (WH_AUDIO_RATE / 4) /* samples by which a piece ends before its last block: what the resampler's filter
                                    sees behind them is in that block, so that no other must be decoded */
#define BLOCK 16384     /* samples read at once */
#define MOST 8          /* threads */
#define FEW 4           /* pieces: what has fewer is read by one thread as fast */
#define ROOM                                                                                                           \
    (32 << 20) /* bytes for the blocks of channels that all handles look at (audible.c); a handle's has ten seconds */
#define NONE INT64_MAX

typedef struct piece {
    int64_t number;   /* -1: none yet */
    wh_place place;   /* where it begins; not of piece 0 */
    int64_t ready;    /* samples so far */
    int16_t *samples; /* [PIECE], of which the first one leaves some free */
} piece;

typedef struct reader {
    struct wh_pieces *all;
    pthread_t thread;
    whisp_audio *audio;
    int64_t at;         /* its next sample; -1: not known */
    int64_t number;     /* of the piece that it reads; -1 */
    float block[BLOCK]; /* what it has just read */
} reader;

struct wh_pieces {
    whisp_audio *audio;
    reader readers[MOST];
    int n_readers;
    pthread_mutex_t mutex; /* guards what follows, and the caller's handle while places are looked for */
    pthread_cond_t changed;
    piece pieces[MOST + 1]; /* [number % n_pieces] */
    int n_pieces;
    int64_t next;     /* number of the piece that nobody has taken yet */
    wh_place place;   /* where it begins */
    int64_t tail;     /* number of the piece in which the caller's handle takes over; NONE */
    int is_tail_read; /* somebody does */
    int64_t given;    /* samples given out */
    int stop;         /* the caller wants no more */
    int ended;        /* there is no more behind what is ready, for the reason `last`: 0 or an error's code */
    int64_t last;
    char message[1024]; /* its text */
};

/* ---- places ---- */

static int64_t begin_of(int64_t number)
{
    return number > 0 ? number * PIECE - EARLY : 0;
}

static int64_t length_of(int64_t number)
{
    return begin_of(number + 1) - begin_of(number);
}

/* The piece that holds a sample. */
static int64_t number_of(int64_t sample)
{
    return (sample + EARLY) / PIECE;
}

static piece *piece_of(wh_pieces *p, int64_t number)
{
    return &p->pieces[number % p->n_pieces];
}

/* Is there room for the piece? With the mutex held, as in what follows. */
static int has_room(const wh_pieces *p, int64_t number)
{
    return number < number_of(p->given) + p->n_pieces;
}

static piece *begin_piece(wh_pieces *p, int64_t number)
{
    piece *to = piece_of(p, number);
    to->number = number;
    to->ready = 0;
    return to;
}

/* n samples, which were rounded to 16 bits (audio.c). Only their reader touches them until they are counted. */
static void put(piece *to, const float *samples, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to->samples[to->ready + i] = (int16_t)(samples[i] * 32768.0f);
}

static void count(wh_pieces *p, piece *to, int64_t n)
{
    to->ready += n;
    pthread_cond_broadcast(&p->changed);
}

/* ---- plain pieces ---- */

/* From here on the caller's handle reads. */
static void set_tail(wh_pieces *p, int64_t number)
{
    p->tail = WH_MIN(p->tail, number);
    pthread_cond_broadcast(&p->changed);
}

/* The next piece, if there is room for it and a plain way through it, else NULL. */
static piece *take_piece(wh_pieces *p)
{
    wh_place behind;
    if (p->tail != NONE || !has_room(p, p->next))
        return NULL;
    if (!wh_audio_find_piece(p->audio, (p->next + 1) * PIECE, &behind)) {
        set_tail(p, p->next);
        return NULL;
    }
    piece *taken = begin_piece(p, p->next++);
    taken->place = p->place;
    p->place = behind;
    return taken;
}

/* Without the mutex. Samples of the piece that were read into r->block; 0: something is not plain. */
static int64_t read_block(reader *r, const piece *to)
{
    int64_t begin = begin_of(to->number), at = begin + to->ready;
    if (r->at != at && (at > begin || wh_audio_go_piece(r->audio, &to->place, at) != 1))
        return 0;
    int64_t n = whisp_audio_read(r->audio, r->block, (size_t)WH_MIN(BLOCK, length_of(to->number) - to->ready));
    r->at = at + n;
    return n > 0 && wh_audio_is_plain(r->audio) ? n : 0;
}

/* With the mutex held, which is released while reading. */
static void read_piece(wh_pieces *p, reader *r, piece *to)
{
    r->number = to->number;
    while (to->ready < length_of(r->number) && !p->stop && p->tail > r->number) {
        pthread_mutex_unlock(&p->mutex);
        int64_t n = read_block(r, to);
        put(to, r->block, n);
        pthread_mutex_lock(&p->mutex);
        if (n == 0)
            set_tail(p, r->number);
        else if (p->tail > r->number)
            count(p, to, n);
    }
    r->number = -1;
    pthread_cond_broadcast(&p->changed);
}

/* ---- the rest ---- */

/* All before it is ready, and there is room. */
static int may_read_tail(const wh_pieces *p)
{
    if (p->tail == NONE || p->is_tail_read || !has_room(p, p->tail))
        return 0;
    for (int i = 0; i < p->n_readers; i++)
        if (p->readers[i].number >= 0)
            return 0;
    return 1;
}

/* Without the mutex: let the caller's handle stand at that sample. It has not been read: where it cannot go it reads. 1,
 * or 0 where that is over already; *last says why. */
static int go_to(wh_pieces *p, const wh_place *place, int64_t begin, int64_t at, float *block, int64_t *last)
{
    int rc = begin > 0 ? wh_audio_go_piece(p->audio, place, begin) : 0;
    int64_t from = rc == 1 ? begin : 0, n = WH_MIN(rc, 0) ? rc : 1;
    while (from < at && n > 0) {
        pthread_mutex_lock(&p->mutex);
        int stop = p->stop;
        pthread_mutex_unlock(&p->mutex);
        n = stop ? 0 : whisp_audio_read(p->audio, block, (size_t)WH_MIN(BLOCK, at - from));
        from += n;
    }
    *last = n;
    return n > 0;
}

/* The piece that samples can be put into; NULL: stop. With the mutex held. */
static piece *wait_for_room(wh_pieces *p, piece *to)
{
    int64_t next = to->number + (to->ready == length_of(to->number));
    while (!p->stop && !has_room(p, next))
        pthread_cond_wait(&p->changed, &p->mutex);
    if (p->stop)
        return NULL;
    return next > to->number ? begin_piece(p, next) : to;
}

/* With the mutex held, which is released while reading. */
static void read_tail(wh_pieces *p, reader *r)
{
    int is_taken = p->tail < p->next; /* a reader has begun it */
    piece *to = is_taken ? piece_of(p, p->tail) : begin_piece(p, p->tail);
    wh_place place = is_taken ? to->place : p->place;
    int64_t begin = begin_of(to->number), n = 1;
    p->is_tail_read = 1;
    for (int i = 0; i < p->n_pieces; i++)
        if (p->pieces[i].number > p->tail)
            p->pieces[i].number = -1; /* it was begun in vain */
    pthread_mutex_unlock(&p->mutex);
    int go_on = go_to(p, &place, begin, begin + to->ready, r->block, &n);
    pthread_mutex_lock(&p->mutex);
    while (go_on && (to = wait_for_room(p, to))) {
        size_t most = (size_t)WH_MIN(BLOCK, length_of(to->number) - to->ready);
        pthread_mutex_unlock(&p->mutex);
        n = whisp_audio_read(p->audio, r->block, most);
        go_on = n > 0;
        put(to, r->block, WH_MAX(n, 0));
        pthread_mutex_lock(&p->mutex);
        count(p, to, WH_MAX(n, 0));
    }
    p->ended = 1;
    p->last = WH_MIN(n, 0);
    strncpy(p->message, n < 0 ? whisp_last_error() : "", sizeof p->message - 1);
    pthread_cond_broadcast(&p->changed);
}

static void *reader_main(void *argument)
{
    reader *r = argument;
    wh_pieces *p = r->all;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && !p->is_tail_read) {
        piece *taken = take_piece(p);
        if (taken)
            read_piece(p, r, taken);
        else if (may_read_tail(p))
            read_tail(p, r);
        else
            pthread_cond_wait(&p->changed, &p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- for the caller ---- */

/* Samples that are ready, of the piece that is being given out. */
static int64_t n_ready(wh_pieces *p, const piece **from)
{
    int64_t number = number_of(p->given);
    *from = piece_of(p, number);
    return (*from)->number == number ? (*from)->ready - (p->given - begin_of(number)) : 0;
}

int64_t wh_pieces_read(wh_pieces *p, float *samples, size_t n)
{
    int64_t done = 0, all = (int64_t)n, there;
    const piece *from;
    pthread_mutex_lock(&p->mutex);
    while (done < all) {
        while ((there = n_ready(p, &from)) == 0 && !p->ended)
            pthread_cond_wait(&p->changed, &p->mutex);
        if (there == 0)
            break;
        there = WH_MIN(there, all - done);
        const int16_t *x = from->samples + (p->given - begin_of(from->number));
        for (int64_t i = 0; i < there; i++)
            samples[done + i] = (float)x[i] / 32768.0f;
        done += there;
        p->given += there;
        if (number_of(p->given) > from->number)
            pthread_cond_broadcast(&p->changed); /* room for another */
    }
    int64_t last = p->last;
    pthread_mutex_unlock(&p->mutex);
    if (done == 0 && last < 0)
        wh_fail((int)last, "%s", p->message);
    return done ? done : last;
}

void wh_pieces_stop(wh_pieces *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stop = 1;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->n_readers; i++)
        pthread_join(p->readers[i].thread, NULL);
    for (int i = 0; i < MOST; i++)
        whisp_audio_free(p->readers[i].audio);
    for (int i = 0; i < p->n_pieces; i++)
        free(p->pieces[i].samples);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* Handles and memory for so many threads. 1; 0: it cannot be read in pieces; or a code. */
static int prepare(wh_pieces *p, int threads)
{
    int rc = WHISP_OK;
    for (int i = 0; !rc && i < threads; i++) {
        rc = wh_audio_open_piece(p->audio, &p->readers[i].audio);
        if (!rc && !p->readers[i].audio)
            return 0;
        p->readers[i].all = p;
        p->readers[i].number = -1;
    }
    for (p->n_pieces = 0; !rc && p->n_pieces < threads + 1; p->n_pieces++) {
        p->pieces[p->n_pieces].number = -1;
        if (!(p->pieces[p->n_pieces].samples = wh_calloc(PIECE, sizeof(int16_t))))
            return wh_fail_memory();
    }
    return rc ? rc : 1;
}

/* As many threads as there is room for beside the caller's handle. */
static int threads_for(const whisp_audio_info *info, int threads)
{
    int64_t block = INT64_C(10) * info->sample_rate * info->channels * (int64_t)sizeof(float);
    return (int)WH_MIN(WH_MIN(threads, MOST), ROOM / WH_MAX(block, 1) - 1);
}

int wh_pieces_start(whisp_audio *audio, int threads, wh_pieces **pieces)
{
    whisp_audio_info info = {.size = sizeof info};
    *pieces = NULL;
    if (threads < 2 || audio->was_read || whisp_audio_describe(audio, &info) || !(info.duration >= FEW * SECONDS) ||
        (threads = threads_for(&info, threads)) < 2)
        return WHISP_OK;
    wh_pieces *p = wh_calloc(1, sizeof *p);
    if (!p)
        return wh_fail_memory();
    p->audio = audio;
    p->tail = NONE;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    int rc = prepare(p, threads);
    pthread_mutex_lock(&p->mutex); /* n_readers is read by those that are started first */
    while (rc == 1 && p->n_readers < threads &&
           !wh_thread_start(&p->readers[p->n_readers].thread, reader_main, &p->readers[p->n_readers]))
        p->n_readers++;
    pthread_mutex_unlock(&p->mutex);
    if (rc == 1 && p->n_readers > 0) {
        *pieces = p;
        return WHISP_OK;
    }
    wh_pieces_stop(p);
    return rc < 0 ? rc : rc ? wh_fail(WHISP_ERR_MEMORY, "cannot start a thread") : WHISP_OK;
}
