/* layers.h - the launchers of kernels/cuda, a layer a file. All pointers are device memory unless said otherwise; all
 * calls only queue work in `stream`. Matrices are row-major; `half` activations, float residual stream. */
#ifndef WH_CUDA_LAYERS_H
#define WH_CUDA_LAYERS_H

#include "choice.h"
#include "device.h"

/* The library shows them to its tests. */
#pragma GCC visibility push(default)

/* One token of a decoder pass; position -1: none, a row that fills up a step's class and touches nobody. Its keys and
 * values are [n_text_layer][2][heads][positions][dp] halfs. */
typedef struct wh_cuda_row {
    int32_t token, position;
    half *self;        /* of its slot: positions = n_text_ctx */
    const void *cross; /* of its window: positions = n_audio_ctx; or int8, see below */
    int32_t score;     /* row of the alignment scores that it writes, or -1 */
    int32_t unused;
} wh_cuda_row;

/* A head's channels, d_head, are padded with zeros to dp: 32 or 64. */
static inline int wh_cuda_padded_head(int d_head)
{
    return d_head <= 32 ? 32 : 64;
}

/* convolution.cu: mel [frames][bands] float to half with a row of zeros before and after: out [frames + 2][bands]. */
void wh_cuda_pad_mel(const float *mel, half *out, int frames, int bands, cudaStream_t stream);
/* y [rows][d] float, a convolution's sums: out = gelu(y + bias), halfs. */
void wh_cuda_conv_gelu(const float *y, const float *bias, half *out, int rows, int d, cudaStream_t stream);
/* The same to the residual stream, positions [rows][d] added. */
void wh_cuda_conv_gelu_positions(const float *y, const float *bias, const float *positions, float *out, int rows, int d,
                                 cudaStream_t stream);

/* norm.cu: x [rows][d] += bias [d] (or NULL), then out = layer norm of x. which: NULL, or out row i is x row which[i],
 * then bias must be NULL. */
void wh_cuda_residual_norm(float *x, const float *bias, const float *gain, const float *shift, const int32_t *which,
                           half *out, int rows, int d, cudaStream_t stream);
/* halfs to floats, n of them, a multiple of 8: what the tests' taps read. */
void wh_cuda_to_float(const half *x, float *y, size_t n, cudaStream_t stream);

/* stored.cu: blocks of q8_0, [blocks][34] bytes, to out [blocks][32]. */
#define WH_CUDA_Q8_0_BYTES 34
#define WH_CUDA_Q8_0_BLOCK 32
void wh_cuda_from_q8_0(const void *stored, half *out, size_t blocks, cudaStream_t stream);

/* gelu.cu: x [rows][n] = gelu(x + bias [n]). */
void wh_cuda_bias_gelu(half *x, const float *bias, int rows, int n, cudaStream_t stream);

/* heads.cu: x [rows][parts * d] with bias [parts * d] added, cut into heads: out [parts][heads][rows][dp]. */
void wh_cuda_split_heads(const half *x, const float *bias, half *out, int rows, int parts, int d, int heads,
                         cudaStream_t stream);
/* A window's keys and values in int8: of each layer [2][heads][positions][dp] bytes, then a scale for each of the [2][heads]
 * [positions]: wh_cuda_int8_layer() bytes. x [rows][2 d] + bias to one layer of it; and one layer back to halfs. */
static inline size_t wh_cuda_int8_layer(int positions, int d, int heads)
{
    return 2 * (size_t)heads * positions * (wh_cuda_padded_head(d / heads) + sizeof(float));
}
void wh_cuda_quantize_heads(const half *x, const float *bias, int8_t *layer, int rows, int d, int heads,
                            cudaStream_t stream);
void wh_cuda_dequantize_heads(const int8_t *layer, half *out, int rows, int d, int heads, cudaStream_t stream);

/* A decoder pass: x [n][3d] + bias; q goes to q [heads][n][dp], k and v into each row's slot, layer `layer`. */
void wh_cuda_append_heads(const half *x, const float *bias, const wh_cuda_row *rows, half *q, int n, int d, int heads,
                          int layer, int positions, cudaStream_t stream);

