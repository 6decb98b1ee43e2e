/* campplus.c - CAM++'s weights from the model file; see campplus.h. */
#include "speakers/campplus.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/tensors.h"

#define VARIANCE_FLOOR 1e-5 /* a batch norm's */

/* ---- loading ---- */

/* What a loader carries: the first error stays, and all that follows does nothing. */
typedef struct loader {
    const whisp_speakers *s;
    int rc;
} loader;

static const float *WH_PRINTF(6, 7)
    tensor(loader *in, int64_t d0, int64_t d1, int64_t d2, int64_t d3, const char *format, ...)
{
    char name[96];
    const float *data = NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (!in->rc)
        in->rc = wh_speakers_tensor(in->s, name, d0, d1, d2, d3, &data);
    return in->rc ? NULL : data;
}

static float *allocate(loader *in, size_t n)
{
    float *x = in->rc ? NULL : wh_alloc_aligned(n, sizeof *x);
    if (!in->rc && !x)
        in->rc = wh_fail_memory();
    return x;
}

/* A batch norm as x * gain + bias. Both are the caller's, also after an error. Where it has no gain of its own it is only
 * mean and variance. */
static void read_norm(loader *in, const char *name, size_t n, int is_plain, float **gain, float **bias)
{
    int64_t d = (int64_t)n;
    const float *w = is_plain ? NULL : tensor(in, d, 1, 1, 1, "embedding.%s.weight", name);
    const float *b = is_plain ? NULL : tensor(in, d, 1, 1, 1, "embedding.%s.bias", name);
    const float *mean = tensor(in, d, 1, 1, 1, "embedding.%s.running_mean", name);
    const float *variance = tensor(in, d, 1, 1, 1, "embedding.%s.running_var", name);
    *gain = allocate(in, n);
    *bias = allocate(in, n);
    for (size_t i = 0; !in->rc && i < n; i++) {
        double g = (w ? w[i] : 1) / sqrt(variance[i] + VARIANCE_FLOOR);
        (*gain)[i] = (float)g;
        (*bias)[i] = (float)((b ? b[i] : 0) - mean[i] * g);
        if (!isfinite((*gain)[i]) || !isfinite((*bias)[i]))
            in->rc = wh_fail(WHISP_ERR_MODEL,
                             "%s: damaged: the batch norm embedding.%s has a variance below zero, or "
                             "is out of all measure; get the file again",
                             wh_gguf_path(in->s->file), name);
    }
}

/* w [n][inputs][taps] as [n][taps][inputs], and the layer of it. norm: the batch norm's name, or NULL. is_fine: in int8 a
 * byte is not enough for it. */
static void make_layer(loader *in, const float *w, size_t n, size_t inputs, size_t taps, const char *norm, int is_fine,
                       wh_layer *layer)
{
    const wh_layer_kind kind = !in->s->is_int8 ? WH_LAYER_F32 : is_fine ? WH_LAYER_FINE : WH_LAYER_INT8;
    float *gain = NULL, *bias = NULL, *ordered = allocate(in, n * inputs * taps);
    if (norm)
        read_norm(in, norm, n, 0, &gain, &bias);
    if (!in->rc) {
        for (size_t i = 0; i < n * inputs * taps; i++)
            ordered[i / (inputs * taps) * inputs * taps + i % taps * inputs + i / taps % inputs] = w[i];
        in->rc = wh_layer_make(kind, ordered, n, taps, inputs, gain, bias, layer);
    }
    free(gain);
    free(bias);
    free(ordered);
}

/* A convolution of the head: 32 channels to 32. Those of the residuals lose more with weights of one byte than all that
 * follows does (docs/speakers.md). */
static void read_head_conv(loader *in, const char *name, int side, const char *norm, int is_fine, wh_layer *layer)
{
    const float *w = tensor(in, 32, 32, side, side, "embedding.%s.weight", name);
    make_layer(in, w, 32, 32, (size_t)side * (size_t)side, norm, is_fine, layer);
}

