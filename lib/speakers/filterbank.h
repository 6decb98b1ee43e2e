/* filterbank.h - samples to log filter banks, Kaldi's: what CAM++ hears. */
#ifndef WH_SPEAKERS_FILTERBANK_H
#define WH_SPEAKERS_FILTERBANK_H

#include <stddef.h>

#define WH_BANKS 80
#define WH_BANK_FRAME 400 /* samples: 25 ms */
#define WH_BANK_STEP 160  /* 10 ms */

/* Tables and room to work in: one thread's. */
typedef struct wh_filterbank wh_filterbank;
int wh_filterbank_new(wh_filterbank **filterbank);
void wh_filterbank_free(wh_filterbank *filterbank);

/* Whole frames in n samples. */
static inline size_t wh_filterbank_frames(size_t n)
{
    return n < WH_BANK_FRAME ? 0 : 1 + (n - WH_BANK_FRAME) / WH_BANK_STEP;
}

/* n frames, the first from samples[0] on, to logarithms of energies [n][80]. Samples are -1 to 1, not times 32768, so
 * that the floor, 2^-23, is heard in digital silence. A frame's bits depend on its samples alone. */
void wh_filterbank_run(wh_filterbank *filterbank, const float *samples, size_t n, float *out);

#endif
