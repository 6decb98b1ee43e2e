/* match.c - which words of a given text a window's transcription covers.
 *
 * An edit distance (Levenshtein 1966; a replacement counts as one word left out and one put in) between the window's
 * words and the text from where it stands on. Text before the match costs little, so that a passage that nobody reads
 * out can be passed over; the end of the text is free. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "align/align_text.h"
#include "tokenizer/utf8.h"

#define LOOK_AHEAD 400 /* words of the text beyond twice the window's */
#define SKIP_COST 0.1f /* of a word of the text before the first one that is heard */

static int is_spoken(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

int wh_keys_make(const wh_words *words, wh_keys *keys)
{
    keys->n = 0;
    wh_buf_clear(&keys->bytes);
    wh_buf_puts(&keys->bytes, "");
    int rc = wh_grow(&keys->ends, &keys->capacity, words->n + 1, sizeof *keys->ends);
    if (rc)
        return rc;
    keys->ends[0] = 0;
    for (size_t i = 0; i < words->n; i++) {
        const char *text = words->text.data + words->list[i].text;
        for (size_t at = 0; at < words->list[i].length;) {
            int32_t code;
            utf8proc_uint8_t bytes[4];
            at += wh_utf8_next(text + at, words->list[i].length - at, &code);
            if (code >= 0 && is_spoken(code))
                wh_buf_append(&keys->bytes, bytes, (size_t)utf8proc_encode_char(utf8proc_tolower(code), bytes));
        }
        keys->ends[++keys->n] = keys->bytes.length;
    }
    return keys->bytes.failed ? wh_fail_memory() : WHISP_OK;
}

void wh_keys_free(wh_keys *keys)
{
    free(keys->ends);
    wh_buf_free(&keys->bytes);
    memset(keys, 0, sizeof *keys);
}

/* The words with a key, from `first` on and at most `most`; returns how many. */
static size_t with_keys(const wh_keys *keys, size_t first, size_t most, size_t *list)
{
    size_t n = 0;
    for (size_t i = first; i < keys->n && n < most; i++)
        if (keys->ends[i + 1] > keys->ends[i])
            list[n++] = i;
    return n;
}

static int same_key(const wh_keys *a, size_t i, const wh_keys *b, size_t j)
{
    size_t length = a->ends[i + 1] - a->ends[i];
    return length == b->ends[j + 1] - b->ends[j] &&
           memcmp(a->bytes.data + a->ends[i], b->bytes.data + b->ends[j], length) == 0;
}

enum step { MATCH, SKIP_HEARD, SKIP_GIVEN };

/* What the cheapest way found. Indices into the lists of words with keys. */
typedef struct found {
    size_t matches, first_heard, first_given, last_heard, last_given;
} found;

/* steps[n + 1][m + 1] is filled row by row, cost[m + 1] is the current row. Returns where in the text the way ends. */
static size_t fill(const wh_keys *heard, const size_t *h, size_t n, const wh_keys *given, const size_t *g, size_t m,
                   unsigned char *steps, float *cost)
{
    for (size_t j = 0; j <= m; j++) {
        cost[j] = SKIP_COST * (float)j;
        steps[j] = SKIP_GIVEN;
    }
    for (size_t i = 1; i <= n; i++) {
        unsigned char *row = steps + i * (m + 1);
        float diagonal = cost[0];
        cost[0] += 1;
        row[0] = SKIP_HEARD;
        for (size_t j = 1; j <= m; j++) {
            float up = cost[j], best = up + 1;
            row[j] = SKIP_HEARD;
            if (cost[j - 1] + 1 < best) {
                best = cost[j - 1] + 1;
                row[j] = SKIP_GIVEN;
            }
            if (diagonal <= best && same_key(heard, h[i - 1], given, g[j - 1])) {
                best = diagonal;
                row[j] = MATCH;
            }
            diagonal = up;
            cost[j] = best;
        }
    }
    size_t end = 0;
    for (size_t j = 1; j <= m; j++)
        if (cost[j] < cost[end])
            end = j;
    return end;
}

static found follow(const unsigned char *steps, size_t n, size_t m, size_t end)
{
    found f = {0};
    for (size_t i = n, j = end; i > 0 || j > 0;) {
        enum step step = (enum step)steps[i * (m + 1) + j];
        if (step == MATCH) {
            if (f.matches++ == 0) {
                f.last_heard = i - 1;
                f.last_given = j - 1;
            }
            f.first_heard = i - 1;
            f.first_given = j - 1;
        }
        i -= step != SKIP_GIVEN;
        j -= step != SKIP_HEARD;
    }
    return f;
}

int wh_match(const wh_keys *heard, const wh_keys *given, size_t next, size_t *first, size_t *end)
{
    *first = *end = next;
    size_t most = 2 * heard->n + LOOK_AHEAD, left = given->n - next;
    most = WH_MIN(most, left);
    size_t *h = wh_calloc(heard->n + most, sizeof *h), *g = h ? h + heard->n : NULL;
    size_t n = h ? with_keys(heard, 0, heard->n, h) : 0, m = h ? with_keys(given, next, most, g) : 0;
    unsigned char *steps = wh_calloc(n + 1, m + 1);
    float *cost = wh_calloc(m + 1, sizeof *cost);
    int rc = h && steps && cost ? WHISP_OK : wh_fail_memory();
    if (!rc && n > 0 && m > 0) {
        found f = follow(steps, n, m, fill(heard, h, n, given, g, m, steps, cost));
        if (f.matches * 3 >= n) {
            /* words that were misheard before the first match and after the last one are the text's neighbours */
            size_t from = f.first_given - WH_MIN(f.first_heard, f.first_given);
            size_t to = WH_MIN(m - 1, f.last_given + (n - 1 - f.last_heard));
            *first = from == 0 ? next : g[from];
            *end = to + 1 < m ? g[to + 1] : g[to] + 1;
            while (*end < given->n && given->ends[*end + 1] == given->ends[*end]) /* punctuation */
                ++*end;
        }
    }
    free(h);
    free(steps);
    free(cost);
    return rc;
}
