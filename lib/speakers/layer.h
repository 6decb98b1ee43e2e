/* layer.h - a convolution of CAM++'s, ready for the kernels (kernels/cpu/conv.h): in float32, or in int8 with a scale for
 * each output.
 *
 * What rounding a weight leaves is carried on to the next one, tap by tap and then to the next input. What a layer hears
 * is never negative, and alike from tap to tap, so that errors of one sign would add up; like this they cancel. */
#ifndef WH_SPEAKERS_LAYER_H
#define WH_SPEAKERS_LAYER_H

#include "cpu/registry.h"

/* Immutable once made. */
typedef struct wh_layer {
    size_t n, k;  /* outputs, a multiple of WH_CONV_PANEL; inputs of one, a multiple of 4 */
    float *f32;   /* [n / 32][k][32], or NULL: then */
    int8_t *int8; /* [n / 32][k / 4][32][4] */
    int8_t *rest; /* likewise, of what the first rounding leaves, for layers in which a byte is not enough; or NULL */
    float *scale; /* [n] what a sum is multiplied by: the batch norm's gain, and the weights' own scale with int8 */
    float *rest_scale; /* [n] */
    float *bias;       /* [n] */
} wh_layer;

/* How a layer's weights are kept. WH_LAYER_FINE: as the sum of two bytes, at twice the time. */
typedef enum wh_layer_kind { WH_LAYER_F32, WH_LAYER_INT8, WH_LAYER_FINE } wh_layer_kind;

/* Of weights w [n][taps][inputs], all finite; gain [n] or NULL: ones; bias [n] or NULL: zeros. All are copied.
 * WHISP_ERR_MEMORY. After an error as after success wh_layer_free() is due; it may be called for zeros, too. */
int wh_layer_make(wh_layer_kind kind, const float *w, size_t n, size_t taps, size_t inputs, const float *gain,
                  const float *bias, wh_layer *layer);
void wh_layer_free(wh_layer *layer);

/* The layer's product for any number of rows: as wh_conv.tile_f32 and tile_int8, but `in->scale` is one number for all rows
 * if is_one_scale, else [rows]; and out->scale and bias are [n] (NULL: the layer's own; so it is with WH_LAYER_FINE).
 * Returns the largest of y, at least 0. */
float wh_layer_run(const wh_layer *layer, const wh_conv *conv, const wh_conv_in *in, int is_one_scale, size_t rows,
                   const wh_conv_out *out);

#endif
