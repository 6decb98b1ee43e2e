/* filters.c - the Mel filters: which part of each frequency bin's power belongs to which band.
 *
 * Made once when a model is loaded and read by lib/mel/mel.c. Equal to librosa.filters.mel(sr=16000, n_fft=400,
 * htk=False, norm="slaney"), which is what openai-whisper ships as a table. The scale is that of Malcolm Slaney's
 * Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above. */
#include "mel/mel.h"

#include <math.h>

#define SAMPLE_RATE 16000
#define BINS 201 /* 0 .. 8 kHz in steps of 40 Hz */
#define BIN_HZ (SAMPLE_RATE / 400.0)

#define HZ_PER_MEL (200.0 / 3.0) /* below the break */
#define BREAK_HZ 1000.0
#define BREAK_MEL (BREAK_HZ / HZ_PER_MEL) /* 15 */
#define STEPS_TO_6400_HZ 27.0             /* above it, 27 Mel take the frequency from 1 to 6.4 kHz */

static double mel_of_hz(double hz)
{
    if (hz < BREAK_HZ)
        return hz / HZ_PER_MEL;
    return BREAK_MEL + log(hz / BREAK_HZ) * STEPS_TO_6400_HZ / log(6.4);
}

static double hz_of_mel(double mel)
{
    if (mel < BREAK_MEL)
        return mel * HZ_PER_MEL;
    return BREAK_HZ * exp((mel - BREAK_MEL) * log(6.4) / STEPS_TO_6400_HZ);
}

void wh_mel_filters(int n_mels, float *filters)
{
    /* Band m is a triangle over the corners m, m + 1, m + 2, which are evenly spaced in Mel from 0 to 8 kHz. */
    double step = mel_of_hz(SAMPLE_RATE / 2.0) / (n_mels + 1);
    for (int m = 0; m < n_mels; m++) {
        double low = hz_of_mel(step * m), middle = hz_of_mel(step * (m + 1)), high = hz_of_mel(step * (m + 2));
        double area = 2.0 / (high - low); /* Slaney's norm: every triangle has the same area */
        for (int k = 0; k < BINS; k++) {
            double hz = k * BIN_HZ;
            double rise = (hz - low) / (middle - low), fall = (high - hz) / (high - middle);
            filters[(size_t)m * BINS + (size_t)k] = (float)(area * fmax(0.0, fmin(rise, fall)));
        }
    }
}
