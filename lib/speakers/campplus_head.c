/* campplus_head.c - CAM++'s head: filter banks as a picture of 80 frequencies and one channel, through ten convolutions to
 * 10 frequencies of 32 channels; see campplus.h.
 *
 * A picture is kept with zeros around it, [frequencies + 2][frames + 2][32], so that a convolution's rows are read where
 * they stand. With int8 all of it has one scale: taps of different frames and frequencies are added up. */
#include "speakers/campplus.h"

#include <string.h>

#define CHANNELS 32

/* A picture's size; the beginning of a frequency's first frame. */
static size_t picture_size(size_t frequencies, size_t frames)
{
    return (frequencies + 2) * (frames + 2) * CHANNELS;
}

static size_t row_at(size_t frequency, size_t frames)
{
    return ((frequency + 1) * (frames + 2) + 1) * CHANNELS;
}

static void zero_borders(float *picture, size_t frequencies, size_t frames)
{
    const size_t row = (frames + 2) * CHANNELS;
    memset(picture, 0, row * sizeof *picture);
    memset(picture + (frequencies + 1) * row, 0, row * sizeof *picture);
    for (size_t f = 1; f <= frequencies; f++) {
        memset(picture + f * row, 0, CHANNELS * sizeof *picture);
        memset(picture + (f + 1) * row - CHANNELS, 0, CHANNELS * sizeof *picture);
    }
}

void wh_cam_round(const wh_campplus *net, wh_cam_plane *plane, float most, size_t n)
{
    if (!net->is_int8)
        return;
    int is_zero = !(most > 1e-30f);
    plane->scale = is_zero ? 0 : most / 127.0f;
    net->conv->round(plane->f32, is_zero ? 0 : 127.0f / most, n, plane->int8);
}

/* A convolution with `side` times `side` taps from a picture of `frequencies` to one of frequencies / stride: row f of that
 * goes to y + f * y_step, its frames ldy apart. more: NULL, or laid out as y. Returns the largest of y. */
static float convolve(const wh_campplus *net, const wh_layer *layer, int side, int stride, const wh_cam_plane *from,
                      size_t frequencies, size_t frames, float *y, size_t y_step, size_t ldy, const float *more,
                      int is_rectified)
{
    const size_t row = (frames + 2) * CHANNELS, pieces[] = {0, row, 2 * row};
    const size_t corner = side == 1 ? row + CHANNELS : 0; /* of the first tap, from the picture's */
    float most = 0;
    for (size_t f = 0; f < frequencies / (size_t)stride; f++) {
        const size_t at = f * (size_t)stride * row + corner;
        wh_conv_in in = {.ldx = CHANNELS,
                         .pieces = pieces,
                         .n_pieces = (size_t)side,
                         .length = (size_t)side * CHANNELS,
                         .scale = &from->scale};
        in.x = net->is_int8 ? (const void *)(from->int8 + at) : (const void *)(from->f32 + at);
        wh_conv_out out = {.more = more ? more + f * y_step : NULL,
                           .is_rectified = is_rectified,
                           .y = y + f * y_step,
                           .ldy = ldy};
        float largest = wh_layer_run(layer, net->conv, &in, 1, frames, &out);
        most = largest > most ? largest : most;
    }
    return most;
}

/* x, of so many frequencies, through a residual; the answer stands in x, or, where frequencies are halved, in `halved`.
 * `inner`: room for what is between the two convolutions. Returns where the answer is. */
static wh_cam_plane *run_residual(const wh_campplus *net, const wh_cam_residual *r, wh_cam_plane *x,
                                  wh_cam_plane *inner, wh_cam_plane *halved, size_t frequencies, size_t frames)
{
    const size_t less = frequencies / (size_t)r->stride, first = row_at(0, frames), step = (frames + 2) * CHANNELS;
    zero_borders(inner->f32, less, frames);
    float most = convolve(net, &r->first, 3, r->stride, x, frequencies, frames, inner->f32 + first, step, CHANNELS,
                          NULL, 1);
    wh_cam_round(net, inner, most, picture_size(less, frames));
    wh_cam_plane *to = x;
    if (r->stride == 2) {
        to = halved;
        zero_borders(to->f32, less, frames);
        convolve(net, &r->shortcut, 1, 2, x, frequencies, frames, to->f32 + first, step, CHANNELS, NULL, 0);
    }
    most = convolve(net, &r->second, 3, 1, inner, less, frames, to->f32 + first, step, CHANNELS, to->f32 + first, 1);
    wh_cam_round(net, to, most, picture_size(less, frames));
    return to;
}

/* The banks by frequency, with zeros around, to the first picture. */
static void run_first(wh_embedder *e, size_t frames)
{
    const wh_campplus *net = e->net;
    const size_t row = frames + 2;
    memset(e->features, 0, (WH_BANKS + 2) * row * sizeof *e->features);
    for (size_t b = 0; b < WH_BANKS; b++)
        for (size_t t = 0; t < frames; t++)
            e->features[(b + 1) * row + t + 1] = e->banks[t * WH_BANKS + b];
    wh_cam_plane *to = &e->planes[0];
    zero_borders(to->f32, WH_BANKS, frames);
    float most = 0;
    for (size_t b = 0; b < WH_BANKS; b++) {
        const float *x = e->features + b * row, *const rows[] = {x, x + row, x + 2 * row};
        float largest = net->conv->first(rows, frames, net->first_w, net->first_b, to->f32 + row_at(b, frames));
        most = largest > most ? largest : most;
    }
    wh_cam_round(net, to, most, picture_size(WH_BANKS, frames));
}

void wh_campplus_head(wh_embedder *e, size_t frames)
{
    const wh_campplus *net = e->net;
    wh_cam_plane *a = &e->planes[0], *b = &e->planes[1], *c = &e->planes[2], *x;
    run_first(e, frames);
    x = run_residual(net, &net->residuals[0], a, b, c, 80, frames);
    x = run_residual(net, &net->residuals[1], x, b, NULL, 40, frames);
    x = run_residual(net, &net->residuals[2], x, b, a, 40, frames);
    x = run_residual(net, &net->residuals[3], x, b, NULL, 20, frames);
    memset(e->head.f32, 0, 2 * WH_HEAD_OUT * sizeof *e->head.f32);
    memset(e->head.f32 + (frames + 2) * WH_HEAD_OUT, 0, 2 * WH_HEAD_OUT * sizeof *e->head.f32);
    float most = convolve(net, &net->head_last, 3, 2, x, 20, frames, e->head.f32 + 2 * (size_t)WH_HEAD_OUT, CHANNELS,
                          WH_HEAD_OUT, NULL, 1);
    wh_cam_round(net, &e->head, most, (frames + 4) * WH_HEAD_OUT);
}

size_t wh_cam_plane_size(int plane)
{
    return picture_size(plane ? 40 : 80, WH_CAM_FRAMES);
}
