/* heads.cu - what the fused product of queries, keys and values wrote, side by side in a row, cut into heads.
 *
 * Idea: attention wants each head's rows one after the other, dp halfs each (32 or 64, zeros behind d_head), so that a
 * tile of keys is one consecutive piece of memory. A thread moves two halfs: a head of 64 is one warp's 128 bytes, read
 * and written whole. The bias is added on the way. */
#include "layers.h"

#define THREADS 256

/* ---- kernels ---- */

/* Two halfs of part `part`, head `head` of row `row`, from channel `c` on, biased; zeros behind the head's end. */
__device__ __forceinline__ uint32_t pick(const half *x, const float *bias, int row, int width, int at, int c,
                                         int d_head)
{
    if (c >= d_head)
        return 0;
    const half *from = x + (size_t)row * width + at + c;
    uint32_t two = WH_LOAD((const uint32_t *)from);
    float2 b = WH_LOAD((const float2 *)(bias + at + c));
    return wh_pack(wh_low(two) + b.x, wh_high(two) + b.y);
}

__global__ void __launch_bounds__(THREADS)
    split_heads(const half *x, const float *bias, half *out, int rows, int parts, int d, int heads, int dp)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    int pairs = dp / 2, c = (int)(i % pairs) * 2, d_head = d / heads;
    size_t line = i / pairs; /* (part, head, row) */
    if (WH_BRANCH(line < (size_t)parts * heads * rows)) {
        int row = (int)(line % rows), head = (int)(line / rows % heads), part = (int)(line / rows / heads);
        uint32_t two = pick(x, bias, row, parts * d, part * d + head * d_head, c, d_head);
        WH_STORE((uint32_t *)(out + line * dp + c), two);
    }
}

__global__ void __launch_bounds__(THREADS)
    append_heads(const half *x, const float *bias, const wh_cuda_row *rows, half *q, int n, int d, int heads, int layer,
                 int positions, int dp)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    int pairs = dp / 2, c = (int)(i % pairs) * 2, d_head = d / heads;
    size_t line = i / pairs;
    if (WH_BRANCH(line < (size_t)3 * heads * n)) {
        int row = (int)(line % n), head = (int)(line / n % heads), part = (int)(line / n / heads);
        uint32_t two = pick(x, bias, row, 3 * d, part * d + head * d_head, c, d_head);
        half *to = q + ((size_t)head * n + row) * dp;
        if (part) {
            size_t place = ((size_t)layer * 2 + (part - 1)) * heads + head;
            if (WH_MUTATE(17, rows[row].position < 0, false))
                return;
            to = rows[row].self + (place * positions + rows[row].position) * dp;
        }
        WH_STORE((uint32_t *)(to + c), two);
    }
}

/* A warp a line (part, head, row) of dp channels: its largest magnitude becomes 127. */
template <int DP>
__global__ void __launch_bounds__(THREADS)
    quantize_heads(const half *x, const float *bias, int8_t *bytes, float *scales, int rows, int d, int heads)
{
    const int each = DP / WH_WARP;
    int lane = threadIdx.x % WH_WARP, line = blockIdx.x * (THREADS / WH_WARP) + threadIdx.x / WH_WARP,
        d_head = d / heads;
    if (WH_BRANCH(line < 2 * heads * rows)) {
        int row = line % rows, head = line / rows % heads, part = line / rows / heads, c = lane * each;
        float v[2] = {0, 0};
        int at = part * d + head * d_head + c;
        if (each == 2 && c < d_head) {
            uint32_t two = pick(x, bias, row, 2 * d, part * d + head * d_head, c, d_head);
            v[0] = wh_low(two), v[1] = wh_high(two);
        } else if (c < d_head) {
            v[0] = __half2float(WH_LOAD(x + (size_t)row * 2 * d + at)) + WH_LOAD(bias + at);
        }
        float most = wh_warp_max(fmaxf(fabsf(v[0]), fabsf(v[1]))), inverse = most > 0 ? 127.0f / most : 0;
        if (each == 2) {
            uint32_t low = (uint32_t)(int)rintf(v[0] * inverse) & 255,
                     high = (uint32_t)(int)rintf(v[1] * inverse) & 255;
            WH_STORE((uint16_t *)(bytes + (size_t)line * DP + c), (uint16_t)(low | high << 8));
        } else {
            WH_STORE(bytes + (size_t)line * DP + c, (int8_t)(int)rintf(v[0] * inverse));
        }
        if (lane == 0)
            WH_STORE(scales + line, most / 127.0f);
    }
}

/* Eight channels a thread. */
__global__ void __launch_bounds__(THREADS)
    dequantize_heads(const int8_t *bytes, const float *scales, half *out, size_t pieces, int dp)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (WH_BRANCH(i < pieces)) {
        float x[8], scale = WH_LOAD(scales + i / (dp / 8));
        wh_unpack_bytes(WH_LOAD((const uint2 *)(bytes + i * 8)), x);
        for (int e = 0; e < 8; e++)
            x[e] *= scale;
        WH_STORE((uint4 *)(out + i * 8), wh_pack8(x));
    }
}

/* ---- launchers ---- */

static unsigned blocks_for(size_t threads)
{
    return (unsigned)((threads + THREADS - 1) / THREADS);
}

void wh_cuda_split_heads(const half *x, const float *bias, half *out, int rows, int parts, int d, int heads,
                         cudaStream_t stream)
{
    int dp = wh_cuda_padded_head(d / heads);
    WH_LAUNCH(split_heads, dim3(blocks_for((size_t)parts * heads * rows * dp / 2)), dim3(THREADS), 0, stream, x, bias,
              out, rows, parts, d, heads, dp);
}

void wh_cuda_append_heads(const half *x, const float *bias, const wh_cuda_row *rows, half *q, int n, int d, int heads,
                          int layer, int positions, cudaStream_t stream)
{
    int dp = wh_cuda_padded_head(d / heads);
    WH_LAUNCH(append_heads, dim3(blocks_for((size_t)3 * heads * n * dp / 2)), dim3(THREADS), 0, stream, x, bias, rows,
              q, n, d, heads, layer, positions, dp);
}

void wh_cuda_quantize_heads(const half *x, const float *bias, int8_t *layer, int rows, int d, int heads,
                            cudaStream_t stream)
{
    int dp = wh_cuda_padded_head(d / heads), lines = 2 * heads * rows, warps = THREADS / WH_WARP;
    float *scales = (float *)(layer + (size_t)lines * dp);
    dim3 grid((lines + warps - 1) / warps), block(THREADS);
    if (dp == 32)
        WH_LAUNCH(quantize_heads<32>, grid, block, 0, stream, x, bias, layer, scales, rows, d, heads);
    else
        WH_LAUNCH(quantize_heads<64>, grid, block, 0, stream, x, bias, layer, scales, rows, d, heads);
}

void wh_cuda_dequantize_heads(const int8_t *layer, half *out, int rows, int d, int heads, cudaStream_t stream)
{
    int dp = wh_cuda_padded_head(d / heads);
    size_t lines = 2 * (size_t)heads * rows, pieces = lines * dp / 8;
    WH_LAUNCH(dequantize_heads, dim3(blocks_for(pieces)), dim3(THREADS), 0, stream, layer,
              (const float *)(layer + lines * dp), out, pieces, dp);
}
