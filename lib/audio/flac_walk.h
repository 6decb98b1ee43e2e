/* flac_walk.h - where a FLAC file's frame with a certain sample begins, found without decoding. Used by
 * lib/audio/flac.c only. */
#ifndef WH_AUDIO_FLAC_WALK_H
#define WH_AUDIO_FLAC_WALK_H

#include "audio/source.h"

typedef struct wh_flac_walk {
    int64_t position; /* offset of a frame */
    int64_t number;   /* of its first sample */
} wh_flac_walk;

/* Go on from the frame at which *walk stands to the one that holds sample `target`. 1; 0: it is not there, or one of
 * the frames before it is missing or damaged, or another file begins before it. `fixed`: a block's samples by STREAMINFO. */
int wh_flac_walk_to(wh_source *source, int fixed, int64_t target, wh_flac_walk *walk);

#endif
