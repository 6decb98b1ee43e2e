/* attention.h - how a decoder's heads look at the sound while they read a text, and the times that follow from it.
 *
 * Internal to lib/timing: align.c and characters.c feed a text, attention.c makes a path through time of it. */
#ifndef WH_TIMING_ATTENTION_H
#define WH_TIMING_ATTENTION_H

#include "timing/timing.h"

/* A row for each token that the decoder reads: what the heads look at when the next one is about to be said. */
typedef struct wh_looks {
    size_t heads, n_rows, ctx; /* ctx: encoder positions */
    size_t n_frames;           /* those that hold sound */
    size_t first, n_wanted;    /* the rows whose times are wanted */
    size_t width;              /* of the median filter */
    size_t best;               /* 0: all heads tell the time; else so many, those that look most sharply */
    wh_evidence *evidence;     /* [n_wanted - 1], or NULL */
    /* [heads][n_rows][ctx], the caller's: scores, of which the first n_frames become weights, then costs */
    float *weights;
} wh_looks;

/* Where a head's row begins in weights. */
size_t wh_looks_at(const wh_looks *looks, size_t head, size_t row);
/* Have a decoder call write the scores of its tokens into the rows from `row` on. */
void wh_looks_ask(const wh_looks *looks, size_t row, wh_step *step);
/* From all scores to times[n_wanted], seconds: where each row's token begins. */
int wh_looks_times(wh_looks *looks, double *times);

/* The tokens before a text, at most WH_ALIGN_START; how many there are. And the positions that hold sound. */
#define WH_ALIGN_START 4
size_t wh_align_start(const wh_alignment *alignment, int32_t *tokens);
size_t wh_align_frames(const wh_alignment *alignment);

/* characters.c: the times of the words of `tokens` anew, by their characters. *done: 0 where they are too many. */
int wh_align_characters(const wh_alignment *alignment, const int32_t *tokens, whisp_cancel_fn cancel, void *user,
                        wh_words *words, int *done);

#endif
