/* passes.h - the passes over a recording before the one that counts: where speech is, how long it is, its loudest frame.
 * Between recording.c and whole.c, detect.c. Private to lib/transcribe. */
#ifndef WH_PASSES_H
#define WH_PASSES_H

#include "transcribe/recording.h"

/* Prepare `in` for the pass that counts, which begins at its beginning. What can be read again is measured, unless it is
 * cut: *in_parts says whether it may be, and becomes whether it is. */
int wh_passes_before(wh_recording *in, int *in_parts);

#endif
