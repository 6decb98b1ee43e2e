/* vec_avx2.c - the kernels for AVX2 with FMA and F16C: eight lanes. */
#include "cpu/x86/x86.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <immintrin.h>

#define LANES 8
#define BLOCK_ROWS 2
#define BLOCK_WEIGHTS 2
#define ATTEND_TILE 4
#define KV_ROWS 4
#define KV_VECS 2
#define LSTM_ROWS 2
#define FILTER_VECS 4
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline vec min_vec(vec a, vec b)
{
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline float half_to_float(uint16_t h)
{
    return _cvtsh_ss(h);
}

static inline void store_half(uint16_t *x, vec v)
{
    _mm_storeu_si128((__m128i *)x, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline ivec round_vec(vec x)
{
    return (ivec)_mm256_cvtps_epi32((__m256)x);
}

static inline vec load_half(const uint16_t *x)
{
    return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x));
}

static inline vec load_bytes(const int8_t *x)
{
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)x)));
}

static inline float sum16(const vec16 *x)
{
    __m256 a = (__m256)(x->part[0] + x->part[1]);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(b) + _mm_cvtss_f32(_mm_shuffle_ps(b, b, 1));
}

#include "cpu/vec_body.h"

const wh_kernels *wh_kernels_avx2(void)
{
    return &table;
}
#else
const wh_kernels *wh_kernels_avx2(void)
{
    return NULL;
}
#endif
