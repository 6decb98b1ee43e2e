/* segmenter.h - segmentation-3.0 (pyannote): 10 s of samples to who of up to three speaks in each of 589 frames.
 *
 *   sincnet.c    samples -> 60 features a frame: band-pass filters, two convolutions, each made alike over the window
 *   lstm.c       four layers of LSTM, forwards and backwards side by side
 *   segmenter.c  two dense layers, seven classes, log-softmax; the whole of it for several windows
 *
 * docs/speakers.md describes the net. */
#ifndef WH_SEGMENTER_H
#define WH_SEGMENTER_H

#include "speakers/dense.h"
#include "speakers/layer.h"
#include "speakers/tensors.h"

/* ---- SincNet ---- */

#define WH_SINC_FILTERS 80 /* 40 pairs: a cosine and a sine, windowed */
#define WH_SINC_HALF 125   /* taps on either side of a filter's middle */
#define WH_SINC_STRIDE 10  /* samples */
#define WH_SINC_POOL 3     /* the greatest of three positions, here and after each convolution */
#define WH_SINC_FRAMES 5325
#define WH_SINC_TAPS 5 /* of the convolutions */
#define WH_SINC_FEATURES 60
#define WH_SINC_CHUNK 360 /* frames of a convolution that are pooled while they are in the cache; threes of twelves */

/* The gain and bias by which each channel leaves the layer. */
typedef struct wh_channels {
    float gain[WH_SINC_FILTERS], bias[WH_SINC_FILTERS];
} wh_channels;

typedef struct wh_sincnet {
    const wh_kernels *kernels;
    const wh_conv *conv;
    float gain, bias;           /* of the samples */
    float *filters;             /* [126][80], cosine and sine in turn: the first half of the taps and the middle */
    float sum[WH_SINC_FILTERS]; /* of all taps: a filter's answer to a constant 1 */
    wh_layer convolution[2];    /* 60 outputs, four of nothing, of 5 frames of 80, 60 channels */
    wh_channels channels[3];    /* after the filters, after each convolution */
} wh_sincnet;

/* Buffers of one thread. */
typedef struct wh_sincnet_buffers {
    float *extremes; /* [5325][2][80]: of the window heard last, the filters' least and greatest of three positions */
    float *filtered; /* [5325][80] */
    float *summed;   /* [WH_SINC_CHUNK][64] of a convolution */
    float *folded;   /* [3][126][2] */
    int is_heard;    /* extremes are those of the window that begins at.. */
    size_t start;
} wh_sincnet_buffers;

int wh_sincnet_load(const whisp_speakers *s, wh_sincnet *net);
void wh_sincnet_free(wh_sincnet *net);
int wh_sincnet_buffers_new(wh_sincnet_buffers *buffers);
void wh_sincnet_buffers_free(wh_sincnet_buffers *buffers);
/* The window that begins at samples[start] to [589][60]. What it has in common with the window that was heard last is
 * taken from there: set is_heard to 0 when the samples are others. */
void wh_sincnet_run(const wh_sincnet *net, wh_sincnet_buffers *buffers, const float *samples, size_t start, float *out);

/* ---- LSTM ---- */

#define WH_LSTM_LAYERS 4
#define WH_LSTM_UNITS 128
#define WH_LSTM_GATES (4 * WH_LSTM_UNITS)
#define WH_LSTM_OUT (2 * WH_LSTM_UNITS) /* forwards, backwards */
#define WH_LSTM_CHUNK 48                /* frames whose gates' input parts are computed together */
/* Floats from one window's gates to the next's; the 16 keep them out of each other's sets of the cache. */
#define WH_LSTM_GATES_WINDOW (WH_LSTM_CHUNK * WH_LSTM_GATES + 16)

/* One direction of a layer. */
typedef struct wh_lstm {
    const wh_kernels *kernels;
    wh_dense input;   /* the gates in blocks of 16 units (kernels.h), with both biases */
    float *recurrent; /* [8][128][4][16] */
} wh_lstm;

/* k: inputs of a frame */
int wh_lstm_load(const whisp_speakers *s, int layer, int is_backwards, size_t k, wh_lstm *lstm);
void wh_lstm_free(wh_lstm *lstm);
/* n windows (at most WH_SEGMENT_TOGETHER) side by side: x [n][589][k] to 128 of the 256 numbers of each frame of out
 * [n][589][256], which begins with the direction's first number. gates: n times WH_LSTM_GATES_WINDOW floats. */
void wh_lstm_run(const wh_lstm *lstm, int is_backwards, const float *x, int n, float *out, float *gates, void *scratch);

/* ---- the whole ---- */

struct wh_segmenter {
    wh_sincnet sincnet;
    wh_lstm lstm[WH_LSTM_LAYERS][2];
    wh_dense linear[2], classes;
};

#endif
