/* conv_avxvnni.c - convolutions with AVX-VNNI, on CPUs without AVX-512 (conv.h). */
#include "cpu/x86/x86.h"

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define LANES 8
#define CONV_BLOCK 3
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_avxvnni(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_avxvnni(void)
{
    return NULL;
}
#endif