/* attention.cu: softmax(q k^T / sqrt(d_head)) v for each head without ever storing the scores; q [heads][n][dp], k, v
 * [heads][keys][dp], out [n][d]. sm: the device's compute capability, 75, 80, ... */
void wh_cuda_attention(const half *q, const half *k, const half *v, half *out, int n, int keys, int d, int heads,
                       int sm, cudaStream_t stream);

/* decode_attention.cu: each row of a pass against its slot's (self) or its window's keys. q [heads][n][dp], out [n][d].
 * scores: raw q.k/sqrt(d_head) of the alignment heads, [score row][n_alignment][positions]; alignment [heads] says
 * which one a head is, or -1. Both may be NULL. */
typedef struct wh_cuda_decode_attention_call {
    const wh_cuda_row *rows;
    const half *q;
    half *out;
    float *partial; /* workspace, wh_cuda_partial_floats() of them */
    int n, d, heads, layer, positions, cross;
    int int8; /* cross: the window's keys and values are int8 */
    int most; /* keys of the row that has most of them */
    float *scores;
    const int32_t *alignment;
    int n_alignment;
} wh_cuda_decode_attention_call;
void wh_cuda_decode_attention(const wh_cuda_decode_attention_call *call, cudaStream_t stream);
size_t wh_cuda_partial_floats(int rows, int heads, int d_head, int positions);

/* Floats from one row to the next, so that each begins with a sector. */
static inline int wh_cuda_stride(int m)
{
    return (m + 7) / 8 * 8;
}

/* gemv.cu: y [n][m] = x [n][k] w [m][k]^T for at most WH_CUDA_FEW_ROWS rows n; a row's sum does not depend on n. */
typedef enum wh_cuda_after {
    WH_CUDA_HALF, /* y halfs */
    WH_CUDA_GELU, /* y halfs, gelu(. + bias) */
    WH_CUDA_ADD,  /* y floats += . + bias */
    WH_CUDA_FLOAT /* y floats, rows wh_cuda_stride(m) apart */
} wh_cuda_after;
void wh_cuda_few_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k,
                      wh_cuda_after after, int sm, cudaStream_t stream);

/* embed.cu: x [n][d] = embedding [token] + positions [position]. */
void wh_cuda_embed(const wh_cuda_row *rows, const half *embedding, const float *positions, float *x, int n, int d,
                   cudaStream_t stream);

/* choose.cu: for each of n rows of logits, [n][stride] (changed), what follows by its choice: device memory, with the
 * tokens that it names (has_lists: that any of them names) and room for what is found.
 * masks [masks][words]: what never follows by `forbidden`; stats and ids: workspace. */
typedef struct wh_cuda_choose_call {
    float *logits;
    int n, n_vocab, stride, words, has_lists;
    wh_choice *choices;
    const uint32_t *masks;
    float *stats;
    int32_t *ids;
} wh_cuda_choose_call;
void wh_cuda_choose(const wh_cuda_choose_call *call, cudaStream_t stream);
int wh_cuda_can_choose(int n_vocab, int n_times);
size_t wh_cuda_choose_stats(int rows); /* floats */
size_t wh_cuda_choose_ids(int rows);

/* mel.cu: `frames` frames, each of 400 samples, the next 160 later -> out [frames][n_mels], log10 of the filters'
 * sums, at least -10, not clamped. filters [n_mels][201]; ranges [n_mels][2]: a filter's first bin and the one behind
 * its last. */
typedef struct wh_cuda_log_mel_call {
    const float *samples; /* [400 + 160 (frames - 1)] */
    const float *tables;  /* as the host's wh_cuda_log_mel_tables() writes them */
    const float *filters;
    const int32_t *ranges;
    int frames, n_mels;
    float *out;
} wh_cuda_log_mel_call;
void wh_cuda_log_mel(const wh_cuda_log_mel_call *call, cudaStream_t stream);
size_t wh_cuda_log_mel_tables(float *tables); /* host; how many floats. NULL: only that */

#pragma GCC visibility pop

#endif
