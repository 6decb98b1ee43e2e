/* gemm_avx512.c - float32 products with AVX-512. Integer tiles are AVX2's: without VNNI, AVX-512 has no vpsignb. */
#include "cpu/x86/x86.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>
#include <string.h>

/* ---- float32: blocks of 6 x 4 outputs ---- */

#define BLOCK_X 6
#define BLOCK_W 4
#define LANES 16
typedef __m512 lanes;

WH_INLINE lanes load_lanes(const float *x)
{
    return _mm512_loadu_ps(x);
}

WH_INLINE void store_lanes(float *x, lanes v)
{
    _mm512_storeu_ps(x, v);
}

/* The n < 16 first floats, zeros behind them. */
WH_INLINE lanes load_some(const float *x, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x);
}

WH_INLINE lanes fma_lanes(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* Eight sums at a time: lane i and i + 8, then i + 4, i + 2, i + 1, as kernels->rows has it. */
WH_INLINE __m256 add_up_eight(const float *sum)
{
    __m512 two[4], four[2];
    for (int i = 0; i < 4; i++) { /* [sum 2i: 8 lanes][sum 2i + 1: 8 lanes] */
        __m512 a = _mm512_load_ps(sum + 32 * i), b = _mm512_load_ps(sum + 32 * i + 16);
        two[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    }
    for (int i = 0; i < 2; i++) /* [sum 4i][4i + 1][4i + 2][4i + 3], 4 lanes each */
        four[i] = _mm512_add_ps(_mm512_shuffle_f32x4(two[2 * i], two[2 * i + 1], 0x88),
                                _mm512_shuffle_f32x4(two[2 * i], two[2 * i + 1], 0xdd));
    /* 128 bits: two lanes of sum q, two of sum q + 4 */
    __m512 eight = _mm512_add_ps(_mm512_shuffle_ps(four[0], four[1], 0x44), _mm512_shuffle_ps(four[0], four[1], 0xee));
    eight = _mm512_add_ps(eight, _mm512_permute_ps(eight, 0xb1));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castps512_ps256(_mm512_permutexvar_ps(order, eight));
}

WH_INLINE void add_up(const float *sum, size_t n, float *out)
{
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        _mm256_storeu_ps(out + j, add_up_eight(sum + 16 * j));
    for (; j < n; j++) {
        __m256 a = _mm256_add_ps(_mm256_loadu_ps(sum + 16 * j), _mm256_loadu_ps(sum + 16 * j + 8));
        __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        b = _mm_add_ps(b, _mm_movehl_ps(b, b));
        out[j] = _mm_cvtss_f32(b) + _mm_cvtss_f32(_mm_shuffle_ps(b, b, 1));
    }
}

#include "cpu/gemm_f32.h"

void wh_f32_avx512(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                   size_t ldy, int add)
{
    f32(x, ldx, m, w, ldw, n, k, y, ldy, add);
}

/* ---- int8 ---- */

/* Sixty-four floats times a factor, rounded, as bytes: packing works within 128 bits, so fours are put in order last. */
WH_INLINE void quantize_64(const float *x, __m512 factor, int8_t *q)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i v[4];
    for (int i = 0; i < 4; i++)
        v[i] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * i), factor));
    __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    _mm512_storeu_si512(q, _mm512_permutexvar_epi32(order, bytes));
}

void wh_i8_quantize_avx512(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale)
{
    const __m512i positive = _mm512_set1_epi32(0x7fffffff);
    __m512i most = _mm512_setzero_si512();
    for (size_t i = 0; i < k; i += 16) {
        __mmask16 mask = (__mmask16)(k - i < 16 ? (1u << (k - i)) - 1 : 0xffff);
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_maskz_loadu_epi32(mask, x + i), positive));
    }
    int32_t bits = _mm512_reduce_max_epi32(most);
    float largest, inverse;
    memcpy(&largest, &bits, sizeof largest);
    if (!wh_i8_scale((uint32_t)bits, largest, scale, &inverse)) {
        memset(q, 0, k);
        if (rest)
            memset(rest, 0, k);
        return;
    }
    const __m512 factor = _mm512_set1_ps(inverse);
    size_t i = 0;
    for (; !rest && i + 64 <= k; i += 64)
        quantize_64(x + i, factor, q + i);
    for (; i < k; i += 16) {
        __mmask16 mask = (__mmask16)(k - i < 16 ? (1u << (k - i)) - 1 : 0xffff);
        __m512 exact = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), factor);
        __m512i v = _mm512_cvtps_epi32(exact);
        _mm512_mask_cvtepi32_storeu_epi8(q + i, mask, v);
        if (rest) {
            __m512 lost = _mm512_mul_ps(_mm512_sub_ps(exact, _mm512_cvtepi32_ps(v)), _mm512_set1_ps(254.0f));
            _mm512_mask_cvtepi32_storeu_epi8(rest + i, mask, _mm512_cvtps_epi32(lost));
        }
    }
}

/* ---- bfloat16: its floats are its bits and sixteen zeros ---- */

typedef __m512i pairs;

WH_INLINE pairs load_pairs(const int8_t *p)
{
    return _mm512_loadu_si512(p);
}

WH_INLINE pairs spread_pair(const int8_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

WH_INLINE lanes even_floats(pairs two)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(two, 16));
}

WH_INLINE lanes odd_floats(pairs two)
{
    return _mm512_castsi512_ps(_mm512_and_si512(two, _mm512_set1_epi32((int)0xffff0000)));
}

#include "cpu/gemm_bf16.h"

void wh_bf16_tile_avx512(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                         float *out)
{
    WH_EACH_ROWS(rows, bf16_block, x, rows, w, steps, ahead, lines, out)
}

#define STORE_LANES 16
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_avx512,
                              .quantize = wh_i8_quantize_avx512,
                              .group = wh_group_steps,
                              .group_bf16 = wh_group_steps,
                              .tile = wh_i8_tile_avx2,
                              .tile_bf16 = wh_bf16_tile_avx512,
                              .store = store};

const wh_gemm *wh_gemm_avx512(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_avx512(void)
{
    return NULL;
}
#endif
