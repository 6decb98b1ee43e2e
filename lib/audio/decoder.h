/* decoder.h - from a source's bytes to interleaved floats: one kind of decoder for each library that does the work.
 *
 * lib/audio/audio.c opens the first one that understands the bytes and reads frames from it. What the frames are (rate,
 * channels, where the channels stand) may change from one read to the next, where recordings were joined; audio.c
 * follows. A decoder gives silence for what is missing where the format says how much that is, and puts a note. */
#ifndef WH_AUDIO_DECODER_H
#define WH_AUDIO_DECODER_H

#include "audio/notes.h"
#include "audio/source.h"
#include "audio/view.h"

/* What a block's frames are. */
typedef struct wh_sound {
    int rate; /* frames a second */
    int channels;
    uint32_t speakers; /* WAVEFORMATEXTENSIBLE's dwChannelMask: bit i set: there is a channel for speaker i,
                                   and the channels come in the order of the bits; 0: the format does not say */
    int is_16_bit;     /* samples are integers of at most 16 bits: the mix's gains have as many, as ffmpeg's */
    int floats;        /* samples are floats as a file has them, whose range must be found out (audible.h): the
                                   file's number, from 1 on, as several may be joined; else 0 */
} wh_sound;

/* Where reading must begin for the next frame to be a certain one: the decoder's own words, which another decoder of the
 * same bytes understands. */
typedef struct wh_place {
    int64_t frame;          /* the next one that is read, of the first *sound */
    int64_t at, number;     /* an offset; and the count of the frame or sample there */
    int64_t from, promised; /* MPEG: the first frame of the joined recording that it is in, and how many it promises */
    int64_t lead;           /* audible.h: so many frames are there for the filters only, nothing is decided by them */
} wh_place;

typedef struct wh_decoder wh_decoder;
struct wh_decoder {
    /* Decode up to max_frames frames, all of one *sound, into samples[room]. How many; 0 at the end; or the code of an
     * error of which the message is set. */
    int64_t (*read)(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound);
    /* Or NULL. Where reading must begin, so that the next frame is `frame`. All before it is looked through for what
     * reading would find; `in_pieces`, not so where somebody else reads that anyway (pieces.c). 1; 0: it cannot be
     * said. What is read next stays the same. */
    int (*find)(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place);
    /* The next read begins there. 1; 0: it cannot, and the next read goes on as if nothing had been asked. */
    int (*go)(wh_decoder *decoder, const wh_place *place);
    void (*close)(wh_decoder *decoder);
    wh_sound sound;       /* of the first frame */
    int64_t frames;       /* in all, as the recording promises; -1 where it says nothing */
    double duration;      /* seconds, may be an estimate; -1 where not known */
    int is_duration_sure; /* it is none, and nothing can be joined behind */
    int is_odd;           /* something else was read than the first recording's frames, one after the other */
    char format[80];      /* in words */
};

/* find() and go(): the next read begins with this frame. 1 or 0. */
static inline int wh_decoder_seek(wh_decoder *decoder, int64_t frame)
{
    wh_place place = {.frame = frame};
    return decoder->find && decoder->find(decoder, frame, 0, &place) && decoder->go(decoder, &place);
}

/* The error for what cannot be decoded here, with the line that has ffmpeg do it: "NAME: WHY; ffmpeg ..." */
int wh_refuse(const wh_source *source, const char *name, const char *why);

/* Each: WHISP_OK and a decoder for the bytes of `source`, or NULL where they are not for it; else the code of an error
 * whose message is set. `name` is for messages; it outlives the decoder, as `source` and `notes` do. */
int wh_sndfile_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder); /* libsndfile's */
int wh_flac_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder);    /* FLAC */
int wh_ogg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder);  /* Vorbis, Opus, FLAC */
int wh_mpeg_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder); /* MP3, MP2, MP1 */

/* The bytes of a view, for codings of a stretch that only libsndfile decodes. `view` outlives the decoder. */
int wh_sndfile_open_view(wh_view *view, const char *name, wh_decoder **decoder);
/* WAV, AIFF, CAF, AU */
int wh_stretches_open(wh_source *source, wh_notes *notes, const char *name, wh_decoder **decoder);

/* 16-bit little-endian samples without a header, in small blocks as they come. */
int wh_raw_open(wh_source *source, const char *name, int rate, int channels, wh_decoder **decoder);

#endif
