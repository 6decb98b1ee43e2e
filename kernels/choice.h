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
    const int32_t *penalized; /* [n_penalized] different tokens whose logits change before anything else */
    int n_penalized;
    float penalty;       /* what divides these logits, or multiplies them where they are negative */
    const int32_t *also; /* [n_also] more tokens that may not follow */
    int n_also;
    int text_from;          /* tokens below it may not follow */
    int time_begin;         /* timestamps begin here; n_vocab: there are none */
    int time_from, time_to; /* timestamps other than time_from .. time_to - 1 may not follow */
    int compare_times;      /* no text follows where the times together are more probable than each text token */
    int most;               /* how many of the most probable ones are wanted, best first, the first of equals first */
    double temperature;     /* above 0: one is drawn from softmax(logits / temperature) instead */
    double u;               /* and it is the one at which the sum of these, in order, passes u, 0 <= u < 1 */
    int n;                  /* out: how many were found */
    int32_t ids[WH_MOST_CHOICES];
    float logprobs[WH_MOST_CHOICES]; /* log softmax(logits); NaN where the model computed NaN or infinity */
} wh_choice;

#endif