static void read_head(loader *in, wh_campplus *net)
{
    char conv[64], norm[64];
    float *gain = NULL;
    const float *w = tensor(in, 32, 1, 3, 3, "embedding.head.conv1.weight");
    read_norm(in, "head.bn1", 32, 0, &gain, &net->first_b);
    net->first_w = allocate(in, 9 * 32);
    for (size_t i = 0; !in->rc && i < 9 * 32; i++)
        net->first_w[i] = w[i % 32 * 9 + i / 32] * gain[i % 32];
    free(gain);
    for (int i = 0; i < 4; i++) {
        wh_cam_residual *r = &net->residuals[i];
        r->stride = i % 2 ? 1 : 2;
        for (int c = 0; c < 2; c++) {
            snprintf(conv, sizeof conv, "head.layer%d.%d.conv%d", i / 2 + 1, i % 2, c + 1);
            snprintf(norm, sizeof norm, "head.layer%d.%d.bn%d", i / 2 + 1, i % 2, c + 1);
            read_head_conv(in, conv, 3, norm, 1, c ? &r->second : &r->first);
        }
        if (i % 2)
            continue;
        snprintf(conv, sizeof conv, "head.layer%d.0.shortcut.0", i / 2 + 1);
        snprintf(norm, sizeof norm, "head.layer%d.0.shortcut.1", i / 2 + 1);
        read_head_conv(in, conv, 1, norm, 1, &r->shortcut);
    }
    read_head_conv(in, "head.conv2", 3, "head.bn2", 0, &net->head_last);
}

/* The file's channels of the head's output are [32][10 frequencies], here [10][32]. */
static void read_narrow(loader *in, wh_campplus *net)
{
    const size_t n = WH_CAM_INNER, taps = 5;
    const float *w = tensor(in, WH_CAM_INNER, WH_HEAD_OUT, 5, 1, "embedding.xvector.tdnn.linear.weight");
    float *ordered = allocate(in, n * WH_HEAD_OUT * taps);
    for (size_t j = 0; !in->rc && j < n; j++)
        for (size_t c = 0; c < WH_HEAD_OUT; c++)
            memcpy(ordered + (j * WH_HEAD_OUT + c % 10 * 32 + c / 10) * taps, w + (j * WH_HEAD_OUT + c) * taps,
                   taps * sizeof *w);
    make_layer(in, ordered, n, WH_HEAD_OUT, taps, "xvector.tdnn.nonlinear.batchnorm", 0, &net->narrow);
    free(ordered);
}

/* A small product's weights, [outputs][inputs] in the file, the other way round. */
static float *read_turned(loader *in, const float *w, size_t outputs, size_t inputs)
{
    float *turned = allocate(in, outputs * inputs);
    for (size_t i = 0; !in->rc && i < outputs * inputs; i++)
        turned[i % inputs * outputs + i / inputs] = w[i];
    return turned;
}

static float *read_copy(loader *in, const float *from, size_t n)
{
    float *copy = allocate(in, n);
    if (!in->rc)
        memcpy(copy, from, n * sizeof *copy);
    return copy;
}

static void read_layer(loader *in, const char *name, size_t channels, wh_cam_layer *l)
{
    char norm[64];
    const float *w;
    l->in = channels;
    snprintf(norm, sizeof norm, "%.32s.nonlinear1.batchnorm", name);
    read_norm(in, norm, channels, 0, &l->gain, &l->norm);
    w = tensor(in, WH_CAM_INNER, (int64_t)channels, 1, 1, "embedding.%s.linear1.weight", name);
    snprintf(norm, sizeof norm, "%.32s.nonlinear2.batchnorm", name);
    make_layer(in, w, WH_CAM_INNER, channels, 1, norm, 0, &l->narrow);
    w = tensor(in, WH_CAM_GROWTH, WH_CAM_INNER, 3, 1, "embedding.%s.cam_layer.linear_local.weight", name);
    make_layer(in, w, WH_CAM_GROWTH, WH_CAM_INNER, 3, NULL, 0, &l->local);
    w = tensor(in, WH_CAM_CONTEXT, WH_CAM_INNER, 1, 1, "embedding.%s.cam_layer.linear1.weight", name);
    l->context_w = read_turned(in, w, WH_CAM_CONTEXT, WH_CAM_INNER);
    w = tensor(in, WH_CAM_CONTEXT, 1, 1, 1, "embedding.%s.cam_layer.linear1.bias", name);
    l->context_b = read_copy(in, w, WH_CAM_CONTEXT);
    w = tensor(in, WH_CAM_GROWTH, WH_CAM_CONTEXT, 1, 1, "embedding.%s.cam_layer.linear2.weight", name);
    l->gate_w = read_turned(in, w, WH_CAM_GROWTH, WH_CAM_CONTEXT);
    w = tensor(in, WH_CAM_GROWTH, 1, 1, 1, "embedding.%s.cam_layer.linear2.bias", name);
    l->gate_b = read_copy(in, w, WH_CAM_GROWTH);
}

