/* device.h - what every kernel file includes: CUDA's headers where nvcc compiles, test/cudaemu where g++ does.
 *
 * Kernels reach memory through the calls below, so that the emulator can count what a warp asks for; on a GPU they are
 * plain loads and stores. WH_MUTANT (tests only) breaks one thing at a time, to prove that the tests notice. */
#ifndef WH_CUDA_DEVICE_H
#define WH_CUDA_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda.h>
#include <cuda_runtime.h>
#else
#include "cudaemu.h"
#endif

#define WH_WARP 32
#define WH_ALL 0xffffffffu /* every lane of a warp */

#define WH_CUDA_MOST_ROWS 256 /* rows (tokens) of a decoder pass */
#define WH_CUDA_FEW_ROWS 64   /* rows that go through the small-batch products */

#ifndef WH_MUTANT
#define WH_MUTANT 0
#endif
/* `good` unless this is mutant n. */
#if WH_MUTANT
#define WH_MUTATE(n, good, bad) (WH_MUTANT == (n) ? (bad) : (good))
#define WH_UNLESS_MUTANT(n, statement)                                                                                 \
    do {                                                                                                               \
        if (WH_MUTANT != (n))                                                                                          \
            statement;                                                                                                 \
    } while (0)
#else
#define WH_MUTATE(n, good, bad) (good)
#define WH_UNLESS_MUTANT(n, statement) statement
#endif

/* ---- launches ---- */

