/* text.c - see text.h. Used by the search (compression ratio), the segments, live transcription and the writers. */
#include "util/text.h"

#include <string.h>

#include "util/util.h"

/* The length of the white-space character that `p` begins with (n bytes are there), or 0. */
static size_t space_at(const unsigned char *p, size_t n)
{
    if (n >= 1 && ((p[0] >= 0x09 && p[0] <= 0x0d) || (p[0] >= 0x1c && p[0] <= 0x20)))
        return 1;
    if (n >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0)) /* U+0085, U+00A0 */
        return 2;
    if (n < 3)
        return 0;
    unsigned u = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
    if (u == 0xe19a80 ||                    /* U+1680 */
        (u >= 0xe28080 && u <= 0xe2808a) || /* U+2000 to U+200A */
        u == 0xe280a8 || u == 0xe280a9 ||   /* U+2028, U+2029 */
        u == 0xe280af || u == 0xe2819f ||   /* U+202F, U+205F */
        u == 0xe38080)                      /* U+3000 */
        return 3;
    return 0;
}

void wh_strip(const char **text, size_t *n)
{
    const unsigned char *p = (const unsigned char *)*text, *end = p + *n;
    size_t k;
    while ((k = space_at(p, (size_t)(end - p))) > 0)
        p += k;
    while (end > p) {
        size_t left = (size_t)(end - p);
        if (space_at(end - 1, 1))
            end -= 1;
        else if (left >= 2 && space_at(end - 2, 2) == 2)
            end -= 2;
        else if (left >= 3 && space_at(end - 3, 3) == 3)
            end -= 3;
        else
            break;
    }
    *text = (const char *)p;
    *n = (size_t)(end - p);
}

int wh_is_sentence_end(const char *text, size_t n)
{
    static const char *const marks[] = {".", "?", "!", "。", "？", "！", "…"};
    while (n > 0 && text[n - 1] && strchr("\"')] ", text[n - 1]))
        n--;
    for (size_t i = 0; i < WH_COUNT(marks); i++) {
        size_t length = strlen(marks[i]);
        if (n >= length && memcmp(text + n - length, marks[i], length) == 0)
            return 1;
    }
    return 0;
}
