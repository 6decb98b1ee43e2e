/* given.h - a text whose words are looked for in a recording: forced alignment. Private to lib/transcribe.
 *
 *   given.c     the text: its tokens, words and lines; the result in the end
 *   match.c     which of its words a window's transcription covers
 *   align.c     their times, window by window */
#ifndef WH_GIVEN_H
#define WH_GIVEN_H

#include "output/result.h"
#include "transcribe/session.h"

/* Words by what they sound like: letters and digits in lower case, so that spelling differences do not count. */
typedef struct wh_keys {
    wh_buf bytes;
    size_t *ends; /* [n + 1]: key i is bytes[ends[i] .. ends[i + 1]); may be empty */
    size_t n, capacity;
} wh_keys;

struct wh_given {
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
};

/* Give the session a text to align. WHISP_ERR_ARGUMENT when there are no words in it. */
int wh_given_new(whisp_session *session, const char *text);
void wh_given_free(struct wh_given *given);

/* Tokens, words and keys of the text, once the session's language is known. */
int wh_given_prepare(whisp_session *session);

/* Is the recording one window, and does all of the text fit into one pass? */
int wh_given_fits(const whisp_session *session, int64_t segment_size);

/* Align all of it with the window in slot 0. */
int wh_given_align_all(whisp_session *session, int64_t segment_size);

int wh_keys_make(const wh_words *words, wh_keys *keys);
void wh_keys_free(wh_keys *keys);

/* What a window's words (heard) cover of the given ones from `next` on: words *first .. *end - 1 of `given`; *first ==
 * *end where the window says something else. */
int wh_match(const wh_keys *heard, const wh_keys *given, size_t next, size_t *first, size_t *end);

/* All segments with their words, and a warning where the text does not seem to be said. */
int wh_given_result(whisp_session *session, whisp_result **result);

#endif
