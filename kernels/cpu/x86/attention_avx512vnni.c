/* attention_avx512vnni.c - attention in integers with AVX-512's VNNI: sixteen queries a vector. */
#include "cpu/attention_int.h"
#include "cpu/x86/x86.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include <immintrin.h>

#define LANES 16
#define INT_TILE 8
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
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

#include "cpu/vec_exp2.h"

#define WH_OWN_PROBABILITY
#include "cpu/vec_probability.h"

/* 2^x by x - round(x) and a multiplication by 2^round(x). */
static inline vec probability(vec x)
{
    __m512 r = _mm512_reduce_ps((__m512)x, 0);
    return (vec)_mm512_scalef_ps((__m512)probability_near((vec)r), _mm512_sub_ps((__m512)x, r));
}

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
