/* gemm_avx512vnni.c - integer tiles with AVX-512's vpdpbusd: sixteen sums of four products an instruction. It
 * multiplies unsigned with signed bytes, so groups of x hold x + 128, and 128 times the sum of the weights is taken
 * off first. */
#include "cpu/x86/x86.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#include <string.h>

/* Written as assembly because GCC 12 copies and spills the sums around the intrinsic, which halves the speed. */
WH_INLINE __m512i add_products(__m512i sum, __m512i x, __m512i w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

/* Steps of a panel that whole groups fetch into the first-level cache ahead: one of long rows does not stay there from
 * group to group. */
#define STEPS_AHEAD 8

WH_INLINE void rows_tile(const int R, const int8_t *x, const int8_t *w, size_t steps, const int32_t *w_sum,
                         const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    __m512i sum[WH_GROUP][2];
    for (int c = 0; c < 2; c++) {
        __m512i start = _mm512_slli_epi32(_mm512_loadu_si512(w_sum + 16 * c), 7);
        for (int r = 0; r < R; r++)
            sum[r][c] = _mm512_sub_epi32(_mm512_setzero_si512(), start);
    }
    for (size_t i = 0; i < steps; i++, x += 4 * R, w += 4 * WH_PANEL) {
        __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
        fetch_ahead(&ahead, lines);
        if (R == WH_GROUP) {
            __builtin_prefetch(w + STEPS_AHEAD * 4 * WH_PANEL, 0, 3);
            __builtin_prefetch(w + STEPS_AHEAD * 4 * WH_PANEL + 64, 0, 3);
        }
        for (int r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, x + 4 * r, sizeof four);
            __m512i a = _mm512_set1_epi32(four);
            sum[r][0] = add_products(sum[r][0], a, w0);
            sum[r][1] = add_products(sum[r][1], a, w1);
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 2; c++) {
            __m512 scale = _mm512_mul_ps(_mm512_set1_ps(x_scale[r]), _mm512_loadu_ps(w_scale + 16 * c));
            _mm512_storeu_ps(out + r * WH_PANEL + 16 * c, _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][c]), scale));
        }
}

void wh_i8_tile_avx512vnni(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                           const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out){
    WH_EACH_ROWS(rows, rows_tile, x, w, steps, w_sum, x_scale, w_scale, ahead, lines, out)}

/* Sixteen steps of four rows, `bytes` apart, to where the steps of a group of WH_GROUP rows begin. */
WH_INLINE void turn_rows(const int8_t *q, size_t bytes, int8_t *group)
{
    const __m512i flips = _mm512_set1_epi8(-128);
    __m512i row[4];
    for (int r = 0; r < 4; r++)
        row[r] = _mm512_xor_si512(_mm512_loadu_si512(q + (size_t)r * bytes), flips);
    __m512i a = _mm512_unpacklo_epi32(row[0], row[1]), b = _mm512_unpacklo_epi32(row[2], row[3]);
    __m512i c = _mm512_unpackhi_epi32(row[0], row[1]), d = _mm512_unpackhi_epi32(row[2], row[3]);
    const __m512i step[4] = {_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), _mm512_unpacklo_epi64(c, d),
                             _mm512_unpackhi_epi64(c, d)}; /* of every four steps the first, the second, ... */
    for (int i = 0; i < 4; i++, group += 4 * WH_GROUP) {
        int8_t *to = group;
        _mm_storeu_si128((__m128i *)to, _mm512_castsi512_si128(step[i]));
        _mm_storeu_si128((__m128i *)(to + 16 * WH_GROUP), _mm512_extracti32x4_epi32(step[i], 1));
        _mm_storeu_si128((__m128i *)(to + 32 * WH_GROUP), _mm512_extracti32x4_epi32(step[i], 2));
        _mm_storeu_si128((__m128i *)(to + 48 * WH_GROUP), _mm512_extracti32x4_epi32(step[i], 3));
    }
}

/* As wh_group_unsigned, for the groups that there are most of. */
void wh_group_avx512vnni(const int8_t *q, int rows, size_t bytes, int8_t *to)
{
    if (rows < WH_GROUP || bytes % 64) {
        wh_group_unsigned(q, rows, bytes, to);
        return;
    }
    for (size_t i = 0; i < bytes; i += 64, to += 64 * WH_GROUP)
        for (size_t r = 0; r < WH_GROUP; r += 4)
            turn_rows(q + r * bytes + i, bytes, to + 4 * r);
}

#define STORE_LANES 16
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_avx512,
                              .quantize = wh_i8_quantize_avx512,
                              .group = wh_group_avx512vnni,
                              .group_bf16 = wh_group_steps,
                              .tile = wh_i8_tile_avx512vnni,
                              .tile_bf16 = wh_bf16_tile_avx512,
                              .store = store};

const wh_gemm *wh_gemm_avx512vnni(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_avx512vnni(void)
{
    return NULL;
}
#endif
