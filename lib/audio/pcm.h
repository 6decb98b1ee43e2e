/* pcm.h - samples as containers store them, one after the other, become floats. Used by the decoder of stretches. */
#ifndef WH_AUDIO_PCM_H
#define WH_AUDIO_PCM_H

#include "util/util.h"

/* How a sample lies in its bytes. */
typedef struct wh_pcm {
    enum { WH_PCM_INTEGER, WH_PCM_FLOAT, WH_PCM_A_LAW, WH_PCM_MU_LAW } kind;
    int bytes;       /* of a sample: 1 to 8; floats 4 or 8, A-law and mu-law 1 */
    int is_big;      /* the most significant byte comes first */
    int is_unsigned; /* integers: the middle is half of the range */
} wh_pcm;

/* n samples of bytes[n * pcm->bytes]; integers and laws come out between -1 and 1. */
void wh_pcm_floats(const wh_pcm *pcm, const unsigned char *bytes, size_t n, float *samples);

/* In words, for a recording's description. */
void wh_pcm_describe(const wh_pcm *pcm, char *text, size_t room);

#endif
