/* gelu.cu - bias and GELU after the MLP's first product, in place.
 *
 * Idea: bound by memory, so eight halfs (16 bytes) a thread each way: a warp's request is 512 consecutive bytes. */
#include "layers.h"

#define THREADS 256

/* ---- kernels ---- */

__global__ void __launch_bounds__(THREADS) bias_gelu(half *x, const float *bias, size_t size, int n)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 8;
    if (WH_BRANCH(i < size)) {
        float v[8];
        wh_unpack8(WH_LOAD((const uint4 *)(x + i)), v);
        const float4 *b = (const float4 *)(bias + i % n);
        float4 low = WH_LOAD(b), high = WH_LOAD(b + 1);
        v[0] += low.x, v[1] += low.y, v[2] += low.z, v[3] += low.w;
        v[4] += high.x, v[5] += high.y, v[6] += high.z, v[7] += high.w;
        for (int j = 0; j < 8; j++)
            v[j] = wh_gelu(v[j]);
        WH_STORE((uint4 *)(x + i), wh_pack8(v));
    }
}

/* ---- launchers ---- */

void wh_cuda_bias_gelu(half *x, const float *bias, int rows, int n, cudaStream_t stream)
{
    size_t size = (size_t)rows * n;
    WH_LAUNCH(bias_gelu, dim3((unsigned)((size / 8 + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, x, bias, size,
              n);
}
