/* timing.h - when each word is said: tokens to words, the cross-attention of the alignment heads to a path through
 * time, and what openai-whisper makes of it.
 *
 * Stands between lib/search (a window's tokens) and lib/transcribe (segments with words). The method is that of
 * openai-whisper's timing.py: the decoder reads the window's text once more, in a pass of its own; the alignment heads'
 * scores become a matrix of text against time, and dynamic time warping finds the cheapest way through it. */
#ifndef WH_TIMING_H
#define WH_TIMING_H

#include "backend/backend.h"
#include "confidence/confidence.h"

#define WH_PER_SECOND 50.0 /* encoder positions a second */

/* ---- tokens to words (split.c) ---- */

/* A word of a text. Neighbouring words' tokens and bytes follow one another without a gap. */
typedef struct wh_word {
    size_t text, length;          /* bytes in wh_words.text; length 0: merged into a neighbour */
    size_t first_token, n_tokens; /* in the text's tokens */
    double start, end;            /* seconds from the window's beginning */
    double probability;           /* the mean of its tokens' */
} wh_word;

typedef struct wh_words {
    wh_word *list; /* [n] */
    size_t n, capacity;
    wh_buf text; /* all words' text, one after the other */
} wh_words;

void wh_words_clear(wh_words *words); /* forgets the words, keeps the memory */
void wh_words_free(wh_words *words);

/* Cut text tokens (ids below eot) into words: at spaces and punctuation or, where a language is written without spaces
 * (Chinese, Japanese, Thai, Lao, Burmese, Cantonese), wherever the tokens so far end with a whole character. Bytes
 * at the end that do not complete a character may be left out. Times are zero. Replaces what is in *words. */
int wh_words_split(const wh_tokenizer *tokenizer, int language, const int32_t *tokens, size_t n, wh_words *words);

/* Does `list` hold n bytes of text in one piece, as Python's `text in list`? The empty one is part of any. (words.c) */
int wh_is_part(const char *text, size_t n, const char *list);

/* ---- matrices (dtw.c) ---- */

/* Median of `width` (odd) neighbours along each of the rows, edges reflected; in place over x[rows][n]. Rows of at most
 * width / 2 values stay as they are. `scratch` has room for n + width floats. */
void wh_median_filter(float *x, size_t rows, size_t n, size_t width, float *scratch);

/* The cheapest monotonic way from the first row and column of cost[rows][n] (both at least 1) to the last ones
 * (Sakoe and Chiba 1978). rows_of_path and columns_of_path, with room for rows + n places, get its *length steps. */
int wh_dtw(const float *cost, size_t rows, size_t n, int *rows_of_path, int *columns_of_path, size_t *length);

/* ---- the alignment (align.c) ---- */

typedef struct wh_alignment {
    const whisp_model *model;
    wh_backend *backend;
    int slot;     /* holds the window's encoding; its tokens are replaced */
    int language; /* an index; ignored by English-only models */
    int translate;
    int by_characters;     /* times by the text's characters (characters.c), not by its tokens */
    int64_t frames;        /* of the window that hold sound: 100 a second */
    wh_evidence *evidence; /* [n] out, zeroed by the caller: what is seen of each token; or NULL */
} wh_alignment;

/* How many text tokens fit into one alignment pass. */
size_t wh_align_limit(const whisp_model *model);

/* Cut tokens[n] (text tokens, n <= wh_align_limit()) into words and find their times and probabilities in the window.
 * WHISP_ERR_CANCELLED when the cancel callback (may be NULL) says so. */
int wh_align(const wh_alignment *alignment, const int32_t *tokens, size_t n, whisp_cancel_fn cancel, void *user,
             wh_words *words);

/* ---- what openai-whisper does with them (words.c) ---- */

/* *median: that of the words' durations, 0.7 s at most, 0 without words: twice that is long for a word. Words next to a
 * sentence's end are cut to twice that. */
int wh_words_shorten(wh_words *words, double *median);

/* Join punctuation with the word that it belongs to; the emptied words stay, with length and n_tokens 0. */
void wh_words_merge_punctuation(wh_words *words, const char *prepended, const char *appended);

/* A segment's own times and those of its words, in seconds of the recording, made to agree. `last_speech` is where the
 * words before the segment ended; the return value where these do. n >= 1. */
double wh_words_fit_segment(whisp_word *words, size_t n, double median, double last_speech, double *start, double *end);

#endif
