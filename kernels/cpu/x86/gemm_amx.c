/* gemm_amx.c - the level amx: tiles with AMX's matrix registers, all else as avx512. No machine with AMX was at hand:
 * the text has run with its instructions written in C (test/support/amx_in_c.h), and a backend asks wh_gemm_works()
 * before it believes the table. */
#include "cpu/x86/x86.h"

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__) && defined(__AVX512BW__)
#include <immintrin.h>

/* What reads memory is written as assembly: GCC 12's intrinsics name 8 of the configuration's 64 bytes as what is
 * read, and nothing of a tile, so that the compiler may leave out or put off what was written there. */
#define amx_configure(p) __asm__ volatile("ldtilecfg %0" ::"m"(*(p)) : "memory")
#define amx_load(t, p, stride)                                                                                         \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"((const void *)(p)), "r"((long)(stride)) : "memory")
#define amx_release() _tile_release()
#define amx_zero(t) _tile_zero(t)
#define amx_store(t, p, stride) _tile_stored(t, p, stride)
#define amx_dot_i8(c, a, b) _tile_dpbssd(c, a, b)
#define amx_dot_bf16(c, a, b) _tile_dpbf16ps(c, a, b)
#include "cpu/x86/gemm_amx.h"

#define STORE_LANES 16
#include "cpu/gemm_store.h"

static const wh_gemm table = {wh_f32_avx512, wh_i8_quantize_avx512, wh_group_rows, wh_group_rows, amx_i8, amx_bf16,
                              store};

const wh_gemm *wh_gemm_amx(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_amx(void)
{
    return NULL;
}
#endif
