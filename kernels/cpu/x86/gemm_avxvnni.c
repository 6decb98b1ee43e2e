/* gemm_avxvnni.c - integer tiles with AVX-VNNI's vpdpbusd: eight sums of four products an instruction, on CPUs without
 * AVX-512. As in gemm_avx512vnni.c x is stored with 128 added; half a panel and half a group at a time, for sixteen
 * registers. */
#include "cpu/x86/x86.h"

#if defined(__AVXVNNI__) && defined(__AVX2__)
#include <immintrin.h>
#include <string.h>

#define HALF (WH_GROUP / 2)

/* Written as assembly because GCC 12 copies and spills the sums around the intrinsic. */
WH_INLINE __m256i add_products(__m256i sum, __m256i x, __m256i w)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
    return sum;
}

/* R rows from row `first` of a group of `rows`, sixteen columns. */
WH_INLINE void half_tile(const int R, const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                         const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    __m256i sum[HALF][2];
    for (int c = 0; c < 2; c++) {
        __m256i start = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(w_sum + 8 * c)), 7);
        for (int r = 0; r < R; r++)
            sum[r][c] = _mm256_sub_epi32(_mm256_setzero_si256(), start);
    }
    for (size_t i = 0; i < steps; i++, x += 4 * rows, w += 4 * WH_PANEL) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)w), w1 = _mm256_loadu_si256((const __m256i *)(w + 32));
        fetch_ahead(&ahead, lines);
        for (int r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, x + 4 * r, sizeof four);
            __m256i a = _mm256_set1_epi32(four);
            sum[r][0] = add_products(sum[r][0], a, w0);
            sum[r][1] = add_products(sum[r][1], a, w1);
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 2; c++) {
            __m256 scale = _mm256_mul_ps(_mm256_set1_ps(x_scale[r]), _mm256_loadu_ps(w_scale + 8 * c));
            _mm256_storeu_ps(out + r * WH_PANEL + 8 * c, _mm256_mul_ps(_mm256_cvtepi32_ps(sum[r][c]), scale));
        }
}

#include "cpu/x86/gemm_halves.h"

#define STORE_LANES 8
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_avx2,
                              .quantize = wh_i8_quantize_avx2,
                              .group = wh_group_unsigned,
                              .group_bf16 = wh_group_steps,
                              .tile = tile,
                              .tile_bf16 = wh_bf16_tile_avx2,
                              .store = store};

const wh_gemm *wh_gemm_avxvnni(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_avxvnni(void)
{
    return NULL;
}
#endif
