/* aiff.c - AIFF and AIFF-C: COMM says what the samples are, SSND holds them; no other chunk is looked into but CHAN
 * (see stretch.h). Apple, "Audio Interchange File Format AIFF-C", 1991. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "audio/joined.h"

#define MOST_COMMON 64       /* bytes of a COMM chunk that are looked at */
#define SOX_MARK 0x7f000000u /* sox writes about 2^31 - 2^24 where it does not know */

static int is_aiff(const unsigned char *bytes)
{
    return memcmp(bytes, "FORM", 4) == 0 && memcmp(bytes + 8, "AIF", 3) == 0 && (bytes[11] == 'F' || bytes[11] == 'C');
}

/* An 80-bit float. */
static double read_extended(const unsigned char *p)
{
    int exponent = (p[0] & 0x7f) << 8 | p[1];
    return p[0] & 0x80 ? 0 : ldexp((double)wh_big64(p + 2), exponent - 16383 - 63);
}

/* A form with nothing in it but COMM and the beginning of SSND, for libsndfile; the lengths say "until the end". */
static void make_head(const unsigned char *common, size_t n, wh_stretch *s)
{
    unsigned char *p = s->head;
    n = WH_MIN(n, (size_t)MOST_COMMON) & ~(size_t)1;
    memcpy(p,
           "FORM\0\0\0\0AIFCFVER\0\0\0\4\xa2\x80\x51\x40"
           "COMM\0\0\0",
           31);
    p[31] = (unsigned char)n;
    memcpy(p + 32, common, n);
    memcpy(p + 32 + n, "SSND\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    s->n_head = 48 + n;
}

/* AIFF-C's four letters; AIFF has none. */
static void choose_decoder(wh_stretch *s, const unsigned char *name, int bits)
{
    static const struct {
        char name[5];
        int kind, bytes, is_little, is_unsigned;
    } known[] = {
        {"NONE", WH_PCM_INTEGER, 0, 0, 0}, {"twos", WH_PCM_INTEGER, 0, 0, 0}, {"sowt", WH_PCM_INTEGER, 0, 1, 0},
        {"raw ", WH_PCM_INTEGER, 1, 0, 1}, {"in24", WH_PCM_INTEGER, 3, 0, 0}, {"in32", WH_PCM_INTEGER, 4, 0, 0},
        {"42ni", WH_PCM_INTEGER, 3, 1, 0}, {"23ni", WH_PCM_INTEGER, 4, 1, 0}, {"fl32", WH_PCM_FLOAT, 4, 0, 0},
        {"FL32", WH_PCM_FLOAT, 4, 0, 0},   {"fl64", WH_PCM_FLOAT, 8, 0, 0},   {"FL64", WH_PCM_FLOAT, 8, 0, 0},
        {"alaw", WH_PCM_A_LAW, 1, 0, 0},   {"ALAW", WH_PCM_A_LAW, 1, 0, 0},   {"ulaw", WH_PCM_MU_LAW, 1, 0, 0},
        {"ULAW", WH_PCM_MU_LAW, 1, 0, 0},
    };
    static const char sndfile[][5] = {"ima4", "GSM ", "DWVW"};
    s->by = WH_BY_NOBODY;
    snprintf(s->coding, sizeof s->coding, "coding '%.4s'", wh_is_chunk_name(name) ? (const char *)name : "????");
    for (size_t k = 0; k < WH_COUNT(sndfile); k++)
        if (memcmp(name, sndfile[k], 4) == 0)
            s->by = WH_BY_SNDFILE;
    for (size_t k = 0; k < WH_COUNT(known); k++) {
        int bytes = known[k].bytes ? known[k].bytes : (bits + 7) / 8;
        if (memcmp(name, known[k].name, 4) != 0 || bytes < 1 || bytes > 8)
            continue;
        s->by = WH_BY_PCM;
        s->pcm = (wh_pcm){.kind = known[k].kind,
                          .bytes = bytes,
                          .is_big = !known[k].is_little,
                          .is_unsigned = known[k].is_unsigned};
        s->sound.is_16_bit = s->pcm.kind != WH_PCM_FLOAT && bytes <= 2;
        s->sound.floats = s->pcm.kind == WH_PCM_FLOAT;
        wh_pcm_describe(&s->pcm, s->coding, sizeof s->coding);
    }
}

static int read_common(wh_walk *walk, const unsigned char *common, size_t n)
{
    wh_stretch *s = &walk->format;
    unsigned char map[sizeof s->map];
    uint32_t speakers = s->sound.speakers; /* CHAN may have come first */
    int is_mapped = s->is_mapped;
    if (n < 18)
        return 0;
    memcpy(map, s->map, sizeof map);
    memset(s, 0, sizeof *s);
    double rate = read_extended(common + 8);
    s->sound.channels = wh_big16(common);
    if (s->sound.channels < 1 || s->sound.channels > WH_MOST_CHANNELS || !(rate >= 1 && rate < INT32_MAX))
        return 0;
    s->sound.rate = (int)(rate + 0.5);
    s->sound.speakers = speakers;
    s->is_mapped = is_mapped;
    memcpy(s->map, map, sizeof map);
    walk->promised = wh_big32(common + 2);
    choose_decoder(s, n >= 22 ? common + 18 : (const unsigned char *)"NONE", wh_big16(common + 6));
    if (s->by == WH_BY_SNDFILE)
        make_head(common, n, s);
    return 1;
}

/* The sound chunk whose header is at `at`. */
static int take_sound(wh_walk *walk, int64_t at, uint32_t size, wh_stretch *stretch)
{
    unsigned char offset[4] = {0};
    wh_source *source = walk->source;
    wh_source_peek(source, at + 8, offset, 4);
    int64_t skip = wh_big32(offset), frame = (int64_t)walk->format.sound.channels * walk->format.pcm.bytes;
    *stretch = walk->format;
    if (__builtin_popcount(stretch->sound.speakers) != stretch->sound.channels)
        stretch->sound.speakers = 0, stretch->is_mapped = 0;
    stretch->at = at + 16 + skip;
    stretch->length = (int64_t)size - 8 - skip;
    if (size <= 8 || size == UINT32_MAX || (size >= SOX_MARK && (!source->is_file || at + 8 + size > source->size))) {
        stretch->length = -1;
        if (size <= 8 && !walk->has_data && walk->promised > 0 && stretch->by == WH_BY_PCM)
            stretch->length = walk->promised * frame;
        else if (size == 8 && !wh_source_reaches(source, stretch->at + 1))
            stretch->length = 0;
    }
    stretch->length = stretch->length < -1 ? 0 : stretch->length;
    walk->has_data = 1;
    return 1;
}

static int next_in_aiff(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char chunk[12] = {0}, content[MOST_COMMON];
    if (walk->at == walk->start)
        walk->at += 12;
    while (wh_source_peek(walk->source, walk->at, chunk, 12) >= 8) {
        uint32_t size = wh_big32(chunk + 4);
        int is_sound = memcmp(chunk, "SSND", 4) == 0;
        if (is_aiff(chunk) || !wh_is_chunk_name(chunk))
            return 0;
        if (is_sound && walk->has_format) /* the second one, too, though there should be none */
            return take_sound(walk, walk->at, size, stretch);
        if (!wh_walk_passes(walk, walk->at + 8 + (int64_t)size, 0))
            return 0;
        if (is_sound && !walk->kept_at) {
            walk->kept_at = walk->at;
            walk->kept = size;
        }
        size_t n = WH_MIN(size, (uint32_t)MOST_COMMON);
        n = is_sound ? 0 : wh_source_peek(walk->source, walk->at + 8, content, n);
        if (memcmp(chunk, "CHAN", 4) == 0)
            wh_read_layout(content, n, &walk->format);
        if (memcmp(chunk, "COMM", 4) == 0 && !walk->has_data)
            walk->has_format = read_common(walk, content, n);
        walk->at += 8 + (int64_t)size + (size & 1);
        if (walk->has_format && walk->kept_at && !walk->has_data && walk->source->is_file)
            return take_sound(walk, walk->kept_at, (uint32_t)walk->kept, stretch);
    }
    return 0;
}

static int64_t behind(wh_walk *walk, const wh_stretch *stretch)
{
    int64_t end = stretch->at + stretch->length;
    return end + ((end - walk->start) & 1);
}

const wh_container wh_aiff = {"AIFF", 12, is_aiff, next_in_aiff, behind};
