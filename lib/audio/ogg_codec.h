/* ogg_codec.h - from an Ogg stream's packets to floats: one kind of codec for each coding. lib/audio/ogg.c finds the
 * packets and says when they are heard. Used by lib/audio only. */
#ifndef WH_AUDIO_OGG_CODEC_H
#define WH_AUDIO_OGG_CODEC_H

#include <ogg/ogg.h>

#include "util/util.h"

typedef struct wh_ogg_codec wh_ogg_codec;
struct wh_ogg_codec {
    const char *name;
    int rate; /* of the samples and of the granule positions */
    int channels;
    uint32_t speakers; /* as in wh_sound */
    int skip;          /* samples to be left out at the beginning */
    int lead;          /* samples to be decoded and forgotten after restart(), at least those of a packet, for what
                               follows to be right to the last bit; 0: that cannot be said, as with Opus */

    /* 1: the packet is one of the headers; 0: the headers are over, it is sound; -1: cannot be decoded;
     * WHISP_ERR_MEMORY. */
    int (*header)(wh_ogg_codec *codec, ogg_packet *packet);
    /* How many samples will this packet give? -1: it is damaged, nobody knows. Called once for each, in
     * order. */
    int (*duration)(wh_ogg_codec *codec, ogg_packet *packet);
    /* samples[n][channels], in the order of `speakers`, valid until the next call: n; -1: damaged. */
    int (*decode)(wh_ogg_codec *codec, ogg_packet *packet, const float **samples);
    /* Packets are missing here. */
    void (*reset)(wh_ogg_codec *codec);
    /* Packets are left out here, of which the durations were asked for. Not called where lead is 0. */
    void (*restart)(wh_ogg_codec *codec);
    void (*free)(wh_ogg_codec *codec);
};

/* By a stream's first packet: WHISP_OK and a codec, or NULL where it is not for these; WHISP_ERR_MEMORY. */
int wh_ogg_vorbis(const unsigned char *packet, size_t n, wh_ogg_codec **codec);
int wh_ogg_opus(const unsigned char *packet, size_t n, wh_ogg_codec **codec);
int wh_ogg_flac(const unsigned char *packet, size_t n, wh_ogg_codec **codec);

/* Vorbis' order of up to 8 channels, which Opus has too: the speakers, and in order[i] where the i-th of them stands.
 * */
uint32_t wh_vorbis_order(int channels, const unsigned char **order);

#endif
