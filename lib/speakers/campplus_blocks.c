/* campplus_blocks.c - CAM++ behind its head: dense layers over time, and the embedding; see campplus.h.
 *
 * Each layer's batch norm sees all channels so far anew, so that its rows are rounded anew, each with a scale of its own;
 * what is between its two products has one scale a stretch, because taps of different frames are added up. The small
 * products of the contexts are plain C: the same at every level. */
#include "speakers/campplus.h"

#include <math.h>
#include <string.h>

static const size_t one_piece[] = {0};

/* x, `rows` rows, as a batch norm and a rectifier leave it, for a product with one piece a row. */
static wh_conv_in see(wh_embedder *e, const float *x, size_t rows, size_t channels, const float *gain,
                      const float *norm)
{
    const wh_campplus *net = e->net;
    wh_conv_in in = {.x = e->seen, .ldx = WH_CAM_LD, .pieces = one_piece, .n_pieces = 1, .length = channels};
    if (!net->is_int8) {
        for (size_t r = 0; r < rows; r++)
            net->conv->rectify(x + r * WH_CAM_LD, gain, norm, channels, e->seen + r * WH_CAM_LD);
        return in;
    }
    for (size_t r = 0; r < rows; r++) {
        wh_cam_plane row = {.f32 = e->seen, .int8 = e->seen_int8 + r * channels};
        float most = net->conv->rectify(x + r * WH_CAM_LD, gain, norm, channels, row.f32);
        wh_cam_round(net, &row, most, channels);
        e->seen_scale[r] = row.scale;
    }
    in.x = e->seen_int8;
    in.ldx = channels;
    in.scale = e->seen_scale;
    return in;
}

void wh_campplus_enter(wh_embedder *e, size_t frames, float *x)
{
    const wh_campplus *net = e->net;
    const wh_conv_in in = {.x = net->is_int8 ? (const void *)e->head.int8 : (const void *)e->head.f32,
                           .ldx = 2 * (size_t)WH_HEAD_OUT,
                           .pieces = one_piece,
                           .n_pieces = 1,
                           .length = 5 * (size_t)WH_HEAD_OUT,
                           .scale = &e->head.scale};
    const wh_conv_out out = {.is_rectified = 1, .y = x, .ldy = WH_CAM_LD};
    wh_layer_run(&net->narrow, net->conv, &in, 1, (frames + 1) / 2, &out);
}

/* ---- a layer ---- */

/* Sums over `rows` frames of 128 channels. */
static void add_frames(const float *x, size_t rows, float *sum)
{
    memset(sum, 0, WH_CAM_INNER * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < WH_CAM_INNER; c++)
            sum[c] += x[r * WH_CAM_INNER + c];
}

/* y[n] = b + x[k] w[k][n] */
static void small_product(const float *x, size_t k, const float *w, const float *b, size_t n, float *y)
{
    memcpy(y, b, n * sizeof *y);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            y[j] += x[i] * w[i * n + j];
}

/* What a layer's output is multiplied by: of a context, 128 channels. */
static void make_gate(const wh_cam_layer *l, const float *context, float *gate)
{
    float inner[WH_CAM_CONTEXT];
    small_product(context, WH_CAM_INNER, l->context_w, l->context_b, WH_CAM_CONTEXT, inner);
    for (size_t i = 0; i < WH_CAM_CONTEXT; i++)
        inner[i] = inner[i] > 0 ? inner[i] : 0;
    small_product(inner, WH_CAM_CONTEXT, l->gate_w, l->gate_b, WH_CAM_GROWTH, gate);
    for (size_t i = 0; i < WH_CAM_GROWTH; i++)
        gate[i] = 1.0f / (1.0f + expf(-gate[i]));
}

/* Three taps over e->inner, gated part by part, to the channels that the layer adds. */
static void run_local(wh_embedder *e, const wh_cam_layer *l, size_t dilation, size_t rows, float *y)
{
    const wh_campplus *net = e->net;
    const size_t pieces[] = {0, dilation * WH_CAM_INNER, 2 * dilation * WH_CAM_INNER};
    const float *frames = e->inner.f32 + 2 * (size_t)WH_CAM_INNER;
    float all[WH_CAM_INNER], sum[WH_CAM_INNER], context[WH_CAM_INNER];
    float scale[WH_CAM_GROWTH] __attribute__((aligned(64)));
    add_frames(frames, rows, all);
    for (size_t r = 0; r < rows; r += WH_CAM_PART) {
        size_t n = WH_MIN(WH_CAM_PART, rows - r), at = (r + 2 - dilation) * WH_CAM_INNER;
        add_frames(frames + r * WH_CAM_INNER, n, sum);
        for (size_t c = 0; c < WH_CAM_INNER; c++)
            context[c] = all[c] / (float)rows + sum[c] / (float)n;
        make_gate(l, context, scale);
        for (size_t i = 0; i < WH_CAM_GROWTH; i++)
            scale[i] *= l->local.scale[i];
        wh_conv_in in = {
            .ldx = WH_CAM_INNER, .pieces = pieces, .n_pieces = 3, .length = WH_CAM_INNER, .scale = &e->inner.scale};
        in.x = net->is_int8 ? (const void *)(e->inner.int8 + at) : (const void *)(e->inner.f32 + at);
        const wh_conv_out out = {.scale = scale, .y = y + r * WH_CAM_LD, .ldy = WH_CAM_LD};
        wh_layer_run(&l->local, net->conv, &in, 1, n, &out);
    }
}

