/* convolution.cu - the two convolutions at the encoder's entrance.
 *
 * Idea: time-major, a convolution of width 3 is three matrix products, one a tap, on the same rows shifted by one; they
 * go to cuBLAS and add up in float32. What is left are the ends: the input padded by a row of zeros and made half, and
 * bias, GELU (and positions) on the sums. Each thread takes four neighbouring channels, so a warp reads 512 and writes
 * 256 or 512 consecutive bytes. */
#include "layers.h"

#define THREADS 256

/* ---- kernels ---- */

__global__ void __launch_bounds__(THREADS) pad_mel(const float *mel, half *out, int frames, int bands)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x, n = (size_t)(frames + 2) * bands;
    if (WH_BRANCH(i < n)) {
        size_t row = i / bands;
        float x = row == 0 || row > (size_t)frames ? 0.0f : WH_LOAD(mel + i - bands);
        WH_STORE(out + i, __float2half(x));
    }
}

__device__ __forceinline__ float4 gelu4(const float *y, const float *bias)
{
    float4 v = WH_LOAD((const float4 *)y), b = WH_LOAD((const float4 *)bias);
    v.x = wh_gelu(v.x + b.x), v.y = wh_gelu(v.y + b.y), v.z = wh_gelu(v.z + b.z), v.w = wh_gelu(v.w + b.w);
    return v;
}

__global__ void __launch_bounds__(THREADS) conv_gelu(const float *y, const float *bias, half *out, size_t n, int d)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    if (WH_BRANCH(WH_MUTATE(5, i < n, true))) {
        float4 v = gelu4(y + i, bias + i % d);
        uint2 two;
        two.x = wh_pack(v.x, v.y), two.y = wh_pack(v.z, v.w);
        WH_STORE((uint2 *)(out + i), two);
    }
}

__global__ void __launch_bounds__(THREADS)
    conv_gelu_positions(const float *y, const float *bias, const float *positions, float *out, size_t n, int d)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    if (WH_BRANCH(i < n)) {
        float4 v = gelu4(y + i, bias + i % d), p = WH_LOAD((const float4 *)(positions + i));
        v.x += p.x, v.y += p.y, v.z += p.z, v.w += p.w;
        WH_STORE((float4 *)(out + i), v);
    }
}

/* ---- launchers ---- */

static unsigned blocks_for(size_t threads)
{
    return (unsigned)((threads + THREADS - 1) / THREADS);
}

void wh_cuda_pad_mel(const float *mel, half *out, int frames, int bands, cudaStream_t stream)
{
    WH_LAUNCH(pad_mel, dim3(blocks_for((size_t)(frames + 2) * bands)), dim3(THREADS), 0, stream, mel, out, frames,
              bands);
}

void wh_cuda_conv_gelu(const float *y, const float *bias, half *out, int rows, int d, cudaStream_t stream)
{
    size_t n = (size_t)rows * d;
    WH_LAUNCH(conv_gelu, dim3(blocks_for(n / 4)), dim3(THREADS), 0, stream, y, bias, out, n, d);
}

void wh_cuda_conv_gelu_positions(const float *y, const float *bias, const float *positions, float *out, int rows, int d,
                                 cudaStream_t stream)
{
    size_t n = (size_t)rows * d;
    WH_LAUNCH(conv_gelu_positions, dim3(blocks_for(n / 4)), dim3(THREADS), 0, stream, y, bias, positions, out, n, d);
}
