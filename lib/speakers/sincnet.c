/* sincnet.c - segmentation-3.0's first layers: samples to 60 features a frame; see segmenter.h.
 *
 * The window's samples are brought to mean 0 and variance 1, filtered by 80 band-pass filters of 251 taps every 10
 * samples, made positive, pooled, brought to mean 0 and variance 1 a channel; then twice: convolved, pooled, brought
 * there again. What happens to the samples first is a scale and a shift, so the filters hear the samples as they are,
 * which overlapping windows have in common, and the scale and the shift follow: of three positions that are pooled the
 * least and the greatest answers are enough for that. The filters are those of SincNet (Ravanelli and Bengio 2018) with
 * the sines of Pariente et al. 2020, made at load from their lower edges and widths. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/segmenter.h"

#define PAIRS (WH_SINC_FILTERS / 2)
#define OUTPUTS 64       /* of a convolution: the features, rounded up to the kernel's panels */
#define LEAST_HZ 50.0f   /* a filter's lower edge, at least */
#define LEAST_BAND 50.0f /* and its width */
#define HIGHEST_HZ 8000.0f

/* Where the file's channel c stands here: cosines and sines in turn, which have 40 channels each in the file. */
static size_t place(size_t c)
{
    return c < PAIRS ? 2 * c : 2 * (c - PAIRS) + 1;
}

/* ---- load ---- */

/* Of a pair the taps before the middle, and the middle. Each step is rounded to a float where training's was: angles
 * reach 400 at 8 kHz, and nearly equal sines are subtracted, so that filters from exact angles are others. Their features
 * would differ a hundred times more than all other rounding makes them. */
static int make_pair(const whisp_speakers *s, wh_sincnet *net, size_t pair, float low_hz, float band_hz)
{
    const float low = LEAST_HZ + fabsf(low_hz), high = fminf(low + LEAST_BAND + fabsf(band_hz), HIGHEST_HZ);
    const float band = high - low;
    if (!(band > 0))
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: damaged: a filter of the segmentation lies above %g Hz; get the file again",
                       wh_gguf_path(s->file), (double)HIGHEST_HZ);
    float *filter = net->filters + 2 * pair;
    double sum = 0;
    for (int k = 0; k < WH_SINC_HALF; k++, filter += WH_SINC_FILTERS) {
        const float n = (float)(k - WH_SINC_HALF) / WH_SPEAKERS_RATE * (float)(2 * M_PI), a = low * n, b = high * n;
        const float hamming = (float)(0.54 - 0.46 * cos(M_PI * k / WH_SINC_HALF));
        const float sines = (float)sin((double)b) - (float)sin((double)a);
        const float cosines = (float)cos((double)a) - (float)cos((double)b);
        filter[0] = sines / (n / 2) * hamming / (2 * band);
        filter[1] = cosines / (n / 2) * hamming / (2 * band);
        sum += 2 * (double)filter[0];
    }
    filter[0] = 1;
    filter[1] = 0;
    net->sum[2 * pair] = (float)(sum + 1);
    net->sum[2 * pair + 1] = 0;
    return WHISP_OK;
}

static int load_filters(const whisp_speakers *s, wh_sincnet *net)
{
    const float *low = NULL, *band = NULL, *gain = NULL, *bias = NULL;
    int rc;
    if ((rc = wh_speakers_tensor(s, "segmentation.sincnet.conv1d.0.filterbank.low_hz_", PAIRS, 1, 1, 1, &low)) ||
        (rc = wh_speakers_tensor(s, "segmentation.sincnet.conv1d.0.filterbank.band_hz_", PAIRS, 1, 1, 1, &band)) ||
        (rc = wh_speakers_tensor(s, "segmentation.sincnet.wav_norm1d.weight", 1, 1, 1, 1, &gain)) ||
        (rc = wh_speakers_tensor(s, "segmentation.sincnet.wav_norm1d.bias", 1, 1, 1, 1, &bias)))
        return rc;
    net->gain = gain[0];
    net->bias = bias[0];
    net->filters = wh_alloc_aligned((WH_SINC_HALF + 1) * WH_SINC_FILTERS, sizeof *net->filters);
    if (!net->filters)
        return wh_fail_memory();
    for (size_t pair = 0; pair < PAIRS && !rc; pair++)
        rc = make_pair(s, net, pair, low[pair], band[pair]);
    return rc;
}

