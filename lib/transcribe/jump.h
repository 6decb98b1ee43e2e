/* jump.h - a long recording of which only some clips are asked for: from clip to clip. Private to lib/transcribe. */
#ifndef WH_JUMP_H
#define WH_JUMP_H

#include "transcribe/recording.h"

/* Is `in` so long, and are so few parts of it asked for, that the rest need not be heard? Its length must be known. */
int wh_recording_may_jump(const wh_recording *in, double *seconds);
/* The first pass over the clips alone: their loudest frame stands for the recording's. */
int wh_recording_measure_clips(wh_recording *in, double seconds);
/* Before the next block is read for the session: leave out what lies before the next clip. 1: no clip follows. */
int wh_recording_jump(wh_recording *in);

#endif
