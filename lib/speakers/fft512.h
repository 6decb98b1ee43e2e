/* fft512.h - power spectra of 512 real samples, eight frames side by side. Used by filterbank.c only. */
#ifndef WH_SPEAKERS_FFT512_H
#define WH_SPEAKERS_FFT512_H

#define WH_FFT512_LANES 8
#define WH_FFT512_BINS 256 /* the last one, at half the rate, is left out: no filter sees it */

/* exp(-2 pi i k / 512), made once, read-only afterwards. */
typedef struct wh_fft512 {
    float cosine[512], sine[512];
} wh_fft512;

/* What a transform works in; the input goes into a: sample 2j to re[j], sample 2j + 1 to im[j]. */
typedef struct wh_fft512_work {
    struct wh_fft512_points {
        float re[256][WH_FFT512_LANES], im[256][WH_FFT512_LANES];
    } a, b;
} wh_fft512_work;

void wh_fft512_init(wh_fft512 *fft);

/* power[k][lane] = |sum_n x[n] exp(-2 pi i k n / 512)|^2. Leaves rubbish in work. Each lane's numbers depend on that lane
 * alone. */
void wh_fft512_power(const wh_fft512 *fft, wh_fft512_work *work, float (*power)[WH_FFT512_LANES]);

#endif