static int load_channels(const whisp_speakers *s, wh_sincnet *net, int layer)
{
    const int n = layer ? WH_SINC_FEATURES : WH_SINC_FILTERS;
    const float *gain = NULL, *bias = NULL;
    char name[64];
    int rc;
    snprintf(name, sizeof name, "segmentation.sincnet.norm1d.%d.weight", layer);
    if ((rc = wh_speakers_tensor(s, name, n, 1, 1, 1, &gain)))
        return rc;
    snprintf(name, sizeof name, "segmentation.sincnet.norm1d.%d.bias", layer);
    if ((rc = wh_speakers_tensor(s, name, n, 1, 1, 1, &bias)))
        return rc;
    for (size_t c = 0; c < (size_t)n; c++) {
        size_t to = layer ? c : place(c);
        net->channels[layer].gain[to] = gain[c];
        net->channels[layer].bias[to] = bias[c];
    }
    return WHISP_OK;
}

/* [60][in][5] to rows of a product over frames that stand one after the other, [60][5][in]. A convolution's bias is
 * the same at every frame, so that it goes with the mean that is taken off each channel: it is not needed. The products
 * are in float32 always: channels differ so much in size that integers would cost more frames than all else. */
static int load_convolution(const whisp_speakers *s, wh_sincnet *net, int layer)
{
    const size_t in = layer == 1 ? WH_SINC_FILTERS : WH_SINC_FEATURES, k = in * WH_SINC_TAPS;
    const float *w = NULL;
    char name[64];
    snprintf(name, sizeof name, "segmentation.sincnet.conv1d.%d.weight", layer);
    int rc = wh_speakers_tensor(s, name, WH_SINC_FEATURES, (int64_t)in, WH_SINC_TAPS, 1, &w);
    if (rc)
        return rc;
    float *rows = wh_calloc(OUTPUTS * k, sizeof *rows);
    if (!rows)
        return wh_fail_memory();
    for (size_t j = 0; j < WH_SINC_FEATURES; j++)
        for (size_t c = 0; c < in; c++)
            for (size_t tap = 0; tap < WH_SINC_TAPS; tap++)
                rows[j * k + tap * in + (layer == 1 ? place(c) : c)] = w[(j * in + c) * WH_SINC_TAPS + tap];
    rc = wh_layer_make(WH_LAYER_F32, rows, OUTPUTS, WH_SINC_TAPS, in, NULL, NULL, &net->convolution[layer - 1]);
    free(rows);
    return rc;
}

int wh_sincnet_load(const whisp_speakers *s, wh_sincnet *net)
{
    net->kernels = s->kernels;
    net->conv = s->conv;
    int rc = load_filters(s, net);
    for (int layer = 0; layer < 3 && !rc; layer++)
        rc = load_channels(s, net, layer);
    for (int layer = 1; layer < 3 && !rc; layer++)
        rc = load_convolution(s, net, layer);
    return rc;
}

void wh_sincnet_free(wh_sincnet *net)
{
    free(net->filters);
    for (size_t i = 0; i < WH_COUNT(net->convolution); i++)
        wh_layer_free(&net->convolution[i]);
}

int wh_sincnet_buffers_new(wh_sincnet_buffers *b)
{
    memset(b, 0, sizeof *b);
    b->extremes = wh_alloc_aligned((size_t)WH_SINC_FRAMES * 2 * WH_SINC_FILTERS, sizeof *b->extremes);
    b->filtered = wh_alloc_aligned((size_t)WH_SINC_FRAMES * WH_SINC_FILTERS, sizeof *b->filtered);
    b->summed = wh_alloc_aligned((size_t)WH_SINC_CHUNK * OUTPUTS, sizeof *b->summed);
    b->folded = wh_alloc_aligned(6 * (WH_SINC_HALF + 1), sizeof *b->folded);
    if (b->extremes && b->filtered && b->summed && b->folded)
        return WHISP_OK;
    wh_sincnet_buffers_free(b);
    return wh_fail_memory();
}

void wh_sincnet_buffers_free(wh_sincnet_buffers *b)
{
    free(b->extremes);
    free(b->filtered);
    free(b->summed);
    free(b->folded);
    memset(b, 0, sizeof *b);
}

/* ---- run ---- */

