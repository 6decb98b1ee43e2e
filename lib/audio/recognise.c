/* recognise.c - see recognise.h. */
#include "audio/recognise.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 65536 /* how far to look */

void wh_skip_tags(wh_source *source)
{
    unsigned char head[HEAD / 16];
    for (int tags = 0; tags < 16; tags++) {
        if (wh_source_peek(source, 0, head, 10) < 10 || memcmp(head, "ID3", 3) != 0 || head[3] == 0xff)
            return;
        /* id3.org, ID3v2.4 section 3.1: 4 * 7 bits, without this header and the optional footer */
        int64_t size = (int64_t)(head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 | (head[9] & 127);
        wh_source_skip(source, size + (head[5] & 0x10 ? 20 : 10));

        size_t n = wh_source_peek(source, 0, head, sizeof head), zeros = 0;
        while (zeros < n && head[zeros] == 0)
            zeros++;
        wh_source_skip(source, (int64_t)zeros);
    }
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

typedef struct mpeg_header {
    int layer;  /* 1, 2 or 3 */
    int rate;   /* bits a second */
    int size;   /* bytes in the frame, with the header */
} mpeg_header;

/* Read the header of an MPEG audio frame (ISO 11172-3, 2.4.2.3); 0 if these four bytes are none. */
static int read_header(const unsigned char *p, mpeg_header *header)
{
    static const short kbps[5][15] = {
        { 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448 }, /* version 1, layer 1 */
        { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },    /* version 1, layer 2 */
        { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },     /* version 1, layer 3 */
        { 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256 },    /* version 2, layer 1 */
        { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },         /* version 2, layers 2 and 3 */
    };
    static const int hz[3] = { 44100, 48000, 32000 };
    int version = p[1] >> 3 & 3; /* 0: 2.5, 2: 2, 3: 1 */
    int layer = 4 - (p[1] >> 1 & 3);
    int rate = p[2] >> 4, frequency = p[2] >> 2 & 3, padding = p[2] >> 1 & 1;
    if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 1 || layer == 4 || rate == 0 || rate == 15 ||
        frequency == 3 || (p[3] & 3) == 2)
        return 0;
    int samples_hz = hz[frequency] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    header->layer = layer;
    header->rate = 1000 * kbps[version == 3 ? layer - 1 : layer == 1 ? 3 : 4][rate];
    if (layer == 1)
        header->size = (12 * header->rate / samples_hz + padding) * 4;
    else
        header->size = (layer == 3 && version != 3 ? 72 : 144) * header->rate / samples_hz + padding;
    return 1;
}

int wh_mpeg_layer(wh_source *source)
{
    unsigned char head[4];
    mpeg_header header;
    return wh_source_peek(source, 0, head, 4) == 4 && read_header(head, &header) ? header.layer : 0;
}

int wh_mpeg_bit_rate(wh_source *source)
{
    unsigned char head[4];
    mpeg_header header;
    return wh_source_peek(source, 0, head, 4) == 4 && read_header(head, &header) ? header.rate : 0;
}

/* Are there three frames in a row from byte 0 on? Looks no further than them: somebody may be speaking. */
static int begins_with_mpeg(wh_source *source)
{
    unsigned char head[4];
    mpeg_header header;
    int64_t at = 0;
    for (int frames = 0; frames < 3; frames++) {
        if (wh_source_peek(source, at, head, 4) < 4 || !read_header(head, &header))
            return 0;
        at += header.size;
    }
    return 1;
}

int wh_has_header(wh_source *source)
{
    static const struct {
        int offset;
        const char *name;
    } known[] = {
        { 8, "WAVE" }, { 0, "fLaC" }, { 0, "OggS" }, { 8, "AIFF" }, { 8, "AIFC" }, { 0, "caff" }, { 0, ".snd" },
        { 0, "ID3\2" }, { 0, "ID3\3" }, { 0, "ID3\4" }, { 24, "wave" }, { 0, "NIST" }, { 4, "ftyp" }, { 4, "moov" },
        { 0, "\x1a\x45\xdf\xa3" }, { 0, "\x30\x26\xb2\x75" }, { 0, "#!AM" }, { 0, "ADIF" }, { 0, "wvpk" },
        { 0, "MAC " }, { 0, "TTA1" }, { 0, ".RMF" }, { 8, "AVI " },
    };
    unsigned char head[28] = { 0 };
    wh_source_peek(source, 0, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(known); i++)
        if (memcmp(head + known[i].offset, known[i].name, 4) == 0)
            return 1;
    return is_adts(source) || begins_with_mpeg(source);
}

int64_t wh_find_mpeg(wh_source *source)
{
    int64_t found = -1;
    unsigned char *head = wh_calloc(HEAD, 1);
    if (!head)
        return wh_fail_memory();
    size_t n = wh_source_peek(source, 0, head, HEAD);
    for (size_t i = 0; i + 4 <= n && found < 0; i++) {
        size_t at = i;
        int frames = 0;
        while (frames < 3 && at + 4 <= n) {
            mpeg_header header;
            /* the version, layer and sample rate stay the same */
            if (!read_header(head + at, &header) || ((head[i + 1] ^ head[at + 1]) & 0xfe) != 0 ||
                ((head[i + 2] ^ head[at + 2]) & 0x0c) != 0)
                break;
            at += (size_t)header.size;
            frames++;
        }
        if (frames == 3)
            found = (int64_t)i;
    }
    free(head);
    return found;
}
