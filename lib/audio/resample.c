/* resample.c - from the recording's rate to 16 kHz, by a polyphase filter bank.
 *
 * Stands between the decoder and the rounding in lib/audio/audio.c. 16000 / rate is reduced to L / M: input and output
 * lie on a common grid of L * rate points a second, on which the low pass, a windowed sinc, is defined. Output sample n
 * stands n * M / L input samples after the beginning, so it sees the sinc at one of L offsets between two input
 * samples: the phases. Each phase's taps lie side by side, and a sample is one dot product. For the few rates that
 * would need a large bank there is libsamplerate. Numbers and reasons: docs/audio.md. */
#include "audio/resample.h"

#include <math.h>
#include <samplerate.h>
#include <stdlib.h>
#include <string.h>

#define RATE 16000

/* The low pass is the reference's, ffmpeg's default (libswresample): a sinc of 32 zero crossings cut off at 0.97 of the
 * lower rate's Nyquist frequency, under a Kaiser window of beta 9. A steeper filter is easily made and measures better,
 * but then the words are not the reference's: it hears what passes above the cutoff. docs/audio.md has both. */
#define CUTOFF 0.97
#define BETA 9.0
#define CROSSINGS 32

#define LANES 16             /* sums side by side in the dot product; taps come in multiples of it */
#define PIECE 256            /* taps between two additions in double */
#define BANK_LIMIT (1 << 16) /* taps in all phases together: 256 KiB */
#define BLOCK 4096           /* samples kept beyond a filter's length */

struct wh_resampler {
    int rate;
    int phases, step; /* L, M: each output sample is M / L input samples after the last */
    size_t taps;      /* of a phase */
    double cutoff;    /* in units of the recording's Nyquist frequency */
    double half;      /* of the window's width, in input samples */
    float *bank;      /* [phases][taps] */
    float *window;    /* [taps + BLOCK] input samples, the oldest first */
    size_t held;      /* samples in the window */
    size_t at;        /* where the next output sample's taps begin in the window */
    int phase;        /* which taps it takes */

    SRC_STATE *general; /* instead of all that: libsamplerate */

    int64_t taken, given; /* samples so far */
    int ended;
};

/* ---- the filter ---- */

static int common_divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The modified Bessel function of order 0, from its power series; sees x^2 / 4. */
static double bessel_i0(double quarter_square)
{
    double sum = 1.0, term = 1.0;
    for (int k = 1; term > 1e-18 * sum; k++) {
        term *= quarter_square / ((double)k * k);
        sum += term;
    }
    return sum;
}

/* Taps of one phase: the windowed sinc around an output sample that stands phase / phases after input sample
 * taps / 2 - 1 of its window. Their sum is made 1, so that no phase is louder than another. */
static void design_phase(const wh_resampler *r, int phase, double *taps)
{
    const double pi = 3.14159265358979323846;
    double middle = (double)(r->taps / 2) - 1.0 + (double)phase / r->phases, sum = 0.0;
    for (size_t k = 0; k < r->taps; k++) {
        double x = (double)k - middle, inside = 1.0 - (x / r->half) * (x / r->half);
        double sinc = x == 0.0 ? r->cutoff : sin(pi * r->cutoff * x) / (pi * x);
        taps[k] = inside > 0.0 ? sinc * bessel_i0(BETA * BETA / 4.0 * inside) : 0.0;
        sum += taps[k];
    }
    for (size_t k = 0; k < r->taps; k++)
        taps[k] /= sum;
}

/* Phase p and phase L - p are each other's mirror image. */
static int design_bank(wh_resampler *r)
{
    double *taps = wh_calloc(r->taps, sizeof *taps);
    if (!taps)
        return wh_fail_memory();
    for (int p = 0; p <= r->phases / 2; p++) {
        float *bank = r->bank + (size_t)p * r->taps;
        float *mirror = r->bank + (size_t)(p == 0 ? 0 : r->phases - p) * r->taps;
        design_phase(r, p, taps);
        for (size_t k = 0; k < r->taps; k++) {
            if (p > 0)
                mirror[r->taps - 1 - k] = (float)taps[k];
            bank[k] = (float)taps[k];
        }
    }
    free(taps);
    return WHISP_OK;
}

/* ---- life ---- */

/* libsamplerate adds up its steps in floating point: where it stands depends on where it began. */
int wh_resampler_restarts(const wh_resampler *r)
{
    return !r->general;
}

/* Silence before the recording: sample 0 is in the middle of the first window. */
void wh_resampler_restart(wh_resampler *r)
{
    r->held = r->taps / 2 - 1;
    memset(r->window, 0, r->held * sizeof *r->window);
    r->at = 0;
    r->phase = 0;
    r->taken = r->given = 0;
    r->ended = 0;
}

static int prepare_bank(wh_resampler *r)
{
    r->bank = wh_alloc_aligned((size_t)r->phases * r->taps, sizeof *r->bank);
    r->window = wh_calloc(r->taps + BLOCK, sizeof *r->window);
    if (!r->bank || !r->window)
        return wh_fail_memory();
    wh_resampler_restart(r);
    return design_bank(r);
}

