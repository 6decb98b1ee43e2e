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
                           const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    WH_EACH_ROWS(rows, rows_tile, x, w, steps, w_sum, x_scale, w_scale, ahead, lines, out)
}

#define STORE_LANES 16
#include "cpu/gemm_store.h"

static const wh_gemm table = {wh_f32_avx512,  wh_i8_quantize_avx512, wh_group_unsigned,
                              wh_group_steps, wh_i8_tile_avx512vnni, wh_bf16_tile_avx512,
                              store};

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
