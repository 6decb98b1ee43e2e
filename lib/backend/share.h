/* share.h - one backend for several threads: what they ask for at the same time is computed in one call.
 *
 * Stands between lib/transcribe/parts.c, where the parts of a recording are transcribed side by side, and the backend.
 * Each part's session gets a *view*: a wh_backend like any other, whose encode and decode wait until every other part
 * is waiting too (or has nothing to do). The thread that owns the share then runs all requests together. So search and
 * transcription stay as they are, one sequence of calls each, and the decoder still reads its weights once for all of
 * them. What comes out is the same as without sharing, because a backend's numbers for a sequence do not depend on what
 * else is in a call. */
#ifndef WH_SHARE_H
#define WH_SHARE_H

#include "backend/backend.h"

typedef struct wh_share wh_share;

/* `backend` has `views` * 1 + `spares` * (slots - 1) slots: every view in use has one, and at most `spares` of them have
 * `slots` - 1 more at a time, which a view takes at its first fork and keeps until its next window. `threads`: how many
 * of the threads that use views run at a time while nothing is computed. */
int wh_share_new(wh_backend *backend, int views, int slots, int spares, int threads, wh_share **share);
/* All views must be gone. The backend stays. */
void wh_share_free(wh_share *share);

/* A view with `slots` slots. At most `views` may be entered at a time. Freed with wh_backend_free(). */
int wh_share_view(wh_share *share, wh_backend **view);

/* Around a thread's use of its view. Between the two the computation waits for this thread, so it must not wait for
 * anything else than the view. */
void wh_share_enter(wh_backend *view);
void wh_share_leave(wh_backend *view);

/* In the owner's thread: wait until all threads that have entered are waiting, then compute what the most urgent of them
 * ask for: windows before prompts, prompts before single tokens, so that as many as possible decode together. Returns
 * early when wh_share_wake() was called. */
void wh_share_serve(wh_share *share);
void wh_share_wake(wh_share *share);

/* Wall seconds spent in encode, in decode calls with several tokens a sequence, and in those with single tokens; and
 * how many single-token calls there were. */
typedef struct wh_share_times {
    double encode, prompt, decode;
    int64_t n_steps;
} wh_share_times;
void wh_share_timings(const wh_share *share, wh_share_times *times);

#endif
