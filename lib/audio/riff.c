/* riff.c - WAV files: the chunks of RIFF, RIFX, RF64 and BW64 (see stretch.h).
 *
 * Programs write them in every state: lengths that are not known, chunks of any size before the sound, a second data
 * chunk, odd chunks without their pad byte, sizes beyond 4 GiB that no longer fit. EBU Tech 3306 describes RF64,
 * ITU-R BS.2088 BW64; Microsoft's "Multiple Channel Audio Data and WAVE Files" WAVE_FORMAT_EXTENSIBLE. */
#include <stdio.h>
#include <string.h>

#include "audio/joined.h"

#define MOST_FORMAT 512 /* bytes of a format chunk that are looked at */
#define GIB4 (INT64_C(1) << 32)

int wh_is_chunk_name(const unsigned char *name)
{
    for (int i = 0; i < 4; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            return 0;
    return 1;
}

/* A length that programs write when they cannot know it: 0 (many), 2^32 - 1 (ffmpeg), 2^31 - 4096 (sox), 2^31 - 1 and
 * 2^31 (arecord), all of them sometimes less the size of the header. */
int wh_is_unknown_size(uint32_t size)
{
    return size == 0 || size > UINT32_MAX - 256 || size == 0x7ffff000u || (size > 0x7fffff00u && size <= 0x80000000u);
}

/* Chunks that are known to follow sound, in lower case. */
static int is_known_chunk(const unsigned char *name)
{
    static const char known[][5] = {"fmt ", "list", "fact", "data", "junk", "junq", "bext", "ixml", "cue ",
                                    "smpl", "inst", "id3 ", "peak", "fllr", "_pmx", "plst", "ltxt", "labl",
                                    "note", "disp", "pad ", "axml", "chna", "cart", "levl", "umid", "afsp",
                                    "acid", "strc", "wavl", "slnt", "ds64", "r64m", "aux ", "minf", "elm1",
                                    "regn", "dgda", "link", "qlty", "mext", "riff", "rifx", "rf64", "bw64"};
    for (size_t k = 0; k < WH_COUNT(known); k++) {
        int same = 1;
        for (int i = 0; i < 4; i++)
            same &= (name[i] | (name[i] >= 'A' && name[i] <= 'Z' ? 32 : 0)) == known[k][i];
        if (same)
            return 1;
    }
    return 0;
}

/* ---- the format chunk ---- */

/* What a format's number stands for (RFC 2361 and mmreg.h); BY_NOBODY: for ffmpeg. */
static void choose_decoder(wh_stretch *s, int tag, int bits, int frame_bytes)
{
    static const struct {
        int tag, by;
        const char *name;
    } known[] = {
        {0x02, WH_BY_SNDFILE, "Microsoft ADPCM"}, {0x11, WH_BY_SNDFILE, "IMA ADPCM"}, {0x31, WH_BY_SNDFILE, "GSM 6.10"},
        {0x40, WH_BY_SNDFILE, "G.721 ADPCM"},     {0x38, WH_BY_SNDFILE, "NMS ADPCM"}, {0x50, WH_BY_MPEG, "MPEG"},
        {0x55, WH_BY_MPEG, "MPEG Layer III"},
    };
    int channels = s->sound.channels, bytes = frame_bytes % channels ? 0 : frame_bytes / channels;
    if (bytes < 1 || bytes > 8 || bytes < (bits + 7) / 8)
        bytes = (bits + 7) / 8;
    s->by = WH_BY_PCM;
    s->pcm.bytes = bytes;
    if (tag == 1 && bytes >= 1 && bytes <= 8) {
        s->pcm.kind = WH_PCM_INTEGER;
        s->pcm.is_unsigned = bytes == 1;
    } else if (tag == 3 && (bytes == 4 || bytes == 8)) {
        s->pcm.kind = WH_PCM_FLOAT;
    } else if (tag == 6 || tag == 7) {
        s->pcm.kind = tag == 6 ? WH_PCM_A_LAW : WH_PCM_MU_LAW;
        s->pcm.bytes = 1;
    } else {
        s->by = WH_BY_NOBODY;
        snprintf(s->coding, sizeof s->coding, "coding 0x%04x", tag);
        for (size_t k = 0; k < WH_COUNT(known); k++)
            if (known[k].tag == tag) {
                s->by = known[k].by;
                snprintf(s->coding, sizeof s->coding, "%s", known[k].name);
            }
        return;
    }
    wh_pcm_describe(&s->pcm, s->coding, sizeof s->coding);
    s->sound.is_16_bit = s->pcm.kind != WH_PCM_FLOAT && s->pcm.bytes <= 2;
    s->sound.floats = s->pcm.kind == WH_PCM_FLOAT;
}

/* "RIFF" and all up to the sound, for libsndfile: 8 and 0 are its own marks of lengths that were never written, with
 * which it takes all that follows. */
static void make_head(const unsigned char *chunk, size_t n, int is_big, wh_stretch *s)
{
    static const unsigned char sizes[2][4] = {{8, 0, 0, 0}, {0, 0, 0, 8}};
    unsigned char *p = s->head;
    n = WH_MIN(n, (size_t)MOST_FORMAT) & ~(size_t)1;
    memcpy(p, is_big ? "RIFX" : "RIFF", 4);
    memcpy(p + 4, sizes[is_big], 4);
    memcpy(p + 8, "WAVEfmt ", 8);
    memset(p + 16, 0, 4);
    p[is_big ? 19 : 16] = (unsigned char)n;
    p[is_big ? 18 : 17] = (unsigned char)(n >> 8);
    memcpy(p + 20, chunk, n);
    memcpy(p + 20 + n, "data\0\0\0\0", 8);
    s->n_head = 28 + n;
}

int wh_read_wave_format(const unsigned char *chunk, size_t n, int is_big, wh_stretch *s)
{
    int (*get16)(const unsigned char *) = is_big ? wh_big16 : wh_little16;
    uint32_t (*get32)(const unsigned char *) = is_big ? wh_big32 : wh_little32;
    memset(s, 0, sizeof *s);
    if (n < 14)
        return 0;
    int tag = get16(chunk), frame_bytes = get16(chunk + 12), bits = n >= 16 ? get16(chunk + 14) : 0;
    uint32_t rate = get32(chunk + 4);
    s->sound.channels = get16(chunk + 2);
    s->sound.rate = rate > INT32_MAX ? 0 : (int)rate;
    if (s->sound.channels < 1 || s->sound.channels > WH_MOST_CHANNELS || s->sound.rate < 1)
        return 0;
    if (tag == 0xfffe && n >= 26) { /* WAVE_FORMAT_EXTENSIBLE: the first two bytes of a GUID are the old number */
        uint32_t speakers = get32(chunk + 20);
        if (__builtin_popcount(speakers) == s->sound.channels)
            s->sound.speakers = speakers;
        tag = get16(chunk + 24);
    }
    s->pcm.is_big = is_big;
    choose_decoder(s, tag, bits, frame_bytes);
    if (s->by == WH_BY_SNDFILE)
        make_head(chunk, n, is_big, s);
    return 1;
}

/* ---- chunks ---- */

static uint32_t size_of(const wh_walk *walk, const unsigned char *chunk)
{
    return walk->is_big ? wh_big32(chunk + 4) : wh_little32(chunk + 4);
}

/* Where the next chunk begins behind one of n bytes at `at`: odd ones have a pad byte, which some programs forget. */
static int64_t behind(wh_walk *walk, int64_t at, int64_t n)
{
    unsigned char name[5];
    int64_t end = at + n;
    if (!(n & 1))
        return end;
    size_t got = wh_source_peek(walk->source, end, name, 5);
    return (got < 5 || !is_known_chunk(name + 1)) && got >= 4 && is_known_chunk(name) ? end : end + 1;
}

/* The length of the data chunk whose bytes begin at `at`; -1: up to the end. */
static int64_t data_length(wh_walk *walk, uint32_t size, int64_t at)
{
    unsigned char next[8];
    const wh_source *source = walk->source;
    int64_t length = size;
    if (size == UINT32_MAX && walk->long_data > 0)
        return walk->long_data;
    if (wh_is_unknown_size(size)) {
        if (size == 0) { /* nothing in it, if something else follows */
            size_t got = wh_source_peek(walk->source, at, next, 8);
            return got < 8 || is_known_chunk(next) ? 0 : -1;
        }
        return source->is_file && at + length <= source->size ? length : -1;
    }
    /* More than 4 GiB in a plain WAV: the size is what was left of it. */
    if (source->is_file && source->size - at - length >= GIB4 - 65536 &&
        (wh_source_peek(walk->source, at + length, next, 8) < 8 || !is_known_chunk(next)))
        length += (source->size - at - length + 65536) / GIB4 * GIB4;
    return length;
}

static void read_ds64(wh_walk *walk, int64_t at, uint32_t size)
{
    unsigned char sizes[16]; /* of the whole, then of the first data chunk */
    if (size >= 16 && wh_source_peek(walk->source, at, sizes, 16) == 16) {
        uint64_t length = wh_little64(sizes + 8);
        walk->long_data = length == 0 || length > INT64_MAX / 2 ? -1 : (int64_t)length;
    }
}

static int take_data(wh_walk *walk, uint32_t size, wh_stretch *stretch)
{
    *stretch = walk->format;
    stretch->at = walk->at + 8;
    stretch->length = data_length(walk, size, stretch->at);
    walk->long_data = -1;
    walk->has_data = 1;
    return 1;
}

/* May a chunk of this size be skipped? Only what fits: it may be no chunk at all. */
static int may_skip(wh_walk *walk, const unsigned char *name, uint32_t size)
{
    return wh_is_chunk_name(name) && wh_walk_passes(walk, walk->at + 8 + (int64_t)size, is_known_chunk(name));
}

static int is_riff(const unsigned char *bytes)
{
    return memcmp(bytes + 8, "WAVE", 4) == 0 && (memcmp(bytes, "RIFF", 4) == 0 || memcmp(bytes, "RIFX", 4) == 0 ||
                                                 memcmp(bytes, "RF64", 4) == 0 || memcmp(bytes, "BW64", 4) == 0);
}

static int next_in_riff(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char chunk[12] = {0}, format[MOST_FORMAT];
    if (walk->at == walk->start) {
        wh_source_peek(walk->source, walk->at, chunk, 4);
        walk->is_big = chunk[3] == 'X';
        walk->at += 12;
    }
    while (wh_source_peek(walk->source, walk->at, chunk, 12) >= 8) {
        uint32_t size = size_of(walk, chunk);
        int64_t content = walk->at + 8;
        if (is_riff(chunk))
            return 0; /* joined */
        if (memcmp(chunk, "data", 4) == 0 && walk->has_format)
            return take_data(walk, size, stretch);
        if (memcmp(chunk, "data", 4) == 0 && walk->has_data)
            return 0; /* the format chunk before it makes no sense: what its samples are cannot be guessed */
        if (!may_skip(walk, chunk, size))
            return 0;
        if (memcmp(chunk, "fmt ", 4) == 0) {
            size_t n = wh_source_peek(walk->source, content, format, WH_MIN(size, (uint32_t)MOST_FORMAT));
            walk->has_format = wh_read_wave_format(format, n, walk->is_big, &walk->format);
        } else if (memcmp(chunk, "ds64", 4) == 0) {
            read_ds64(walk, content, size);
        }
        walk->at = behind(walk, content, size);
    }
    return 0;
}

static int64_t behind_stretch(wh_walk *walk, const wh_stretch *stretch)
{
    return behind(walk, stretch->at, stretch->length);
}

const wh_container wh_riff = {"WAV", 12, is_riff, next_in_riff, behind_stretch};
