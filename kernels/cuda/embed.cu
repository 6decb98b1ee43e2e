/* embed.cu - a pass's tokens to the residual stream: embedding and position added up.
 *
 * Idea: a block a token, a thread two channels; nothing to gain here, the rows are a few KiB. */
#include "layers.h"

#define THREADS 128

/* ---- kernels ---- */

__global__ void __launch_bounds__(THREADS)
    embed(const wh_cuda_row *rows, const half *embedding, const float *positions, float *x, int d)
{
    const wh_cuda_row *row = rows + blockIdx.x;
    const half *from = embedding + (size_t)row->token * d;
    const float *position = positions + (size_t)(row->position < 0 ? 0 : row->position) * d;
    for (int i = threadIdx.x * 2; i < d; i += THREADS * 2) {
        uint32_t two = WH_LOAD((const uint32_t *)(from + i));
        float2 v = WH_LOAD((const float2 *)(position + i));
        v.x += wh_low(two), v.y += wh_high(two);
        WH_STORE((float2 *)(x + (size_t)blockIdx.x * d + i), v);
    }
}

/* ---- launchers ---- */

void wh_cuda_embed(const wh_cuda_row *rows, const half *embedding, const float *positions, float *x, int n, int d,
                   cudaStream_t stream)
{
    WH_LAUNCH(embed, dim3(n), dim3(THREADS), 0, stream, rows, embedding, positions, x, d);
}
