/* tags.h - what stands before, between and behind the streams of a file and is no sound. Used by lib/audio only. */
#ifndef WH_AUDIO_TAGS_H
#define WH_AUDIO_TAGS_H

#include "audio/source.h"

/* The length of the tag that begins at `at`, or 0 where none does: ID3v2, ID3v1 and its enlarged form, APE (1 and 2),
 * Lyrics3. */
int64_t wh_tag_length(wh_source *source, int64_t at);

/* How many zeros there are from `from` on, up to `to`. */
int64_t wh_zeros(wh_source *source, int64_t from, int64_t to);

/* How many of the bytes from `from` to `to` are tags and zeros, from the first one on; to - from where all are. */
int64_t wh_padding(wh_source *source, int64_t from, int64_t to);

/* Nobody understands the `length` bytes at `at` behind a recording of which all was heard: are they more than what
 * programs leave there? Another recording, or many bytes. */
int wh_is_lost(wh_source *source, int64_t at, int64_t length);

/* Make the source begin where the recording does: skip tags, and zeros where there are more than a few. */
void wh_skip_tags(wh_source *source);

/* Make it begin with what looks like the first frame or page of a compressed stream (MPEG audio, FLAC, Ogg), if there
 * is one in the first 16 MiB. 1, with what stood before it in *skipped; 0: nothing like that; WHISP_ERR_MEMORY. */
int wh_skip_junk(wh_source *source, int64_t *skipped);

#endif
