/* attention_avx512vnni.c - attention in integers with AVX-512's VNNI: sixteen queries a vector. */
#include "cpu/attention_int.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#define LANES 16
#define INT_TILE 8
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline ivec round_vec(vec x)
{
    return (ivec)_mm512_cvtps_epi32((__m512)x);
}

static inline ivec dot_bytes(ivec sum, ivec x, const int8_t *four)
{
    int32_t y;
    memcpy(&y, four, sizeof y);
    return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, _mm512_set1_epi32(y));
}

static inline ivec dot_halves(ivec sum, ivec x, const int16_t *two)
{
    int32_t y;
    memcpy(&y, two, sizeof y);
    return (ivec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, _mm512_set1_epi32(y));
}

#include "cpu/vec_exp2.h"
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
