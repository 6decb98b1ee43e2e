/* conv.h - convolutions as products whose rows stand in x as they are, overlapping: nothing is copied for them. In
 * float32, and in integers where x is what a rectifier gives: nothing below zero. Knows nothing of speakers.
 *
 * Used by lib/speakers. One table a level (registry.h), the text of conv_body.h; conv_generic.c is the definition.
 *
 * A row of such a product is n_pieces pieces of `length` elements each. A convolution over [height][width][channels]
 * with three by three taps has three pieces of 3 * channels elements, `width` * channels apart; and the next position's
 * row begins `channels` elements behind this one's. Weights stand in panels of WH_CONV_PANEL outputs: [k][32] floats, or
 * [k / 4][32][4] integers of -127 to 127, k = n_pieces * length. Bytes of x are 0 to 127, so that sums of two products fit
 * 16 bits. Sums of integers are exact, and what follows is rounded once an operation, so all levels agree in every bit;
 * in float32 up to rounding. An output depends on its row alone. */
#ifndef WH_CONV_H
#define WH_CONV_H

#include <stddef.h>
#include <stdint.h>

#define WH_CONV_PANEL 32
#define WH_CONV_ROWS 32 /* of a tile, at most */

typedef struct wh_conv_in {
    const void *x;           /* row 0: floats, or bytes */
    size_t ldx;              /* elements from a row to the next */
    const size_t *pieces;    /* [n_pieces] where they begin, elements from a row's beginning */
    size_t n_pieces, length; /* length: a multiple of 4 */
    const float *scale;      /* [rows] what a byte of 1 stands for; not with floats */
} wh_conv_in;

typedef struct wh_conv_out {
    const float *scale, *bias; /* [WH_CONV_PANEL] */
    const float *more;         /* NULL, or what is added: rows ldy floats apart, perhaps y itself */
    int is_rectified;          /* what is below zero becomes zero */
    float *y;
    size_t ldy; /* floats from a row to the next */
} wh_conv_out;

typedef struct wh_conv {
    int rows; /* that a tile is best with: give as many, shared out evenly; WH_CONV_ROWS are possible at every level */

    /* Where not NULL: around calls of tile_int8 by one thread, with this length and nothing of a wh_gemm in between. */
    void (*begin)(size_t length);
    void (*end)(void);

    /* y[r][j] = sum * scale[j] + bias[j] (+ more[r][j]) for rows r, 1 to WH_CONV_ROWS of them, and a panel of weights; with
     * bytes scale[j] is multiplied by the row's scale first. Returns the largest of y, at least 0. */
    float (*tile_f32)(const wh_conv_in *in, int rows, const float *w, const wh_conv_out *out);
    float (*tile_int8)(const wh_conv_in *in, int rows, const int8_t *w, const wh_conv_out *out);

    /* Three by three taps over one channel, to 32 of them: out[i][j] = the greater of 0 and
     * bias[j] + the sum of x[a][i + b] * w[3 a + b][j], for n positions. Each of the three rows has n + 2 floats. Returns
     * the largest. */
    float (*first)(const float *const x[3], size_t n, const float *w, const float *bias, float *out);

    /* out[i] = the greater of 0 and x[i] * gain[i] + bias[i]; n is a multiple of 16; out may be x. Returns the largest. */
    float (*rectify)(const float *x, const float *gain, const float *bias, size_t n, float *out);

    /* q[i] = x[i] * inverse to the nearest integer, halves to even; 0 <= x[i] * inverse < 127.5, n a multiple of 16. (What
     * is out of that range, or not a number, gives any byte of 0 to 127.) */
    void (*round)(const float *x, float inverse, size_t n, uint8_t *q);
} wh_conv;

static inline void wh_conv_begin(const wh_conv *conv, size_t length)
{
    if (conv->begin)
        conv->begin(length);
}

static inline void wh_conv_end(const wh_conv *conv)
{
    if (conv->end)
        conv->end();
}

#endif
