/* w64.c - Sony's Wave64: WAV with GUIDs for names and 64-bit sizes, which count the chunk's own header (see
 * stretch.h). */
#include <string.h>

#include "audio/joined.h"

#define HEADER 24
#define MOST_FORMAT 512

/* All names but "riff" end alike. */
static const unsigned char riff_guid[16] = "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00",
                           rest_guid[12] = "\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";

static int is_named(const unsigned char *chunk, const char *name)
{
    return memcmp(chunk, name, 4) == 0 && memcmp(chunk + 4, rest_guid, sizeof rest_guid) == 0;
}

static int is_w64(const unsigned char *bytes)
{
    return memcmp(bytes, riff_guid, sizeof riff_guid) == 0 && is_named(bytes + HEADER, "wave");
}

static int take_data(wh_walk *walk, int64_t size, wh_stretch *stretch)
{
    *stretch = walk->format;
    stretch->at = walk->at + HEADER;
    walk->has_data = 1;
    stretch->length = size <= HEADER ? -1 : size - HEADER; /* 0 and -1 are marks of lengths that were not known */
    return 1;
}

static int next_in_w64(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char chunk[HEADER], format[MOST_FORMAT];
    if (walk->at == walk->start)
        walk->at += HEADER + 16;
    while (wh_source_peek(walk->source, walk->at, chunk, HEADER) == HEADER) {
        uint64_t raw = wh_little64(chunk + 16);
        int64_t size = raw > INT64_MAX / 2 ? 0 : (int64_t)raw;
        if (memcmp(chunk + 4, rest_guid, sizeof rest_guid) != 0 && size < HEADER)
            return 0;
        if (memcmp(chunk, riff_guid, sizeof riff_guid) == 0)
            return 0; /* joined */
        if (is_named(chunk, "data") && walk->has_format)
            return take_data(walk, size, stretch);
        if (is_named(chunk, "data") && walk->has_data)
            return 0; /* the format chunk before it makes no sense */
        if (size < HEADER || !wh_walk_passes(walk, walk->at + size, 0))
            return 0;
        if (is_named(chunk, "fmt ")) {
            size_t n = (size_t)WH_MIN(size - HEADER, MOST_FORMAT);
            n = wh_source_peek(walk->source, walk->at + HEADER, format, n);
            walk->has_format = wh_read_wave_format(format, n, 0, &walk->format);
        }
        walk->at += (size + 7) & ~(int64_t)7;
    }
    return 0;
}

/* Chunks begin at multiples of eight. */
static int64_t behind(wh_walk *walk, const wh_stretch *stretch)
{
    int64_t end = stretch->at + stretch->length - walk->start;
    return walk->start + ((end + 7) & ~(int64_t)7);
}

const wh_container wh_w64 = {"Wave64", HEADER + 16, is_w64, next_in_w64, behind};
