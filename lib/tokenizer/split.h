/* split.h - cuts text into the words within which tokens are made. Private to lib/tokenizer. */
#ifndef WH_SPLIT_H
#define WH_SPLIT_H

#include <stddef.h>

/* The length of the word at the beginning of text; n >= 1 bytes are left, the result is 1 .. n. Takes time in
 * proportion to the result, apart from runs of white space, which are looked at twice. */
size_t wh_word_length(const char *text, size_t n);

#endif
