/* recognise.c - see recognise.h. */
#include "audio/recognise.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 65536 /* how far to look */

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

int wh_is_sample_dump(wh_source *source)
{
    unsigned char head[4];
    return wh_source_peek(source, 0, head, 4) == 4 && head[0] == 0xf0 && head[1] == 0x7e && head[3] == 1;
}

/* AAC frames: twelve bits of ones, one for the version, layer 0, which MPEG audio does not have (ISO 13818-7, 6.2). */
static int is_adts(wh_source *source)
{
    unsigned char head[7], next[2];
    if (wh_source_peek(source, 0, head, 7) < 7 || head[0] != 0xff || (head[1] & 0xf6) != 0xf0)
        return 0;
    int size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5;
    return size >= 7 && (wh_source_peek(source, size, next, 2) < 2 || (next[0] == 0xff && (next[1] & 0xf6) == 0xf0));
}

const char *wh_foreign_format(wh_source *source)
{
    static const struct {
        int offset, length;
        const char *bytes, *name;
    } known[] = {
        { 4, 4, "ftyp", "MP4 (M4A, AAC, MOV)" },
        { 4, 4, "moov", "MOV" },
        { 4, 4, "mdat", "MOV" },
        { 0, 4, "\x1a\x45\xdf\xa3", "Matroska or WebM" },
        { 0, 8, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA, ASF)" },
        { 0, 5, "#!AMR", "AMR" },
        { 0, 4, "ADIF", "AAC" },
        { 0, 3, "FLV", "Flash video" },
        { 0, 4, "wvpk", "WavPack" },
        { 0, 4, "MAC ", "Monkey's Audio" },
        { 0, 4, "TTA1", "True Audio" },
        { 0, 4, ".RMF", "RealMedia" },
        { 0, 4, "\0\0\1\xba", "MPEG video" },
        { 8, 4, "AVI ", "AVI video" },
        { 28, 8, "Speex   ", "Speex" },
    };
    unsigned char head[189] = { 0 };
    size_t n = wh_source_peek(source, 0, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(known); i++)
        if (n >= (size_t)(known[i].offset + known[i].length) &&
            memcmp(head + known[i].offset, known[i].bytes, (size_t)known[i].length) == 0)
            return known[i].name;
    if (is_adts(source))
        return "AAC";
    if (n == sizeof head && head[0] == 0x47 && head[188] == 0x47)
        return "MPEG transport stream";
    return NULL;
}

/* A length that programs write when they cannot know it: 0 (many), 2^32 - 1 (ffmpeg), 2^31 - 4096 (sox), 2^31 - 1 and
 * 2^31 (arecord), all of them sometimes less the size of the header. */
static int is_unknown(uint32_t size)
{
    return size == 0 || size > UINT32_MAX - 256 || size == 0x7ffff000u || (size > 0x7fffff00u && size <= 0x80000000u);
}

static void patch_wav(wh_source *source)
{
    unsigned char chunk[12], zero[4] = { 0, 0, 0, 0 }, eight[4] = { 8, 0, 0, 0 };
    if (wh_source_peek(source, 0, chunk, 12) < 12)
        return;
    int big = memcmp(chunk, "RIFX", 4) == 0;
    if ((memcmp(chunk, "RIFF", 4) != 0 && !big) || memcmp(chunk + 8, "WAVE", 4) != 0)
        return;
    uint32_t riff = big ? big32(chunk + 4) : little32(chunk + 4);
    int64_t at = 12;
    while (at < HEAD && wh_source_peek(source, at, chunk, 8) == 8) {
        uint32_t size = big ? big32(chunk + 4) : little32(chunk + 4);
        if (memcmp(chunk, "data", 4) == 0) {
            /* In a file, 2^31 may well be the length, and 0 too when the RIFF says that more follows. */
            int unknown = source->is_file ? size == UINT32_MAX || (size == 0 && (int64_t)riff <= at) : is_unknown(size);
            if (unknown) { /* libsndfile's own mark of a recording that was not closed */
                if (big)
                    eight[0] = 0, eight[3] = 8;
                wh_source_patch(source, 4, eight, 4);
                wh_source_patch(source, at + 4, zero, 4);
            }
            return;
        }
        at += 8 + (int64_t)size + (size & 1);
    }
}

/* libsndfile takes a CAF's "until the end" (-1) and a sound that was cut off for errors; the whole file's length it
 * cuts to what there is. */
static void patch_caf(wh_source *source)
{
    unsigned char chunk[12], large[8];
    if (wh_source_peek(source, 0, chunk, 4) < 4 || memcmp(chunk, "caff", 4) != 0)
        return;
    for (int i = 0; i < 8; i++)
        large[i] = (unsigned char)(source->size >> (56 - 8 * i));
    int64_t at = 8;
    while (at < HEAD && wh_source_peek(source, at, chunk, 12) == 12) {
        uint32_t high = big32(chunk + 4), low = big32(chunk + 8);
        if (memcmp(chunk, "data", 4) == 0) {
            uint64_t length = (uint64_t)high << 32 | low;
            if (length <= 4 || length > (uint64_t)(source->size - at - 12)) /* unknown (-1 too), or cut off */
                wh_source_patch(source, at + 4, large, 8);
            return;
        }
        if (high != 0)
            return;
        at += 12 + (int64_t)low;
    }
}

/* In an AIFF, sox writes about 2^31 - 2^24; libsndfile reads a length of 0 as "until the end". */
static void patch_aiff(wh_source *source)
{
    static const unsigned char zero[4] = { 0, 0, 0, 0 };
    unsigned char chunk[12];
    if (source->is_file || wh_source_peek(source, 0, chunk, 12) < 12 || memcmp(chunk, "FORM", 4) != 0 ||
        memcmp(chunk + 8, "AIF", 3) != 0)
        return;
    int64_t at = 12;
    while (at < HEAD && wh_source_peek(source, at, chunk, 8) == 8) {
        uint32_t size = big32(chunk + 4);
        if (memcmp(chunk, "SSND", 4) == 0) {
            if (size <= 8 || size >= 0x7f000000u)
                wh_source_patch(source, at + 4, zero, 4);
            return;
        }
        at += 8 + (int64_t)size + (size & 1);
    }
}

void wh_patch_unknown_length(wh_source *source)
{
    patch_wav(source);
    patch_caf(source);
    patch_aiff(source);
}
