/* multiplex.h - one backend for several threads: what they ask for at the same time is computed in one call.
 *
 * Stands between lib/transcribe, where recordings and their parts are transcribed side by side, and the backend. Each
 * gets a *view*: a wh_backend like any other, whose encode and decode wait until the owner's thread has computed them
 * together with what the other views ask for. So search and transcription stay as they are, one sequence of calls each,
 * and the decoder still reads its weights once for all of them. What comes out is the same as without sharing, because
 * a backend's numbers for a sequence do not depend on what else is in a call.
 *
 * When. The owner computes as soon as nobody runs who might still ask; and where some take long (they read a file, or
 * look for words' times), when most have asked and nobody else has for a step's time, or for four. Who comes too late
 * is not waited for again until it has asked. So a batch stays whole where all are equally fast, and nobody waits for
 * one who is not.
 *
 * What. Windows before prompts before single tokens, a window a time (or as many as the backend encodes at once), so
 * that as many sequences as possible decode together. Views that go first (short recordings) are served before the
 * others; and from the first window of one of them until it leaves, the others' windows and prompts wait, but for one after
 * every WH_MULTIPLEX_PATIENCE steps. */
#ifndef WH_MULTIPLEX_H
#define WH_MULTIPLEX_H

#include <stdatomic.h>

#include "backend/backend.h"

#define WH_MULTIPLEX_PATIENCE 32

typedef struct wh_multiplex wh_multiplex;

/* Of `backend`'s slots every one of at most `views` views at work has one. The others are lent: a view takes the rest of
 * its own at its first fork and keeps them until its next window, so there must be as many beside those of `views` as one
 * view may take. `threads`: how many of the threads that use views run at a time while nothing is computed. */
int wh_multiplex_new(wh_backend *backend, int views, int threads, wh_multiplex **multiplex);
/* All views must be gone. The backend stays. */
void wh_multiplex_free(wh_multiplex *multiplex);

/* A view with `slots` slots. At most `views` may be at work at a time, which they are from their first call on until
 * they leave. *stop (or NULL): nonzero to let a call that waits end with WHISP_ERR_CANCELLED; see
 * wh_multiplex_nudge(). Freed with wh_backend_free(). */
int wh_multiplex_view(wh_multiplex *multiplex, int slots, int goes_first, const atomic_int *stop, wh_backend **view);

/* enter: it will ask soon, so wait for it. Not needed. leave: it will not ask for now; its slots are free. */
void wh_multiplex_enter(wh_backend *view);
void wh_multiplex_leave(wh_backend *view);

/* In the owner's thread: wait until there is something to compute, and compute it. Returns early, once, when
 * wh_multiplex_wake() was called. */
void wh_multiplex_serve(wh_multiplex *multiplex);
void wh_multiplex_wake(wh_multiplex *multiplex);

/* In another thread: wait until more was computed than *seen says, which becomes what it is now, or until it is nudged.
 * nudge: look at the stop flags, and let those who watch go on. */
void wh_multiplex_watch(wh_multiplex *multiplex, int64_t *seen);
void wh_multiplex_nudge(wh_multiplex *multiplex);

/* Wall seconds spent in encode, in decode calls with several tokens a sequence, and in those with single tokens; and
 * how many single-token calls there were. */
typedef struct wh_multiplex_times {
    double encode, prompt, decode;
    int64_t n_steps;
} wh_multiplex_times;
void wh_multiplex_timings(wh_multiplex *multiplex, wh_multiplex_times *times);

#endif