#ifdef __CUDACC__
#define WH_LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#else
#define WH_LAUNCH(kernel, grid, block, shared, stream, ...)                                                            \
    cudaemu::launch(#kernel, kernel, (grid), (block), (shared), (stream), __VA_ARGS__)
#endif

/* ---- memory ---- */

#ifdef __CUDACC__
#define WH_LOAD(p) (*(p)) /* global */
#define WH_STORE(p, value) (*(p) = (value))
#define WH_LOAD_SHARED(p) (*(p))
#define WH_STORE_SHARED(p, value) (*(p) = (value))
#define WH_BRANCH(condition) (condition) /* a branch that lanes of a warp may take differently */
#else
namespace cudaemu
{
template <class T> inline T load(const T *p, char space, const char *file, int line)
{
    if ((uintptr_t)p % alignof(T))
        die("line %d: a load of %zu bytes is not aligned", line, sizeof(T));
    if (profiling)
        note(space, 0, p, (int)sizeof(T), file, line);
    return *p;
}
template <class T> inline void store(T *p, T value, char space, const char *file, int line)
{
    if ((uintptr_t)p % alignof(T))
        die("line %d: a store of %zu bytes is not aligned", line, sizeof(T));
    if (profiling)
        note(space, 1, p, (int)sizeof(T), file, line);
    *p = value;
}
inline bool branch(bool taken, const char *file, int line)
{
    if (profiling)
        note_branch(taken, file, line);
    return taken;
}
} // namespace cudaemu
#define WH_LOAD(p) cudaemu::load((p), 'g', __FILE__, __LINE__)
#define WH_STORE(p, value) cudaemu::store((p), (value), 'g', __FILE__, __LINE__)
#define WH_LOAD_SHARED(p) cudaemu::load((p), 's', __FILE__, __LINE__)
#define WH_STORE_SHARED(p, value) cudaemu::store((p), (value), 's', __FILE__, __LINE__)
#define WH_BRANCH(condition) cudaemu::branch((condition), __FILE__, __LINE__)
#endif

/* Dynamic shared memory is one array; kernels take their pieces one after the other, 16-byte aligned, each thread the
 * same ones. The emulator puts red zones between them. */
struct Carve {
#ifdef __CUDACC__
    char *next;
    __device__ __forceinline__ Carve()
    {
        extern __shared__ __align__(16) char wh_dynamic_shared[];
        next = wh_dynamic_shared;
    }
    template <class T> __device__ __forceinline__ T *take(int n)
    {
        T *piece = (T *)next;
        next += (n * (int)sizeof(T) + 15) / 16 * 16;
        return piece;
    }
#else
    template <class T> T *take(int n, int line = __builtin_LINE())
    {
        return (T *)cudaemu::carve((size_t)n * sizeof(T), 16, line);
    }
#endif
};

/* A __shared__ array of a size known to the compiler. */
#ifdef __CUDACC__
#define WH_SHARED(type, name, n) __shared__ __align__(16) type name[n]
#else
#define WH_SHARED(type, name, n) type *name = (type *)cudaemu::static_shared((n) * sizeof(type), 16, __LINE__)
#endif

/* ---- numbers ---- */

__device__ __forceinline__ uint32_t wh_pack(float low, float high)
{
    half a = __float2half(low), b = __float2half(high);
    uint16_t x, y;
    memcpy(&x, &a, 2);
    memcpy(&y, &b, 2);
    return (uint32_t)x | (uint32_t)y << 16;
}

__device__ __forceinline__ float wh_low(uint32_t two)
{
    uint16_t bits = (uint16_t)(two & 0xffff);
    half h;
    memcpy(&h, &bits, 2);
    return __half2float(h);
}

__device__ __forceinline__ float wh_high(uint32_t two)
{
    return wh_low(two >> 16);
}

/* Eight halfs in a register of 16 bytes, as floats. */
__device__ __forceinline__ void wh_unpack8(uint4 v, float *x)
{
    x[0] = wh_low(v.x), x[1] = wh_high(v.x), x[2] = wh_low(v.y), x[3] = wh_high(v.y);
    x[4] = wh_low(v.z), x[5] = wh_high(v.z), x[6] = wh_low(v.w), x[7] = wh_high(v.w);
}

/* Eight signed bytes as floats. */
__device__ __forceinline__ void wh_unpack_bytes(uint2 v, float *x)
{
    for (int e = 0; e < 8; e++)
        x[e] = (float)(int8_t)((e < 4 ? v.x : v.y) >> e % 4 * 8 & 255);
}

__device__ __forceinline__ uint4 wh_pack8(const float *x)
{
    uint4 v;
    v.x = wh_pack(x[0], x[1]), v.y = wh_pack(x[2], x[3]), v.z = wh_pack(x[4], x[5]), v.w = wh_pack(x[6], x[7]);
    return v;
}

/* N sums, or a maximum, over a warp: every lane gets the same bits. In the emulator one call for the whole warp, which
 * adds in the order of the shuffles. */
#ifdef __CUDACC__
template <int N> __device__ __forceinline__ void wh_warp_sums(float *x)
{
#pragma unroll
    for (int j = 0; j < N; j++)
#pragma unroll
        for (int i = 16; i; i >>= 1)
            x[j] += __shfl_xor_sync(WH_ALL, x[j], i);
}

__device__ __forceinline__ float wh_warp_max(float x)
{
#pragma unroll
    for (int i = 16; i; i >>= 1)
        x = fmaxf(x, __shfl_xor_sync(WH_ALL, x, i));
    return x;
}
#else
namespace cudaemu
{
template <int N, bool MAX> void reduce_act(void *const parts[WARP], const void *)
{
    for (int j = 0; j < N; j++) {
        float x[WARP], y[WARP];
        for (int i = 0; i < WARP; i++)
            x[i] = ((const float *)parts[i])[j];
        for (int step = 16; step; step >>= 1) {
            for (int i = 0; i < WARP; i++)
                y[i] = MAX ? fmaxf(x[i], x[i ^ step]) : x[i] + x[i ^ step];
            memcpy(x, y, sizeof x);
        }
        for (int i = 0; i < WARP; i++)
            ((float *)parts[i])[j] = x[i];
    }
}
} // namespace cudaemu

template <int N> inline void wh_warp_sums(float *x, int line = __builtin_LINE())
{
    cudaemu::warp_call(WH_ALL, x, cudaemu::reduce_act<N, false>, nullptr, line);
}

inline float wh_warp_max(float x, int line = __builtin_LINE())
{
    cudaemu::warp_call(WH_ALL, &x, cudaemu::reduce_act<1, true>, nullptr, line);
    return x;
}
#endif

__device__ __forceinline__ float wh_warp_sum(float x)
{
    wh_warp_sums<1>(&x);
    return x;
}

__device__ __forceinline__ float wh_gelu(float x) /* x/2 (1 + erf(x / sqrt 2)) */
{
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

#endif
