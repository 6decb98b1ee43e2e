/* attention_avx512vnni.c - attention in integers with AVX-512's VNNI: sixteen queries a vector. */
#include "cpu/attention_int.h"
#include "cpu/x86/x86.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define INT_TILE 8
#include "cpu/x86/lanes_avx512.h"

static inline ivec dot_bytes(ivec sum, ivec x, const int8_t *four)
{
    int32_t y;
    memcpy(&y, four, sizeof y);
    return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, _mm512_set1_epi32(y));
}

#include "cpu/x86/probability_avx512.h"

#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_avx512vnni(void)
{
    return &table;
}
#else
const wh_attention_int *wh_attention_int_avx512vnni(void)
{
    return NULL;
}
#endif
