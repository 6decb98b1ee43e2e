/* confidence.h - how far a word can be trusted: what decoding knows about it, and the chance that follows from that.
 *
 * Stands beside lib/timing: lib/window gathers the evidence while a window's encoding is still there, and asks for
 * the score of each word. Method, data and figures: docs/confidence.md. */
#ifndef WH_CONFIDENCE_H
#define WH_CONFIDENCE_H

#include "cpu/kernels.h"
#include "util/util.h"

/* What the model says about a token, given all before it. Natural logarithms. */
typedef struct wh_evidence {
    float logprob; /* among text tokens */
    float margin;  /* its log-probability minus that of the best other text token; negative where that is better */
    float entropy; /* of the distribution over text tokens, nats */
    float peak;    /* the most that an alignment head gives to one position, mean over heads; 0..1 */
    float spread;  /* entropy of the heads' attention over positions, mean, nats */
} wh_evidence;

/* logits[0 .. n): fill logprob, margin and entropy of token `id`. */
void wh_evidence_read(const wh_kernels *kernels, const float *logits, int n, int32_t id, wh_evidence *evidence);
/* Add one head's weights over n positions, the softmax of its scores; it is one of `heads`. */
void wh_evidence_attend(const float *scores, const float *weights, size_t n, size_t heads, wh_evidence *evidence);

/* A text as two sequences of n and m tokens with keys (equal keys: the same but for letter case): which tokens of the
 * first are in the second too, by the smallest edit distance: adds 1 to counts[i] for each, and partners[i] is its place
 * there, -1 for the others. WHISP_ERR_MEMORY. */
int wh_agree(const uint64_t *keys, size_t n, const uint64_t *other, size_t m, float *counts, int32_t *partners);

/* ---- a word's numbers (features.c) ---- */

/* What is known of one word before its neighbours are looked at. */
typedef struct wh_word_evidence {
    double probability; /* as whisp_word has it */
    double start, end;  /* seconds */
    int n_letters;      /* bytes without spaces and punctuation */
    int capital;        /* begins with an ASCII capital */
    uint64_t sound;     /* its letters as a number: equal for words that are the same but for case */
    size_t n_tokens;    /* those that are more than punctuation; 0: nothing but punctuation */
    int32_t rarest;     /* the greatest token id: common pieces have small ones */
    float told_mean, told_least, told_margin, told_entropy; /* with the prompt and timestamps: as it was decoded */
    float bare_mean, bare_least, bare_margin, bare_entropy; /* without both: as it is aligned */
    float peak, spread;                                     /* attention: the least peak, the greatest spread */
    float agreement;                                        /* share of the samples that have all of it */
} wh_word_evidence;

/* Take a token into its word's evidence; begin with a zeroed word. */
void wh_word_take(wh_word_evidence *word, int32_t id, const wh_evidence *told, const wh_evidence *bare,
                  float agreement);

#define WH_FEATURES 44
extern const char *const wh_feature_names[WH_FEATURES];

/* The features of words[i] of a window's n words; the window is heard from `begin` to `end`, in the words' seconds. */
typedef struct wh_window_evidence {
    double logprob, temperature, begin, end;
} wh_window_evidence;
void wh_word_features(const wh_word_evidence *words, size_t n, size_t i, const wh_window_evidence *window,
                      float *features);

/* ---- the score (score.c, with the numbers of table.c) ---- */

/* The chance that a word with these features is right, 0..1. */
double wh_confidence_score(const float *features);

#endif
