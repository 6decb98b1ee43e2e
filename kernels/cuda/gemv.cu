/* gemv.cu - products with few rows: a decoder step of up to 64 sequences.
 *
 * Idea: bound by reading the weights, which pass once whatever the number of rows. A block makes 16 outputs of all
 * rows on the tensor cores; its four warps share k out, 32 of every 128, and their sums are added up at the end in
 * one fixed order: a row's number does not depend on how many rows are in the call. A lane reads 16 bytes of a weight
 * row, eight neighbours in k, four lanes 64 consecutive bytes, straight into the operands: which k an operand's place
 * means is free as long as both sides agree, and rows of x are read alike. What follows (bias, GELU, residual) is in
 * the same kernel.
 *
 * Launch: m / 16 blocks of 128 threads. A block reads 32 k bytes of weights and 2 n k of x, the latter from the L2
 * cache. */
#include "layers.h"
#include "mma.h"

#define WARPS 4
#define THREADS (WARPS * WH_WARP)
#define OUTPUTS 16 /* a block */
#define STEP 32    /* k a warp takes at a time */
#define APART 20   /* floats from one row's outputs to the next: no bank conflicts, neither way */

/* ---- kernels ---- */

template <int AFTER> __device__ __forceinline__ void finish(float sum, const float *bias, void *y, size_t at, int j)
{
    if (AFTER == WH_CUDA_HALF)
        WH_STORE((half *)y + at, __float2half(sum));
    else if (AFTER == WH_CUDA_GELU)
        WH_STORE((half *)y + at, __float2half(wh_gelu(sum + WH_LOAD(bias + j))));
    else if (AFTER == WH_CUDA_ADD)
        WH_STORE((float *)y + at, WH_LOAD((float *)y + at) + (sum + WH_LOAD(bias + j)));
    else
        WH_STORE((float *)y + at, sum);
}

/* Eight halfs of a row, zeros behind its end and behind the last row. */
__device__ __forceinline__ uint4 read8(const half *rows, int row, int n, int at, int k)
{
    uint4 v = {0, 0, 0, 0};
    if (WH_BRANCH(row < n && at < k))
        v = WH_LOAD((const uint4 *)(rows + (size_t)row * k + at));
    return v;
}

/* c += 16 outputs x 8 rows over 32 k: `low`, `high` of outputs g and g + 8, x of row g. */
template <bool AMPERE> __device__ __forceinline__ void add32(float c[4], uint4 low, uint4 high, uint4 x)
{
    if (AMPERE) {
        const uint32_t first[4] = {low.x, high.x, low.y, high.y}, second[4] = {low.z, high.z, low.w, high.w};
        wh_mma16(c, first, x.x, x.y);
        wh_mma16(c, second, x.z, x.w);
    } else {
        wh_mma8(c, low.x, high.x, x.x);
        wh_mma8(c, low.y, high.y, x.y);
        wh_mma8(c, low.z, high.z, x.z);
        wh_mma8(c, low.w, high.w, x.w);
    }
}

/* Up to 8 * TILES rows. */
template <int TILES, int AFTER, bool AMPERE>
__global__ void __launch_bounds__(THREADS)
    few_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k)
{
    WH_SHARED(float, sums, WARPS *TILES * 8 * APART);
    int lane = threadIdx.x % WH_WARP, warp = threadIdx.x / WH_WARP, g = lane / 4, t = lane % 4;
    int first = blockIdx.x * OUTPUTS;
    float c[TILES][4];
#pragma unroll
    for (int i = 0; i < TILES; i++)
        c[i][0] = c[i][1] = c[i][2] = c[i][3] = 0;
#pragma unroll 2
    for (int at = warp * STEP; at < k; at += WARPS * STEP) {
        uint4 low = read8(w, first + g, m, at + 8 * t, k), high = read8(w, first + g + 8, m, at + 8 * t, k);
#pragma unroll
        for (int i = 0; i < TILES; i++)
            add32<AMPERE>(c[i], low, high, read8(x, 8 * i + g, n, at + 8 * t, k));
    }
    float *own = sums + warp * TILES * 8 * APART;
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
        for (int e = 0; e < 4; e++) /* row 2t + e % 2, output g or g + 8 */
            WH_STORE_SHARED(own + (8 * i + 2 * t + e % 2) * APART + g + e / 2 * 8, c[i][e]);
    WH_UNLESS_MUTANT(12, __syncthreads());
    int output = lane % OUTPUTS;
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        int row = 8 * i + warp + lane / OUTPUTS * 4;
        float sum = 0;
#pragma unroll
        for (int v = 0; v < WARPS; v++)
            sum += WH_LOAD_SHARED(sums + (v * TILES * 8 + row) * APART + output);
        if (WH_BRANCH(row < n && first + output < m))
            finish<AFTER>(sum, bias, y, (size_t)row * (AFTER == WH_CUDA_FLOAT ? (m + 7) / 8 * 8 : m) + first + output,
                          first + output);
    }
}

/* ---- launchers ---- */

template <int TILES, bool AMPERE>
static void launch(const half *x, const half *w, const float *bias, void *y, int n, int m, int k, wh_cuda_after after,
                   cudaStream_t stream)
{
    dim3 grid((m + OUTPUTS - 1) / OUTPUTS), block(THREADS);
    switch (after) {
    case WH_CUDA_HALF:
        WH_LAUNCH((few_rows<TILES, WH_CUDA_HALF, AMPERE>), grid, block, 0, stream, x, w, bias, y, n, m, k);
        break;
    case WH_CUDA_GELU:
        WH_LAUNCH((few_rows<TILES, WH_CUDA_GELU, AMPERE>), grid, block, 0, stream, x, w, bias, y, n, m, k);
        break;
    case WH_CUDA_ADD:
        WH_LAUNCH((few_rows<TILES, WH_CUDA_ADD, AMPERE>), grid, block, 0, stream, x, w, bias, y, n, m, k);
        break;
    case WH_CUDA_FLOAT:
        WH_LAUNCH((few_rows<TILES, WH_CUDA_FLOAT, AMPERE>), grid, block, 0, stream, x, w, bias, y, n, m, k);
        break;
    }
}

template <bool AMPERE>
static void launch_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k,
                        wh_cuda_after after, cudaStream_t stream)
{
    if (n <= 8)
        launch<1, AMPERE>(x, w, bias, y, n, m, k, after, stream);
    else if (n <= 16)
        launch<2, AMPERE>(x, w, bias, y, n, m, k, after, stream);
    else if (n <= 32)
        launch<4, AMPERE>(x, w, bias, y, n, m, k, after, stream);
    else
        launch<8, AMPERE>(x, w, bias, y, n, m, k, after, stream);
}

void wh_cuda_few_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k,
                      wh_cuda_after after, int sm, cudaStream_t stream)
{
    if (sm >= 80)
        launch_rows<true>(x, w, bias, y, n, m, k, after, stream);
    else
        launch_rows<false>(x, w, bias, y, n, m, k, after, stream);
}
