/* stored.cu - weights as a model file stores them, to halfs: q8_0 travels to the device as it is, which is half of the bytes.
 *
 * A block is a scale, half, and 32 signed bytes: 34 bytes, so nothing in it is aligned to more than two. Eight numbers a
 * thread. It runs once for each matrix; the bus to the host is what takes time. */
#include "layers.h"

#define THREADS 256

/* ---- kernels ---- */

__global__ void __launch_bounds__(THREADS) from_q8_0(const uint16_t *stored, half *out, size_t blocks)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x, block = i / 4, part = i % 4;
    if (WH_BRANCH(block < blocks)) {
        const uint16_t *bytes = stored + block * (WH_CUDA_Q8_0_BYTES / 2);
        uint16_t scale_bits = WH_LOAD(bytes);
        half scale;
        float x[8];
        memcpy(&scale, &scale_bits, sizeof scale);
        for (int e = 0; e < 4; e++) {
            uint16_t two = WH_LOAD(bytes + 1 + part * 4 + e);
            x[2 * e] = __half2float(scale) * (float)(int8_t)(two & 255);
            x[2 * e + 1] = __half2float(scale) * (float)(int8_t)(two >> 8);
        }
        WH_STORE((uint4 *)(out + i * 8), wh_pack8(x));
    }
}

/* ---- launchers ---- */

void wh_cuda_from_q8_0(const void *stored, half *out, size_t blocks, cudaStream_t stream)
{
    if (blocks)
        WH_LAUNCH(from_q8_0, dim3((unsigned)((blocks * 4 + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream,
                  (const uint16_t *)stored, out, blocks);
}
