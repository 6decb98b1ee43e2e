/* mpeg_walk.h - frames of MPEG audio counted by their headers, without decoding; through recordings that were joined, as
 * long as they are of one kind. Used by lib/audio/mpeg.c only. */
#ifndef WH_AUDIO_MPEG_WALK_H
#define WH_AUDIO_MPEG_WALK_H

#include "audio/mpeg_frames.h"

/* libmpg123 is started so many frames early: two for its filters, and as many as hold the bytes that layer 3 may take
 * of earlier frames, up to 511 of version 1, 255 of the others. That is one or two frames of most recordings; the
 * smallest (8 kbit/s at 24 kHz, stereo) hold a few bytes each. */
#define WH_MPEG_LEAST 16
#define WH_MPEG_LEAD 264
/* The place of every 8th frame is remembered. The order in which libmpg123's synthesis adds, thus the last bit, has a
 * period of 16 blocks of 32 samples, which 8 frames of any layer are a multiple of. */
#define WH_MPEG_STEP 8
#define WH_MPEG_PLACES (WH_MPEG_LEAD / WH_MPEG_STEP + 2)
#define WH_MPEG_SOME 8 /* frames by which a recording's promise may be wrong */

typedef struct wh_mpeg_step {
    int64_t position, number; /* offset and count of a frame with sound */
    int64_t data;             /* bytes of sound in all frames before it */
    int64_t from, promised;   /* the first frame of the joined recording that it is in; how many it promises, or 0 */
} wh_mpeg_step;

typedef struct wh_mpeg_walk {
    wh_mpeg_step at;                     /* was reached */
    wh_mpeg_step places[WH_MPEG_PLACES]; /* [number / STEP % PLACES]: those up to there */
} wh_mpeg_walk;

/* Go on to frame `target`. 1; 0: something else than frames of `kind` is before it, or something to be told of, and
 * *walk stands there. */
int wh_mpeg_walk_to(wh_source *source, const wh_mpeg_header *kind, int64_t target, wh_mpeg_walk *walk);

/* The frame with which to start in order to decode frame `target`, where *walk stands. NULL: *walk has gone farther, and
 * it was forgotten. */
const wh_mpeg_step *wh_mpeg_walk_lead(const wh_mpeg_walk *walk, int64_t target);

#endif
