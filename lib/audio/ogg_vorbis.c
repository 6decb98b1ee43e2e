/* ogg_vorbis.c - Vorbis packets, with libvorbis (see ogg_codec.h). */
#include <stdlib.h>
#include <string.h>
#include <vorbis/codec.h>

#include "audio/ogg_codec.h"

#define MOST 8192 /* samples of the largest block */
#define HEADERS 3

typedef struct vorbis_codec {
    wh_ogg_codec codec;
    vorbis_info info;
    vorbis_comment comment;
    vorbis_dsp_state state;
    vorbis_block block;
    int headers, has_state;
    long last; /* samples of the block before; 0: none */
    const unsigned char *order;
    float *samples; /* [MOST / 2][channels] */
} vorbis_codec;

uint32_t wh_vorbis_order(int channels, const unsigned char **order)
{
    /* Vorbis I specification, section 4.3.9; the speakers' bits are front left and right, centre, LFE, rear left and
     * right, (two more,) rear centre, side left and right */
    static const struct {
        uint32_t speakers;
        unsigned char order[8];
    } orders[9] = {
        {0, {0, 1, 2, 3, 4, 5, 6, 7}},
        {0x004, {0}},
        {0x003, {0, 1}},
        {0x007, {0, 2, 1}},
        {0x033, {0, 1, 2, 3}},
        {0x037, {0, 2, 1, 3, 4}},
        {0x03f, {0, 2, 1, 5, 3, 4}},
        {0x70f, {0, 2, 1, 6, 5, 3, 4}},
        {0x63f, {0, 2, 1, 7, 5, 6, 3, 4}},
    };
    int i = channels >= 1 && channels <= 8 ? channels : 0;
    *order = i ? orders[i].order : NULL;
    return orders[i].speakers;
}

static int header(wh_ogg_codec *codec, ogg_packet *packet)
{
    vorbis_codec *v = (vorbis_codec *)codec;
    if (v->headers == HEADERS)
        return 0;
    if (vorbis_synthesis_headerin(&v->info, &v->comment, packet) != 0)
        return -1;
    if (++v->headers < HEADERS)
        return 1;
    if (v->info.channels != codec->channels || vorbis_synthesis_init(&v->state, &v->info) != 0)
        return -1;
    vorbis_block_init(&v->state, &v->block);
    v->has_state = 1;
    v->samples = wh_calloc((size_t)MOST / 2 * (size_t)codec->channels, sizeof(float));
    return v->samples ? 1 : wh_fail_memory();
}

/* A block overlaps the one before by half of each. */
static int duration(wh_ogg_codec *codec, ogg_packet *packet)
{
    vorbis_codec *v = (vorbis_codec *)codec;
    long size = vorbis_packet_blocksize(&v->info, packet), last = v->last;
    if (size <= 0)
        return packet->bytes > 0 ? -1 : 0;
    v->last = size;
    return last > 0 ? (int)((last + size) / 4) : 0;
}

static int decode(wh_ogg_codec *codec, ogg_packet *packet, const float **samples)
{
    vorbis_codec *v = (vorbis_codec *)codec;
    float **pcm;
    int n, done = 0;
    packet->granulepos = -1; /* libvorbis shall cut nothing off by itself */
    packet->e_o_s = 0;
    if (vorbis_synthesis(&v->block, packet) != 0 || vorbis_synthesis_blockin(&v->state, &v->block) != 0)
        return -1;
    while ((n = WH_MIN(vorbis_synthesis_pcmout(&v->state, &pcm), MOST / 2 - done)) > 0) {
        for (int c = 0; c < codec->channels; c++) {
            const float *from = pcm[v->order ? v->order[c] : c];
            for (int i = 0; i < n; i++)
                v->samples[(done + i) * codec->channels + c] = from[i];
        }
        vorbis_synthesis_read(&v->state, n);
        done += n;
    }
    *samples = v->samples;
    return done;
}

static void restart(wh_ogg_codec *codec)
{
    vorbis_synthesis_restart(&((vorbis_codec *)codec)->state);
}

static void reset(wh_ogg_codec *codec)
{
    vorbis_codec *v = (vorbis_codec *)codec;
    restart(codec);
    v->last = 0;
}

static void free_codec(wh_ogg_codec *codec)
{
    vorbis_codec *v = (vorbis_codec *)codec;
    if (v->has_state) {
        vorbis_block_clear(&v->block);
        vorbis_dsp_clear(&v->state);
    }
    vorbis_comment_clear(&v->comment);
    vorbis_info_clear(&v->info);
    free(v->samples);
    free(v);
}

int wh_ogg_vorbis(const unsigned char *p, size_t n, wh_ogg_codec **codec)
{
    *codec = NULL;
    if (n < 30 || memcmp(p, "\1vorbis", 7) != 0)
        return WHISP_OK;
    int channels = p[11];
    uint32_t rate = (uint32_t)p[15] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[13] << 8 | p[12];
    if (channels < 1 || rate < 1 || rate > 1 << 20)
        return WHISP_OK;
    vorbis_codec *v = wh_calloc(1, sizeof *v);
    if (!v)
        return wh_fail_memory();
    v->codec = (wh_ogg_codec){.name = "Vorbis",
                              .rate = (int)rate,
                              .channels = channels,
                              .header = header,
                              .lead = MOST,
                              .duration = duration,
                              .decode = decode,
                              .reset = reset,
                              .restart = restart,
                              .free = free_codec};
    v->codec.speakers = wh_vorbis_order(channels, &v->order);
    vorbis_info_init(&v->info);
    vorbis_comment_init(&v->comment);
    *codec = &v->codec;
    return WHISP_OK;
}
