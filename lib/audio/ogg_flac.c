/* ogg_flac.c - FLAC in Ogg: a frame a packet, by lib/audio/flac_core.c (see ogg_codec.h; RFC 9639, section 10.1). */
#include <stdlib.h>
#include <string.h>

#include "audio/flac_core.h"
#include "audio/ogg_codec.h"

#define BEFORE 9 /* bytes before "fLaC" in the first packet */

typedef struct flac_codec {
    wh_ogg_codec codec;
    wh_flac flac;
    const unsigned char *bytes; /* what is left of the packet */
    size_t n;
    int64_t position; /* bytes that were read */
    int has_headers;
} flac_codec;

static size_t read_packet(void *user, unsigned char *bytes, size_t n)
{
    flac_codec *f = user;
    n = WH_MIN(n, f->n);
    if (n > 0)
        memcpy(bytes, f->bytes, n);
    f->bytes += n;
    f->n -= n;
    f->position += (int64_t)n;
    return n;
}

static int64_t tell(void *user)
{
    return ((flac_codec *)user)->position;
}

/* Blocks of metadata have types below 127; frames begin with 0xff. */
static int header(wh_ogg_codec *codec, ogg_packet *packet)
{
    flac_codec *f = (flac_codec *)codec;
    f->has_headers |= packet->bytes > 0 && packet->packet[0] == 0xff;
    return !f->has_headers;
}

/* RFC 9639, section 9.1.1: the samples of a frame, from its header. */
static int duration(wh_ogg_codec *codec, ogg_packet *packet)
{
    const unsigned char *p = packet->packet;
    (void)codec;
    if (packet->bytes < 7 || p[0] != 0xff || (p[1] & 0xfc) != 0xf8)
        return packet->bytes > 0 ? -1 : 0;
    int code = p[2] >> 4, number = 1;
    for (int bit = 0x80; p[4] & bit && bit > 1; bit >>= 1)
        number += bit < 0x80; /* the number's bytes, as in UTF-8 */
    if (code == 0)
        return -1;
    if (code == 1)
        return 192;
    if (code >= 8)
        return 256 << (code - 8);
    if (code < 6)
        return 576 << (code - 2);
    p += 4 + number;
    if (packet->bytes < 4 + number + 3)
        return -1;
    return 1 + (code == 6 ? p[0] : p[0] << 8 | p[1]);
}

static int decode(wh_ogg_codec *codec, ogg_packet *packet, const float **samples)
{
    flac_codec *f = (flac_codec *)codec;
    f->bytes = packet->packet;
    f->n = (size_t)packet->bytes;
    int rc = wh_flac_next(&f->flac), whole = rc > 0 && f->n == 0;
    if (!whole)
        wh_flac_go_on(&f->flac);
    if (rc < 0 || f->flac.channels != codec->channels)
        return -1;
    *samples = f->flac.samples;
    return rc > 0 ? f->flac.n : -1;
}

static void reset(wh_ogg_codec *codec)
{
    wh_flac_go_on(&((flac_codec *)codec)->flac);
}

static void free_codec(wh_ogg_codec *codec)
{
    flac_codec *f = (flac_codec *)codec;
    wh_flac_free(&f->flac);
    free(f);
}

int wh_ogg_flac(const unsigned char *p, size_t n, wh_ogg_codec **codec)
{
    wh_flac_info info;
    *codec = NULL;
    if (n < BEFORE + WH_FLAC_HEAD || memcmp(p, "\177FLAC", 5) != 0 || !wh_flac_parse(p + BEFORE, &info))
        return WHISP_OK;
    flac_codec *f = wh_calloc(1, sizeof *f);
    if (!f)
        return wh_fail_memory();
    f->codec = (wh_ogg_codec){.name = "FLAC",
                              .rate = info.rate,
                              .channels = info.channels,
                              .speakers = wh_flac_speakers(info.channels),
                              .header = header,
                              .duration = duration,
                              .lead = 1 << 16,
                              .decode = decode,
                              .reset = reset,
                              .restart = reset,
                              .free = free_codec};
    wh_flac_input input = {.read = read_packet, .tell = tell, .user = f};
    int rc = wh_flac_begin(&f->flac, &input, p + BEFORE);
    if (rc) {
        free_codec(&f->codec);
        return rc;
    }
    *codec = &f->codec;
    return WHISP_OK;
}
