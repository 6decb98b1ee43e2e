/* conv_avx2.c - convolutions with AVX2 and FMA (conv.h). vpmaddubsw adds two products of an unsigned and a signed byte in
 * 16 bits, which 2 * 127 * 127 fits. */
#include "cpu/x86/x86.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define LANES 8
#define CONV_BLOCK 2
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
    __m256i pairs = _mm256_maddubs_epi16((__m256i)x, (__m256i)w);
    return sum + (ivec)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_avx2(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_avx2(void)
{
    return NULL;
}
#endif
