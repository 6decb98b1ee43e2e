/* conv_avx512.c - convolutions with AVX-512 (conv.h); integers by vpmaddubsw, as with AVX2. */
#include "cpu/x86/x86.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#define CONV_BLOCK 12
#include "cpu/x86/lanes_avx512.h"

static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    __m512i pairs = _mm512_maddubs_epi16((__m512i)x, (__m512i)w);
    return sum + (ivec)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_avx512(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_avx512(void)
{
    return NULL;
}
#endif
