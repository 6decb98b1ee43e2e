/* stretch.h - where the sound lies in a file: WAV and its family, AIFF, CAF, AU, SVX. Used by lib/audio only.
 *
 * These containers hold chunks, of which two or three matter. A walker (riff.c, w64.c, aiff.c, caf.c, au.c, svx.c) goes
 * from chunk to chunk, forward only, so that a pipe will do, and finds stretches of sound: what their samples are
 * and which bytes. The decoder (stretches.c) reads them, then whatever was joined behind. No other chunk is looked
 * into, whatever its size says. */
#ifndef WH_AUDIO_STRETCH_H
#define WH_AUDIO_STRETCH_H

#include "audio/decoder.h"
#include "audio/pcm.h"

#define WH_MOST_CHANNELS 1024
#define WH_HEAD 1024 /* bytes of a header that is made for libsndfile */

typedef struct wh_stretch {
    wh_sound sound;
    int64_t at, length; /* its bytes; length -1: up to the source's end, whatever there is */
    enum { WH_BY_PCM, WH_BY_SNDFILE, WH_BY_MPEG, WH_BY_NOBODY } by; /* who decodes it */
    wh_pcm pcm;                                                     /* BY_PCM: its samples */
    unsigned char head[WH_HEAD]; /* BY_SNDFILE: [n_head] what stands before its bytes in a file with nothing else */
    size_t n_head, n_second;     /* and, behind those, [n_second] what stands between the next and its bytes: */
    int64_t tail_at, n_tail;     /* more of the source that must come first: a CAF's table of packets */
    unsigned char map[8];        /* channel c of the file is channel map[c] in the order of sound.speakers */
    int is_mapped;
    char coding[40]; /* in words */
} wh_stretch;

typedef struct wh_walk {
    wh_source *source;
    const struct wh_container *container;
    int64_t start, at; /* where the container begins, and its next chunk; equal: nothing was looked at yet */
    int is_big;        /* RIFX: numbers have their most significant byte first. AU: likewise */
    int64_t long_data; /* RF64: the length that chunk ds64 gives; -1 */
    int has_format, has_data;
    int n_passed;          /* chunks passed over before the first sound */
    int64_t lost;          /* bytes passed over that were not understood */
    wh_stretch format;     /* as the format chunk has it; no place yet */
    int64_t promised;      /* AIFF: frames that COMM counts;  */
    int64_t kept_at, kept; /* AIFF: an SSND that came before COMM. CAF: pakt */
} wh_walk;

typedef struct wh_container {
    const char *name;
    int magic_bytes; /* that is_this() looks at */
    int (*is_this)(const unsigned char *bytes);
    /* Go on from walk->at to the next stretch: 1; 0: no more, and walk->at is the first byte that was not understood,
     * or the end. Who has read the stretch sets walk->at behind it. */
    int (*next)(wh_walk *walk, wh_stretch *stretch);
    /* Where the next chunk begins behind that stretch. */
    int64_t (*behind)(wh_walk *walk, const wh_stretch *stretch);
} wh_container;

extern const wh_container wh_riff, wh_w64, wh_aiff, wh_caf, wh_au, wh_svx;

/* The walk through the container whose first byte is at offset `at`; 0 where none begins there. */
int wh_walk_begin(wh_source *source, int64_t at, wh_walk *walk);

/* A RIFF's or W64's format chunk, n bytes: 1 and *stretch, or 0. */
int wh_read_wave_format(const unsigned char *chunk, size_t n, int is_big, wh_stretch *stretch);

/* Is this, in a chunk's header, a mark of programs that do not know the length? */
int wh_is_unknown_size(uint32_t size);

/* CoreAudio's channel layouts (AIFF's CHAN, CAF's chan): speakers and their order. */
void wh_read_layout(const unsigned char *chunk, size_t n, wh_stretch *stretch);

/* Does a chunk begin like that? Its first four bytes are printable. */
int wh_is_chunk_name(const unsigned char *name);

static inline uint32_t wh_big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t wh_little32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline int wh_little16(const unsigned char *p)
{
    return p[1] << 8 | p[0];
}

static inline int wh_big16(const unsigned char *p)
{
    return p[0] << 8 | p[1];
}

static inline uint64_t wh_big64(const unsigned char *p)
{
    return (uint64_t)wh_big32(p) << 32 | wh_big32(p + 4);
}

static inline uint64_t wh_little64(const unsigned char *p)
{
    return (uint64_t)wh_little32(p + 4) << 32 | wh_little32(p);
}

#endif
