/* svx.c - the Amiga's 8SVX and its sibling of 16 bits: VHDR says what the samples are, BODY holds them (see stretch.h).
 * Electronic Arts, "8SVX IFF 8-Bit Sampled Voice", 1985. Read here because libsndfile's reader runs in circles on a
 * damaged chunk's size. */
#include <stdio.h>
#include <string.h>

#include "audio/joined.h"

#define HEADER 20   /* bytes of VHDR that are looked at */
#define TWO_SIDES 6 /* what CHAN says of two channels: the left one whole, then the right one */

static int is_svx(const unsigned char *bytes)
{
    return memcmp(bytes, "FORM", 4) == 0 && (memcmp(bytes + 8, "8SVX", 4) == 0 || memcmp(bytes + 8, "16SV", 4) == 0);
}

static int read_header(wh_walk *walk, const unsigned char *header, size_t n, int bytes)
{
    wh_stretch *s = &walk->format;
    if (n < HEADER || wh_big16(header + 12) < 1)
        return 0;
    memset(s, 0, sizeof *s);
    s->sound = (wh_sound){.rate = wh_big16(header + 12), .channels = 1, .is_16_bit = 1};
    s->pcm = (wh_pcm){.kind = WH_PCM_INTEGER, .bytes = bytes, .is_big = 1};
    s->by = header[15] == 0 ? WH_BY_PCM : WH_BY_NOBODY;
    if (s->by == WH_BY_PCM)
        wh_pcm_describe(&s->pcm, s->coding, sizeof s->coding);
    else
        snprintf(s->coding, sizeof s->coding, "compression %d", header[15]);
    return 1;
}

static void read_sides(wh_walk *walk, const unsigned char *content, size_t n)
{
    if (n < 4 || wh_big32(content) != TWO_SIDES)
        return;
    walk->format.by = WH_BY_NOBODY;
    snprintf(walk->format.coding, sizeof walk->format.coding, "one channel after the other");
}

static int next_in_svx(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char chunk[12] = {0}, content[HEADER];
    if (walk->at == walk->start) {
        if (wh_source_peek(walk->source, walk->at, chunk, 12) < 12)
            return 0;
        walk->format.pcm.bytes = chunk[8] == '8' ? 1 : 2;
        walk->at += 12;
    }
    while (wh_source_peek(walk->source, walk->at, chunk, 12) >= 8) {
        uint32_t size = wh_big32(chunk + 4);
        if (memcmp(chunk, "FORM", 4) == 0 || !wh_is_chunk_name(chunk))
            return 0;
        if (memcmp(chunk, "BODY", 4) == 0 && walk->has_format) {
            *stretch = walk->format;
            stretch->at = walk->at + 8;
            stretch->length = wh_is_unknown_size(size) ? -1 : (int64_t)size;
            walk->has_data = 1;
            return 1;
        }
        if (!wh_walk_passes(walk, walk->at + 8 + (int64_t)size, 0))
            return 0;
        size_t n = wh_source_peek(walk->source, walk->at + 8, content, WH_MIN(size, (uint32_t)HEADER));
        if (memcmp(chunk, "VHDR", 4) == 0 && !walk->has_data)
            walk->has_format = read_header(walk, content, n, walk->format.pcm.bytes);
        else if (memcmp(chunk, "CHAN", 4) == 0 && walk->has_format)
            read_sides(walk, content, n);
        walk->at += 8 + (int64_t)size + (size & 1);
    }
    return 0;
}

static int64_t behind(wh_walk *walk, const wh_stretch *stretch)
{
    int64_t end = stretch->at + stretch->length;
    return end + ((end - walk->start) & 1);
}

const wh_container wh_svx = {"SVX", 12, is_svx, next_in_svx, behind};