int wh_resampler_new(int rate, wh_resampler **resampler)
{
    int rc = WHISP_OK, error = 0;
    *resampler = NULL;
    if (rate < WH_MIN_RATE || rate > WH_MAX_RATE || rate == RATE)
        return wh_fail(WHISP_ERR_ARGUMENT, "resampling from %d Hz: not between %d and %d Hz, or 16000 Hz already", rate,
                       WH_MIN_RATE, WH_MAX_RATE);
    wh_resampler *r = wh_calloc(1, sizeof *r);
    if (!r)
        return wh_fail_memory();
    int divisor = common_divisor(rate, RATE);
    r->rate = rate;
    r->phases = RATE / divisor;
    r->step = rate / divisor;
    r->cutoff = WH_MIN(CUTOFF * RATE / rate, 1.0);
    r->half = ceil(CROSSINGS / r->cutoff) / 2.0;
    r->taps = ((size_t)(2.0 * r->half) + 1 + LANES - 1) / LANES * LANES;
    if ((size_t)r->phases * r->taps <= BANK_LIMIT)
        rc = prepare_bank(r);
    else if (!(r->general = src_new(SRC_SINC_BEST_QUALITY, 1, &error)))
        rc = wh_fail_memory();
    if (rc != WHISP_OK) {
        wh_resampler_free(r);
        return rc;
    }
    *resampler = r;
    return WHISP_OK;
}

void wh_resampler_free(wh_resampler *r)
{
    if (!r)
        return;
    if (r->general)
        src_delete(r->general);
    free(r->bank);
    free(r->window);
    free(r);
}

void wh_resampler_end(wh_resampler *r)
{
    r->ended = 1;
}

/* ---- running ---- */

typedef float vec4 __attribute__((vector_size(16)));

static inline vec4 load(const float *x)
{
    vec4 v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* n is a multiple of LANES. 16 sums in float side by side fill the vector units; every PIECE taps they are added up in
 * double, which keeps their rounding 147 dB down instead of 140. Every compiler and CPU adds in this order. */
static float dot(const float *a, const float *b, size_t n)
{
    double total[4] = {0};
    for (size_t i = 0; i < n;) {
        vec4 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        size_t end = WH_MIN(i + PIECE, n);
        for (; i < end; i += LANES) {
            s0 += load(a + i) * load(b + i);
            s1 += load(a + i + 4) * load(b + i + 4);
            s2 += load(a + i + 8) * load(b + i + 8);
            s3 += load(a + i + 12) * load(b + i + 12);
        }
        for (int lane = 0; lane < 4; lane++)
            total[lane] += ((double)s0[lane] + (double)s1[lane]) + ((double)s2[lane] + (double)s3[lane]);
    }
    return (float)((total[0] + total[1]) + (total[2] + total[3]));
}

/* Output samples from what the window holds. */
static size_t filter(wh_resampler *r, float *out, size_t room)
{
    size_t whole = (size_t)(r->step / r->phases), made = 0;
    int rest = r->step % r->phases;
    while (made < room && r->at + r->taps <= r->held) {
        out[made++] = dot(r->window + r->at, r->bank + (size_t)r->phase * r->taps, r->taps);
        r->at += whole;
        r->phase += rest;
        if (r->phase >= r->phases) {
            r->phase -= r->phases;
            r->at++;
        }
    }
    return made;
}

/* Take samples (silence if `in` is NULL) into the window, of which only what the next output needs must stay. */
static size_t take(wh_resampler *r, const float *in, size_t n)
{
    size_t capacity = r->taps + BLOCK;
    if (r->held == capacity) {
        r->held -= r->at;
        memmove(r->window, r->window + r->at, r->held * sizeof *r->window);
        r->at = 0;
    }
    n = WH_MIN(n, capacity - r->held);
    if (in)
        memcpy(r->window + r->held, in, n * sizeof *in);
    else
        memset(r->window + r->held, 0, n * sizeof *r->window);
    r->held += n;
    return n;
}

static void run_bank(wh_resampler *r, const float *in, size_t n, size_t *used, float *out, size_t room, size_t *made)
{
    for (;;) {
        *made += filter(r, out + *made, room - *made);
        if (*made == room)
            return;
        if (*used < n)
            *used += take(r, in + *used, n - *used);
        else if (r->ended)
            take(r, NULL, r->taps);
        else
            return;
    }
}

/* At the end libsamplerate is fed silence: its own way of ending loses a sample. */
static int run_general(wh_resampler *r, const float *in, size_t n, size_t *used, float *out, size_t room, size_t *made)
{
    static const float silence[BLOCK];
    while (*used < n || r->ended) {
        int feed_silence = *used == n && r->ended;
        SRC_DATA data = {.data_in = feed_silence ? silence : in + *used,
                         .input_frames = feed_silence ? BLOCK : (long)(n - *used),
                         .data_out = out + *made,
                         .output_frames = (long)(room - *made),
                         .src_ratio = (double)RATE / r->rate};
        int error = src_process(r->general, &data);
        if (error)
            return wh_fail(WHISP_ERR_AUDIO, "resampling from %d Hz failed: %s", r->rate, src_strerror(error));
        *made += (size_t)data.output_frames_gen;
        if (!feed_silence)
            *used += (size_t)data.input_frames_used;
        if (*made == room)
            break;
    }
    return WHISP_OK;
}

/* Samples that those taken so far make at 16 kHz. */
static int64_t whole_length(const wh_resampler *r)
{
    int64_t seconds = r->taken / r->rate, rest = r->taken % r->rate;
    return seconds * RATE + (rest * RATE + r->rate / 2) / r->rate;
}

int wh_resample(wh_resampler *r, const float *in, size_t n, size_t *used, float *out, size_t room, size_t *made)
{
    int rc = WHISP_OK;
    *used = *made = 0;
    if (r->ended) {
        n = 0;
        room = (size_t)WH_MIN((int64_t)room, whole_length(r) - r->given);
    }
    if (room == 0)
        return WHISP_OK;
    if (r->general)
        rc = run_general(r, in, n, used, out, room, made);
    else
        run_bank(r, in, n, used, out, room, made);
    r->taken += (int64_t)*used;
    r->given += (int64_t)*made;
    return rc;
}
