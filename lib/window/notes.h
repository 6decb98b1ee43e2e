/* notes.h - what the rows of logits say that a window's text was chosen from. Private to lib/window: evidence.c makes
 * confidence of it. */
#ifndef WH_WINDOW_NOTES_H
#define WH_WINDOW_NOTES_H

#include "window/alternatives.h"
#include "window/state.h"

/* Of one token of the decoding. */
typedef struct wh_note {
    int32_t id; /* it; -1: nothing is noted */
    wh_evidence told;
    size_t n_near;
    whisp_token near[WH_NEAR_TOKENS];
} wh_note;

/* Have the window's search tell what it chooses from; for the option confidence. */
int wh_notes_open(wh_window *window);

/* The decoding having begun (wh_decode_begin()), have notes of all of window->words.tokens, from the decoding itself or
 * by reading it again, and branches (lib/search/search.h) that have seen these rows. Slot 0 holds the decoding then. */
int wh_notes_complete(wh_window *window);
/* The note of the decoding's token i; NULL where it is forced. */
const wh_note *wh_notes_at(const wh_window *window, size_t i);

#endif
