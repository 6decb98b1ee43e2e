/* guard.h - text that nobody said: found and left out (option hallucination_guard). Private to lib/transcribe. */
#ifndef WH_GUARD_H
#define WH_GUARD_H

#include "transcribe/session.h"

/* With the option: find the voice activity model, quietly absent where there is none; made when it is first needed. */
int wh_guard_new(whisp_session *session);
void wh_guard_free(struct wh_guard *guard);
void wh_guard_reset(struct wh_guard *guard);

/* The samples that wh_mel_push() took. `guard` may be NULL. */
void wh_guard_push(struct wh_guard *guard, const float *samples, size_t n);
/* wh_mel_jump(): the next sample pushed is this one of the recording. */
void wh_guard_jump(struct wh_guard *guard, int64_t sample);

/* The current window was cut: take out the cuts that surely nobody said. *advance changes to the whole window when
 * nothing is left. 1: some speech was not heard; hear again from *advance on, which may be 0, where the window began. */
int wh_guard_window(whisp_session *session, int64_t segment_size, int64_t *advance);

/* Nothing was heard in the current window, although somebody may speak later in it: then *advance changes so that the
 * window is heard again from there. */
int wh_guard_silent(whisp_session *session, int64_t segment_size, int64_t *advance);

/* ---- the pieces, for tests ---- */

/* Does the window's decoding say the same again and again? Then it is to be tried at the next temperature. */
int wh_guard_loops(const whisp_session *session);
/* Are n text tokens, or some of them in a row, one phrase many times over? */
int wh_guard_is_loop(const int32_t *text, size_t n);

#define WH_GUARD_BLOCK 10                                   /* frames in a block: 0.1 s */
#define WH_GUARD_BLOCKS (WH_WINDOW_FRAMES / WH_GUARD_BLOCK)

/* Which blocks of a window [frames][n_mels], scaled as the encoder gets it, differ in their spectrum's shape from the
 * window's usual one: active[frames / WH_GUARD_BLOCK], 0 or 1. Returns how many do: none in silence, hum, hiss and
 * noise, however it swells. */
int wh_guard_activity(const float *window, int64_t frames, int n_mels, unsigned char *active);

#endif
