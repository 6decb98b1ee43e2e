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
    if (walk->at.number % WH_MPEG_STEP == 0)
        walk->places[walk->at.number / WH_MPEG_STEP % WH_MPEG_PLACES] = walk->at;
}

/* A frame with sound that begins where *walk stands. */
static void pass(wh_mpeg_walk *walk, int size)
{
    walk->at.position += size;
    walk->at.data += WH_MAX(0, size - MOST_HEAD);
    walk->at.number++;
}

/* What is not simply the next frame: a joined recording's first, one behind tags or with nothing behind it. 1; 0: reading
 * would have to tell something here. */
static int pass_other(wh_source *source, const wh_mpeg_header *kind, wh_mpeg_walk *walk)
{
    wh_mpeg_frames frames = {.source = source, .position = walk->at.position, .last = *kind, .is_started = 1};
    wh_mpeg_frame frame;
    wh_mpeg_info info;
    wh_mpeg_step *at = &walk->at;
    if (!wh_mpeg_next(&frames, &frame) || frame.junk || frame.is_new_kind || frame.n < frame.header.size ||
        frame.header.channels != kind->channels)
        return 0;
    if (wh_mpeg_read_info(frame.bytes, (size_t)frame.n, &info)) {
        if (at->promised > 0 && at->promised - (at->number - at->from) > WH_MPEG_SOME)
            return 0;
        at->position = frames.position;
        at->from = at->number;
        at->promised = info.frames;
        return 1;
    }
    if ((frame.zeros && !frame.tags) || (frame.header.layer == 3 && frame.header.has_crc))
        return 0;
    at->position = frames.position - frame.n;
    remember(walk);
    pass(walk, frame.n);
    return 1;
}

int wh_mpeg_walk_to(wh_source *source, const wh_mpeg_header *kind, int64_t target, wh_mpeg_walk *walk)
{
    unsigned char *piece = wh_calloc(PIECE, 1);
    size_t n = 0, at = 0;
    int go_on = piece != NULL;
    while (go_on) {
        remember(walk);
        if (walk->at.number >= target)
            break;
        if (n - at < 2 * WH_MPEG_MOST) {
            n = wh_source_peek(source, walk->at.position, piece, PIECE);
            at = 0;
        }
        int size = check(piece + at, n - at, kind);
        if (size) {
            pass(walk, size);
            at += (size_t)size;
        } else {
            go_on = pass_other(source, kind, walk);
            n = at = 0;
        }
    }
    free(piece);
    return walk->at.number >= target;
}

const wh_mpeg_step *wh_mpeg_walk_lead(const wh_mpeg_walk *walk, int64_t target)
{
    int64_t last = walk->at.number / WH_MPEG_STEP, first = WH_MAX(target - WH_MPEG_LEAD, 0) / WH_MPEG_STEP;
    int64_t step = WH_MAX(target - WH_MPEG_LEAST, 0) / WH_MPEG_STEP;
    int64_t filled = WH_MIN(WH_MAX(target - 2, 0) / WH_MPEG_STEP, last);
    if (first <= last - WH_MPEG_PLACES)
        return NULL;
    int64_t until = walk->places[filled % WH_MPEG_PLACES].data;
    while (step > first && until - walk->places[step % WH_MPEG_PLACES].data < RESERVOIR)
        step--;
    return &walk->places[step % WH_MPEG_PLACES];
}
