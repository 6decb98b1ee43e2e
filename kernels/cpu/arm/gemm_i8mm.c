/* gemm_i8mm.c - integer tiles with smmla (ARMv8.6, or FEAT_I8MM above ARMv8.2); few rows as dotprod, all else as NEON. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_MATMUL_INT8) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#include <string.h>

#include "cpu/arm/store_neon.h"

#include "cpu/arm/gemm_i8mm.h"

#define STORE_LANES 4
#include "cpu/gemm_store.h"

static const wh_gemm table = {.rows = WH_GROUP,
                              .f32 = wh_f32_neon,
                              .quantize = wh_i8_quantize_neon,
                              .group = mm_group,
                              .group_bf16 = wh_group_steps,
                              .tile = mm_tile,
                              .tile_bf16 = wh_bf16_tile_neon,
                              .store = store};

const wh_gemm *wh_gemm_i8mm(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_i8mm(void)
{
    return NULL;
}
#endif
