/* json_in.h - JSON text read value by value, for read_back.c and lib/search/corrections.c: nothing is built that nobody
 * asked for, and nothing in the text is believed before it was looked at.
 *
 * Every function returns 1, or 0 when the text is not what was asked for; the reason of the first failure stays, and
 * nothing is read after it. */
#ifndef WH_JSON_IN_H
#define WH_JSON_IN_H

#include <locale.h>

#include "platform/platform.h"
#include "util/util.h"

#define WH_JSON_DEPTH 64 /* objects and lists within each other */

typedef struct wh_json {
    const char *text; /* [n], need not end with a NUL */
    size_t n, at;
    int depth;
    locale_t c;    /* numbers are read in */
    int failed;    /* why[] says for what reason, or is empty: memory is short */
    char why[160]; /* with the place */
} wh_json;

/* `text` must outlive it. WHISP_OK or WHISP_ERR_MEMORY. */
int wh_json_begin(wh_json *j, const char *text, size_t n);
/* Is there nothing behind the value? */
int wh_json_end(wh_json *j);
void wh_json_free(wh_json *j);

int wh_json_fail(wh_json *j, const char *format, ...) WH_PRINTF(2, 3);

/* Is the next value null? Then it is read. */
int wh_json_is_null(wh_json *j);
/* Does the next value begin as a number does? Nothing is read. */
int wh_json_is_number(wh_json *j);
/* Does it begin as a text does? */
int wh_json_is_text(wh_json *j);
int wh_json_is_list(wh_json *j);
/* true is 1; any other value is 0. */
int wh_json_flag(wh_json *j, int *is);
/* NaN, Infinity and -Infinity, which Python writes, are numbers too. */
int wh_json_number(wh_json *j, double *value);
/* A whole number from lo to hi, perhaps written as 3.0. */
int wh_json_integer(wh_json *j, int64_t lo, int64_t hi, int64_t *value);
/* A string is appended as UTF-8. What is not valid (half a surrogate pair, bytes that are no UTF-8) becomes U+FFFD; a NUL
 * is an error. */
int wh_json_string(wh_json *j, wh_buf *text);
/* Any value, unread. */
int wh_json_skip(wh_json *j);

typedef int (*wh_json_read_fn)(wh_json *j, void *to);
/* A list, its elements by `read`. */
int wh_json_list(wh_json *j, wh_json_read_fn read, void *to);

typedef struct wh_json_member {
    const char *name;
    wh_json_read_fn read;
    int is_needed;
} wh_json_member;
/* An object: the members [n <= 32], in any order, none twice; others are skipped. */
int wh_json_object(wh_json *j, const wh_json_member *members, size_t n, void *to);

/* remarks_in.c: a note, which *note owns from then on, and corrections, as whisp_result keeps them. */
int wh_note_read_back(wh_json *j, char **note);
int wh_corrections_read_back(wh_json *j, wh_buf *all);

/* words_in.c: words [n] as programs around openai-whisper write them, mended. `segment` is the one that they are of. */
void wh_words_timed(whisp_word *const *words, size_t n, const whisp_segment *segment);
int wh_words_spaced(whisp_word *const *words, size_t n, const char *text, wh_buf *spaced);

#endif