static void read_blocks(loader *in, wh_campplus *net)
{
    char name[64];
    size_t channels = WH_CAM_INNER;
    wh_cam_layer *l = net->layers;
    for (int block = 0; block < WH_CAM_BLOCKS; block++) {
        for (int i = 0; i < wh_cam_depth[block]; i++, channels += WH_CAM_GROWTH) {
            snprintf(name, sizeof name, "xvector.block%d.tdnnd%d", block + 1, i + 1);
            read_layer(in, name, channels, l++);
        }
        wh_cam_transit *t = &net->transits[block];
        t->in = channels;
        snprintf(name, sizeof name, "xvector.transit%d.nonlinear.batchnorm", block + 1);
        read_norm(in, name, channels, 0, &t->gain, &t->norm);
        const float *w = tensor(in, (int64_t)channels / 2, (int64_t)channels, 1, 1,
                                "embedding.xvector.transit%d.linear.weight", block + 1);
        make_layer(in, w, channels / 2, channels, 1, NULL, 0, &t->half);
        channels /= 2;
    }
}

static void read_end(loader *in, wh_campplus *net)
{
    const size_t n = WH_VOICE_SIZE, k = WH_CAM_CHANNELS;
    float *gain = NULL;
    read_norm(in, "xvector.out_nonlinear.batchnorm", k / 2, 0, &net->out_gain, &net->out_norm);
    const float *w = tensor(in, (int64_t)n, (int64_t)k, 1, 1, "embedding.xvector.dense.linear.weight");
    read_norm(in, "xvector.dense.nonlinear.batchnorm", n, 1, &gain, &net->last_b);
    net->last_w = read_turned(in, w, n, k);
    for (size_t i = 0; !in->rc && i < n * k; i++)
        net->last_w[i] *= gain[i % n];
    free(gain);
}

int wh_campplus_load(const whisp_speakers *s, wh_campplus **net)
{
    loader in = {.s = s};
    wh_campplus *made = wh_calloc(1, sizeof *made);
    if (!made)
        return wh_fail_memory();
    made->conv = s->conv;
    made->is_int8 = s->is_int8;
    read_head(&in, made);
    read_narrow(&in, made);
    read_blocks(&in, made);
    read_end(&in, made);
    if (in.rc)
        wh_campplus_free(made);
    else
        *net = made;
    return in.rc;
}

void wh_campplus_free(wh_campplus *net)
{
    if (!net)
        return;
    for (size_t i = 0; i < WH_COUNT(net->residuals); i++) {
        wh_layer_free(&net->residuals[i].first);
        wh_layer_free(&net->residuals[i].second);
        wh_layer_free(&net->residuals[i].shortcut);
    }
    wh_layer_free(&net->head_last);
    wh_layer_free(&net->narrow);
    for (size_t i = 0; i < WH_CAM_LAYERS; i++) {
        wh_cam_layer *l = &net->layers[i];
        wh_layer_free(&l->narrow);
        wh_layer_free(&l->local);
        float *const owned[] = {l->gain, l->norm, l->context_w, l->context_b, l->gate_w, l->gate_b};
        for (size_t k = 0; k < WH_COUNT(owned); k++)
            free(owned[k]);
    }
    for (size_t i = 0; i < WH_CAM_BLOCKS; i++) {
        wh_layer_free(&net->transits[i].half);
        free(net->transits[i].gain);
        free(net->transits[i].norm);
    }
    float *const owned[] = {net->first_w, net->first_b, net->out_gain, net->out_norm, net->last_w, net->last_b};
    for (size_t k = 0; k < WH_COUNT(owned); k++)
        free(owned[k]);
    free(net);
}
