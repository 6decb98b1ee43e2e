/* levels.c - what kernels are written for on x86 (registry.h).
 *
 * avx2: with FMA and F16C; avx512: F, BW, DQ, VL. A CPU may have avxvnni without the levels above it, and avx512
 * without avxvnni. amx: tiles of int8 and bfloat16, above avx512vnni. Whether an avx512vnni CPU multiplies bfloat16,
 * too, is no level of its own. */
#include "cpu/registry.h"

#if defined(__x86_64__)
#include "cpu/x86/x86.h"

/* It has run on one machine only: look at what it computes first. */
static int has_sound_amx(void)
{
    return wh_x86_has_amx() && wh_gemm_works(wh_gemm_amx());
}

static const wh_gemm *best_avx512vnni(void)
{
    return wh_x86_has_bf16() && wh_gemm_avx512bf16() ? wh_gemm_avx512bf16() : wh_gemm_avx512vnni();
}

static const wh_level levels[] = {
    {"avx2", wh_x86_has_avx2, wh_kernels_avx2, wh_gemm_avx2, NULL, "Haswell", 1, wh_conv_avx2},
    {"avxvnni", wh_x86_has_avxvnni, wh_kernels_avx2, wh_gemm_avxvnni, wh_attention_int_avxvnni, "Haswell", 1,
     wh_conv_avxvnni},
    {"avx512", wh_x86_has_avx512, wh_kernels_avx512, wh_gemm_avx512, NULL, "SkylakeX", 1, wh_conv_avx512},
    {"avx512vnni", wh_x86_has_avx512vnni, wh_kernels_avx512, best_avx512vnni, wh_attention_int_avx512vnni, "SkylakeX",
     1, wh_conv_avx512vnni},
    {"amx", has_sound_amx, wh_kernels_avx512, wh_gemm_amx, wh_attention_int_amx, "SkylakeX", 1, wh_conv_amx},
};

const wh_level *wh_x86_levels(int *n)
{
    *n = (int)(sizeof levels / sizeof levels[0]);
    return levels;
}
#else
const wh_level *wh_x86_levels(int *n)
{
    *n = 0;
    return NULL;
}
#endif
