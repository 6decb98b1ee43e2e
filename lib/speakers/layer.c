/* layer.c - see layer.h. */
#include "speakers/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

#define PANEL WH_CONV_PANEL

static void pack_f32(wh_layer *l, const float *w)
{
    for (size_t j = 0; j < l->n; j++)
        for (size_t i = 0; i < l->k; i++)
            l->f32[(j / PANEL * l->k + i) * PANEL + j % PANEL] = w[j * l->k + i];
}

/* One output's weights [taps][inputs] to bytes. carries: whether what a weight leaves goes on to the next; else it is left
 * in w. */
static float round_output(float *w, size_t taps, size_t inputs, int carries, int8_t *q)
{
    float most = 0;
    double carry = 0;
    for (size_t i = 0; i < taps * inputs; i++)
        most = fmaxf(most, fabsf(w[i]));
    const double scale = (double)most / 127;
    for (size_t c = 0; c < inputs; c++)
        for (size_t tap = 0; tap < taps; tap++) {
            const size_t i = tap * inputs + c;
            const double exact = scale > 0 ? (double)w[i] / scale + carry : 0;
            const double rounded = fmax(-127, fmin(rint(exact), 127));
            q[i] = (int8_t)rounded;
            if (carries)
                carry = exact - rounded;
            else
                w[i] = (float)((double)w[i] - rounded * scale);
        }
    return (float)scale;
}

/* w [n][taps][inputs] is changed. q: room for one output's integers. scale [n] is multiplied by the weights'. */
static void pack_int8(const wh_layer *l, float *w, size_t taps, int carries, int8_t *q, int8_t *packed, float *scale)
{
    for (size_t j = 0; j < l->n; j++) {
        scale[j] *= round_output(w + j * l->k, taps, l->k / taps, carries, q);
        for (size_t i = 0; i < l->k; i++)
            packed[((j / PANEL * l->k + i / 4 * 4) * PANEL) + j % PANEL * 4 + i % 4] = q[i];
    }
}

/* In bytes; twice, if it is to be fine. */
static int make_int8(wh_layer *l, int is_fine, const float *w, size_t taps)
{
    int8_t *q = wh_calloc(l->k, 1);
    float *left = wh_calloc(l->n * l->k, sizeof *left);
    l->int8 = wh_alloc_aligned(l->n, l->k);
    l->rest = is_fine ? wh_alloc_aligned(l->n, l->k) : NULL;
    l->rest_scale = is_fine ? wh_alloc_aligned(l->n, sizeof *l->rest_scale) : NULL;
    int rc = q && left && l->int8 && (!is_fine || (l->rest && l->rest_scale)) ? WHISP_OK : wh_fail_memory();
    if (!rc)
        memcpy(left, w, l->n * l->k * sizeof *left);
    if (!rc && is_fine)
        memcpy(l->rest_scale, l->scale, l->n * sizeof *l->scale);
    if (!rc)
        pack_int8(l, left, taps, !is_fine, q, l->int8, l->scale);
    if (!rc && is_fine)
        pack_int8(l, left, taps, 1, q, l->rest, l->rest_scale);
    free(q);
    free(left);
    return rc;
}

int wh_layer_make(wh_layer_kind kind, const float *w, size_t n, size_t taps, size_t inputs, const float *gain,
                  const float *bias, wh_layer *l)
{
    const size_t k = taps * inputs;
    *l = (wh_layer){.n = n, .k = k};
    l->scale = wh_alloc_aligned(n, sizeof *l->scale);
    l->bias = wh_alloc_aligned(n, sizeof *l->bias);
    if (!l->scale || !l->bias)
        return wh_fail_memory();
    for (size_t j = 0; j < n; j++) {
        l->scale[j] = gain ? gain[j] : 1;
        l->bias[j] = bias ? bias[j] : 0;
    }
    if (kind != WH_LAYER_F32)
        return make_int8(l, kind == WH_LAYER_FINE, w, taps);
    if (!(l->f32 = wh_alloc_aligned(n * k, sizeof *l->f32)))
        return wh_fail_memory();
    pack_f32(l, w);
    return WHISP_OK;
}

void wh_layer_free(wh_layer *l)
{
    free(l->f32);
    free(l->int8);
    free(l->rest);
    free(l->rest_scale);
    free(l->scale);
    free(l->bias);
    memset(l, 0, sizeof *l);
}

static const float no_bias[PANEL];

/* Rows r .. r+count-1 of a panel. */
static float run_tile(const wh_layer *l, const wh_conv *conv, wh_conv_in in, int is_one_scale, size_t panel, size_t r,
                      int count, const wh_conv_out *out)
{
    const size_t j = panel * PANEL, at = r * out->ldy + j;
    wh_conv_out to = *out;
    to.scale = (out->scale ? out->scale : l->scale) + j;
    to.bias = (out->bias ? out->bias : l->bias) + j;
    to.y = out->y + at;
    to.more = out->more ? out->more + at : NULL;
    if (l->f32) {
        in.x = (const float *)in.x + r * in.ldx;
        return conv->tile_f32(&in, count, l->f32 + panel * l->k * PANEL, &to);
    }
    float scale[WH_CONV_ROWS];
    in.x = (const uint8_t *)in.x + r * in.ldx;
    for (int i = 0; i < count; i++)
        scale[i] = in.scale[is_one_scale ? 0 : r + (size_t)i];
    in.scale = scale;
    if (!l->rest)
        return conv->tile_int8(&in, count, l->int8 + panel * l->k * PANEL, &to);
    wh_conv_out first = to;
    first.is_rectified = 0;
    conv->tile_int8(&in, count, l->int8 + panel * l->k * PANEL, &first);
    to.more = to.y;
    to.scale = l->rest_scale + j;
    to.bias = no_bias;
    return conv->tile_int8(&in, count, l->rest + panel * l->k * PANEL, &to);
}

float wh_layer_run(const wh_layer *l, const wh_conv *conv, const wh_conv_in *in, int is_one_scale, size_t rows,
                   const wh_conv_out *out)
{
    float most = 0;
    const size_t tile = (size_t)conv->rows;
    const size_t tiles = (rows + tile - 1) / tile; /* of rows shared out evenly: few rows cost as much as many */
    if (!l->f32)
        wh_conv_begin(conv, in->length);
    for (size_t panel = 0; panel < l->n / PANEL; panel++)
        for (size_t t = 0, r = 0; t < tiles; t++) {
            size_t end = rows * (t + 1) / tiles;
            float largest = run_tile(l, conv, *in, is_one_scale, panel, r, (int)(end - r), out);
            most = largest > most ? largest : most;
            r = end;
        }
    if (!l->f32)
        wh_conv_end(conv);
    return most;
}
