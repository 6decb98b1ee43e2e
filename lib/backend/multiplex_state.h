/* multiplex_state.h - what multiplex.c, the owner's side, and view.c, the side of those who ask, have in common. */
#ifndef WH_MULTIPLEX_STATE_H
#define WH_MULTIPLEX_STATE_H

#include <pthread.h>

#include "options/options.h"
#include "backend/multiplex.h"
#include "backend/ops.h"

enum wh_wants { WH_NOTHING, WH_STEP, WH_PROMPT, WH_WINDOW };

typedef struct wh_view {
    const wh_backend_ops *ops; /* first: see ops.h */
    wh_multiplex *m;
    struct wh_view *next;
    int n_slots;
    int slots[WH_MAX_CANDIDATES]; /* [n_slots] the backend's, or -1 */
    int goes_first;
    const atomic_int *stop;
    int counted;  /* it runs and will ask: the owner waits for it */
    int has_turn; /* it is one of those that run at a time */
    int64_t lent; /* in which place it waits for more slots; 0: it does not */
    enum wh_wants wants;
    int taken; /* what it wants is being computed */
    struct wh_view *next_taken;
    int64_t asked; /* when, counted in asks */
    pthread_cond_t served;
    int rc;
    char problem[256];       /* its text */
    const float *const *mel; /* what is asked for */
    enum wh_hearing how;     /* a window is encoded */
    const wh_step *steps;
    int n;
    wh_pages room; /* of who goes first */
} wh_view;

/* One mutex guards everything. It is free while the owner computes; who wants to use the backend's ledger then (forks and
 * truncations, which are quick) waits for the computation's end, and the next one waits for him. */
struct wh_multiplex {
    wh_backend *backend;
    pthread_mutex_t mutex;
    pthread_cond_t ready; /* for the owner: something has changed that it waits for */
    pthread_cond_t turn;  /* for those who run: one more may */
    pthread_cond_t calm;  /* nothing is computed */
    pthread_cond_t spare; /* slots are free again, or nobody has reserved */
    pthread_cond_t news;  /* for those who watch */
    wh_view *views;
    const wh_view *reserved_by;   /* or NULL */
    wh_view *taken, **last_taken; /* those whose wishes are computed together */
    int most_views;
    int running;   /* views that are counted */
    int waiting;   /* views that want something */
    int turns;     /* how many more may run */
    int exclusive; /* threads that use the ledger, or are about to */
    int computing, woken;
    int64_t asks;        /* so far */
    int64_t computed;    /* calls so far; and nudges */
    int patience;        /* steps left before a window or prompt of who does not go first */
    double since;        /* when the last call ended, or somebody came, asked or left */
    double window_time;  /* seconds of the last one */
    double grace;        /* seconds without any of these after which those who have asked do not wait for the others */
    int n_slots;         /* the backend's */
    unsigned char *used; /* [n_slots]: WH_SLOT_... */
    wh_step *steps;      /* [n_slots] of a computation */
    const float **mel;   /* [n_slots] */
    int *windows;        /* [n_slots] */
    enum wh_hearing how; /* those windows are encoded */
    wh_multiplex_times times;
};

/* A slot of the backend's. What is in one that was left is forgotten before the next computation, or by who takes it. */
enum { WH_SLOT_FREE, WH_SLOT_USED, WH_SLOT_LEFT };

/* view.c: the table of a view. */
extern const wh_backend_ops wh_view_ops;

/* multiplex.c, with the mutex held: somebody asks or leaves, so the owner may have something to do. */
void wh_multiplex_changed(wh_multiplex *multiplex);

#endif
