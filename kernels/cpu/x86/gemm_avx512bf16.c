/* gemm_avx512bf16.c - tiles of bfloat16 with AVX-512's vdpbf16ps: sixteen sums of two products an instruction.
 * Integer tiles are avx512vnni's, of which this is the table where the CPU has both. */
#include "cpu/x86/x86.h"

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#include <immintrin.h>
#include <string.h>

/* Written as assembly for the reason that gemm_avx512vnni.c gives. */
WH_INLINE __m512 add_products(__m512 sum, __m512i x, __m512i w)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

WH_INLINE void rows_tile(const int R, const int8_t *x, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                         float *out)
{
    __m512 sum[WH_GROUP][2];
    for (int r = 0; r < R; r++)
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (size_t i = 0; i < steps; i++, x += 4 * R, w += 4 * WH_PANEL) {
        __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
        fetch_ahead(&ahead, lines);
        for (int r = 0; r < R; r++) {
            int32_t two;
            memcpy(&two, x + 4 * r, sizeof two);
            __m512i a = _mm512_set1_epi32(two);
            sum[r][0] = add_products(sum[r][0], a, w0);
            sum[r][1] = add_products(sum[r][1], a, w1);
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 2; c++)
            _mm512_storeu_ps(out + r * WH_PANEL + 16 * c, sum[r][c]);
}

static void tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines, float *out)
{
    WH_EACH_ROWS(rows, rows_tile, x, w, steps, ahead, lines, out)
}

#define STORE_LANES 16
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_avx512,
                              .quantize = wh_i8_quantize_avx512,
                              .group = wh_group_avx512vnni,
                              .group_bf16 = wh_group_steps,
                              .tile = wh_i8_tile_avx512vnni,
                              .tile_bf16 = tile,
                              .store = store};

const wh_gemm *wh_gemm_avx512bf16(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_avx512bf16(void)
{
    return NULL;
}
#endif