static void run_layer(wh_embedder *e, const wh_cam_layer *l, size_t dilation, size_t rows, float *x)
{
    const wh_campplus *net = e->net;
    const wh_conv_in in = see(e, x, rows, l->in, l->gain, l->norm);
    const wh_conv_out out = {.is_rectified = 1, .y = e->inner.f32 + 2 * (size_t)WH_CAM_INNER, .ldy = WH_CAM_INNER};
    float most = wh_layer_run(&l->narrow, net->conv, &in, 0, rows, &out);
    wh_cam_round(net, &e->inner, most, (rows + 4) * WH_CAM_INNER);
    run_local(e, l, dilation, rows, x + l->in);
}

/* The transit after a block, in place: all rows are read before the first is written. */
static void run_transit(wh_embedder *e, const wh_cam_transit *t, size_t rows, float *x)
{
    const wh_conv_in in = see(e, x, rows, t->in, t->gain, t->norm);
    const wh_conv_out out = {.y = x, .ldy = WH_CAM_LD};
    wh_layer_run(&t->half, e->net->conv, &in, 0, rows, &out);
}

/* ---- the embedding ---- */

/* Mean and deviation over time of x's 512 channels, which change in place. */
static void pool(const wh_campplus *net, size_t rows, float *x, float *stats)
{
    const size_t n = WH_CAM_CHANNELS / 2;
    float *mean = stats, *deviation = stats + n;
    memset(stats, 0, 2 * n * sizeof *stats);
    for (size_t r = 0; r < rows; r++) {
        float *row = x + r * WH_CAM_LD;
        net->conv->rectify(row, net->out_gain, net->out_norm, n, row);
        for (size_t c = 0; c < n; c++)
            mean[c] += row[c];
    }
    for (size_t c = 0; c < n; c++)
        mean[c] /= (float)rows;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < n; c++) {
            float off = x[r * WH_CAM_LD + c] - mean[c];
            deviation[c] += off * off;
        }
    for (size_t c = 0; c < n; c++)
        deviation[c] = sqrtf(deviation[c] / (float)(rows - 1));
}

/* Zeros where that is not a direction: not finite, or all but nothing, whose inverse a float does not hold. */
static void to_unit_length(float *x)
{
    double square = 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        square += (double)x[i] * x[i];
    float inverse = square > 1e-60 && isfinite(square) ? (float)(1 / sqrt(square)) : 0;
    for (int i = 0; i < WH_VOICE_SIZE; i++)
        x[i] = inverse > 0 ? x[i] * inverse : 0;
}

void wh_campplus_blocks(wh_embedder *e, float *x, size_t n, size_t rows, float *out)
{
    const wh_campplus *net = e->net;
    const wh_cam_layer *l = net->layers;
    const size_t stretch = rows * WH_CAM_LD;
    float stats[WH_CAM_CHANNELS];
    memset(e->inner.f32, 0, 2 * WH_CAM_INNER * sizeof *e->inner.f32);
    memset(e->inner.f32 + (rows + 2) * WH_CAM_INNER, 0, 2 * WH_CAM_INNER * sizeof *e->inner.f32);
    for (int block = 0; block < WH_CAM_BLOCKS; block++) {
        for (int i = 0; i < wh_cam_depth[block]; i++, l++)
            for (size_t s = 0; s < n; s++)
                run_layer(e, l, (size_t)wh_cam_dilation[block], rows, x + s * stretch);
        for (size_t s = 0; s < n; s++)
            run_transit(e, &net->transits[block], rows, x + s * stretch);
    }
    for (size_t s = 0; s < n; s++, out += WH_VOICE_SIZE) {
        pool(net, rows, x + s * stretch, stats);
        small_product(stats, WH_CAM_CHANNELS, net->last_w, net->last_b, WH_VOICE_SIZE, out);
        to_unit_length(out);
    }
}
