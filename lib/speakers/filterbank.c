/* filterbank.c - see filterbank.h. Kaldi's definition (feature-window.cc, mel-computations.cc) with 80 triangles from 20 Hz
 * to 8 kHz on its Mel scale: a frame's mean is taken off, then 0.97 of the sample before; Povey's window; the power spectrum
 * of 512 points; energies; logarithms. No dither. */
#include "speakers/filterbank.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/fft512.h"
#include "util/util.h"

#define LANES WH_FFT512_LANES
#define BINS WH_FFT512_BINS
#define RATE 16000.0
#define LOWEST 20.0
#define EMPHASIS 0.97f

struct wh_filterbank {
    wh_fft512 fft;
    float window[WH_BANK_FRAME];
    int first[WH_BANKS], count[WH_BANKS]; /* of the bins that a bank sees */
    float weights[WH_BANKS][BINS];        /* of these, from 0 on */
    wh_fft512_work work;
    float power[BINS][LANES];
};

static double mel(double hertz)
{
    return 1127.0 * log(1.0 + hertz / 700.0);
}

static void make_banks(wh_filterbank *fb)
{
    double low = mel(LOWEST), step = (mel(RATE / 2) - low) / (WH_BANKS + 1);
    for (int b = 0; b < WH_BANKS; b++) {
        double left = low + b * step, centre = left + step, right = centre + step;
        for (int i = 0; i < BINS; i++) {
            double at = mel(i * RATE / 512);
            if (at <= left || at >= right)
                continue;
            if (!fb->count[b])
                fb->first[b] = i;
            fb->weights[b][fb->count[b]++] = (float)(at <= centre ? (at - left) / step : (right - at) / step);
        }
    }
}

int wh_filterbank_new(wh_filterbank **filterbank)
{
    wh_filterbank *fb = wh_calloc(1, sizeof *fb);
    if (!fb)
        return wh_fail_memory();
    wh_fft512_init(&fb->fft);
    for (int i = 0; i < WH_BANK_FRAME; i++)
        fb->window[i] = (float)pow(0.5 - 0.5 * cos(2 * acos(-1.0) * i / (WH_BANK_FRAME - 1)), 0.85);
    make_banks(fb);
    *filterbank = fb;
    return WHISP_OK;
}

void wh_filterbank_free(wh_filterbank *filterbank)
{
    free(filterbank);
}

/* A frame to a lane of the transform's input. */
static void put_frame(wh_filterbank *fb, const float *samples, int lane)
{
    double sum = 0;
    for (int i = 0; i < WH_BANK_FRAME; i++)
        sum += samples[i];
    float mean = (float)(sum / WH_BANK_FRAME), before = samples[0] - mean;
    for (int i = 0; i < WH_BANK_FRAME; i++) {
        float x = samples[i] - mean, y = (x - EMPHASIS * before) * fb->window[i];
        before = x;
        if (i % 2)
            fb->work.a.im[i / 2][lane] = y;
        else
            fb->work.a.re[i / 2][lane] = y;
    }
}

static void put_banks(const wh_filterbank *fb, int frames, float *out)
{
    for (int b = 0; b < WH_BANKS; b++) {
        float energy[LANES] = {0};
        for (int i = 0; i < fb->count[b]; i++)
            for (int l = 0; l < LANES; l++)
                energy[l] += fb->weights[b][i] * fb->power[fb->first[b] + i][l];
        for (int l = 0; l < frames; l++)
            out[l * WH_BANKS + b] = logf(energy[l] > FLT_EPSILON ? energy[l] : FLT_EPSILON);
    }
}

void wh_filterbank_run(wh_filterbank *fb, const float *samples, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        int frames = (int)WH_MIN(LANES, n - i);
        memset(&fb->work.a, 0, sizeof fb->work.a); /* what is behind a frame, and lanes without one */
        for (int l = 0; l < frames; l++)
            put_frame(fb, samples + (i + (size_t)l) * WH_BANK_STEP, l);
        wh_fft512_power(&fb->fft, &fb->work, fb->power);
        put_banks(fb, frames, out + i * WH_BANKS);
    }
}
