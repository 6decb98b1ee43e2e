/* align_text.h - a text whose words are looked for in a recording: forced alignment. Stands on a window (lib/window), which
 * asks it for each of its own; used by lib/transcribe, and its keys by lib/live.
 *
 *   align_text.c  the text: its tokens, words and lines; the result in the end
 *   match.c       which of its words a window's transcription covers
 *   align.c       their times, window by window */
#ifndef WH_ALIGN_TEXT_H
#define WH_ALIGN_TEXT_H

#include "output/result.h"
#include "window/window.h"

/* Words by what they sound like: letters and digits in lower case, so that spelling differences do not count. */
typedef struct wh_keys {
    wh_buf bytes;
    size_t *ends; /* [n + 1]: key i is bytes[ends[i] .. ends[i + 1]); may be empty */
    size_t n, capacity;
} wh_keys;

typedef struct wh_align_text {
    wh_window *window;
    const whisp_model *model;
    const whisp_options *options;
    wh_window_text asked; /* by the window: functions of align.c */
    char *text;
    int prepared; /* the following is there; it waits for the language to be known */
    int32_t *tokens;
    size_t n_tokens, tokens_capacity;
    size_t *line_ends; /* [n_lines] in tokens */
    size_t n_lines, lines_capacity;
    wh_words words; /* of the whole text, with times in seconds of the recording */
    wh_keys keys;
    size_t next; /* the first word that no window has had yet */
    double last_end;

    wh_words heard; /* the window's own words, and their keys */
    wh_keys heard_keys;
    wh_words timed;            /* scratch: words of the text in the current window */
    int next_id;               /* of the result's segments */
    const whisp_word **handed; /* pointers to a segment's words */
    size_t handed_capacity;
} wh_align_text;

/* A text for the recording that `window` was reset for. `model` and `options`, which must outlive it, are the window's.
 * WHISP_ERR_ARGUMENT when there are no words in the text. */
int wh_align_text_new(wh_window *window, const whisp_model *model, const whisp_options *options, const char *text,
                      wh_align_text **align_text);
void wh_align_text_free(wh_align_text *align_text);

/* Tokens, words and keys of the text, for words of `language`. */
int wh_align_text_prepare(wh_align_text *align_text, int language);

/* Let the window ask the text from now on, until it is reset. (align.c) */
void wh_align_text_follow(wh_align_text *align_text);

int wh_keys_make(const wh_words *words, wh_keys *keys);
void wh_keys_free(wh_keys *keys);

/* What a window's words (heard) cover of the given ones from `next` on: words *first .. *end - 1 of `given`; *first ==
 * *end where the window says something else. */
int wh_match(const wh_keys *heard, const wh_keys *given, size_t next, size_t *first, size_t *end);

/* All segments with their words, and a warning where the text does not seem to be said. `seconds`: of the recording. */
int wh_align_text_result(wh_align_text *align_text, double seconds, whisp_result **result);

#endif
