/* split.c - GPT-2's pattern, which cuts text into words before merging, matched by hand:
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * The first alternative that matches wins, and each is greedy. Categories are utf8proc's (Unicode 15 in Debian 12);
 * bytes that are not UTF-8 count as neither letter, number nor space. */
#include "tokenizer/split.h"

#include <string.h>
#include <utf8proc.h>

#include "tokenizer/utf8.h"

typedef enum char_class { LETTER, NUMBER, SPACE, OTHER } char_class;

static char_class class_of(int32_t code)
{
    if (code < 0)
        return OTHER;
    if (wh_is_white_space(code))
        return SPACE;
    if (code < 128) {
        if ((code | 32) >= 'a' && (code | 32) <= 'z')
            return LETTER;
        return code >= '0' && code <= '9' ? NUMBER : OTHER;
    }
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return NUMBER;
    default: return OTHER;
    }
}

/* Class and size of the character at text[0]. */
static char_class next_class(const char *text, size_t n, size_t *size)
{
    int32_t code;
    *size = wh_utf8_next(text, n, &code);
    return class_of(code);
}

/* Bytes of the run of one class from text[0] on; *last is the size of its last character. */
static size_t run_length(const char *text, size_t n, char_class wanted, size_t *last)
{
    size_t at = 0, size;
    while (at < n && next_class(text + at, n - at, &size) == wanted) {
        at += size;
        *last = size;
    }
    return at;
}

/* English contractions; lower case only, as in the pattern. */
static size_t contraction(const char *text, size_t n)
{
    if (n < 2 || text[0] != '\'')
        return 0;
    if (memchr("stmd", text[1], 4))
        return 2;
    if (n >= 3 && (!memcmp(text + 1, "re", 2) || !memcmp(text + 1, "ve", 2) || !memcmp(text + 1, "ll", 2)))
        return 3;
    return 0;
}

size_t wh_word_length(const char *text, size_t n)
{
    size_t length = contraction(text, n);
    if (length)
        return length;
    size_t size, last = 0;
    size_t prefix = text[0] == ' ' && n > 1; /* the " ?" before a run */
    char_class first = next_class(text + prefix, n - prefix, &size);
    if (first != SPACE)
        return prefix + run_length(text + prefix, n - prefix, first, &last);
    length = run_length(text, n, SPACE, &last);
    /* \s+(?!\S): before a word the run gives its last character back, unless it has no other */
    return length < n && length > last ? length - last : length;
}
