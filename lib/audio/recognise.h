/* recognise.h - what the first bytes of a recording say, where libsndfile needs help. Used by lib/audio only. */
#ifndef WH_AUDIO_RECOGNISE_H
#define WH_AUDIO_RECOGNISE_H

#include "audio/source.h"

/* The name of a format that libsndfile does not read but ffmpeg does, or NULL. Static storage. */
const char *wh_foreign_format(wh_source *source);

/* Nonzero for a MIDI sample dump (SDS): an instrument's sound, on which libsndfile may loop for hours. */
int wh_is_sample_dump(wh_source *source);

/* Do the bytes name the format they are in, by so many of them that samples without a header cannot look like it? */
int wh_has_header(wh_source *source);

#endif
