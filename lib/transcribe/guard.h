/* guard.h - text that nobody said: found and left out (option hallucination_guard). Private to lib/transcribe. */
#ifndef WH_GUARD_H
#define WH_GUARD_H

#include "transcribe/session.h"

/* The current window was cut: take out the cuts that surely nobody said. *advance changes to the whole window when
 * nothing is left. 1: some speech was not heard; hear again from *advance on, which may be 0, where the window began. */
int wh_guard_window(whisp_session *session, int64_t segment_size, int64_t *advance);

/* Nothing was heard in the current window, although somebody may speak later in it: then *advance changes so that the
 * window is heard again from there. */
int wh_guard_silent(whisp_session *session, int64_t segment_size, int64_t *advance);

/* The same where a segment stands in a silence, or has too little sound for its words (silence.c): the cuts from it on go.
 * 1: hear again from *advance on, and not beyond session->gap_start at first. 0: *advance is where the next window
 * begins; nothing changes where nothing is wrong. */
int wh_guard_part(whisp_session *session, int64_t segment_size, int64_t *advance);

/* Was the answer given without a doubt: at temperature 0, probable, and from what the model takes for speech? */
int wh_guard_is_sure(const whisp_session *session);

/* Do all of a cut's words stand in the history already? So a model answers that hears next to nothing. */
int wh_guard_is_echo(const whisp_session *session, const wh_cut *cut);

/* ---- the pieces, for tests ---- */

/* Does the window's decoding say the same again and again? Then it is to be tried at the next temperature. */
int wh_guard_loops(const whisp_session *session);
/* Are n text tokens, or some of them in a row, one phrase many times over? */
int wh_guard_is_loop(const int32_t *text, size_t n);

#endif
