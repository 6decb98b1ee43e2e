/* ogg_opus.c - Opus packets, with libopus (see ogg_codec.h). They are decoded at 48 kHz, whatever the recording was
 * made from, as ffmpeg does. */
#include <opus/opus_multistream.h>
#include <stdlib.h>
#include <string.h>

#include "audio/ogg_codec.h"

#define RATE 48000
#define MOST 5760 /* samples of the longest packet: 120 ms */
#define HEADERS 2

typedef struct opus_codec {
    wh_ogg_codec codec;
    OpusMSDecoder *decoder;
    int headers;
    float *samples; /* [MOST][channels] */
} opus_codec;

static int header(wh_ogg_codec *codec, ogg_packet *packet)
{
    opus_codec *o = (opus_codec *)codec;
    if (o->headers == HEADERS)
        return 0;
    if (packet->bytes < 8 || memcmp(packet->packet, o->headers ? "OpusTags" : "OpusHead", 8) != 0)
        return -1;
    o->headers++;
    return 1;
}

static int duration(wh_ogg_codec *codec, ogg_packet *packet)
{
    (void)codec;
    if (packet->bytes < 1)
        return 0;
    int n = opus_packet_get_nb_samples(packet->packet, (opus_int32)packet->bytes, RATE);
    return n < 1 || n > MOST ? -1 : n;
}

static int decode(wh_ogg_codec *codec, ogg_packet *packet, const float **samples)
{
    opus_codec *o = (opus_codec *)codec;
    *samples = o->samples;
    if (packet->bytes < 1)
        return 0;
    return opus_multistream_decode_float(o->decoder, packet->packet, (opus_int32)packet->bytes, o->samples, MOST, 0);
}

static void reset(wh_ogg_codec *codec)
{
    opus_multistream_decoder_ctl(((opus_codec *)codec)->decoder, OPUS_RESET_STATE);
}

static void free_codec(wh_ogg_codec *codec)
{
    opus_codec *o = (opus_codec *)codec;
    if (o->decoder)
        opus_multistream_decoder_destroy(o->decoder);
    free(o->samples);
    free(o);
}

/* The decoder, with its channels in the order of the speakers: RFC 7845, section 5.1.1. 1; 0: these bytes describe none;
 * WHISP_ERR_MEMORY. */
static int make_decoder(opus_codec *o, const unsigned char *p, size_t n)
{
    int channels = o->codec.channels, family = p[18], streams = 1, coupled = channels - 1, error;
    const unsigned char *order, *mapping = p + 21;
    unsigned char by_speaker[255];
    if (family == 0 ? channels > 2 : n < 21 + (size_t)channels || family == 3 || (family == 1 && channels > 8))
        return 0;
    uint32_t speakers = wh_vorbis_order(channels, &order);
    for (int i = 0; i < channels; i++)
        by_speaker[i] = family == 0 ? (unsigned char)i : mapping[family == 1 ? order[i] : i];
    if (family != 0) {
        streams = p[19];
        coupled = p[20];
    }
    o->codec.speakers = family < 2 ? speakers : 0;
    o->decoder = opus_multistream_decoder_create(RATE, channels, streams, coupled, by_speaker, &error);
    if (!o->decoder)
        return error == OPUS_ALLOC_FAIL ? wh_fail_memory() : 0;
    int gain = (int16_t)(p[17] << 8 | p[16]);
    opus_multistream_decoder_ctl(o->decoder, OPUS_SET_GAIN(gain));
    return 1;
}

int wh_ogg_opus(const unsigned char *p, size_t n, wh_ogg_codec **codec)
{
    *codec = NULL;
    if (n < 19 || memcmp(p, "OpusHead", 8) != 0 || p[8] > 15 || p[9] < 1)
        return WHISP_OK;
    opus_codec *o = wh_calloc(1, sizeof *o);
    if (!o)
        return wh_fail_memory();
    o->codec = (wh_ogg_codec){.name = "Opus",
                              .rate = RATE,
                              .channels = p[9],
                              .skip = p[11] << 8 | p[10],
                              .header = header,
                              .duration = duration,
                              .decode = decode,
                              .reset = reset,
                              .free = free_codec};
    int rc = make_decoder(o, p, n);
    if (rc < 1) {
        free_codec(&o->codec);
        return rc;
    }
    o->samples = wh_calloc((size_t)MOST * (size_t)o->codec.channels, sizeof(float));
    if (!o->samples) {
        free_codec(&o->codec);
        return wh_fail_memory();
    }
    *codec = &o->codec;
    return WHISP_OK;
}
