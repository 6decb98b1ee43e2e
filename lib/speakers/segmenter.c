/* segmenter.c - segmentation-3.0 as a whole; see segmenter.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/segmenter.h"

#define HIDDEN 128 /* of the dense layers */

/* ---- load ---- */

/* The layer NAME: k to n numbers, in integers or not. */
static int load_dense(const whisp_speakers *s, const char *name, int is_int8, size_t n, size_t k, wh_dense *dense)
{
    const float *w = NULL, *bias = NULL;
    char part[64];
    int rc;
    snprintf(part, sizeof part, "segmentation.%s.weight", name);
    if ((rc = wh_speakers_tensor(s, part, (int64_t)n, (int64_t)k, 1, 1, &w)))
        return rc;
    snprintf(part, sizeof part, "segmentation.%s.bias", name);
    if ((rc = wh_speakers_tensor(s, part, (int64_t)n, 1, 1, 1, &bias)))
        return rc;
    return wh_dense_make(s->kernels, s->gemm, is_int8, w, k, n, k, bias, dense);
}

int wh_segmenter_load(const whisp_speakers *s, wh_segmenter **net)
{
    *net = NULL;
    wh_segmenter *g = wh_calloc(1, sizeof *g);
    if (!g)
        return wh_fail_memory();
    int rc = wh_sincnet_load(s, &g->sincnet);
    for (int layer = 0; layer < WH_LSTM_LAYERS && !rc; layer++)
        for (int d = 0; d < 2 && !rc; d++)
            rc = wh_lstm_load(s, layer, d, layer ? WH_LSTM_OUT : WH_SINC_FEATURES, &g->lstm[layer][d]);
    if (!rc && !(rc = load_dense(s, "linear.0", s->is_int8, HIDDEN, WH_LSTM_OUT, &g->linear[0])) &&
        !(rc = load_dense(s, "linear.1", 0, HIDDEN, HIDDEN, &g->linear[1])))
        rc = load_dense(s, "classifier", 0, WH_SEGMENT_CLASSES, HIDDEN, &g->classes);
    if (rc) {
        wh_segmenter_free(g);
        return rc;
    }
    *net = g;
    return WHISP_OK;
}

void wh_segmenter_free(wh_segmenter *net)
{
    if (!net)
        return;
    wh_sincnet_free(&net->sincnet);
    for (int layer = 0; layer < WH_LSTM_LAYERS; layer++)
        for (int d = 0; d < 2; d++)
            wh_lstm_free(&net->lstm[layer][d]);
    wh_dense_free(&net->linear[0]);
    wh_dense_free(&net->linear[1]);
    wh_dense_free(&net->classes);
    free(net);
}

/* ---- run ---- */

struct wh_segmentation {
    const wh_segmenter *net;
    wh_sincnet_buffers sincnet;
    float *a, *b;  /* [4 windows][589][256]: what the layers read and write in turn */
    float *gates;  /* [4 windows][WH_LSTM_GATES_WINDOW] */
    void *scratch; /* of the products */
};

int wh_segmentation_new(const whisp_speakers *s, wh_segmentation **buffers)
{
    const size_t size = (size_t)WH_SEGMENT_TOGETHER * WH_SEGMENT_FRAMES * WH_LSTM_OUT;
    *buffers = NULL;
    wh_segmentation *b = wh_calloc(1, sizeof *b);
    if (!b)
        return wh_fail_memory();
    b->net = s->segmenter;
    b->a = wh_alloc_aligned(size, sizeof *b->a);
    b->b = wh_alloc_aligned(size, sizeof *b->b);
    b->gates = wh_alloc_aligned((size_t)WH_SEGMENT_TOGETHER * WH_LSTM_GATES_WINDOW, sizeof *b->gates);
    b->scratch = wh_alloc_aligned(wh_dense_scratch(WH_LSTM_OUT), 1);
    int rc = wh_sincnet_buffers_new(&b->sincnet);
    if (!rc && !(b->a && b->b && b->gates && b->scratch))
        rc = wh_fail_memory();
    if (rc) {
        wh_segmentation_free(b);
        return rc;
    }
    *buffers = b;
    return WHISP_OK;
}

void wh_segmentation_free(wh_segmentation *b)
{
    if (!b)
        return;
    wh_sincnet_buffers_free(&b->sincnet);
    free(b->a);
    free(b->b);
    free(b->gates);
    free(b->scratch);
    free(b);
}

/* A dense layer with a leaky rectifier over all frames, x to y. */
static void layer(const wh_dense *dense, const float *x, size_t frames, float *y, void *scratch)
{
    wh_dense_run(dense, x, dense->k, frames, y, dense->n, scratch);
    for (size_t i = 0; i < frames * dense->n; i++)
        y[i] = y[i] > 0 ? y[i] : 0.01f * y[i];
}

/* Seven values of each frame to their log-softmax. */
static void log_softmax(float *x, size_t frames)
{
    for (size_t r = 0; r < frames; r++, x += WH_SEGMENT_CLASSES) {
        float most = x[0], sum = 0;
        for (int i = 1; i < WH_SEGMENT_CLASSES; i++)
            most = fmaxf(most, x[i]);
        for (int i = 0; i < WH_SEGMENT_CLASSES; i++)
            sum += expf(x[i] - most);
        for (int i = 0; i < WH_SEGMENT_CLASSES; i++)
            x[i] -= most + logf(sum);
    }
}

/* What is in b->a, [n][589][60], to log-probabilities. */
static void classify(wh_segmentation *b, int n, float *out)
{
    const wh_segmenter *net = b->net;
    const size_t frames = (size_t)n * WH_SEGMENT_FRAMES;
    float *x = b->a, *y = b->b;
    for (int i = 0; i < WH_LSTM_LAYERS; i++) {
        for (int d = 0; d < 2; d++)
            wh_lstm_run(&net->lstm[i][d], d, x, n, y + d * WH_LSTM_UNITS, b->gates, b->scratch);
        float *other = x;
        x = y;
        y = other;
    }
    layer(&net->linear[0], x, frames, y, b->scratch);
    layer(&net->linear[1], y, frames, x, b->scratch);
    wh_dense_run(&net->classes, x, HIDDEN, frames, out, WH_SEGMENT_CLASSES, b->scratch);
    log_softmax(out, frames);
}

void wh_segmentation_run(wh_segmentation *b, const float *samples, const size_t *starts, size_t n,
                         float *log_probabilities)
{
    b->sincnet.is_heard = 0;
    for (size_t first = 0, count; first < n; first += count) {
        count = WH_MIN(WH_SEGMENT_TOGETHER, n - first);
        for (size_t i = 0; i < count; i++)
            wh_sincnet_run(&b->net->sincnet, &b->sincnet, samples, starts[first + i],
                           b->a + i * WH_SEGMENT_FRAMES * WH_SINC_FEATURES);
        classify(b, (int)count, log_probabilities + first * WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES);
    }
}
