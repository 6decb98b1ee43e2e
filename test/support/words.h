/* words.h - words for tests of what follows after them. */
#ifndef TEST_WORDS_H
#define TEST_WORDS_H

#include <string.h>

#include "support/testing.h"
#include "timing/timing.h"

/* Words from a text with '|' between them, a token and 0.1 s each. */
static inline wh_words make_words(const char *text)
{
    wh_words words = {0};
    size_t capacity = 0;
    for (const char *p = text; *p; p += *p == '|') {
        size_t n = strcspn(p, "|");
        assert_int_equal(wh_grow(&words.list, &capacity, words.n + 1, sizeof *words.list), WHISP_OK);
        words.list[words.n] = (wh_word){.text = words.text.length,
                                        .length = n,
                                        .first_token = words.n,
                                        .n_tokens = 1,
                                        .start = 0.1 * (double)words.n,
                                        .end = 0.1 * (double)(words.n + 1)};
        words.n++;
        wh_buf_append(&words.text, p, n);
        p += n;
    }
    words.capacity = capacity;
    return words;
}

#endif
