/* alternatives.h - what else a window's words may have been, gathered while its encoding is there. Private to lib/window:
 * evidence.c gathers, alternatives.c keeps and tells.
 *
 * A variant is some of the window's text tokens with others in their place. It comes from a sample that went another way,
 * from the tokens that were nearly as probable, or from the vocabulary: a term that sounds like them, or what stood there
 * before a term was put in. */
#ifndef WH_WINDOW_ALTERNATIVES_H
#define WH_WINDOW_ALTERNATIVES_H

#include "timing/timing.h"
#include "tokenizer/tokenizer.h"

enum wh_variant_kind {
    WH_VARIANT_SAMPLE,
    WH_VARIANT_TOKEN, /* one token, of which nobody knows how its word would go on */
    WH_VARIANT_TERM,  /* of the vocabulary; the model was not asked how probable it is */
    WH_VARIANT_KINDS
};

typedef struct wh_variant {
    uint32_t kind;
    uint32_t from, n;   /* the text tokens whose place it takes; n may be 0: it stands before token `from` */
    uint32_t at, count; /* in the pool of tokens; count may be 0 */
    float logprob;      /* of those, added up */
} wh_variant;

typedef struct wh_alternatives {
    wh_variant *variants; /* [n] */
    size_t n, capacity;
    int32_t *tokens; /* [n_tokens] pool */
    size_t n_tokens, tokens_capacity;
    /* told: */
    whisp_alternative *list; /* [n_listed] word by word; their texts are offsets until the last was told */
    size_t *texts;           /* [n_listed] in `text` */
    size_t n_listed, list_capacity, texts_capacity;
    wh_buf text; /* NUL-terminated each */
    wh_buf scratch;
    int32_t *joined; /* scratch */
    size_t joined_capacity;
} wh_alternatives;

void wh_alternatives_clear(wh_alternatives *a);
void wh_alternatives_free(wh_alternatives *a);

/* A variant: `count` tokens in the place of tokens from .. from + n - 1. */
int wh_alternatives_add(wh_alternatives *a, enum wh_variant_kind kind, size_t from, size_t n, const whisp_token *tokens,
                        size_t count);
/* Those of a sample of m text tokens: wherever it differs from the n_text that were heard. partners[i] is which of the
 * sample's tokens stands for token i, or -1. */
int wh_alternatives_compare(wh_alternatives *a, const int32_t *partners, size_t n_text, const whisp_token *sample,
                            size_t m);
/* The few tokens that are nearly as probable as `heard`, the likeliest first; how many. logits[0 .. n) is the row that
 * it came from. And such tokens in the place of text token i. */
#define WH_NEAR_TOKENS 3
size_t wh_alternatives_near(whisp_token heard, const float *logits, int n, whisp_token near[WH_NEAR_TOKENS]);
int wh_alternatives_add_near(wh_alternatives *a, size_t i, const whisp_token *near, size_t n);

/* Give the window's words theirs: words[k], of n, is made of the k-th of `timed` that has text, and of its tokens of
 * `text`. Replaces what was given before, which is valid until the next call. */
int wh_alternatives_give(wh_alternatives *a, const wh_tokenizer *tokenizer, const int32_t *text, const wh_words *timed,
                         whisp_word *words, size_t n);

/* All variants, appended to *bytes; and back again: 1, or 0: it is not such a thing (of n_text tokens below n_vocab), or
 * a code. */
void wh_alternatives_save(const wh_alternatives *a, wh_buf *bytes);
int wh_alternatives_restore(wh_alternatives *a, size_t n_text, int32_t n_vocab, const char *bytes, size_t n);

#endif