/* The scale and the shift that bring the window to the net's gain and bias. */
static void level_of(const wh_sincnet *net, const float *samples, float *factor, float *shift)
{
    enum { LANES = 8 };
    double sum[LANES] = {0}, squares[LANES] = {0}, mean = 0, square = 0;
    for (size_t i = 0; i < WH_SEGMENT_SAMPLES; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            double x = (double)samples[i + l];
            sum[l] += x;
            squares[l] += x * x;
        }
    for (size_t l = 0; l < LANES; l++) {
        mean += sum[l] / WH_SEGMENT_SAMPLES;
        square += squares[l] / WH_SEGMENT_SAMPLES;
    }
    *factor = (float)(net->gain / sqrt(fmax(square - mean * mean, 0) + 1e-5));
    *shift = (float)(net->bias - mean * *factor);
}

/* The filters' answers to the window; those that the last window had, too, move to where they belong. */
static void hear(const wh_sincnet *net, wh_sincnet_buffers *b, const float *samples, size_t start)
{
    const size_t frame = 2 * WH_SINC_FILTERS, step = WH_SINC_POOL * WH_SINC_STRIDE;
    size_t shared = 0, from = start - b->start;
    if (b->is_heard && start >= b->start && from % step == 0 && from / step < WH_SINC_FRAMES) {
        shared = WH_SINC_FRAMES - from / step;
        memmove(b->extremes, b->extremes + from / step * frame, shared * frame * sizeof *b->extremes);
    }
    net->kernels->filter_pairs(samples + start + shared * step, WH_SINC_STRIDE, WH_SINC_FRAMES - shared, net->filters,
                               WH_SINC_HALF, PAIRS, b->folded, b->extremes + shared * frame);
    b->is_heard = 1;
    b->start = start;
}

/* x [frames][in] to the greatest of each three of its convolution's frames, out, which may be x; returns their number.
 * The last one or two that make no three are left out. */
static size_t convolve(const wh_sincnet *net, int layer, const float *x, size_t frames, size_t in, float *summed,
                       float *out)
{
    const size_t n = (frames - WH_SINC_TAPS + 1) / WH_SINC_POOL, d = WH_SINC_FEATURES, start = 0;
    for (size_t done = 0, count; done < n * WH_SINC_POOL; done += count) {
        count = WH_MIN(WH_SINC_CHUNK, n * WH_SINC_POOL - done);
        const wh_conv_in from = {x + done * in, in, &start, 1, in * WH_SINC_TAPS, NULL};
        const wh_conv_out to = {.y = summed, .ldy = OUTPUTS};
        wh_layer_run(&net->convolution[layer - 1], net->conv, &from, 1, count, &to);
        for (size_t r = 0; r < count / WH_SINC_POOL; r++, out += d) {
            const float *a = summed + r * WH_SINC_POOL * OUTPUTS, *b = a + OUTPUTS, *c = b + OUTPUTS;
            for (size_t j = 0; j < d; j++) {
                float most = a[j] > b[j] ? a[j] : b[j];
                out[j] = most > c[j] ? most : c[j];
            }
        }
    }
    return n;
}

void wh_sincnet_run(const wh_sincnet *net, wh_sincnet_buffers *b, const float *samples, size_t start, float *out)
{
    const float slope = 0.01f;
    const wh_kernels *kernels = net->kernels;
    float factor, shift, shifts[WH_SINC_FILTERS];
    level_of(net, samples + start, &factor, &shift);
    for (size_t j = 0; j < WH_SINC_FILTERS; j++)
        shifts[j] = shift * net->sum[j];
    hear(net, b, samples, start);
    kernels->scaled_extremes(b->extremes, WH_SINC_FRAMES, factor, shifts, WH_SINC_FILTERS, b->filtered);
    kernels->norm_columns(b->filtered, WH_SINC_FRAMES, WH_SINC_FILTERS, net->channels[0].gain, net->channels[0].bias,
                          slope);
    size_t n = convolve(net, 1, b->filtered, WH_SINC_FRAMES, WH_SINC_FILTERS, b->summed, b->filtered);
    kernels->norm_columns(b->filtered, n, WH_SINC_FEATURES, net->channels[1].gain, net->channels[1].bias, slope);
    n = convolve(net, 2, b->filtered, n, WH_SINC_FEATURES, b->summed, out);
    kernels->norm_columns(out, n, WH_SINC_FEATURES, net->channels[2].gain, net->channels[2].bias, slope);
}
