/* pieces.h - a long recording decoded and resampled by several threads, each another piece of it. Used by ahead.c only. */
#ifndef WH_AUDIO_PIECES_H
#define WH_AUDIO_PIECES_H

#include "util/util.h"

typedef struct wh_pieces wh_pieces;

/* Start `threads` threads that read `audio`, of which nothing was read yet and which nobody else may touch until
 * wh_pieces_stop(). *pieces is NULL where it is short or can be read from its beginning only. */
int wh_pieces_start(whisp_audio *audio, int threads, wh_pieces **pieces);

/* The next n samples, fewer where the recording ends: those of whisp_audio_read(), to the last bit. 0 at the end; an
 * error's code, with its message. Afterwards the audio has been read to its end, as far as its warnings say. */
int64_t wh_pieces_read(wh_pieces *pieces, float *samples, size_t n);

/* Stop, wherever they stand, and free. NULL is allowed. */
void wh_pieces_stop(wh_pieces *pieces);

#endif
