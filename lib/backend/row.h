/* row.h - a token of a decoder pass, as slots.c makes it of a decode call and as cpu/ and the CUDA engine run it. Plain
 * C and C++, as choice.h. */
#ifndef WH_BACKEND_ROW_H
#define WH_BACKEND_ROW_H

#include <stddef.h>

#include "choice.h"

typedef struct wh_row {
    int slot, window; /* its sequence, and what that attends to */
    int position;     /* in the slot */
    int32_t token;
    float *logits;       /* out, [n_vocab], or NULL */
    wh_choice *choice;   /* in and out: what follows instead, or NULL */
    float *cross_scores; /* out, of the first alignment head, [n_audio_ctx], or NULL */
    size_t cross_stride; /* floats from one alignment head to the next */
} wh_row;

#endif
