/* mpeg_frames.c - see mpeg_frames.h. */
#include "audio/mpeg_frames.h"

#include <string.h>

#include "audio/stretch.h"
#include "audio/tags.h"

#define PIECE 8192
#define CHAIN 3  /* frames in a row that are needed to believe in them after junk */
#define LONGER 4 /* where they are of another kind than those before */

int wh_mpeg_parse(const unsigned char p[4], wh_mpeg_header *header)
{
    static const short kbps[5][15] = {
        {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, /* version 1, layer 1 */
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},    /* version 1, layer 2 */
        {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},     /* version 1, layer 3 */
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},    /* version 2, layer 1 */
        {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},         /* version 2, layers 2 and 3 */
    };
    static const int hz[3] = {44100, 48000, 32000}, versions[4] = {3, 0, 2, 1};
    int version = versions[p[1] >> 3 & 3], layer = 4 - (p[1] >> 1 & 3);
    int bits = p[2] >> 4, frequency = p[2] >> 2 & 3, padding = p[2] >> 1 & 1;
    if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 0 || layer == 4 || bits == 0 || bits == 15 ||
        frequency == 3 || (p[3] & 3) == 2)
        return 0;
    int is_v1 = version == 1;
    *header = (wh_mpeg_header){.version = version,
                               .layer = layer,
                               .rate = hz[frequency] >> (version - 1),
                               .channels = p[3] >> 6 == 3 ? 1 : 2,
                               .joint = p[3] >> 6 == 1,
                               .bound = p[3] >> 4 & 3,
                               .has_crc = !(p[1] & 1),
                               .bits = 1000 * kbps[is_v1        ? layer - 1
                                                   : layer == 1 ? 3
                                                                : 4][bits]};
    if (layer == 1)
        header->size = (12 * header->bits / header->rate + padding) * 4;
    else
        header->size = (layer == 3 && !is_v1 ? 72 : 144) * header->bits / header->rate + padding;
    header->samples = layer == 1 ? 384 : layer == 3 && !is_v1 ? 576 : 1152;
    return 1;
}

int wh_mpeg_same_kind(const wh_mpeg_header *a, const wh_mpeg_header *b)
{
    return a->version == b->version && a->layer == b->layer && a->rate == b->rate;
}

/* ISO 11172-3, 2.4.1.7; ISO 13818-3, 2.4.1.7: the side information begins with 9 or 8 bits that say how far back the
 * sound begins. All others 0: none of the sound's bits are used, and no sound comes of them. */
void wh_mpeg_fit(unsigned char *frame, int n, const wh_mpeg_header *header, int *reservoir)
{
    int is_v1 = header->version == 1, side = is_v1 ? (header->channels == 2 ? 32 : 17) : header->channels == 2 ? 17 : 9;
    unsigned char *p = frame + 4 + 2 * header->has_crc;
    if (header->layer != 3 || p + side > frame + n)
        return;
    int back = is_v1 ? p[0] << 1 | p[1] >> 7 : p[0];
    if (back > *reservoir) {
        back = *reservoir;
        memset(p, 0, (size_t)side);
        p[0] = (unsigned char)(is_v1 ? back >> 1 : back);
        p[1] = (unsigned char)(is_v1 ? (back & 1) << 7 : 0);
    }
    *reservoir = WH_MIN(back + (int)(frame + n - p) - side, is_v1 ? 511 : 255);
}

/* "Xing" and "Info" stand where layer 3's side information would end; behind them what the flags say is there, then
 * LAME's addition (https://wiki.hydrogenaud.io/index.php?title=LAME#VBR_header_and_LAME_tag). */
