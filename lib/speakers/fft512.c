/* fft512.c - a Fourier transform of 512 real points: the even samples and the odd ones are the two halves of 256 complex
 * points, which four passes of radix 4 transform (Stockham's ordering: Swarztrauber, "FFT algorithms for vector computers",
 * 1984); then the halves are told apart by their symmetry. */
#include "speakers/fft512.h"

#include <math.h>

#define N 256
#define LANES WH_FFT512_LANES
#define EACH_LANE for (int l = 0; l < LANES; l++)

typedef struct wh_fft512_points points;

void wh_fft512_init(wh_fft512 *fft)
{
    const double turn = 2.0 * acos(-1.0);
    for (int k = 0; k < 512; k++) {
        fft->cosine[k] = (float)cos(turn * k / 512);
        fft->sine[k] = (float)-sin(turn * k / 512);
    }
}

/* out[at] = (re + i im) * exp(-2 pi i turns / 256) */
static inline void turn_and_store(const wh_fft512 *fft, points *out, int at, int turns, const float *re,
                                  const float *im)
{
    float c = fft->cosine[2 * turns], s = fft->sine[2 * turns];
    EACH_LANE out->re[at][l] = re[l] * c - im[l] * s;
    EACH_LANE out->im[at][l] = re[l] * s + im[l] * c;
}

/* The four-point transform of in[at], in[at + quarter], .. */
static inline void butterfly(const points *in, int at, int quarter, float (*re)[LANES], float (*im)[LANES])
{
    const float *re0 = in->re[at], *re1 = in->re[at + quarter], *re2 = in->re[at + 2 * quarter];
    const float *im0 = in->im[at], *im1 = in->im[at + quarter], *im2 = in->im[at + 2 * quarter];
    const float *re3 = in->re[at + 3 * quarter], *im3 = in->im[at + 3 * quarter];
    EACH_LANE
    {
        float sum = re0[l] + re2[l], odd_sum = re1[l] + re3[l];
        float difference = re0[l] - re2[l], turned = im1[l] - im3[l];
        re[0][l] = sum + odd_sum;
        re[1][l] = difference + turned;
        re[2][l] = sum - odd_sum;
        re[3][l] = difference - turned;
    }
    EACH_LANE
    {
        float sum = im0[l] + im2[l], odd_sum = im1[l] + im3[l];
        float difference = im0[l] - im2[l], turned = re1[l] - re3[l];
        im[0][l] = sum + odd_sum;
        im[1][l] = difference - turned;
        im[2][l] = sum - odd_sum;
        im[3][l] = difference + turned;
    }
}

/* `stride` transforms of 256 / stride points, interleaved, become four times as many of a quarter of the length. */
static void pass(const wh_fft512 *fft, const points *in, points *out, int stride)
{
    int parts = N / stride / 4;
    for (int p = 0; p < parts; p++)
        for (int q = 0; q < stride; q++) {
            float re[4][LANES], im[4][LANES];
            butterfly(in, q + stride * p, N / 4, re, im);
            for (int j = 0; j < 4; j++)
                turn_and_store(fft, out, q + stride * (4 * p + j), j * p * stride, re[j], im[j]);
        }
}

/* With Z the transform of even + i odd samples: E[k] = (Z[k] + conj Z[256 - k]) / 2 is the even ones' and
 * O[k] = (Z[k] - conj Z[256 - k]) / 2i the odd ones'; X[k] = E[k] + exp(-2 pi i k / 512) O[k], and
 * X[256 - k] = conj(E[k] - exp(-2 pi i k / 512) O[k]). */
static void separate(const wh_fft512 *fft, const points *z, float (*power)[LANES])
{
    for (int k = 0; k <= N / 2; k++) {
        int mirror = (N - k) % N;
        float c = fft->cosine[k], s = fft->sine[k];
        EACH_LANE
        {
            float even_re = 0.5f * (z->re[k][l] + z->re[mirror][l]), even_im = 0.5f * (z->im[k][l] - z->im[mirror][l]);
            float odd_re = 0.5f * (z->im[k][l] + z->im[mirror][l]), odd_im = 0.5f * (z->re[mirror][l] - z->re[k][l]);
            float turned_re = odd_re * c - odd_im * s, turned_im = odd_re * s + odd_im * c;
            float re = even_re + turned_re, im = even_im + turned_im;
            if (k)
                power[mirror][l] = (even_re - turned_re) * (even_re - turned_re) +
                                   (even_im - turned_im) * (even_im - turned_im);
            power[k][l] = re * re + im * im;
        }
    }
}

void wh_fft512_power(const wh_fft512 *fft, wh_fft512_work *work, float (*power)[WH_FFT512_LANES])
{
    pass(fft, &work->a, &work->b, 1);
    pass(fft, &work->b, &work->a, 4);
    pass(fft, &work->a, &work->b, 16);
    pass(fft, &work->b, &work->a, 64);
    separate(fft, &work->a, power);
}
