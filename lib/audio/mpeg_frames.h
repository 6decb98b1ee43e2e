/* mpeg_frames.h - where the frames of MPEG audio lie among tags, padding and junk. lib/audio/mpeg.c shows libmpg123
 * nothing but these. Used by lib/audio only. */
#ifndef WH_AUDIO_MPEG_FRAMES_H
#define WH_AUDIO_MPEG_FRAMES_H

#include "audio/source.h"

#define WH_MPEG_MOST 4608 /* more than the bytes of any frame */

typedef struct wh_mpeg_header {
    int version; /* 1, 2, or 3 for "2.5" */
    int layer;   /* 1, 2 or 3 */
    int rate, channels;
    int bits;         /* a second */
    int size;         /* bytes in the frame, with the header */
    int samples;      /* of each channel */
    int joint, bound; /* joint stereo; the mode's extension */
    int has_crc;
} wh_mpeg_header;

/* Read the four bytes of a header (ISO 11172-3, 2.4.2.3); 0 if they are none. Frames without a bit rate ("free
 * format") are none: no player agrees with another on them. */
int wh_mpeg_parse(const unsigned char bytes[4], wh_mpeg_header *header);

/* The first header's frames can follow on the second's: same version, layer and rate. */
int wh_mpeg_same_kind(const wh_mpeg_header *a, const wh_mpeg_header *b);

/* Layer 3: a frame's sound begins up to 511 bytes before it, in what earlier frames left room for: *reservoir bytes
 * of those that were shown to a decoder since it was started. Where that is not enough make the frame silent, so that
 * it can be decoded: libmpg123 gives zeros for one that cannot be, but its synthesis filter stands still meanwhile,
 * and then adds in another order for ever. Counts the frame's own bytes. `frame` has its n bytes. */
void wh_mpeg_fit(unsigned char *frame, int n, const wh_mpeg_header *header, int *reservoir);

/* What the first frame of many files says instead of sound ("Xing", "Info", "VBRI"). */
typedef struct wh_mpeg_info {
    int64_t frames; /* behind this one; 0: not said */
    int64_t bytes;  /* of the whole file; 0: not said */
    int has_delay;
    int delay, padding; /* samples that the encoder put before and behind the recording's */
} wh_mpeg_info;

/* Is the frame such a one? */
int wh_mpeg_read_info(const unsigned char *frame, size_t n, wh_mpeg_info *info);

typedef struct wh_mpeg_frame {
    wh_mpeg_header header;
    int is_new_kind; /* does not follow on the last one */
    int n;
    unsigned char bytes[WH_MPEG_MOST];
    /* what stands between the frame before (or the beginning) and this one (or the end), in bytes and this order: */
    int64_t tags, zeros; /* understood, in turn */
    int64_t junk_from, junk;
} wh_mpeg_frame;

typedef struct wh_mpeg_frames {
    wh_source *source;
    int64_t position; /* behind the last frame */
    wh_mpeg_header last;
    int is_started;
} wh_mpeg_frames;

/* Can these bytes be a frame's, or is only its header right? *sounding: bit i is set where the frame's i-th
 * WH_MPEG_GRANULE samples (layer 3; of others all) are not made of nothing. */
#define WH_MPEG_GRANULE 576
int wh_mpeg_is_sound(const wh_mpeg_frame *frame, unsigned *sounding);
/* Layer 3: make the frame hold silence. What it has of the frames behind it stays. */
void wh_mpeg_silence(wh_mpeg_frame *frame);

/* The next frame; 0 at the end, with what stands before it set. */
int wh_mpeg_next(wh_mpeg_frames *frames, wh_mpeg_frame *frame);

/* Nonzero if at least n frames of a kind follow each other from `at` on, or as many as there are to the end or a tag;
 * *header: the first. */
int wh_mpeg_chain(wh_source *source, int64_t at, int n, wh_mpeg_header *header);

#endif
