/* mpeg_walk.c - see mpeg_walk.h. */
#include "audio/mpeg_walk.h"

#include <stdlib.h>

#define PIECE (1 << 18)    /* bytes read at once */
#define MOST_HEAD (4 + 32) /* of a frame's bytes that are header and side information */
#define RESERVOIR 511      /* bytes that a frame's sound may begin before it */

/* Does a frame like those before begin here, which holds sound and is followed by another? Its size, or 0. Also 0 where
 * wh_mpeg_fit() would make a checksum wrong. */
static int check(const unsigned char *p, size_t n, const wh_mpeg_header *kind)
{
    wh_mpeg_header header, next;
    wh_mpeg_info info;
    if (n < 4 || !wh_mpeg_parse(p, &header) || !wh_mpeg_same_kind(&header, kind) || header.channels != kind->channels ||
        (header.layer == 3 && header.has_crc) || n < (size_t)header.size + 4 ||
        wh_mpeg_read_info(p, (size_t)header.size, &info))
        return 0;
    p += header.size;
    return wh_mpeg_parse(p, &next) && wh_mpeg_same_kind(&next, kind) ? header.size : 0;
}

static void remember(wh_mpeg_walk *walk)
{
    int64_t i = walk->number / WH_MPEG_STEP % WH_MPEG_PLACES;
    walk->places[i].position = walk->position;
    walk->places[i].data = walk->data;
}

int wh_mpeg_walk_to(wh_source *source, const wh_mpeg_header *kind, int64_t target, wh_mpeg_walk *walk)
{
    unsigned char *piece = wh_calloc(PIECE, 1);
    size_t n = 0, at = 0;
    int size = piece != NULL;
    while (size) {
        if (walk->number % WH_MPEG_STEP == 0)
            remember(walk);
        if (walk->number >= target)
            break;
        if (n - at < 2 * WH_MPEG_MOST) {
            n = wh_source_peek(source, walk->position, piece, PIECE);
            at = 0;
        }
        if (!(size = check(piece + at, n - at, kind)))
            break;
        at += (size_t)size;
        walk->position += size;
        walk->data += WH_MAX(0, size - MOST_HEAD);
        walk->number++;
    }
    free(piece);
    return walk->number >= target;
}

int64_t wh_mpeg_walk_lead(const wh_mpeg_walk *walk, int64_t target, int64_t *position)
{
    int64_t last = walk->number / WH_MPEG_STEP, first = WH_MAX(target - WH_MPEG_LEAD, 0) / WH_MPEG_STEP;
    int64_t step = WH_MAX(target - WH_MPEG_LEAST, 0) / WH_MPEG_STEP;
    int64_t filled = WH_MIN(WH_MAX(target - 2, 0) / WH_MPEG_STEP, last);
    if (first <= last - WH_MPEG_PLACES)
        return -1;
    int64_t until = walk->places[filled % WH_MPEG_PLACES].data;
    while (step > first && until - walk->places[step % WH_MPEG_PLACES].data < RESERVOIR)
        step--;
    *position = walk->places[step % WH_MPEG_PLACES].position;
    return step * WH_MPEG_STEP;
}
