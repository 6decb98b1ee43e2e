/* fft.h - power spectra of 400 real samples, eight frames side by side. Used by lib/mel/mel.c only. */
#ifndef WH_MEL_FFT_H
#define WH_MEL_FFT_H

#define WH_FFT_LANES 8 /* frames at once: they fill the vector units whatever the CPU */
#define WH_FFT_BINS 201

/* Twiddle factors, made once, read-only afterwards. */
typedef struct wh_fft {
    float cos200[200], sin200[200]; /* exp(-2 pi i k / 200) = cos200[k] + i sin200[k] */
    float cos400[101], sin400[101]; /* exp(-2 pi i k / 400) */
} wh_fft;

/* What a transform works in; the input goes into a: sample 2j to re[j], sample 2j + 1 to im[j]. */
typedef struct wh_fft_work {
    struct wh_fft_complex {
        float re[200][WH_FFT_LANES], im[200][WH_FFT_LANES];
    } a, b;
} wh_fft_work;

void wh_fft_init(wh_fft *fft);

/* power[k][lane] = |sum_n x[n] exp(-2 pi i k n / 400)|^2 for k = 0 .. 200. Leaves rubbish in work. Each lane's numbers
 * depend on that lane alone. */
void wh_fft_power(const wh_fft *fft, wh_fft_work *work, float (*power)[WH_FFT_LANES]);

#endif
