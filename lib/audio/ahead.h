/* ahead.h - a recording decoded and resampled by threads of its own, some seconds ahead of who reads it.
 *
 * For lib/transcribe/recording.c: what comes next is decoded while the model works on what is there. The samples are
 * those of whisp_audio_read(), to the last bit. */
#ifndef WH_AHEAD_H
#define WH_AHEAD_H

#include "util/util.h"

#define WH_AHEAD_BLOCK 16384 /* samples of a block: one second */

typedef struct wh_ahead wh_ahead;

/* Start to read `audio`, which nobody else may touch until wh_ahead_stop(), with up to so many threads: several read a
 * long recording in pieces (pieces.h), one any other. WHISP_ERR_MEMORY when there can be no thread: the caller may then
 * read by himself. */
int wh_ahead_start(whisp_audio *audio, int threads, wh_ahead **ahead);

/* The next block: how many samples, valid until the next call; 0 at the end; an error's code, with its message. */
int64_t wh_ahead_read(wh_ahead *ahead, const float **samples);

/* Stop, wherever it stands, and free. NULL is allowed. */
void wh_ahead_stop(wh_ahead *ahead);

#endif
