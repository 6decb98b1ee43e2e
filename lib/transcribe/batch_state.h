/* batch_state.h - what batch.c, the caller's side, and part.c, the threads that fill and transcribe parts, have in
 * common. */
#ifndef WH_BATCH_STATE_H
#define WH_BATCH_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "transcribe/batch.h"
#include "transcribe/company.h"
#include "transcribe/outbox.h"
#include "transcribe/plan.h"

enum wh_seat_state { WH_SEAT_FREE, WH_SEAT_FILLED, WH_SEAT_TAKEN };

typedef struct wh_seat { /* a session for a part, used again and again */
    struct wh_batch *batch;
    whisp_session *session;
    size_t part;
    enum wh_seat_state state;
} wh_seat;

typedef struct wh_part {
    wh_outbox out;
    int over, rc;
    char *problem;
    int language;     /* -1 where it is not known */
    char *incomplete; /* why its text is not of all that it holds, or NULL */
} wh_part;

typedef struct wh_batch {
    const wh_batch_job *job;
    wh_multiplex *multiplex; /* its own, or the company's */
    wh_quota *quota;         /* the company's, or NULL */
    int running;             /* parts at a place */
    pthread_mutex_t mutex;   /* guards all below */
    pthread_cond_t changed;
    wh_seat seats[WH_MOST_WORKERS + 1];
    int n_seats;
    wh_part *list; /* [n] begun so far; it may move while nobody holds the mutex */
    size_t n, list_capacity;
    double reported; /* progress so far, seconds */
    size_t next_out; /* the part whose segments are handed out */
    int ended;       /* the reader has ended */
    int reader_rc;
    char reader_problem[512];
    int language;          /* of the recording; -1 until a part knows it: the first in which somebody speaks */
    size_t speechless;     /* parts from the first one on that are over and do not know it */
    int alone;             /* the first part goes ahead: none of its windows has been heard yet */
    atomic_int stop;       /* set with wh_batch_stop() */
    whisp_timings timings; /* of the parts that are over */
} wh_batch;

/* stop, with the mutex held: nothing goes on. nudge, afterwards and without it: wake those who do not wait for the mutex's
 * condition. (part.c) */
void wh_batch_stop(wh_batch *batch);
void wh_batch_nudge(wh_batch *batch);

/* What the seats' sessions tell, and the threads (part.c). The reader and the workers get the batch. */
void wh_seat_log(void *seat, int level, const char *text);
void wh_seat_progress(void *seat, double done, double total);
void *wh_batch_read(void *batch);
void *wh_batch_work(void *batch);

void wh_timings_add(whisp_timings *sum, const whisp_timings *timings);

#endif
