/* utf8.h - reading UTF-8 one code point at a time, damaged text included. Used by the tokenizer and the writers. */
#ifndef WH_UTF8_H
#define WH_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define WH_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Decode the code point that begins at text[0]; n >= 1 bytes are left. Returns how many bytes it takes. Where there is
 * no valid code point, *code is -1 and the result is the length of the longest prefix of a valid one, at least 1:
 * what Python's "replace" handler and the Unicode Standard (section 3.9, U+FFFD substitution) stand one U+FFFD for. */
size_t wh_utf8_next(const char *text, size_t n, int32_t *code);

/* Whether a code point has the Unicode property White_Space: the \s of the tokenizer's pattern. */
int wh_is_white_space(int32_t code);

#endif
