/* recorded.h - recordings that libsndfile makes for tests of reading: a tone that swells and noise that is different
 * everywhere. */
#ifndef RECORDED_H
#define RECORDED_H

#include <stddef.h>

typedef struct recorded_bytes {
    char *data; /* to be freed */
    size_t n;
} recorded_bytes;

typedef struct recorded_kind {
    const char *name;
    int format, rate, channels; /* libsndfile's format */
    double quality;             /* 0, the best, to 1; -1: as it comes */
    int bitrate_mode;           /* MP3: SF_BITRATE_MODE_... */
} recorded_kind;

#define RECORDED_FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define RECORDED_OGG_FLAC (SF_FORMAT_OGG | SF_FORMAT_FLAC)
#define RECORDED_VORBIS (SF_FORMAT_OGG | SF_FORMAT_VORBIS)
#define RECORDED_OPUS (SF_FORMAT_OGG | SF_FORMAT_OPUS)
#define RECORDED_MP3 (SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III)

/* n is 0, and a line is printed, where this libsndfile does not write the format. */
recorded_bytes recorded_make(const recorded_kind *kind, double seconds);

/* One behind the other; and bytes of `a` from `from` on. */
recorded_bytes recorded_join(recorded_bytes a, recorded_bytes b);
recorded_bytes recorded_tail(recorded_bytes a, size_t from);

/* Written to a file of that name in the temporary folder: its path. */
const char *recorded_store(recorded_bytes b, const char *name);

#endif
