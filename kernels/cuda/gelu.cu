/* gelu.cu - bias and GELU after the MLP's first product, in place.
 *
 * Idea: bound by memory, so every request of a warp is consecutive bytes: four halfs a thread each way, 256 bytes a warp,
 * and the four floats of the bias, 512. (Eight halfs a thread read the bias in two requests, each over 1024 bytes.) */
#include "layers.h"

#define THREADS 256

/* ---- kernels ---- */

__global__ void __launch_bounds__(THREADS) bias_gelu(half *x, const float *bias, size_t size, int n)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    if (WH_BRANCH(i < size)) {
        uint2 two = WH_LOAD((const uint2 *)(x + i));
        float4 b = WH_LOAD((const float4 *)(bias + i % n));
        two.x = wh_pack(wh_gelu(wh_low(two.x) + b.x), wh_gelu(wh_high(two.x) + b.y));
        two.y = wh_pack(wh_gelu(wh_low(two.y) + b.z), wh_gelu(wh_high(two.y) + b.w));
        WH_STORE((uint2 *)(x + i), two);
    }
}

/* ---- launchers ---- */

void wh_cuda_bias_gelu(half *x, const float *bias, int rows, int n, cudaStream_t stream)
{
    size_t size = (size_t)rows * n;
    WH_LAUNCH(bias_gelu, dim3((unsigned)((size / 4 + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, x, bias, size,
              n);
}
