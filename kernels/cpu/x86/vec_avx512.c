/* vec_avx512.c - the kernels for AVX-512 (F, BW, DQ, VL): sixteen lanes. */
#include "cpu/x86/x86.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define BLOCK_ROWS 4
#define BLOCK_WEIGHTS 4
#define ATTEND_TILE 8
#define KV_ROWS 4
#define KV_VECS 4
#define LSTM_ROWS 4
#define FILTER_VECS 5
#include "cpu/x86/lanes_avx512.h"

static inline vec min_vec(vec a, vec b)
{
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
}

static inline float half_to_float(uint16_t h)
{
    return _cvtsh_ss(h);
}

static inline void store_half(uint16_t *x, vec v)
{
    _mm256_storeu_si256((__m256i *)x, _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline vec load_half(const uint16_t *x)
{
    return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x));
}

static inline vec load_bytes(const int8_t *x)
{
    return (vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)x)));
}

static inline float sum16(const vec16 *x)
{
    __m512 all = (__m512)x->part[0];
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(b) + _mm_cvtss_f32(_mm_shuffle_ps(b, b, 1));
}

#include "cpu/vec_body.h"

const wh_kernels *wh_kernels_avx512(void)
{
    return &table;
}
#else
const wh_kernels *wh_kernels_avx512(void)
{
    return NULL;
}
#endif
