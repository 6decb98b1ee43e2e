/* internal.h - the search's own state, shared by search.c and filters.c only. */
#ifndef WH_SEARCH_INTERNAL_H
#define WH_SEARCH_INTERNAL_H

#include "search/search.h"

/* One sequence being sampled; candidate i lives in slot i. */
typedef struct wh_candidate {
    whisp_token *tokens; /* [sample_len] */
    size_t n;
    float sum_logprob;   /* single precision, as the reference adds it up */
    int ended;           /* its end-of-text token was chosen */
} wh_candidate;

struct wh_search {
    const whisp_model *model;
    const whisp_options *options;
    const wh_specials *specials;
    wh_backend *backend;
    whisp_timings *timings;

    int32_t *suppressed; /* sorted ids */
    size_t n_suppressed;
    int32_t *blank;      /* the tokens of " " */
    size_t n_blank;
    int max_initial;     /* latest first timestamp, in tokens; -1: no limit */

    int n_candidates;
    size_t sample_len;   /* tokens at most: n_text_ctx / 2 */
    wh_candidate *candidates;
    float *logits;       /* [n_candidates][n_vocab] */
    float *start_logits; /* [2][n_vocab]: at the start-of-transcript token and at the last token of the start */
    int32_t *start;      /* [n_start] prompt and start sequence */
    size_t n_start, sot_index;
};

int wh_filters_init(wh_search *search);

#endif
