/* flac_walk.c - see flac_walk.h.
 *
 * A frame does not say how long it is, so the bytes are looked through for headers. Each must bear the number that
 * follows on the frame before, and the bytes since that one's header must have its checksum: so nothing is passed over
 * that reading through would have found damaged, missing or out of order. */
#include "audio/flac_walk.h"

#include <stdlib.h>
#include <string.h>

#include "audio/flac_core.h"

#define PIECE (1 << 18) /* bytes read at once */
#define MOST_HEADER 16  /* bytes of a frame's header with its checksum */
#define AT_ONCE 8       /* bytes summed up side by side */

typedef struct header {
    int64_t number; /* of the frame's first sample */
    int n;          /* samples */
} header;

/* RFC 9639, section 9.1.8: x^8 + x^2 + x + 1. */
static unsigned checksum(const unsigned char *p, int n)
{
    unsigned sum = 0;
    for (int i = 0; i < n; i++) {
        sum ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            sum = (sum << 1 ^ (sum & 0x80 ? 7 : 0)) & 0xff;
    }
    return sum;
}

/* The number behind a header's first four bytes, coded as in UTF-8, in up to 7 bytes: how many; 0: it is none. */
static int read_number(const unsigned char *p, int64_t *number)
{
    int n = 0;
    while (n < 7 && p[0] & 0x80 >> n)
        n++;
    if (n == 1 || (n == 7 && p[0] & 1))
        return 0;
    *number = n ? p[0] & (0x7f >> n) : p[0];
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *number = *number << 6 | (p[i] & 0x3f);
    }
    return n ? n : 1;
}

/* RFC 9639, section 9.1. p has MOST_HEADER bytes. */
static int parse(const unsigned char *p, int fixed, header *h)
{
    static const unsigned char rate_bytes[16] = {[12] = 1, [13] = 2, [14] = 2};
    int size = p[2] >> 4, rate = p[2] & 15, at = 4;
    if (p[0] != 0xff || (p[1] & 0xfe) != 0xf8 || size == 0 || rate == 15 || p[3] >> 4 > 10 || p[3] & 1)
        return 0;
    int number = read_number(p + at, &h->number);
    at += number;
    if (size == 1)
        h->n = 192;
    else if (size >= 8)
        h->n = 256 << (size - 8);
    else if (size < 6)
        h->n = 576 << (size - 2);
    else
        h->n = 1 + (size == 6 ? p[at] : p[at] << 8 | p[at + 1]);
    at += size == 6 ? 1 : size == 7 ? 2 : 0;
    at += rate_bytes[rate];
    if (!number || checksum(p, at) != p[at])
        return 0;
    if (!(p[1] & 1)) /* frames are counted, not samples */
        h->number *= fixed;
    return 1;
}

/* The frame with this number, among those that begin before `last`, or NULL. */
static const unsigned char *find(const unsigned char *p, const unsigned char *last, int fixed, int64_t number,
                                 header *h)
{
    for (; p < last && (p = memchr(p, 0xff, (size_t)(last - p))); p++)
        if (parse(p, fixed, h) && h->number == number)
            return p;
    return NULL;
}

/* Another file, of those that begin before `last`, or NULL. */
static const unsigned char *find_head(const unsigned char *p, const unsigned char *last)
{
    wh_flac_info info;
    for (; p < last && (p = memmem(p, (size_t)(last - p) + 3, "fLaC", 4)); p++)
        if (wh_flac_parse(p, &info))
            return p;
    return NULL;
}

/* RFC 9639, section 9.3: x^16 + x^15 + x^2 + 1. [n]: of one byte that n others follow, which are 0. */
typedef uint16_t sums[AT_ONCE][256];

static void fill_sums(sums of)
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned sum = i << 8;
        for (int bit = 0; bit < 8; bit++)
            sum = (sum << 1 ^ (sum & 0x8000 ? 0x8005 : 0)) & 0xffff;
        of[0][i] = (uint16_t)sum;
    }
    for (int n = 1; n < AT_ONCE; n++)
        for (unsigned i = 0; i < 256; i++)
            of[n][i] = (uint16_t)(of[n - 1][i] << 8 ^ of[0][of[n - 1][i] >> 8]);
}

/* Of a whole frame, whose last two bytes are the sum of those before, this is 0. What several bytes add does not depend
 * on each other, so they are looked up side by side. */
static unsigned sum_on(const sums of, unsigned sum, const unsigned char *p, const unsigned char *end)
{
    for (; end - p >= AT_ONCE; p += AT_ONCE) {
        unsigned next = of[AT_ONCE - 1][sum >> 8 ^ p[0]] ^ of[AT_ONCE - 2][(sum & 0xff) ^ p[1]];
        for (int i = 2; i < AT_ONCE; i++)
            next ^= of[AT_ONCE - 1 - i][p[i]];
        sum = next;
    }
    for (; p < end; p++)
        sum = (sum << 8 & 0xffff) ^ of[0][sum >> 8 ^ *p];
    return sum;
}

int wh_flac_walk_to(wh_source *source, int fixed, int64_t target, wh_flac_walk *walk)
{
    header h;
    int found = 0, is_odd = 0, is_first = 1;
    int64_t number = walk->number, at = walk->position;
    unsigned sum = 0; /* of the frame at *walk, as far as it was seen */
    sums of;
    unsigned char *piece = wh_calloc(PIECE, 1);
    fill_sums(of);
    while (piece && !found && !is_odd) {
        size_t n = wh_source_peek(source, at, piece, PIECE);
        const unsigned char *seen = piece, *p = piece, *last = piece + n - WH_MIN(n, WH_FLAC_HEAD);
        const unsigned char *head = find_head(p, last);
        last = head ? head : last;
        while (!found && !is_odd && (p = find(p, last, fixed, number, &h))) {
            sum = sum_on(of, sum, seen, p);
            is_odd = is_first ? p > piece : sum != 0;
            walk->position = at + (p - piece);
            walk->number = number;
            number += h.n;
            found = !is_odd && number > target;
            seen = p++;
            is_first = 0;
            sum = 0;
        }
        sum = sum_on(of, sum, seen, last);
        at += last - piece;
        /* the end, another file, or the frame looked for should have come long ago */
        is_odd |= n <= WH_FLAC_HEAD || head || at - walk->position > 8 * PIECE || is_first;
    }
    free(piece);
    return found;
}
