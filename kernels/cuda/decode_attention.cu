/* decode_attention.cu - a decoder step's attention, over a slot's own tokens or over its window.
 *
 * Idea: one query a head has little to compute and all the keys and values to read, so the sequence is split: a block
 * takes 128 keys of one (row, head), and a second kernel joins the blocks' sums. With 12 heads and 1500 keys that is
 * 144 blocks for a single sequence, enough to fill a T4. Where the splits are depends on the key's number alone, so a
 * row's result does not depend on what else is in the pass.
 *
 * Eight lanes (four at dp = 32) share a key: 16 bytes each, so a warp reads 512 consecutive bytes of K, and likewise
 * of V. Launch: (splits, heads, rows) blocks of 128 threads. */
#include "layers.h"

#define WARPS 4
#define THREADS (WARPS * WH_WARP)
#define SPLIT 128 /* keys a block */

/* A block's part of a head: [dp] sums, then maximum and sum of weights; 32-byte aligned. */
__host__ __device__ __forceinline__ int part_size(int dp)
{
    return dp + 8;
}

/* ---- kernels ---- */

__device__ __forceinline__ int keys_of(const wh_cuda_row *row, int cross, int positions)
{
    return cross && row->position >= 0 ? positions : row->position + 1;
}

/* Eight channels of row i of keys or values as floats; int8 ones without their scale. */
template <bool INT8> __device__ __forceinline__ void load8(const void *rows, int i, int dp, int part, float *x)
{
    if (INT8)
        wh_unpack_bytes(WH_LOAD((const uint2 *)((const int8_t *)rows + (size_t)i * dp + part * 8)), x);
    else
        wh_unpack8(WH_LOAD((const uint4 *)((const half *)rows + (size_t)i * dp + part * 8)), x);
}

/* scores[i] = q . key i, for the block's keys; every group of lanes takes every GROUPS-th key. */
template <int DP, bool INT8>
__device__ __forceinline__ void key_scores(const half *q, const void *k, const float *k_scales, int keys, float scale,
                                           float *scores)
{
    const int lanes = DP / 8, groups = THREADS / lanes;
    int part = threadIdx.x % lanes, group = threadIdx.x / lanes;
    float a[8], b[8];
    wh_unpack8(WH_LOAD((const uint4 *)(q + part * 8)), a);
#pragma unroll 4
    for (int j = 0; j < SPLIT / groups; j++) {
        int i = j * groups + group;
        float sum = 0;
        if (i < keys) {
            load8<INT8>(k, i, DP, part, b);
            for (int e = 0; e < 8; e++)
                sum += a[e] * b[e];
        }
        for (int e = lanes / 2; e; e >>= 1)
            sum += __shfl_xor_sync(WH_ALL, sum, e);
        if (INT8 && i < keys)
            sum *= WH_LOAD(k_scales + i);
        if (part == 0)
            WH_STORE_SHARED(scores + i, i < keys ? sum * scale : -INFINITY);
    }
}

/* Where the keys and values of a head begin, from key `first` on, and the scales of int8 ones. */
template <int DP, bool INT8>
__device__ __forceinline__ void find_rows(const wh_cuda_decode_attention_call &call, const wh_cuda_row *row, int head,
                                          int first, const void **k, const void **v, const float **k_scales,
                                          const float **v_scales)
{
    size_t lines = (size_t)call.positions * call.heads, line = (size_t)head * call.positions + (size_t)first;
    if (INT8) {
        const int8_t *layer = (const int8_t *)row->cross + call.layer * (2 * lines * (DP + sizeof(float)));
        *k = layer + line * DP, *v = layer + (lines + line) * DP;
        *k_scales = (const float *)(layer + 2 * lines * DP) + line, *v_scales = *k_scales + lines;
    } else {
        const half *layer = (call.cross ? (const half *)row->cross : row->self) + call.layer * (2 * lines * DP);
        *k = layer + line * DP, *v = layer + (lines + line) * DP;
        *k_scales = *v_scales = NULL;
    }
}

