/* levels.c - what kernels are written for on 64-bit ARM (registry.h; docs/arm.md).
 *
 * neon: any (ARMv8.0: Raspberry Pi 3 and 4). dotprod: sdot and udot (ARMv8.2: Raspberry Pi 5, Graviton 2, M1). i8mm: matrices
 * of bytes (ARMv8.6: Graviton 3, M2). Whether an i8mm CPU multiplies bfloat16, too, is no level of its own. */
#include "cpu/registry.h"

#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
/* No machine with these was at hand: look at what is computed first. */
static int has_sound_i8mm(void)
{
    return wh_arm_has_i8mm() && wh_gemm_i8mm() && wh_gemm_works(wh_gemm_i8mm());
}

static const wh_gemm *best_i8mm(void)
{
    const wh_gemm *with = wh_gemm_armbf16();
    return with && wh_arm_has_bf16() && wh_gemm_works(with) ? with : wh_gemm_i8mm();
}

static const wh_level levels[] = {
    {"neon", NULL, wh_kernels_neon, wh_gemm_neon, NULL, NULL, 1, wh_conv_neon},
    {"dotprod", wh_arm_has_dotprod, wh_kernels_neon, wh_gemm_dotprod, wh_attention_int_dotprod, NULL, 1,
     wh_conv_dotprod},
    {"i8mm", has_sound_i8mm, wh_kernels_neon, best_i8mm, wh_attention_int_i8mm, NULL, 1, wh_conv_dotprod},
};

const wh_level *wh_arm_levels(int *n)
{
    *n = (int)(sizeof levels / sizeof levels[0]);
    return levels;
}
#else
const wh_level *wh_arm_levels(int *n)
{
    *n = 0;
    return NULL;
}
#endif
