/* choice.h - how the token after a row of logits is chosen: what may not follow, and which of the others.
 *
 * lib/search makes it of its options and of the tokens so far, and carries it out (lib/search/choose.c) unless the backend
 * does (kernels/cuda/choose.cu). Plain C and C++: the library and the CUDA library, which are compiled by different
 * compilers, take it from here. */
#ifndef WH_CHOICE_H
#define WH_CHOICE_H

#include <stdint.h>

#define WH_MOST_CHOICES 17
typedef struct wh_choice {
    int forbidden;            /* what never follows: a number from wh_backend_forbid() */
    const int32_t *penalized; /* [n_penalized] different tokens: first their logits are divided by `penalty`, or */
    int n_penalized;          /* multiplied where they are negative */
    float penalty;
    const int32_t *also; /* [n_also] these may not follow either */
    int n_also;
    int text_from;          /* nor may tokens below this one, */
    int time_begin;         /* nor, of those from here on (timestamps; n_vocab: none), */
    int time_from, time_to; /* others than time_from .. time_to - 1, */
    int compare_times;      /* nor any text if the times together are more probable than each text token */
    int most;               /* the most probable ones, at most so many, best first, the first of equals first; */
    double temperature, u;  /* or, where temperature > 0, the one at which softmax(logits / temperature), added up
                                   in order, passes u, 0 <= u < 1 */
    int n;                  /* out: how many were found, */
    int32_t ids[WH_MOST_CHOICES];
    float logprobs[WH_MOST_CHOICES]; /* log softmax(logits); NaN where the model computed NaN or infinity */
} wh_choice;

#endif
