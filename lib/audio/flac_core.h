/* flac_core.h - FLAC frames become floats, with libFLAC, from any bytes: a file's (flac.c) or an Ogg stream's packets
 * (ogg_flac.c). What lies between frames, before and after them is the caller's. Used by lib/audio only. */
#ifndef WH_AUDIO_FLAC_CORE_H
#define WH_AUDIO_FLAC_CORE_H

#include "util/util.h"

#define WH_FLAC_HEAD 42 /* bytes: "fLaC" and the block STREAMINFO with its header */

/* What STREAMINFO says. */
typedef struct wh_flac_info {
    int rate, channels, bits;
    int block;      /* the most samples of a frame; where frames are counted, those of each but the last */
    int64_t frames; /* samples of each channel, 0: not known */
} wh_flac_info;

typedef struct wh_flac_input {
    size_t (*read)(void *user, unsigned char *bytes, size_t n); /* up to n bytes; 0 at the end */
    int64_t (*tell)(void *user);                                /* where the next read begins */
    int (*seek)(void *user, int64_t offset);                    /* 0, or -1: cannot be done. May be NULL. */
    void *user;
} wh_flac_input;

typedef struct wh_flac {
    struct wh_flac_state *state;
    /* the last frame */
    float *samples; /* [n][channels] */
    size_t room;    /* allocated floats */
    int n, channels, rate;
    int64_t number; /* of its first sample, as the stream counts them */
    int64_t end;    /* offset of the byte behind it */
    int damaged;    /* something before it could not be decoded */
    int no_memory;
} wh_flac;

/* Nonzero if these bytes begin a stream that can be read. */
int wh_flac_parse(const unsigned char head[WH_FLAC_HEAD], wh_flac_info *info);

/* Which speakers the channels are for where nothing else is said (RFC 9639, section 9.1.3), as in wh_sound. */
uint32_t wh_flac_speakers(int channels);

/* Begin a stream of which the input gives what comes after the head (and after other blocks of metadata). 0 or
 * WHISP_ERR_MEMORY. */
int wh_flac_begin(wh_flac *flac, const wh_flac_input *input, const unsigned char head[WH_FLAC_HEAD]);

/* The next frame that is whole: 1; 0 at the input's end; WHISP_ERR_MEMORY. */
int wh_flac_next(wh_flac *flac);

/* The input has more after its end. */
void wh_flac_go_on(wh_flac *flac);

void wh_flac_free(wh_flac *flac);

#endif
