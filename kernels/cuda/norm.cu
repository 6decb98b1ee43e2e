/* norm.cu - the bias of the product before added to the residual stream, and its layer norm, in one pass.
 *
 * Idea: a warp a row. The row stays in the lanes' registers between the three passes over it (mean, deviation, output),
 * so memory is read once: d = 1280 is ten float4 a lane. The mean is taken first and then the squares of the
 * differences, as the CPU does, so there is no cancellation. */
#include "layers.h"

#define WARPS 4
#define MOST 10 /* float4 a lane: d up to 1280 */

/* ---- kernels ---- */

__global__ void __launch_bounds__(WARPS *WH_WARP)
    residual_norm(float *x, const float *bias, const float *gain, const float *shift, const int32_t *which, half *out,
                  int rows, int d)
{
    int lane = threadIdx.x % WH_WARP, row = blockIdx.x * WARPS + threadIdx.x / WH_WARP;
    if (WH_BRANCH(row < rows)) {
        float *from = x + (size_t)(which ? WH_LOAD(which + row) : row) * d;
        float4 v[MOST];
        float sum = 0;
#pragma unroll
        for (int j = 0; j < MOST; j++) {
            int i = (j * WH_WARP + lane) * 4;
            v[j].x = v[j].y = v[j].z = v[j].w = 0;
            if (i < d) {
                v[j] = WH_LOAD((const float4 *)(from + i));
                if (bias) {
                    float4 b = WH_LOAD((const float4 *)(bias + i));
                    v[j].x += b.x, v[j].y += b.y, v[j].z += b.z, v[j].w += b.w;
                    WH_STORE((float4 *)(from + i), v[j]);
                }
                sum += (v[j].x + v[j].y) + (v[j].z + v[j].w);
            }
        }
        float mean = wh_warp_sum(sum) / d, squares = 0;
#pragma unroll
        for (int j = 0; j < MOST; j++)
            if ((j * WH_WARP + lane) * 4 < d) {
                v[j].x -= mean, v[j].y -= mean, v[j].z -= mean, v[j].w -= mean;
                squares += (v[j].x * v[j].x + v[j].y * v[j].y) + (v[j].z * v[j].z + v[j].w * v[j].w);
            }
        float inverse = rsqrtf(wh_warp_sum(squares) / d + 1e-5f);
#pragma unroll
        for (int j = 0; j < MOST; j++) {
            int i = (j * WH_WARP + lane) * 4;
            if (i < d) {
                float4 g = WH_LOAD((const float4 *)(gain + i)), s = WH_LOAD((const float4 *)(shift + i));
                uint2 two;
                two.x = wh_pack(v[j].x * inverse * g.x + s.x, v[j].y * inverse * g.y + s.y);
                two.y = wh_pack(v[j].z * inverse * g.z + s.z, v[j].w * inverse * g.w + s.w);
                WH_STORE((uint2 *)(out + (size_t)row * d + i), two);
            }
        }
    }
}

__global__ void __launch_bounds__(256) to_float(const half *x, float *y, size_t n)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    if (i < n)
        WH_STORE(y + i, __half2float(WH_LOAD(x + i)));
}

/* ---- launchers ---- */

void wh_cuda_residual_norm(float *x, const float *bias, const float *gain, const float *shift, const int32_t *which,
                           half *out, int rows, int d, cudaStream_t stream)
{
    WH_LAUNCH(residual_norm, dim3((rows + WARPS - 1) / WARPS), dim3(WARPS * WH_WARP), 0, stream, x, bias, gain, shift,
              which, out, rows, d);
}

void wh_cuda_to_float(const half *x, float *y, size_t n, cudaStream_t stream)
{
    WH_LAUNCH(to_float, dim3((unsigned)((n + 255) / 256)), dim3(256), 0, stream, x, y, n);
}
