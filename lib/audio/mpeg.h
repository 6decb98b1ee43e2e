/* mpeg.h - MP3 and its older sisters. Used by lib/audio/audio.c only. */
#ifndef WH_AUDIO_MPEG_H
#define WH_AUDIO_MPEG_H

#include "audio/source.h"

typedef struct wh_mpeg wh_mpeg;

/* Open the MPEG stream at the source's byte 0. NULL when there is no libmpg123 here, or nothing in the stream that it
 * can decode: libsndfile may try then. Fills rate, channels, frames (SF_COUNT_MAX where the stream does not say) and
 * format of *info. */
wh_mpeg *wh_mpeg_open(wh_source *source, SF_INFO *info);
void wh_mpeg_close(wh_mpeg *mpeg);

/* Decode up to n frames (samples of all channels, interleaved). Returns how many, 0 at the end. *channels is set: it
 * may change from call to call, where recordings were joined. `samples` holds 2 n values. */
int64_t wh_mpeg_read(wh_mpeg *mpeg, float *samples, int64_t n, int *channels);

#endif
