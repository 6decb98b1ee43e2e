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

/* Make the source begin where the recording does: skip tags, and zeros where there are more than a few. */
void wh_skip_tags(wh_source *source);

#endif
