/* attention_avxvnni.c - attention in integers with AVX-VNNI, on CPUs without AVX-512: eight queries a vector. */
#include "cpu/attention_int.h"
#include "cpu/x86/x86.h"

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define LANES 8
#define INT_TILE 4
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline ivec round_vec(vec x)
{
    return (ivec)_mm256_cvtps_epi32((__m256)x);
}

static inline ivec dot_bytes(ivec sum, ivec x, const int8_t *four)
{
    int32_t y;
    memcpy(&y, four, sizeof y);
    return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, _mm256_set1_epi32(y));
}

#include "cpu/vec_exp2.h"
#include "cpu/vec_probability.h"
#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_avxvnni(void)
{
    return &table;
}
#else
const wh_attention_int *wh_attention_int_avxvnni(void)
{
    return NULL;
}
#endif
