/* campplus.h - CAM++ in memory, shared by campplus.c (loads it), embedder.c, campplus_head.c and campplus_blocks.c (compute).
 *
 * Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking", 2023. From 80
 * filter banks, 100 frames a second, the head's two-dimensional convolutions make 320 numbers a frame; one over time halves
 * the frames; 52 dense layers in three blocks add 32 channels each to those that they see; mean and deviation over time
 * become 192 numbers. What follows a convolution, batch norm and rectifier, is part of it (layer.h). */
#ifndef WH_SPEAKERS_CAMPPLUS_H
#define WH_SPEAKERS_CAMPPLUS_H

#include "speakers/filterbank.h"
#include "speakers/layer.h"
#include "speakers/speakers.h"

#define WH_CAM_BLOCKS 3
#define WH_CAM_LAYERS 52     /* of all blocks: 12, 24, 16 */
#define WH_CAM_CHANNELS 1024 /* at most */
#define WH_CAM_GROWTH 32     /* channels that a layer adds */
#define WH_CAM_INNER 128     /* and works in */
#define WH_CAM_CONTEXT 64
#define WH_CAM_PART 100 /* frames whose mean is a layer's context, beside that of all */
#define WH_HEAD_OUT 320 /* channels: 10 frequencies of 32, a frequency's together */

/* Two convolutions around which what comes in is passed on, through a convolution where frequencies are halved. */
typedef struct wh_cam_residual {
    int stride; /* in frequency: 1 or 2 */
    wh_layer first, second, shortcut;
} wh_cam_residual;

typedef struct wh_cam_layer {
    size_t in;                    /* channels */
    float *gain, *norm;           /* [in] of the batch norm before the first product: x * gain + norm */
    wh_layer narrow, local;       /* in -> 128; 3 taps of 128 -> 32 */
    float *context_w, *context_b; /* [128][64], [64] */
    float *gate_w, *gate_b;       /* [64][32], [32] */
} wh_cam_layer;

/* After each block: half of the channels go on. */
typedef struct wh_cam_transit {
    size_t in;
    float *gain, *norm; /* [in] */
    wh_layer half;
} wh_cam_transit;

struct wh_campplus {
    const wh_conv *conv;
    int is_int8;
    float *first_w, *first_b; /* [9][32] with the batch norm's gain in them, [32] */
    wh_cam_residual residuals[4];
    wh_layer head_last;
    wh_layer narrow; /* five frames of 320 -> 128, every second frame */
    wh_cam_layer layers[WH_CAM_LAYERS];
    wh_cam_transit transits[WH_CAM_BLOCKS];
    float *out_gain, *out_norm; /* [512] */
    float *last_w;              /* [1024][192], the batch norm's gain in them */
    float *last_b;              /* [192] */
};

static const int wh_cam_depth[WH_CAM_BLOCKS] = {12, 24, 16}, wh_cam_dilation[WH_CAM_BLOCKS] = {1, 2, 2};

/* What a head's tensor is kept in: [frequencies + 2][frames + 2][32] with zeros around; floats, and with int8 the same as
 * bytes of a scale. */
typedef struct wh_cam_plane {
    float *f32;
    uint8_t *int8;
    float scale;
} wh_cam_plane;

struct wh_embedder {
    const wh_campplus *net;
    wh_filterbank *filterbank;
    float *heard;           /* [frames][80] of the last stretch, as the filter bank gives them */
    float *banks;           /* [frames][80], their mean over time taken off */
    float *features;        /* [82][frames + 2]: by frequency, zeros around */
    wh_cam_plane planes[3]; /* one of 80 frequencies, two of 40 */
    wh_cam_plane head;      /* [frames + 4][320], zeros around */
    float *x;               /* [rows][WH_CAM_LD]: all channels of some stretches */
    float *seen;            /* float32: [rows of a stretch][WH_CAM_LD], x as a layer sees it */
    uint8_t *seen_int8;     /* the same as bytes */
    float *seen_scale;      /* [rows of a stretch] */
    wh_cam_plane inner;     /* [rows of a stretch + 4][128], zeros around */
};

/* Floats from a row of channels to the next: rows of 4,096 bytes would fall into the same few sets of the cache. */
#define WH_CAM_LD (WH_CAM_CHANNELS + 16)

#define WH_CAM_FRAMES (1 + (WH_EMBED_MOST - WH_BANK_FRAME) / WH_BANK_STEP) /* of the longest stretch */
#define WH_CAM_ROWS ((WH_CAM_FRAMES + 1) / 2)                              /* behind the head */

/* plane->f32, n numbers (a multiple of 16) of which `most` is the largest, to its bytes, with int8. */
void wh_cam_round(const wh_campplus *net, wh_cam_plane *plane, float most, size_t n);
/* Numbers that e->planes[plane] has room for. */
size_t wh_cam_plane_size(int plane);

/* e->banks, `frames` of them (their mean over time is off), to e->head. */
void wh_campplus_head(wh_embedder *e, size_t frames);
/* e->head to x [(frames + 1) / 2][WH_CAM_LD], its first 128 channels. */
void wh_campplus_enter(wh_embedder *e, size_t frames, float *x);
/* n stretches of x, `rows` rows each, to [n][192]. */
void wh_campplus_blocks(wh_embedder *e, float *x, size_t n, size_t rows, float *out);

#endif
