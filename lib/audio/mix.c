/* mix.c - see mix.h. */
#include "audio/mix.h"

#include <math.h>

#define LARGEST 1024.0f /* louder than any recording; keeps the resampler's sums finite */

uint64_t wh_mix(const float *frames, int64_t n, const wh_sound *sound, int channel, float *mono)
{
    uint64_t bad = 0;
    int first = channel < 0 ? 0 : WH_MIN(channel, sound->channels - 1);
    int end = channel < 0 ? sound->channels : first + 1;
    for (int64_t i = 0; i < n; i++) {
        const float *frame = frames + i * sound->channels;
        float sum = 0.0f;
        for (int c = first; c < end; c++) {
            if (isfinite(frame[c]))
                sum += WH_MAX(-LARGEST, WH_MIN(frame[c], LARGEST));
            else
                bad++;
        }
        mono[i] = sum / (float)(end - first);
    }
    return bad;
}
