/* joined.h - where another recording begins behind one of WAV's family, and what may be passed over on the way there.
 * Used by lib/audio only. */
#ifndef WH_AUDIO_JOINED_H
#define WH_AUDIO_JOINED_H

#include "audio/stretch.h"

/* The walk stands at what may be a chunk that ends before `end`. 1: so it does, and the walk may go on there. 0:
 * the source ends first, or another file or a tag begins before, and walk->at is there. What was passed over is then
 * added to walk->lost, if it is not harmless, or too much to be. 0, too, where more chunks come before the sound than in
 * any recording. */
int wh_walk_passes(wh_walk *walk, int64_t end, int is_harmless);

/* The walk's container holds no more that is understood: go to where the next one begins, 1, or 0 if there is none.
 * *strange: bytes that were not understood. */
int wh_walk_join(wh_walk *walk, int64_t *strange);

#endif
