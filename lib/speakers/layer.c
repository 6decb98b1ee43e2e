/* layer.c - see layer.h. */
#include "speakers/layer.h"

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

/* q: room for one output's integers. */
static void pack_int8(wh_layer *l, const wh_gemm *gemm, const float *w, int8_t *q)
{
    for (size_t j = 0; j < l->n; j++) {
        float scale;
        gemm->quantize(w + j * l->k, l->k, q, NULL, &scale);
        l->scale[j] *= scale;
        for (size_t i = 0; i < l->k; i++)
            l->int8[((j / PANEL * l->k + i / 4 * 4) * PANEL) + j % PANEL * 4 + i % 4] = q[i];
    }
}

int wh_layer_make(const wh_gemm *gemm, int is_int8, const float *w, size_t n, size_t k, const float *gain,
                  const float *bias, wh_layer *l)
{
    *l = (wh_layer){.n = n, .k = k};
    l->scale = wh_alloc_aligned(n, sizeof *l->scale);
    l->bias = wh_alloc_aligned(n, sizeof *l->bias);
    if (!l->scale || !l->bias)
        return wh_fail_memory();
    for (size_t j = 0; j < n; j++) {
        l->scale[j] = gain ? gain[j] : 1;
        l->bias[j] = bias ? bias[j] : 0;
    }
    if (!is_int8) {
        if (!(l->f32 = wh_alloc_aligned(n * k, sizeof *l->f32)))
            return wh_fail_memory();
        pack_f32(l, w);
        return WHISP_OK;
    }
    int8_t *q = wh_calloc(k, 1);
    l->int8 = wh_alloc_aligned(n, k);
    if (q && l->int8)
        pack_int8(l, gemm, w, q);
    int rc = q && l->int8 ? WHISP_OK : wh_fail_memory();
    free(q);
    return rc;
}

void wh_layer_free(wh_layer *l)
{
    free(l->f32);
    free(l->int8);
    free(l->scale);
    free(l->bias);
    memset(l, 0, sizeof *l);
}

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
    return conv->tile_int8(&in, count, l->int8 + panel * l->k * PANEL, &to);
}

float wh_layer_run(const wh_layer *l, const wh_conv *conv, const wh_conv_in *in, int is_one_scale, size_t rows,
                   const wh_conv_out *out)
{
    float most = 0;
    size_t tiles = (rows + WH_CONV_ROWS - 1) /
                   WH_CONV_ROWS; /* of rows shared out evenly: few rows cost as much as many */
    for (size_t panel = 0; panel < l->n / PANEL; panel++)
        for (size_t t = 0, r = 0; t < tiles; t++) {
            size_t end = rows * (t + 1) / tiles;
            float largest = run_tile(l, conv, *in, is_one_scale, panel, r, (int)(end - r), out);
            most = largest > most ? largest : most;
            r = end;
        }
    return most;
}
