/* network.c - Silero VAD's network on chunks of samples; see vad.h and docs/vad.md.
 *
 *   64 + 512 samples, 64 mirrored at the end -> 4 frames of 129 magnitudes (a windowed Fourier transform as a product)
 *   -> four convolutions, 4, 2, 1, 1 frames -> LSTM with 128 states -> probability
 *
 * Everything before the LSTM is computed for several chunks at once; all products go through kernels->rows, whose sums
 * do not depend on how many rows there are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

#define SEEN (WH_VAD_CONTEXT + WH_VAD_CHUNK + 64) /* samples of a chunk as the transform sees them */

int wh_vad_net_init(wh_vad_net *net)
{
    const size_t rows = WH_VAD_BATCH * WH_VAD_FRAMES;
    memset(net, 0, sizeof *net);
    net->frames = wh_alloc_aligned(rows * WH_VAD_FFT, sizeof(float));
    net->spectrum = wh_alloc_aligned(rows * 2 * WH_VAD_BINS, sizeof(float));
    net->a = wh_alloc_aligned(rows * WH_VAD_BINS, sizeof(float));
    net->b = wh_alloc_aligned(rows * WH_VAD_BINS, sizeof(float));
    net->columns = wh_alloc_aligned(rows * WH_VAD_COLUMNS(WH_VAD_BINS), sizeof(float));
    net->gates = wh_alloc_aligned((size_t)WH_VAD_BATCH * 4 * WH_VAD_STATE, sizeof(float));
    if (net->frames && net->spectrum && net->a && net->b && net->columns && net->gates)
        return WHISP_OK;
    wh_vad_net_free(net);
    return wh_fail_memory();
}

void wh_vad_net_free(wh_vad_net *net)
{
    free(net->frames);
    free(net->spectrum);
    free(net->a);
    free(net->b);
    free(net->columns);
    free(net->gates);
    memset(net, 0, sizeof *net);
}

void wh_vad_net_reset(wh_vad_net *net)
{
    memset(net->context, 0, sizeof net->context);
    memset(net->h, 0, sizeof net->h);
    memset(net->c, 0, sizeof net->c);
}

/* samples [n][512] -> magnitudes [n][4][129] in net->a; the context moves on */
static void transform(const whisp_vad *v, wh_vad_net *net, const float *samples, int n)
{
    float seen[SEEN];
    for (int i = 0; i < n; i++) {
        memcpy(seen, net->context, sizeof net->context);
        memcpy(seen + WH_VAD_CONTEXT, samples + i * WH_VAD_CHUNK, WH_VAD_CHUNK * sizeof *seen);
        const int end = WH_VAD_CONTEXT + WH_VAD_CHUNK;
        for (int k = 0; k < SEEN - end; k++)
            seen[end + k] = seen[end - 2 - k];
        memcpy(net->context, seen + WH_VAD_CHUNK, sizeof net->context);
        for (int t = 0; t < WH_VAD_FRAMES; t++)
            memcpy(net->frames + (i * WH_VAD_FRAMES + t) * WH_VAD_FFT, seen + t * WH_VAD_HOP,
                   WH_VAD_FFT * sizeof *seen);
    }
    const int rows = n * WH_VAD_FRAMES;
    v->kernels->rows[WH_ROWS_F32](net->frames, WH_VAD_FFT, rows, v->stft, WH_VAD_FFT * sizeof(float), 2 * WH_VAD_BINS,
                                  WH_VAD_FFT, net->spectrum, 2 * WH_VAD_BINS, 0);
    for (int r = 0; r < rows; r++) {
        const float *re = net->spectrum + r * 2 * WH_VAD_BINS, *im = re + WH_VAD_BINS;
        float *out = net->a + r * WH_VAD_BINS;
        for (int k = 0; k < WH_VAD_BINS; k++)
            out[k] = sqrtf(re[k] * re[k] + im[k] * im[k]);
    }
}

/* in [n][frames][c->in] -> out [n][*frames][c->out]; a frame of zeros before and after each chunk's */
static void convolve(const whisp_vad *v, const wh_vad_conv *c, float *columns, const float *in, int n, int *frames,
                     float *out)
{
    const int from = *frames, to = (from - 1) / c->stride + 1, rows = n * to;
    for (int r = 0; r < rows; r++) {
        float *column = columns + r * c->k;
        for (int tap = 0; tap < 3; tap++) {
            int t = r % to * c->stride + tap - 1;
            if (t < 0 || t >= from)
                memset(column + tap * c->in, 0, (size_t)c->in * sizeof *column);
            else
                memcpy(column + tap * c->in, in + (r / to * from + t) * c->in, (size_t)c->in * sizeof *column);
        }
        for (int k = 3 * c->in; k < c->k; k++)
            column[k] = 0;
    }
    v->kernels->rows[WH_ROWS_F32](columns, (size_t)c->k, rows, c->w, (size_t)c->k * sizeof(float), (size_t)c->out,
                                  (size_t)c->k, out, (size_t)c->out, 0);
    for (int r = 0; r < rows; r++) {
        float *y = out + r * c->out;
        for (int k = 0; k < c->out; k++) {
            float sum = y[k] + c->b[k];
            y[k] = sum > 0 ? sum : 0;
        }
    }
    *frames = to;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* One step of the LSTM, gates [512] holding the input's part, to the probability. */
static float step(const whisp_vad *v, wh_vad_net *net, float *gates)
{
    v->kernels->rows[WH_ROWS_F32](net->h, WH_VAD_STATE, 1, v->w_state, WH_VAD_STATE * sizeof(float), 4 * WH_VAD_STATE,
                                  WH_VAD_STATE, gates, 4 * WH_VAD_STATE, 1);
    float sum = v->b_out;
    for (int i = 0; i < WH_VAD_STATE; i++) {
        float in = sigmoid(gates[i]), forget = sigmoid(gates[WH_VAD_STATE + i]);
        float cell = tanhf(gates[2 * WH_VAD_STATE + i]), out = sigmoid(gates[3 * WH_VAD_STATE + i]);
        net->c[i] = forget * net->c[i] + in * cell;
        net->h[i] = out * tanhf(net->c[i]);
        if (net->h[i] > 0)
            sum += net->h[i] * v->w_out[i];
    }
    return sigmoid(sum);
}

void wh_vad_net_run(const whisp_vad *v, wh_vad_net *net, const float *samples, int n, float *probabilities)
{
    const size_t n_gates = 4 * WH_VAD_STATE;
    int frames = WH_VAD_FRAMES;
    float *in = net->a, *out = net->b;
    transform(v, net, samples, n);
    for (size_t i = 0; i < WH_COUNT(v->conv); i++) {
        convolve(v, &v->conv[i], net->columns, in, n, &frames, out);
        float *other = in;
        in = out;
        out = other;
    }
    v->kernels->rows[WH_ROWS_F32](in, WH_VAD_STATE, n, v->w_input, WH_VAD_STATE * sizeof(float), n_gates, WH_VAD_STATE,
                                  net->gates, n_gates, 0);
    for (int i = 0; i < n; i++) {
        float *gates = net->gates + (size_t)i * n_gates;
        for (size_t k = 0; k < n_gates; k++)
            gates[k] += v->gate_bias[k];
        probabilities[i] = step(v, net, gates);
    }
}
