/* slots.h - the ledger of slots: which window a slot attends to and how many tokens it has; what a call may ask for;
 * and how a decode call is split into passes.
 *
 * Stands between ops.c, whose table takes the functions below as they are, and an implementation that computes (cpu/,
 * cuda/), which gives three functions and its limits. A *window* here is a place for the cross-attention K/V of a
 * window of audio, shared by slots that are forked from one another. There are as many as slots: one is always free. */
#ifndef WH_BACKEND_SLOTS_H
#define WH_BACKEND_SLOTS_H

#include "backend/ops.h"
#include "backend/row.h"

#define WH_MOST_WINDOWS 16 /* of an encode_windows call */

typedef struct wh_computer {
    /* n windows of log-Mel, as backend.h has them, into windows[i], all different */
    int (*encode_windows)(wh_backend *backend, int n, const float *const *mel, const int *windows, enum wh_hearing how);
    /* rows [n] of different slots, at most few_rows; or of one slot in order, at most most_rows */
    int (*run_pass)(wh_backend *backend, int n, const wh_row *rows);
    /* positions first .. end - 1 of src's self-attention K/V to dst, where those before are the same already */
    int (*copy_kv)(wh_backend *backend, int dst, int src, int first, int end);
    /* NULL, or: gives back memory of a slot's self-attention K/V, in which nothing is */
    void (*rest)(wh_backend *backend, int slot);
} wh_computer;

typedef struct wh_slot {
    int n_tokens; /* in its self-attention K/V */
    int window;   /* -1 before the first */
    int in_call;  /* set while a decode call is checked: each slot once */
    int before;   /* n_tokens when the decode call began */
} wh_slot;

/* What the structure of such an implementation begins with. */
typedef struct wh_slots {
    const wh_backend_ops *ops; /* first: see ops.h */
    const wh_computer *computer;
    const whisp_model *model;
    int n;            /* slots; may become fewer before the first is used */
    int most_windows; /* of an encode_windows call, at most WH_MOST_WINDOWS */
    int few_rows, most_rows;
    wh_slot *slots; /* [n] */
    int *users;     /* [n]: slots of each window */
    wh_row *rows;   /* [the more of few_rows and most_rows]: the pass that is being made */
    int n_rows;     /* of them are there */
    wh_pages room;
} wh_slots;

/* The fields up to most_rows are the caller's. wh_slots_free() frees what is allocated, also after a failure. */
int wh_slots_init(wh_slots *slots);
void wh_slots_free(wh_slots *slots);

/* For the table of ops.h. A decode call that fails leaves slots with the tokens that they had before. */
int wh_slots_encode(wh_backend *backend, int n, const float *const *mel, const int *slots, enum wh_hearing how);
int wh_slots_decode(wh_backend *backend, int n, const wh_step *steps);
int wh_slots_fork_tail(wh_backend *backend, int dst, int src, int n_same);
int wh_slots_truncate(wh_backend *backend, int slot, int n_tokens);
void wh_slots_rest(wh_backend *backend, int slot);
wh_pages *wh_slots_room(wh_backend *backend);
int wh_slots_count(const wh_backend *backend);
int wh_slots_windows(const wh_backend *backend);

#endif
