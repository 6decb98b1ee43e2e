/* promise.h - what the rarer formats promise. Used by lib/audio only. */
#ifndef WH_AUDIO_PROMISE_H
#define WH_AUDIO_PROMISE_H

#include "audio/source.h"

/* How many frames the head of a VOC, NIST, AVR, WVE or MAT file says there are; less than that, where it is in doubt;
 * -1: it does not say, or is another's. */
int64_t wh_promised_frames(wh_source *source, int channels);

#endif
