/* layout.c - CoreAudio's channel layouts: which speakers a recording's channels are for, and in which order they come.
 *
 * AIFF's CHAN and CAF's chan chunk begin with three big-endian numbers: a tag, a bitmap (whose bits are
 * WAVEFORMATEXTENSIBLE's) and how many descriptions of 20 bytes follow. */
#include <string.h>

#include "audio/stretch.h"

enum { L = 1, R, C, LFE, Ls, Rs, Lc, Rc, Cs, Lsd, Rsd }; /* CoreAudio's labels: bit + 1 of WAVEFORMATEXTENSIBLE */

static const struct {
    uint32_t tag;
    unsigned char labels[8];
} layouts[] = {
    /* CoreAudioTypes.h; where it says "Ls" the surround channels of 5.1 are meant */
    {100u << 16 | 1, {C}},                              /* Mono */
    {101u << 16 | 2, {L, R}},                           /* Stereo */
    {102u << 16 | 2, {L, R}},                           /* StereoHeadphones */
    {108u << 16 | 4, {L, R, Ls, Rs}},                   /* Quadraphonic */
    {113u << 16 | 3, {L, R, C}},                        /* MPEG_3_0_A */
    {114u << 16 | 3, {C, L, R}},                        /* MPEG_3_0_B */
    {115u << 16 | 4, {L, R, C, Cs}},                    /* MPEG_4_0_A */
    {116u << 16 | 4, {C, L, R, Cs}},                    /* MPEG_4_0_B */
    {117u << 16 | 5, {L, R, C, Ls, Rs}},                /* MPEG_5_0_A */
    {118u << 16 | 5, {L, R, Ls, Rs, C}},                /* MPEG_5_0_B */
    {119u << 16 | 5, {L, C, R, Ls, Rs}},                /* MPEG_5_0_C */
    {120u << 16 | 5, {C, L, R, Ls, Rs}},                /* MPEG_5_0_D */
    {121u << 16 | 6, {L, R, C, LFE, Ls, Rs}},           /* MPEG_5_1_A */
    {122u << 16 | 6, {L, R, Ls, Rs, C, LFE}},           /* MPEG_5_1_B */
    {123u << 16 | 6, {L, C, R, Ls, Rs, LFE}},           /* MPEG_5_1_C */
    {124u << 16 | 6, {C, L, R, Ls, Rs, LFE}},           /* MPEG_5_1_D */
    {125u << 16 | 7, {L, R, C, LFE, Ls, Rs, Cs}},       /* MPEG_6_1_A */
    {126u << 16 | 8, {L, R, C, LFE, Ls, Rs, Lc, Rc}},   /* MPEG_7_1_A */
    {127u << 16 | 8, {C, Lc, Rc, L, R, Ls, Rs, LFE}},   /* MPEG_7_1_B */
    {128u << 16 | 8, {L, R, C, LFE, Ls, Rs, Lsd, Rsd}}, /* MPEG_7_1_C: Rls and Rrs, here beside the others */
    {131u << 16 | 3, {L, R, Cs}},                       /* ITU_2_1 */
    {132u << 16 | 4, {L, R, Ls, Rs}},                   /* ITU_2_2 */
    {133u << 16 | 3, {L, R, LFE}},                      /* DVD_4 */
    {134u << 16 | 4, {L, R, LFE, Cs}},                  /* DVD_5 */
    {135u << 16 | 5, {L, R, LFE, Ls, Rs}},              /* DVD_6 */
    {136u << 16 | 4, {L, R, C, LFE}},                   /* DVD_10 */
    {137u << 16 | 5, {L, R, C, LFE, Cs}},               /* DVD_11 */
};

static unsigned char other_label(uint32_t label)
{
    switch (label) {
    case 33: return Lsd; /* rear surround */
    case 34: return Rsd;
    case 42: return C; /* mono */
    default: return 0;
    }
}

/* Speakers by labels; the channels' places in the order of the bits. */
static void set_labels(const unsigned char *labels, size_t n, wh_stretch *s)
{
    uint32_t speakers = 0;
    for (size_t c = 0; c < n; c++)
        speakers |= labels[c] ? UINT32_C(1) << (labels[c] - 1) : 0;
    if ((size_t)__builtin_popcount(speakers) != n || n > sizeof s->map)
        return;
    s->sound.speakers = speakers;
    s->is_mapped = 0;
    for (size_t c = 0; c < n; c++) {
        s->map[c] = (unsigned char)__builtin_popcount(speakers & ((UINT32_C(1) << (labels[c] - 1)) - 1));
        s->is_mapped |= s->map[c] != c;
    }
}

void wh_read_layout(const unsigned char *chunk, size_t n, wh_stretch *s)
{
    unsigned char labels[8];
    if (n < 12)
        return;
    uint32_t tag = wh_big32(chunk), count = wh_big32(chunk + 8);
    if (tag == 1u << 16) { /* the bitmap */
        s->sound.speakers = wh_big32(chunk + 4);
        s->is_mapped = 0;
    } else if (tag == 0 && count <= sizeof labels && n >= 12 + 20 * count) { /* the descriptions */
        for (uint32_t c = 0; c < count; c++) {
            uint32_t label = wh_big32(chunk + 12 + 20 * c);
            labels[c] = label >= 1 && label <= 18 ? (unsigned char)label : other_label(label);
        }
        set_labels(labels, count, s);
    }
    for (size_t k = 0; k < WH_COUNT(layouts); k++)
        if (layouts[k].tag == tag)
            set_labels(layouts[k].labels, tag & 0xffff, s);
}