template <int DP, bool INT8>
__global__ void __launch_bounds__(THREADS) decode_part(wh_cuda_decode_attention_call call, float scale)
{
    const int lanes = DP / 8, groups = THREADS / lanes;
    WH_SHARED(float, scores, SPLIT);
    const int apart = DP == 64 ? 12 : 4; /* from a channel to its neighbour: all in different banks, both ways */
    WH_SHARED(float, sums, WARPS * 8 * apart);
    WH_SHARED(float, few, WARPS);
    int split = blockIdx.x, head = blockIdx.y, r = blockIdx.z, lane = threadIdx.x % WH_WARP,
        warp = threadIdx.x / WH_WARP;
    const wh_cuda_row *row = call.rows + r;
    int n = keys_of(row, call.cross, call.positions), keys = n - split * SPLIT;
    if (keys <= 0) /* the whole block; the second kernel does not look at its part */
        return;
    keys = keys < SPLIT ? keys : SPLIT;
    const void *k, *v;
    const float *k_scales, *v_scales;
    find_rows<DP, INT8>(call, row, head, split * SPLIT, &k, &v, &k_scales, &v_scales);

    key_scores<DP, INT8>(call.q + ((size_t)head * call.n + r) * DP, k, k_scales, keys, scale, scores);
    __syncthreads();
    float s = WH_LOAD_SHARED(scores + threadIdx.x); /* a key a thread */
    int a = call.alignment ? call.alignment[head] : -1;
    if (a >= 0 && row->score >= 0 && (int)threadIdx.x < keys)
        WH_STORE(call.scores + ((size_t)row->score * call.n_alignment + a) * call.positions + split * SPLIT +
                     threadIdx.x,
                 s);
    float most = wh_warp_max(s);
    if (lane == 0)
        WH_STORE_SHARED(few + warp, most);
    __syncthreads();
    for (int i = 0; i < WARPS; i++)
        most = fmaxf(most, WH_LOAD_SHARED(few + i));
    float p = expf(s - most);
    WH_STORE_SHARED(scores + threadIdx.x, p);
    float total = wh_warp_sum(p);
    __syncthreads(); /* `few` has been read by all, `scores` are weights */
    if (lane == 0)
        WH_STORE_SHARED(few + warp, total);

    int part = threadIdx.x % lanes, group = threadIdx.x / lanes;
    float sum[8] = {0}, b[8];
#pragma unroll 4
    for (int j = 0; j < SPLIT / groups; j++) {
        int i = j * groups + group;
        if (i < keys) {
            float weight = WH_LOAD_SHARED(scores + i);
            load8<INT8>(v, i, DP, part, b);
            if (INT8)
                weight *= WH_LOAD(v_scales + i);
            for (int e = 0; e < 8; e++)
                sum[e] += weight * b[e];
        }
    }
    for (int e = 0; e < 8; e++)
        for (int i = lanes; i < WH_WARP; i <<= 1)
            sum[e] += __shfl_xor_sync(WH_ALL, sum[e], i);
    if (lane < lanes)
        for (int e = 0; e < 8; e++)
            WH_STORE_SHARED(sums + (warp * 8 + e) * apart + part, sum[e]);
    __syncthreads();
    float *to = call.partial + (((size_t)r * call.heads + head) * gridDim.x + split) * part_size(DP);
    if (threadIdx.x < DP) {
        int c = threadIdx.x % 8 * apart + threadIdx.x / 8;
        float x = 0;
        for (int i = 0; i < WARPS; i++)
            x += WH_LOAD_SHARED(sums + i * 8 * apart + c);
        WH_STORE(to + threadIdx.x, x);
    }
    if (threadIdx.x == 0) {
        float x = 0;
        for (int i = 0; i < WARPS; i++)
            x += WH_LOAD_SHARED(few + i);
        WH_STORE(to + DP, most);
        WH_STORE(to + DP + 1, x);
    }
}

/* A thread a channel. */
template <int DP> __global__ void __launch_bounds__(DP) decode_join(wh_cuda_decode_attention_call call, int splits)
{
    int head = blockIdx.x, r = blockIdx.y, d_head = call.d / call.heads;
    int n = keys_of(call.rows + r, call.cross, call.positions), used = (n + SPLIT - 1) / SPLIT;
    const float *from = call.partial + ((size_t)r * call.heads + head) * splits * part_size(DP);
    float most = -INFINITY, total = 0, x = 0;
    for (int i = 0; i < used; i++)
        most = fmaxf(most, WH_LOAD(from + i * part_size(DP) + DP));
    for (int i = 0; i < used; i++) {
        float weight = expf(WH_LOAD(from + i * part_size(DP) + DP) - most);
        total += weight * WH_LOAD(from + i * part_size(DP) + DP + 1);
        x += weight * WH_LOAD(from + i * part_size(DP) + threadIdx.x);
    }
    if ((int)threadIdx.x < d_head)
        WH_STORE(call.out + (size_t)r * call.d + head * d_head + threadIdx.x, __float2half(total > 0 ? x / total : 0));
}

/* ---- launchers ---- */

size_t wh_cuda_partial_floats(int rows, int heads, int d_head, int positions)
{
    size_t splits = ((size_t)positions + SPLIT - 1) / SPLIT;
    return (size_t)rows * heads * splits * part_size(wh_cuda_padded_head(d_head));
}

template <int DP> static void launch(const wh_cuda_decode_attention_call *call, cudaStream_t stream)
{
    int most = call->most < call->positions ? call->most : call->positions, splits = (most + SPLIT - 1) / SPLIT;
    float scale = 1.0f / sqrtf((float)(call->d / call->heads));
    dim3 grid(splits, call->heads, call->n);
    if (call->int8)
        WH_LAUNCH((decode_part<DP, true>), grid, dim3(THREADS), 0, stream, *call, scale);
    else
        WH_LAUNCH((decode_part<DP, false>), grid, dim3(THREADS), 0, stream, *call, scale);
    WH_LAUNCH(decode_join<DP>, dim3(call->heads, call->n), dim3(DP), 0, stream, *call, splits);
}

void wh_cuda_decode_attention(const wh_cuda_decode_attention_call *call, cudaStream_t stream)
{
    if (wh_cuda_padded_head(call->d / call->heads) == 32)
        launch<32>(call, stream);
    else
        launch<64>(call, stream);
}
