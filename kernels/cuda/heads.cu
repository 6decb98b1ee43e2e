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
    WH_LAUNCH(append_heads, dim3(blocks_for((size_t)3 * heads * n * dp / 2)), dim3(THREADS), 0, stream, x, bias, rows, q,
              n, d, heads, layer, positions, dp);
}
