/* au.c - Sun's AU: a header of six numbers, then sound (see stretch.h). */
#include <stdio.h>
#include <string.h>

#include "audio/stretch.h"

#define HEADER 24

static int is_au(const unsigned char *bytes)
{
    return memcmp(bytes, ".snd", 4) == 0 || memcmp(bytes, "dns.", 4) == 0;
}

/* The header's fourth number. G.721 and G.723 go to libsndfile with a header of their own. */
static void choose_decoder(wh_stretch *s, uint32_t coding, const unsigned char *header, int is_big)
{
    static const struct {
        int kind, bytes;
    } known[] = {
        [1] = {WH_PCM_MU_LAW, 1},  [2] = {WH_PCM_INTEGER, 1}, [3] = {WH_PCM_INTEGER, 2}, [4] = {WH_PCM_INTEGER, 3},
        [5] = {WH_PCM_INTEGER, 4}, [6] = {WH_PCM_FLOAT, 4},   [7] = {WH_PCM_FLOAT, 8},   [27] = {WH_PCM_A_LAW, 1}};
    s->by = WH_BY_NOBODY;
    snprintf(s->coding, sizeof s->coding, "coding %u", (unsigned)coding);
    if (coding < WH_COUNT(known) && known[coding].bytes) {
        s->by = WH_BY_PCM;
        s->pcm = (wh_pcm){.kind = known[coding].kind, .bytes = known[coding].bytes, .is_big = is_big};
        s->sound.is_16_bit = s->pcm.kind != WH_PCM_FLOAT && s->pcm.bytes <= 2;
        s->sound.floats = s->pcm.kind == WH_PCM_FLOAT;
        wh_pcm_describe(&s->pcm, s->coding, sizeof s->coding);
    } else if (coding == 23 || coding == 25 || coding == 26) {
        static const unsigned char begin[2][4] = {{HEADER, 0, 0, 0}, {0, 0, 0, HEADER}};
        s->by = WH_BY_SNDFILE;
        snprintf(s->coding, sizeof s->coding, "G.72x ADPCM");
        memcpy(s->head, header, HEADER);
        memcpy(s->head + 4, begin[is_big], 4);
        memset(s->head + 8, 0xff, 4);
        s->n_head = HEADER;
    }
}

static int next_in_au(wh_walk *walk, wh_stretch *stretch)
{
    unsigned char header[HEADER];
    if (walk->at != walk->start || wh_source_peek(walk->source, walk->at, header, HEADER) < HEADER)
        return 0;
    int is_big = header[0] == '.';
    uint32_t (*get32)(const unsigned char *) = is_big ? wh_big32 : wh_little32;
    uint32_t begin = get32(header + 4), size = get32(header + 8);
    uint32_t rate = get32(header + 16), channels = get32(header + 20);
    if (begin < HEADER || rate < 1 || rate > INT32_MAX || channels < 1 || channels > WH_MOST_CHANNELS)
        return 0;
    memset(stretch, 0, sizeof *stretch);
    stretch->sound.rate = (int)rate;
    stretch->sound.channels = (int)channels;
    stretch->at = walk->at + begin;
    stretch->length = wh_is_unknown_size(size) ? -1 : (int64_t)size;
    choose_decoder(stretch, get32(header + 12), header, is_big);
    return 1;
}

static int64_t behind(wh_walk *walk, const wh_stretch *stretch)
{
    (void)walk;
    return stretch->at + stretch->length;
}

const wh_container wh_au = {"AU", 4, is_au, next_in_au, behind};
