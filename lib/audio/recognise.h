/* recognise.h - what the first bytes of a recording say, where libsndfile needs help. Used by lib/audio only. */
#ifndef WH_AUDIO_RECOGNISE_H
#define WH_AUDIO_RECOGNISE_H

#include "audio/source.h"

/* Make the source begin where the recording does: skip ID3v2 tags (and the zeros that may follow them). */
void wh_skip_tags(wh_source *source);

/* The name of a format that libsndfile does not read but ffmpeg does, or NULL. Static storage. */
const char *wh_foreign_format(wh_source *source);

/* Nonzero for a MIDI sample dump (SDS): an instrument's sound, on which libsndfile may loop for hours. */
int wh_is_sample_dump(wh_source *source);

/* The MPEG audio frame that begins with byte 0: its layer (1, 2 or 3) and bits a second; 0 when there is none. */
int wh_mpeg_layer(wh_source *source);
int wh_mpeg_bit_rate(wh_source *source);

/* Do the bytes name the format they are in, by so many of them that samples without a header cannot look like it? */
int wh_has_header(wh_source *source);

/* Offset of the first of three consecutive MPEG audio frames in the first 64 KiB, -1 if there is none,
 * WHISP_ERR_MEMORY. */
int64_t wh_find_mpeg(wh_source *source);

#endif
