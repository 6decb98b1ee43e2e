/* junk.c - see junk.h. */
#include "audio/junk.h"

#include <stdlib.h>
#include <string.h>

#include "audio/flac_core.h"
#include "audio/mpeg_frames.h"

#define JUNK (16 << 20) /* bytes, and no recording is looked for any more */
#define PIECE 65536
#define OVERLAP 64     /* bytes that are looked at again */
#define LEFT_OVER 4096 /* bytes */
#define CHAIN 4        /* frames of MPEG audio in a row that are no accident */

int wh_is_lost(wh_source *source, int64_t at, int64_t length)
{
    static const char *const magics[] = {"RIFF", "RIFX", "RF64", "FORM", "caff", ".snd", "OggS", "fLaC", "riff"};
    char head[4] = {0};
    wh_mpeg_header header;
    if (length > LEFT_OVER || wh_mpeg_chain(source, at, CHAIN, &header))
        return 1;
    wh_source_peek(source, at, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(magics); i++)
        if (memcmp(head, magics[i], sizeof head) == 0)
            return 1;
    return 0;
}

/* Does a stream begin here? `bytes`: the first n, at least 8, of those at `at`. */
static int is_stream(wh_source *source, const unsigned char *bytes, int64_t at)
{
    unsigned char head[WH_FLAC_HEAD];
    wh_mpeg_header header;
    wh_flac_info info;
    if (memcmp(bytes, "fLaC", 4) == 0)
        return wh_source_peek(source, at, head, sizeof head) == sizeof head && wh_flac_parse(head, &info);
    if (bytes[0] == 'O')
        return memcmp(bytes, "OggS", 5) == 0 && (bytes[5] & 2);
    return wh_mpeg_parse(bytes, &header) && wh_mpeg_chain(source, at, CHAIN, &header);
}

int wh_skip_junk(wh_source *source, int64_t *skipped)
{
    unsigned char *piece = wh_calloc(PIECE, 1);
    int found = 0;
    size_t n;
    *skipped = 0;
    if (!piece)
        return wh_fail_memory();
    while (!found && *skipped < JUNK && (n = wh_source_peek(source, 0, piece, PIECE)) >= OVERLAP) {
        size_t i = 0;
        while (i + 8 <= n && !(found = is_stream(source, piece + i, (int64_t)i)))
            i++;
        if (!found && n < PIECE)
            break;
        i = found ? i : n - OVERLAP;
        wh_source_skip(source, (int64_t)i);
        *skipped += (int64_t)i;
    }
    free(piece);
    return found;
}
