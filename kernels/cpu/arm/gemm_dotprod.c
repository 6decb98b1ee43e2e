/* gemm_dotprod.c - integer tiles with sdot, sixteen products an instruction (ARMv8.2 with FEAT_DotProd); all else as NEON. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

#include "cpu/arm/store_neon.h"

#define DOT_SUMS int32x4_t
#define DOT_ZERO() vdupq_n_s32(0)
#define DOT(sum, w, x, lane) __asm__("sdot %0.4s, %1.16b, %2.4b[" lane "]" : "+w"(sum) : "w"(w), "w"(x))
#define DOT_STORE(sum, r, c, x_scale, w_scale, out)                                                                    \
    store_four(sum, (x_scale)[r], (w_scale) + 4 * (c), (out) + (r)*WH_PANEL + 4 * (c))
#include "cpu/arm/gemm_dot.h"

void wh_i8_tile_dotprod(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                        const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    (void)w_sum;
    dot_tile(x, rows, w, steps, x_scale, w_scale, ahead, lines, out);
}

#define STORE_LANES 4
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_neon,
                              .quantize = wh_i8_quantize_neon,
                              .group = wh_group_steps,
                              .group_bf16 = wh_group_steps,
                              .tile = wh_i8_tile_dotprod,
                              .tile_bf16 = wh_bf16_tile_neon,
                              .store = store};

const wh_gemm *wh_gemm_dotprod(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_dotprod(void)
{
    return NULL;
}
#endif
