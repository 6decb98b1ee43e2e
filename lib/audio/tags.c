/* tags.c - see tags.h. */
#include "audio/tags.h"

#include <string.h>

#define PIECE 4096
#define LYRICS (1 << 19) /* more than Lyrics3 v2 can have with its six digits is not looked through */
#define FEW_ZEROS 8      /* other formats begin with some */
#define JUNK_PIECE 65536

/* id3.org, ID3v2.4 section 3.1: 4 * 7 bits, without this header and the optional footer */
static int64_t id3v2_length(const unsigned char *p)
{
    if (memcmp(p, "ID3", 3) != 0 || p[3] == 0xff || p[4] == 0xff || ((p[6] | p[7] | p[8] | p[9]) & 0x80))
        return 0;
    int64_t size = (int64_t)p[6] << 21 | (int64_t)p[7] << 14 | (int64_t)p[8] << 7 | p[9];
    return size + (p[5] & 0x10 ? 20 : 10);
}

/* APEv2: the size counts the items and the footer, not the header; bit 29 of the flags: this is the header, bit 31:
 * there is one. An APEv1 has a footer only: what stands before it cannot be told from junk, but the footer can. */
static int64_t ape_length(const unsigned char *p)
{
    uint32_t size = (uint32_t)p[15] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[13] << 8 | p[12];
    uint32_t version = (uint32_t)p[11] << 24 | (uint32_t)p[10] << 16 | (uint32_t)p[9] << 8 | p[8];
    if (memcmp(p, "APETAGEX", 8) != 0 || (version != 1000 && version != 2000) || size < 32 || size > 1u << 28)
        return 0;
    return p[23] & 0x20 ? (int64_t)size + 32 : 32;
}

/* From LYRICSBEGIN to LYRICSEND or, behind six digits, LYRICS200, whichever comes first. The byte 0xff, with which
 * frames begin, does not occur in it (id3.org, Lyrics3). */
static int64_t lyrics_length(wh_source *source, int64_t at)
{
    unsigned char text[PIECE];
    size_t n = sizeof text;
    for (int64_t done = 0; done < LYRICS && n == sizeof text; done += PIECE - 8) {
        n = wh_source_peek(source, at + done, text, sizeof text);
        unsigned char *stop = memchr(text, 0xff, n);
        size_t before = stop ? (size_t)(stop - text) : n;
        unsigned char *end = memmem(text, before, "LYRICS200", 9);
        unsigned char *old = memmem(text, end ? (size_t)(end - text) : before, "LYRICSEND", 9);
        if (old || end)
            return done + ((old ? old : end) - text) + 9;
        if (stop)
            return 0;
    }
    return 0;
}

int64_t wh_tag_length(wh_source *source, int64_t at)
{
    unsigned char head[32] = {0};
    size_t n = wh_source_peek(source, at, head, sizeof head);
    if (n >= 10 && head[0] == 'I')
        return id3v2_length(head);
    if (n == 32 && head[0] == 'A')
        return ape_length(head);
    if (n == 32 && memcmp(head, "TAG+", 4) == 0)
        return 227;
    if (n == 32 && memcmp(head, "TAG", 3) == 0)
        return 128;
    return n == 32 && memcmp(head, "LYRICSBEGIN", 11) == 0 ? lyrics_length(source, at) : 0;
}

int64_t wh_zeros(wh_source *source, int64_t from, int64_t to)
{
    unsigned char piece[PIECE];
    int64_t at = from;
    while (at < to) {
        size_t n = wh_source_peek(source, at, piece, (size_t)WH_MIN(to - at, (int64_t)sizeof piece)), i = 0;
        while (i < n && piece[i] == 0)
            i++;
        at += (int64_t)i;
        if (i < n || n == 0)
            break;
    }
    return at - from;
}

int64_t wh_padding(wh_source *source, int64_t from, int64_t to)
{
    int64_t at = from, length = 1;
    while (at < to && length > 0) {
        length = wh_tag_length(source, at);
        if (length == 0)
            length = wh_zeros(source, at, to);
        at += length;
    }
    return WH_MIN(at, to) - from;
}

void wh_skip_tags(wh_source *source)
{
    unsigned char next;
    for (int tags = 0; tags < 64; tags++) {
        int64_t tag = wh_tag_length(source, 0), zeros = 0;
        wh_source_skip(source, tag);
        while (wh_source_peek(source, 0, &next, 1) == 1) {
            int64_t n = wh_zeros(source, 0, JUNK_PIECE);
            if (n == 0 || (!tag && !zeros && n < FEW_ZEROS))
                break;
            wh_source_skip(source, n);
            zeros += n;
        }
        if (!tag && !zeros)
            return;
    }
}
