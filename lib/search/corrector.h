/* corrector.h - what correct.c reads windows again with, and what it leaves there: terms that were put into the window, terms
 * that are known by now. corrected.c tells it to others. Shared by these two only. */
#ifndef WH_CORRECTOR_H
#define WH_CORRECTOR_H

#include "search/vocabulary.h"

/* What was taken for a term before. */
struct wh_known {
    int64_t term;
    size_t first_sound, n_sounds; /* in a pool */
};

/* A term in the window's corrected tokens, and what was heard there. */
struct wh_corrected {
    size_t at, n;          /* in the corrected tokens */
    size_t heard, n_heard; /* in the pool */
};

typedef struct wh_corrector {
    wh_vocabulary *vocabulary;
    wh_places places;
    whisp_token *tokens; /* [n] the window's, corrected */
    size_t n, capacity;
    whisp_token *other; /* scratch: the tokens with a term put in */
    size_t other_capacity;
    int32_t *fed;    /* scratch: what the decoder is fed */
    int *rows;       /* 0, 1, 2, ... */
    int *some_rows;  /* scratch: other rows */
    float *logits;   /* [longest_tokens + FOLLOWING][n_vocab] */
    float *logprobs; /* pool: the log-probabilities of the tokens of each term that was weighed */
    size_t n_logprobs, logprobs_capacity;
    struct wh_corrected *corrected; /* [n_corrected] what was put into the window */
    size_t n_corrected, corrected_capacity;
    int32_t *heard; /* pool: the tokens that they took the place of */
    size_t n_heard, heard_capacity;
    struct wh_known *known; /* [n_known] since the recording or its part began */
    size_t n_known, known_capacity;
    int32_t *known_sounds; /* pool */
    size_t n_known_sounds, known_sounds_capacity;
    double *margins; /* scratch: those of the window's places that are worth weighing, the largest first */
    size_t margins_capacity;
    int64_t in_slot; /* how many of the tokens slot 0 holds; -1: it lacks the start sequence's last one, too */
} wh_corrector;

#endif
