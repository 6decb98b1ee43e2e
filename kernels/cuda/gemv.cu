/* gemv.cu - products with few rows: a decoder step of up to 16 sequences.
 *
 * Idea: bound by reading the weights once. A warp computes two outputs of all rows; its lanes go along k, 16 bytes of
 * each weight row a step (512 consecutive bytes a warp), and the rows of x come from the cache, read once for both
 * outputs. The lanes' sums are added up at the end in one fixed order: a row's number does not depend on how many rows
 * are in the call. What follows (bias, GELU, residual) happens in the same kernel. */
#include "layers.h"

#define WARPS 4
#define OUTPUTS 2 /* a warp */

/* ---- kernels ---- */

template <int AFTER>
__device__ __forceinline__ void finish(float sum, const float *bias, void *y, size_t at, int j)
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

template <int ROWS, int AFTER>
__global__ void __launch_bounds__(WARPS *WH_WARP)
    few_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k)
{
    int lane = threadIdx.x % WH_WARP, j = (blockIdx.x * WARPS + threadIdx.x / WH_WARP) * OUTPUTS;
    if (WH_BRANCH(j >= m))
        return;
    int outputs = m - j < OUTPUTS ? m - j : OUTPUTS;
    float sum[ROWS][OUTPUTS] = {};
    for (int i = lane * 8; i < k; i += WH_WARP * 8) {
        float a[OUTPUTS][8];
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) {
            /* an odd m: the last warp reads its row twice */
            const half *row = w + (size_t)(j + (o < outputs ? o : 0)) * k;
            wh_unpack8(WH_LOAD((const uint4 *)(row + i)), a[o]);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (r < n) {
                float b[8];
                wh_unpack8(WH_LOAD((const uint4 *)(x + (size_t)r * k + i)), b);
#pragma unroll
                for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
                    for (int e = 0; e < 8; e++)
                        sum[r][o] += a[o][e] * b[e];
            }
        }
    }
    wh_warp_sums<ROWS * OUTPUTS>(&sum[0][0]);
    /* All lanes have all sums now; each output is written by one of them. */
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++)
            if (r < n && o < outputs && lane == (r * OUTPUTS + o) % WH_WARP)
                finish<AFTER>(sum[r][o], bias, y, (size_t)r * (AFTER == WH_CUDA_FLOAT ? (m + 7) / 8 * 8 : m) + j + o,
                              j + o);
}

/* ---- launchers ---- */

template <int ROWS>
static void launch(const half *x, const half *w, const float *bias, void *y, int n, int m, int k, wh_cuda_after after,
                   cudaStream_t stream)
{
    int outputs = WARPS * OUTPUTS;
    dim3 grid((m + outputs - 1) / outputs), block(WARPS * WH_WARP);
    switch (after) {
    case WH_CUDA_HALF: WH_LAUNCH((few_rows<ROWS, WH_CUDA_HALF>), grid, block, 0, stream, x, w, bias, y, n, m, k); break;
    case WH_CUDA_GELU: WH_LAUNCH((few_rows<ROWS, WH_CUDA_GELU>), grid, block, 0, stream, x, w, bias, y, n, m, k); break;
    case WH_CUDA_ADD: WH_LAUNCH((few_rows<ROWS, WH_CUDA_ADD>), grid, block, 0, stream, x, w, bias, y, n, m, k); break;
    case WH_CUDA_FLOAT: WH_LAUNCH((few_rows<ROWS, WH_CUDA_FLOAT>), grid, block, 0, stream, x, w, bias, y, n, m, k); break;
    }
}

void wh_cuda_few_rows(const half *x, const half *w, const float *bias, void *y, int n, int m, int k,
                      wh_cuda_after after, cudaStream_t stream)
{
    if (n <= 1)
        launch<1>(x, w, bias, y, n, m, k, after, stream);
    else if (n <= 4)
        launch<4>(x, w, bias, y, n, m, k, after, stream);
    else
        launch<16>(x, w, bias, y, n, m, k, after, stream);
}
