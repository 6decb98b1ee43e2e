/* gemm_armbf16.c - i8mm's table with tiles of bfloat16 by bfdot: four sums of two products an instruction (FEAT_BF16). */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_MATMUL_INT8) && defined(__ARM_FEATURE_DOTPROD) &&                    \
    defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>
#include <string.h>

#include "cpu/arm/store_neon.h"

#include "cpu/arm/gemm_i8mm.h"

#define DOT_SUMS float32x4_t
#define DOT_ZERO() vdupq_n_f32(0)
#define DOT(sum, w, x, lane) __asm__("bfdot %0.4s, %1.8h, %2.2h[" lane "]" : "+w"(sum) : "w"(w), "w"(x))
#define DOT_STORE(sum, r, c, x_scale, w_scale, out)                                                                    \
    ((void)(x_scale), (void)(w_scale), vst1q_f32((out) + (r)*WH_PANEL + 4 * (c), sum))
#include "cpu/arm/gemm_dot.h"

static void bf16_tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                      float *out)
{
    dot_tile(x, rows, w, steps, NULL, NULL, ahead, lines, out);
}

#define STORE_LANES 4
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_neon,
                              .quantize = wh_i8_quantize_neon,
                              .group = mm_group,
                              .group_bf16 = wh_group_steps,
                              .tile = mm_tile,
                              .tile_bf16 = bf16_tile,
                              .store = store};

const wh_gemm *wh_gemm_armbf16(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_armbf16(void)
{
    return NULL;
}
#endif
