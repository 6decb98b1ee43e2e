/* joined.c - see joined.h.
 *
 * What says how long it is may lie: a chunk of 2 GiB, a tag of 256 MiB, in front of a recording that somebody joined. A
 * pipe's end is not known before it is there, so what is long is looked through there, byte by byte. */
#include "audio/joined.h"

#include <string.h>

#include "audio/tags.h"

#define LEAST 64             /* bytes looked at first: mostly a header begins there */
#define PIECE 16384          /* and at most, at once */
#define AHEAD 40             /* and behind them: a Wave64 header may begin in their last byte */
#define NEAR (1 << 18)       /* a pipe's window still has what lies so far behind */
#define PLAUSIBLE (16 << 20) /* bytes: a picture in a tag may have as many */
#define MOST_CHUNKS 10000    /* before the sound: a megabyte of empty ones is no recording, and takes long */

/* Does a container begin here that names itself in enough bytes? ("junk" of 12 bytes is not taken for one.) */
static int begins_here(const unsigned char *p, size_t n)
{
    return (n >= 12 && (wh_riff.is_this(p) || wh_aiff.is_this(p))) || (n >= AHEAD && wh_w64.is_this(p));
}

/* The bytes from `from` to `to` - 1, or the source's end. 1: another file's header begins at *at; 0: none. *strange:
 * from the first to the last byte before it that is not 0. */
static int find_joined(wh_source *source, int64_t from, int64_t to, int64_t *at, int64_t *strange)
{
    unsigned char bytes[PIECE + AHEAD];
    int64_t first = -1, last = -1;
    size_t n = 1;
    for (int64_t piece = LEAST; from < to && n > 0; piece = WH_MIN(4 * piece, PIECE)) {
        n = wh_source_peek(source, from, bytes, (size_t)piece + AHEAD);
        int64_t here = WH_MIN(WH_MIN((int64_t)n, piece), to - from);
        for (int64_t i = 0; i < here; i++) {
            size_t left = n - (size_t)i;
            if (begins_here(bytes + i, left) || (first < 0 && left >= 24 && wh_au.is_this(bytes + i))) {
                *at = from + i;
                *strange = first < 0 ? 0 : last - first + 1;
                return 1;
            }
            if (bytes[i]) {
                first = first < 0 ? from + i : first;
                last = from + i;
            }
        }
        from += here;
    }
    *strange = first < 0 ? 0 : last - first + 1;
    return 0;
}

/* wh_walk_passes() for what is known to be a chunk, or a tag. */
static int passes(wh_walk *walk, int64_t end, int is_harmless)
{
    wh_source *source = walk->source;
    int64_t from = walk->at, at, strange;
    if ((source->is_file || end - from <= NEAR) && wh_source_reaches(source, end))
        return 1;
    int found = find_joined(source, from, end, &at, &strange);
    if (!found && wh_source_reaches(source, end))
        return 1;
    if (!is_harmless || (found ? at : end) - from > PLAUSIBLE)
        walk->lost += strange;
    walk->at = found ? at : wh_source_end(source);
    return 0;
}

/* A file or a tag, whose beginning could be a chunk's? ("ID3 " is one.) */
static int is_no_chunk(wh_source *source, int64_t at)
{
    unsigned char head[AHEAD] = {0};
    size_t n = wh_source_peek(source, at, head, sizeof head);
    return begins_here(head, n) || (n >= 24 && wh_au.is_this(head)) ||
           (memcmp(head, "ID3 ", 4) != 0 && wh_tag_length(source, at) > 0);
}

int wh_walk_passes(wh_walk *walk, int64_t end, int is_harmless)
{
    if (!walk->has_data && ++walk->n_passed > MOST_CHUNKS)
        return 0;
    return !is_no_chunk(walk->source, walk->at) && passes(walk, end, is_harmless);
}

int wh_walk_begin(wh_source *source, int64_t at, wh_walk *walk)
{
    static const wh_container *const all[] = {&wh_riff, &wh_w64, &wh_aiff, &wh_caf, &wh_au, &wh_svx};
    unsigned char magic[40] = {0};
    size_t n = wh_source_peek(source, at, magic, sizeof magic);
    for (size_t i = 0; i < WH_COUNT(all); i++) {
        if (n < (size_t)all[i]->magic_bytes || !all[i]->is_this(magic))
            continue;
        memset(walk, 0, sizeof *walk);
        walk->source = source;
        walk->container = all[i];
        walk->start = walk->at = at;
        walk->long_data = -1;
        return 1;
    }
    return 0;
}

int wh_walk_join(wh_walk *walk, int64_t *strange)
{
    wh_source *source = walk->source;
    int64_t at, tag;
    if (walk->at == walk->start) { /* a container began here, nothing of it was understood, and it is not found again */
        walk->at++;
        walk->lost++;
    }
    while ((tag = wh_tag_length(source, walk->at)) > 0 && passes(walk, walk->at + tag, 1))
        walk->at += tag;
    int found = find_joined(source, walk->at, INT64_MAX, &at, strange);
    *strange += walk->lost;
    return found && wh_walk_begin(source, at, walk);
}
