/* mma.h - the tensor cores' instructions and asynchronous copies, each behind a call. On a GPU they are PTX; in the
 * emulator host twins that follow the fragment layouts of the PTX manual (sections "Matrix Fragments for
 * mma.m16n8k16 / m16n8k8", "ldmatrix", "cp.async").
 *
 * Fragments, with g = lane / 4 and t = lane % 4, two halfs a register:
 *   A 16x16: a0 (g, 2t..) a1 (g+8, 2t..) a2 (g, 2t+8..) a3 (g+8, 2t+8..)     16x8: a0, a1 alone
 *   B 16x8:  b0 (k = 2t.., n = g)  b1 (k = 2t+8.., n = g)                      8x8: b0 alone
 *   C 16x8:  c0 c1 (g, 2t..)  c2 c3 (g+8, 2t..), floats */
#ifndef WH_CUDA_MMA_H
#define WH_CUDA_MMA_H

#include "device.h"

#ifdef __CUDACC__

/* d += a b, sm_80 and later. */
__device__ __forceinline__ void wh_mma16(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

/* d += a b, sm_75. */
__device__ __forceinline__ void wh_mma8(float c[4], uint32_t a0, uint32_t a1, uint32_t b0)
{
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(b0));
}

/* Four 8x8 matrices of halfs; lane i points to row i % 8 of matrix i / 8 in shared memory. Lane gets, of each matrix,
 * elements (g, 2t..); transposed: (2t.., g). */
__device__ __forceinline__ void wh_ldmatrix(uint32_t r[4], const half *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

__device__ __forceinline__ void wh_ldmatrix_transposed(uint32_t r[4], const half *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

/* 16 bytes from global to shared memory; the bytes from `valid` (0 or 16) on become zeros. */
__device__ __forceinline__ void wh_cp_async(void *shared, const void *global, int valid)
{
#if __CUDA_ARCH__ >= 800
    uint32_t to = (uint32_t)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid) : "memory");
#endif
}

__device__ __forceinline__ void wh_cp_commit()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Until at most KEEP of this thread's groups are under way. */
template <int KEEP> __device__ __forceinline__ void wh_cp_wait()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(KEEP) : "memory");
#endif
}

#else /* the host twins */

namespace cudaemu
{

struct MmaPart {
    float *c;
    uint32_t a[4], b[2];
};

inline float half_of(uint32_t two, int which)
{
    return half_table[which ? two >> 16 : two & 0xffff];
}

/* K = 16 or 8; one call for the whole warp. */
template <int K> void mma_act(void *const parts[WARP], const void *)
{
    float a[16][K], b[K][8];
    for (int lane = 0; lane < WARP; lane++) {
        if (!parts[lane])
            die("mma by a part of a warp");
        const MmaPart *p = (const MmaPart *)parts[lane];
        int g = lane / 4, t = lane % 4;
        for (int e = 0; e < 2; e++)
            for (int h = 0; h < K / 8; h++) {
                a[g][8 * h + 2 * t + e] = half_of(p->a[2 * h], e);
                a[g + 8][8 * h + 2 * t + e] = half_of(p->a[2 * h + 1], e);
                b[8 * h + 2 * t + e][g] = half_of(p->b[h], e);
            }
    }
    float d[16][8];
    for (int i = 0; i < 16; i++) {
        float sum[8] = {0};
        for (int k = 0; k < K; k++)
            for (int j = 0; j < 8; j++)
                sum[j] += a[i][k] * b[k][j];
        for (int j = 0; j < 8; j++)
            d[i][j] = sum[j];
    }
    for (int lane = 0; lane < WARP; lane++) {
        float *c = ((MmaPart *)parts[lane])->c;
        int g = lane / 4, t = lane % 4;
        c[0] += d[g][2 * t], c[1] += d[g][2 * t + 1], c[2] += d[g + 8][2 * t], c[3] += d[g + 8][2 * t + 1];
    }
}

struct LdPart {
    const half *row;
    uint32_t r[4];
};

template <bool TRANSPOSED> void ldmatrix_act(void *const parts[WARP], const void *)
{
    half m[4][8][8];
    for (int lane = 0; lane < WARP; lane++) {
        if (!parts[lane])
            die("ldmatrix by a part of a warp");
        const half *row = ((const LdPart *)parts[lane])->row;
        if ((uintptr_t)row % 16)
            die("ldmatrix: a row is not aligned to 16 bytes");
        memcpy(m[lane / 8][lane % 8], row, 16);
    }
    for (int lane = 0; lane < WARP; lane++)
        for (int i = 0; i < 4; i++) {
            int g = lane / 4, t = lane % 4;
            half low = TRANSPOSED ? m[i][2 * t][g] : m[i][g][2 * t];
            half high = TRANSPOSED ? m[i][2 * t + 1][g] : m[i][g][2 * t + 1];
            ((LdPart *)parts[lane])->r[i] = (uint32_t)low.bits | (uint32_t)high.bits << 16;
        }
}

} // namespace cudaemu

inline void wh_mma16(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1, int line = __builtin_LINE())
{
    cudaemu::MmaPart part = {c, {a[0], a[1], a[2], a[3]}, {b0, b1}};
    cudaemu::warp_call(WH_ALL, &part, cudaemu::mma_act<16>, nullptr, line);
}

inline void wh_mma8(float c[4], uint32_t a0, uint32_t a1, uint32_t b0, int line = __builtin_LINE())
{
    cudaemu::MmaPart part = {c, {a0, a1, 0, 0}, {b0, 0}};
    cudaemu::warp_call(WH_ALL, &part, cudaemu::mma_act<8>, nullptr, line);
}

template <bool TRANSPOSED> inline void wh_ldmatrix_any(uint32_t r[4], const half *row, const char *file, int line)
{
    if (cudaemu::profiling)
        cudaemu::note('s', 0, row, 16, file, line);
    cudaemu::LdPart part = {row, {0, 0, 0, 0}};
    cudaemu::warp_call(WH_ALL, &part, cudaemu::ldmatrix_act<TRANSPOSED>, nullptr, line);
    memcpy(r, part.r, sizeof part.r);
}

inline void wh_ldmatrix(uint32_t r[4], const half *row, const char *file = __builtin_FILE(),
                        int line = __builtin_LINE())
{
    wh_ldmatrix_any<false>(r, row, file, line);
}

inline void wh_ldmatrix_transposed(uint32_t r[4], const half *row, const char *file = __builtin_FILE(),
                                   int line = __builtin_LINE())
{
    wh_ldmatrix_any<true>(r, row, file, line);
}

inline void wh_cp_async(void *shared, const void *global, int valid, const char *file = __builtin_FILE(),
                        int line = __builtin_LINE())
{
    if (cudaemu::profiling && valid)
        cudaemu::note('g', 0, global, 16, file, line);
    cudaemu::cp_async(shared, global, 16, valid);
}

inline void wh_cp_commit()
{
    cudaemu::cp_async_commit();
}
template <int KEEP> inline void wh_cp_wait()
{
    cudaemu::cp_async_wait(KEEP);
}

#endif
#endif
