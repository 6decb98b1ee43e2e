/* mpeg_walk.h - frames of MPEG audio counted by their headers, without decoding. Used by lib/audio/mpeg.c only. */
#ifndef WH_AUDIO_MPEG_WALK_H
#define WH_AUDIO_MPEG_WALK_H

#include "audio/mpeg_frames.h"

/* libmpg123 is started this many frames early. Layer 3 takes up to 255 bytes of earlier frames, of which the smallest
 * (8 kbit/s at 24 kHz, stereo) hold a few each, or 511, where the smallest hold more; then it needs two more frames
 * for its filters. */
#define WH_MPEG_LEAD 264
/* The place of every 8th frame is remembered. The order in which libmpg123's synthesis adds, thus the last bit, has a
 * period of 16 blocks of 32 samples, which 8 frames of any layer are a multiple of. */
#define WH_MPEG_STEP 8
#define WH_MPEG_PLACES (WH_MPEG_LEAD / WH_MPEG_STEP + 2)

typedef struct wh_mpeg_walk {
    int64_t position, number;       /* offset and count of a frame, which were reached */
    int64_t places[WH_MPEG_PLACES]; /* [number / STEP % PLACES]: offsets of frames up to there */
} wh_mpeg_walk;

/* Go on to frame `target`. 1; 0: there is something else than frames of `kind` before it, and *walk stands there. */
int wh_mpeg_walk_to(wh_source *source, const wh_mpeg_header *kind, int64_t target, wh_mpeg_walk *walk);

/* The frame with which to start in order to decode the one where *walk stands: its count; *position: its offset. -1:
 * *walk has gone farther than `target`, and it was forgotten. */
int64_t wh_mpeg_walk_lead(const wh_mpeg_walk *walk, int64_t target, int64_t *position);

#endif
