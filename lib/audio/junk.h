/* junk.h - what nobody understands: is it another recording, and where does one begin behind it? Above tags.h and
 * mpeg_frames.h. Used by lib/audio only. */
#ifndef WH_AUDIO_JUNK_H
#define WH_AUDIO_JUNK_H

#include "audio/source.h"

/* Nobody understands the `length` bytes at `at` behind a recording of which all was heard: are they more than what
 * programs leave there? Another recording, or many bytes. */
int wh_is_lost(wh_source *source, int64_t at, int64_t length);

/* Make the source begin with what looks like the first frame or page of a compressed stream (MPEG audio, FLAC, Ogg), if there
 * is one in the first 16 MiB. 1, with what stood before it in *skipped; 0: nothing like that; WHISP_ERR_MEMORY. */
int wh_skip_junk(wh_source *source, int64_t *skipped);

#endif