int wh_mpeg_read_info(const unsigned char *frame, size_t n, wh_mpeg_info *info)
{
    wh_mpeg_header header;
    memset(info, 0, sizeof *info);
    if (n < 64 || !wh_mpeg_parse(frame, &header) || header.layer != 3)
        return 0;
    size_t at = header.version == 1 ? (header.channels == 2 ? 36 : 21) : (header.channels == 2 ? 21 : 13);
    if (memcmp(frame + 36, "VBRI", 4) == 0) {
        info->bytes = wh_big32(frame + 46);
        info->frames = wh_big32(frame + 50);
        return 1;
    }
    if (memcmp(frame + at, "Xing", 4) != 0 && memcmp(frame + at, "Info", 4) != 0)
        return 0;
    uint32_t flags = wh_big32(frame + at + 4);
    at += 8;
    if (flags & 1)
        info->frames = wh_big32(frame + at), at += 4;
    if (flags & 2)
        info->bytes = wh_big32(frame + at), at += 4;
    at += (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
    if (at + 24 > n)
        return 1;
    const unsigned char *lame = frame + at;
    info->has_delay = memcmp(lame, "LAME", 4) == 0 || memcmp(lame, "Lavf", 4) == 0 || memcmp(lame, "Lavc", 4) == 0;
    info->delay = lame[21] << 4 | lame[22] >> 4;
    info->padding = (lame[22] & 15) << 8 | lame[23];
    return 1;
}

/* ---- what stands in a frame of layer 3 ---- */

/* Where the side information begins, and how long it is. */
static int find_side(const wh_mpeg_header *h, int *length)
{
    *length = h->version == 1 ? (h->channels == 2 ? 32 : 17) : (h->channels == 2 ? 17 : 9);
    return h->has_crc ? 6 : 4;
}

static int take_bits(const unsigned char *bytes, int *at, int n)
{
    int value = 0;
    for (; n > 0; n--, ++*at)
        value = value << 1 | (bytes[*at >> 3] >> (7 - (*at & 7)) & 1);
    return value;
}

/* ISO 11172-3, 2.4.1.7 and ISO 13818-3: nothing in the side information that no encoder can write. More than 576 large
 * values, a window that is switched to none, more bits than there are in this frame and before it. */
int wh_mpeg_is_sound(const wh_mpeg_frame *frame, unsigned *sounding)
{
    const wh_mpeg_header *h = &frame->header;
    int length, from = find_side(h, &length), is_v1 = h->version == 1, at = 0, bits = 0;
    *sounding = 3;
    if (h->layer != 3 || frame->n < h->size || h->size < from + length)
        return 1; /* of others only the header can be checked; those that are cut off are told otherwise */
    *sounding = 0;
    const unsigned char *side = frame->bytes + from;
    int before = take_bits(side, &at, is_v1 ? 9 : 8);
    at += is_v1 ? (h->channels == 2 ? 3 + 8 : 5 + 4) : h->channels;
    for (int i = 0; i < (is_v1 ? 2 : 1) * h->channels; i++) {
        int length_bits = take_bits(side, &at, 12);
        bits += length_bits;
        *sounding |= (unsigned)(length_bits > 0) << i / h->channels;
        if (take_bits(side, &at, 9) > 288)
            return 0;
        at += 8 + (is_v1 ? 4 : 9);
        int is_switched = take_bits(side, &at, 1);
        if (is_switched && take_bits(side, &at, 2) == 0)
            return 0;
        at += (is_switched ? 20 : 22) + (is_v1 ? 3 : 2);
    }
    return bits <= 8 * (before + h->size - from - length);
}

void wh_mpeg_silence(wh_mpeg_frame *frame)
{
    int length, from = find_side(&frame->header, &length);
    memset(frame->bytes + from, 0, (size_t)length);
}

/* ---- one after the other ---- */

/* Is there a header of this kind at `at`? -1: the bytes end there, or a tag begins. */
static int check(wh_source *source, int64_t at, const wh_mpeg_header *kind, wh_mpeg_header *header)
{
    unsigned char bytes[4];
    if (wh_source_peek(source, at, bytes, 4) < 4)
        return -1;
    if (wh_mpeg_parse(bytes, header))
        return wh_mpeg_same_kind(kind, header);
    return strchr("ITAL", bytes[0]) && bytes[0] && wh_tag_length(source, at) ? -1 : 0; /* ID3, TAG, APE, Lyrics3 */
}

int wh_mpeg_chain(wh_source *source, int64_t at, int n, wh_mpeg_header *header)
{
    unsigned char bytes[4];
    if (wh_source_peek(source, at, bytes, 4) < 4 || !wh_mpeg_parse(bytes, header))
        return 0;
    wh_mpeg_header next = *header;
    for (int i = 1; i < n; i++) {
        at += next.size;
        int found = check(source, at, header, &next);
        if (found <= 0)
            return found < 0 && i >= WH_MIN(n - 1, 2);
    }
    return 1;
}

/* Is there a frame at the place where the last one ended? Or another recording's first? */
static int follows(wh_mpeg_frames *f, int64_t at, wh_mpeg_header *header)
{
    unsigned char bytes[4];
    if (wh_source_peek(f->source, at, bytes, 4) < 4 || !wh_mpeg_parse(bytes, header))
        return 0;
    return (f->is_started && wh_mpeg_same_kind(header, &f->last)) || wh_mpeg_chain(f->source, at, CHAIN, header);
}

/* Look for frames between `at` and `end`. Their offset, or that of the bytes' end (at least `end` where there are so
 * many). */
static int64_t resync(wh_mpeg_frames *f, int64_t at, int64_t end, wh_mpeg_header *header)
{
    unsigned char piece[PIECE];
    size_t n = 0;
    while (at < end && (n = wh_source_peek(f->source, at, piece, sizeof piece)) >= 4) {
        const unsigned char *p = piece, *last = piece + WH_MIN((int64_t)n - 3, end - at);
        while (p < last && (p = memchr(p, 0xff, (size_t)(last - p)))) {
            int64_t here = at + (p - piece);
            if (wh_mpeg_parse(p, header)) {
                int same = f->is_started && wh_mpeg_same_kind(header, &f->last);
                if (wh_mpeg_chain(f->source, here, same ? CHAIN : LONGER, header))
                    return here;
            }
            p++;
        }
        at += (int64_t)n - 3;
    }
    return at < end ? at + (int64_t)n : at;
}

/* A frame that is not followed by another: was it cut off, so that others begin before its end? Their offset, or `at`.
 * */
static int64_t check_end(wh_mpeg_frames *f, int64_t at, wh_mpeg_header *header)
{
    wh_mpeg_header next;
    int64_t end = at + header->size;
    if (check(f->source, end, header, &next) == 1)
        return at;
    int64_t inside = resync(f, at + 1, end, &next);
    if (inside >= end || !wh_mpeg_chain(f->source, inside, CHAIN, &next))
        return at;
    *header = next;
    return inside;
}

/* Skip tags and zeros. Nonzero if a frame follows. */
static int skip_padding(wh_mpeg_frames *f, int64_t *at, wh_mpeg_frame *frame)
{
    int found;
    frame->tags = frame->zeros = 0;
    while (!(found = follows(f, *at, &frame->header))) {
        int64_t tag = wh_tag_length(f->source, *at), zeros = tag ? 0 : wh_zeros(f->source, *at, INT64_MAX);
        if (tag + zeros == 0)
            break;
        frame->tags += tag;
        frame->zeros += zeros;
        *at += tag + zeros;
    }
    return found;
}

int wh_mpeg_next(wh_mpeg_frames *f, wh_mpeg_frame *frame)
{
    int64_t at = f->position;
    int found = skip_padding(f, &at, frame);
    frame->junk_from = at;
    at = found ? check_end(f, at, &frame->header) : resync(f, at, INT64_MAX, &frame->header);
    frame->junk = at - frame->junk_from;
    frame->n = (int)wh_source_peek(f->source, at, frame->bytes, WH_MPEG_MOST);
    frame->n = WH_MIN(frame->n, frame->n >= 4 ? frame->header.size : 0);
    if (frame->n < 4 || !wh_mpeg_parse(frame->bytes, &frame->header))
        return 0;
    frame->is_new_kind = f->is_started && !wh_mpeg_same_kind(&frame->header, &f->last);
    f->last = frame->header;
    f->is_started = 1;
    f->position = at + frame->n;
    return 1;
}
