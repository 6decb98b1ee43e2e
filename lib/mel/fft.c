/* fft.c - a Fourier transform of exactly 400 real points.
 *
 * 400 real samples are taken as 200 complex ones, which are transformed by four passes of radix 5, 5, 4 and 2
 * (Stockham's ordering, which needs no bit reversal: Swarztrauber, "FFT algorithms for vector computers", 1984); then
 * the two interleaved real halves are separated. Every operation is done on WH_FFT_LANES frames, the innermost
 * index. */
#include "mel/fft.h"

#include <math.h>

#define N 200
#define LANES WH_FFT_LANES
#define EACH_LANE for (int l = 0; l < LANES; l++)

typedef struct wh_fft_complex complex_lanes;

void wh_fft_init(wh_fft *fft)
{
    const double turn = 2.0 * acos(-1.0);
    for (int k = 0; k < N; k++) {
        fft->cos200[k] = (float)cos(turn * k / N);
        fft->sin200[k] = (float)-sin(turn * k / N);
    }
    for (int k = 0; k <= N / 2; k++) {
        fft->cos400[k] = (float)cos(turn * k / (2 * N));
        fft->sin400[k] = (float)-sin(turn * k / (2 * N));
    }
}

/* out[at] = (re + i im) * twiddle k */
static inline void store(const wh_fft *fft, complex_lanes *out, int at, int k, const float *re, const float *im)
{
    float c = fft->cos200[k], s = fft->sin200[k];
    EACH_LANE out->re[at][l] = re[l] * c - im[l] * s;
    EACH_LANE out->im[at][l] = re[l] * s + im[l] * c;
}

/* A pass of radix r takes transforms of length n = r m, of which `stride` are interleaved, to transforms of length m:
 * out[q + stride (r p + j)] = w_n^(p j) sum_k in[q + stride (p + m k)] w_r^(j k). */
static void pass2(const complex_lanes *in, complex_lanes *out, int stride)
{
    for (int q = 0; q < stride; q++) { /* the last pass, m = 1: no twiddles */
        EACH_LANE out->re[q][l] = in->re[q][l] + in->re[q + stride][l];
        EACH_LANE out->im[q][l] = in->im[q][l] + in->im[q + stride][l];
        EACH_LANE out->re[q + stride][l] = in->re[q][l] - in->re[q + stride][l];
        EACH_LANE out->im[q + stride][l] = in->im[q][l] - in->im[q + stride][l];
    }
}

static void pass4(const wh_fft *fft, const complex_lanes *in, complex_lanes *out, int m, int stride)
{
    for (int p = 0; p < m; p++) {
        for (int q = 0; q < stride; q++) {
            int x0 = q + stride * p, x1 = x0 + stride * m, x2 = x1 + stride * m, x3 = x2 + stride * m;
            int y = q + stride * 4 * p, w = p * stride;
            float re[4][LANES], im[4][LANES];
            EACH_LANE
            {
                float a = in->re[x0][l] + in->re[x2][l], b = in->re[x0][l] - in->re[x2][l];
                float c = in->re[x1][l] + in->re[x3][l], d = in->im[x1][l] - in->im[x3][l];
                re[0][l] = a + c;
                re[1][l] = b + d;
                re[2][l] = a - c;
                re[3][l] = b - d;
            }
            EACH_LANE
            {
                float a = in->im[x0][l] + in->im[x2][l], b = in->im[x0][l] - in->im[x2][l];
                float c = in->im[x1][l] + in->im[x3][l], d = in->re[x1][l] - in->re[x3][l];
                im[0][l] = a + c;
                im[1][l] = b - d;
                im[2][l] = a - c;
                im[3][l] = b + d;
            }
            for (int j = 0; j < 4; j++)
                store(fft, out, y + stride * j, w * j, re[j], im[j]);
        }
    }
}

static void pass5(const wh_fft *fft, const complex_lanes *in, complex_lanes *out, int m, int stride)
{
    const float c1 = 0.309016994f, c2 = -0.809016994f; /* cos of a fifth and two fifths of a turn */
    const float s1 = 0.951056516f, s2 = 0.587785252f;  /* sin of them */
    for (int p = 0; p < m; p++) {
        for (int q = 0; q < stride; q++) {
            int x0 = q + stride * p, x1 = x0 + stride * m, x2 = x1 + stride * m, x3 = x2 + stride * m;
            int x4 = x3 + stride * m, y = q + stride * 5 * p, w = p * stride;
            float re[5][LANES], im[5][LANES];
            EACH_LANE
            {
                float r0 = in->re[x0][l], i0 = in->im[x0][l];
                float ra = in->re[x1][l] + in->re[x4][l], ia = in->im[x1][l] + in->im[x4][l];
                float rb = in->re[x2][l] + in->re[x3][l], ib = in->im[x2][l] + in->im[x3][l];
                float rc = in->re[x1][l] - in->re[x4][l], ic = in->im[x1][l] - in->im[x4][l];
                float rd = in->re[x2][l] - in->re[x3][l], id = in->im[x2][l] - in->im[x3][l];
                float re1 = r0 + c1 * ra + c2 * rb, im1 = i0 + c1 * ia + c2 * ib;
                float re2 = r0 + c2 * ra + c1 * rb, im2 = i0 + c2 * ia + c1 * ib;
                float ru = s1 * rc + s2 * rd, iu = s1 * ic + s2 * id;
                float rv = s2 * rc - s1 * rd, iv = s2 * ic - s1 * id;
                re[0][l] = r0 + ra + rb, im[0][l] = i0 + ia + ib;
                re[1][l] = re1 + iu, im[1][l] = im1 - ru;
                re[2][l] = re2 + iv, im[2][l] = im2 - rv;
                re[3][l] = re2 - iv, im[3][l] = im2 + rv;
                re[4][l] = re1 - iu, im[4][l] = im1 + ru;
            }
            for (int j = 0; j < 5; j++)
                store(fft, out, y + stride * j, w * j, re[j], im[j]);
        }
    }
}

/* With Z the transform of even + i odd: E[k] = (Z[k] + conj Z[200 - k]) / 2, O[k] = (Z[k] - conj Z[200 - k]) / 2i, and
 * X[k] = E[k] + w^k O[k], X[200 - k] = conj(E[k] - w^k O[k]). */
static void split(const wh_fft *fft, const complex_lanes *z, float (*power)[LANES])
{
    for (int k = 0; k <= N / 2; k++) {
        int mirror = (N - k) % N;
        float c = fft->cos400[k], s = fft->sin400[k];
        EACH_LANE
        {
            float er = 0.5f * (z->re[k][l] + z->re[mirror][l]), ei = 0.5f * (z->im[k][l] - z->im[mirror][l]);
            float or_ = 0.5f * (z->im[k][l] + z->im[mirror][l]), oi = 0.5f * (z->re[mirror][l] - z->re[k][l]);
            float tr = or_ * c - oi * s, ti = or_ * s + oi * c;
            float re = er + tr, im = ei + ti, mirror_re = er - tr, mirror_im = ei - ti;
            power[k][l] = re * re + im * im;
            power[N - k][l] = mirror_re * mirror_re + mirror_im * mirror_im;
        }
    }
}

void wh_fft_power(const wh_fft *fft, wh_fft_work *work, float (*power)[WH_FFT_LANES])
{
    pass5(fft, &work->a, &work->b, 40, 1);
    pass5(fft, &work->b, &work->a, 8, 5);
    pass4(fft, &work->a, &work->b, 2, 25);
    pass2(&work->b, &work->a, 100);
    split(fft, &work->a, power);
}
