/* engine.h - between the host side (cuda.c, C, always built, knows models and slots) and the CUDA library
 * (libwhisp-cuda.so, opened at run time, knows devices). Plain C; the library exports one function, wh_cuda_entry(). */
#ifndef WH_CUDA_ENGINE_H
#define WH_CUDA_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "backend/row.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WH_CUDA_ABI 8
#define WH_CUDA_MESSAGE 320

typedef struct wh_cuda_engine wh_cuda_engine;

typedef struct wh_cuda_sizes {
    int n_vocab, n_mels, d, n_slots;
    int audio_ctx, audio_heads, audio_layers;
    int text_ctx, text_heads, text_layers;
    int int8_windows; /* windows' keys and values in int8 with a scale for each position and head, else f16 */
    int n_alignment;
    const int32_t *alignment; /* [n_alignment][2]: layer, head */
} wh_cuda_sizes;

/* Tensors in the order in which they are used. _W: f16 [out][in]; the others float32. */
typedef enum wh_cuda_tensor {
    WH_CUDA_CONV1_W, /* [3][d][n_mels]: a matrix for each tap */
    WH_CUDA_CONV1_B,
    WH_CUDA_CONV2_W, /* [3][d][d] */
    WH_CUDA_CONV2_B,
    WH_CUDA_AUDIO_POSITIONS,
    WH_CUDA_AUDIO_GAIN,
    WH_CUDA_AUDIO_SHIFT,
    WH_CUDA_EMBEDDING_W,
    WH_CUDA_OUTPUT_W, /* [n_vocab][d], to logits; not loaded: the embedding again */
    WH_CUDA_TEXT_POSITIONS,
    WH_CUDA_TEXT_GAIN,
    WH_CUDA_TEXT_SHIFT,
    WH_CUDA_N_SINGLE,
    /* of a layer */
    WH_CUDA_ATTN_GAIN = 0,
    WH_CUDA_ATTN_SHIFT,
    WH_CUDA_QKV_W, /* [3d][d] */
    WH_CUDA_QKV_B, /* [3d], zeros in the middle: keys have none */
    WH_CUDA_OUT_W,
    WH_CUDA_OUT_B,
    WH_CUDA_CROSS_GAIN, /* decoder only, as the next seven */
    WH_CUDA_CROSS_SHIFT,
    WH_CUDA_CROSS_Q_W,
    WH_CUDA_CROSS_Q_B,
    WH_CUDA_CROSS_KV_W, /* [2d][d] */
    WH_CUDA_CROSS_KV_B,
    WH_CUDA_CROSS_OUT_W,
    WH_CUDA_CROSS_OUT_B,
    WH_CUDA_MLP_GAIN,
    WH_CUDA_MLP_SHIFT,
    WH_CUDA_UP_W, /* [4d][d] */
    WH_CUDA_UP_B,
    WH_CUDA_DOWN_W, /* [d][4d] */
    WH_CUDA_DOWN_B,
    WH_CUDA_N_LAYER
} wh_cuda_tensor;

/* Numbers first .. first + n - 1 of a tensor of `total`, as the device has them (halfs or floats), or a matrix's in blocks
 * of q8_0 (lib/gguf), of which the device makes halfs. */
typedef enum wh_cuda_stored { WH_CUDA_HALFS, WH_CUDA_FLOATS, WH_CUDA_Q8_0 } wh_cuda_stored;
typedef struct wh_cuda_part {
    wh_cuda_stored stored;
    const void *data;
    size_t n, first, total;
} wh_cuda_part;

enum { WH_CUDA_OK = 0, WH_CUDA_MEMORY = 1, WH_CUDA_FAILED = 2, WH_CUDA_ABSENT = 3 };

/* Calls return one of the above; the reason is in error(). After WH_CUDA_FAILED the engine can only be closed. */
typedef struct wh_cuda_api {
    int abi;
    size_t row_bytes, choice_bytes; /* sizes of wh_row and wh_choice, which are not declared here */
    int most_rows, few_rows;        /* tokens of a pass; of one whose rows do not depend on each other */
    int most_masks, most_frames;
    /* message: [WH_CUDA_MESSAGE] */
    int (*open)(const wh_cuda_sizes *sizes, int device, wh_cuda_engine **engine, char *message);
    void (*close)(wh_cuda_engine *engine);
    const char *(*describe)(const wh_cuda_engine *engine); /* after room() also what it has to do without */
    const char *(*error)(const wh_cuda_engine *engine);
    /* Copy a part of a tensor to the device, the first one first. layer: -1 for single ones, then the encoder's layers, then
     * the decoder's. Errors may be told later, by room() at last. */
    int (*load)(wh_cuda_engine *engine, int layer, wh_cuda_tensor which, const wh_cuda_part *part);
    /* Bytes of device memory that are free, and that a slot and its window take when they are first used; once all is
     * loaded, since what else takes memory at its first use is used here. */
    int (*room)(wh_cuda_engine *engine, size_t *left, size_t *slot);
    /* Take the memory of the n first slots and windows now; *taken of them could be had. */
    int (*take)(wh_cuda_engine *engine, int n, int *taken);
    /* Whether choices can be made with this vocabulary, of which n_times are timestamps. */
    int (*can_choose)(int n_vocab, int n_times);
    /* Mask number `mask` (< most_masks): a bit for each token that never follows, [(n_vocab + 31) / 32] words. */
    int (*forbid)(wh_cuda_engine *engine, int mask, const uint32_t *bits);
    /* Mel filters [n_mels][201] for log_mel(). */
    int (*load_filters)(wh_cuda_engine *engine, const float *filters);
    /* samples [400 + 160 (frames - 1)] to out [frames][n_mels], log10, not clamped; at most most_frames. Any thread may
     * call it at any time, beside the other calls. It leaves no message: who cannot have it here computes it himself. */
    int (*log_mel)(wh_cuda_engine *engine, const float *samples, int frames, float *out);
    /* Encode n windows. mel[i]: host, [2 audio_ctx][n_mels]. block0, out: host [audio_ctx][d] of the last one, or NULL. */
    int (*encode)(wh_cuda_engine *engine, int n, const float *const *mel, const int *windows, float *block0,
                  float *out);
    /* One pass: at most few_rows rows of different slots, or at most most_rows of one slot in order. At most few_rows
     * of them have a choice. */
    int (*decode)(wh_cuda_engine *engine, int n, const wh_row *rows);
    /* Copy the keys and values of positions first .. first + n - 1. */
    int (*copy)(wh_cuda_engine *engine, int to, int from, int first, int n);
    /* How fast the device is at most, measured: operations a second of products of halfs, and bytes from and to its memory. */
    int (*ceilings)(wh_cuda_engine *engine, double *operations, double *bytes);
} wh_cuda_api;

const wh_cuda_api *wh_cuda_entry(void);

#ifdef __cplusplus
}
#endif
#endif
