/* ceiling_avx2.c - loops of AVX2's fused multiply-add, and of the four instructions that its integer tiles need for 32
 * products. */
#include "checkkernels/ceilings.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define LOOP f32
#define VECTOR __m256
#define ZERO _mm256_setzero_ps()
#define STEP(s, a, b) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(s) : "x"(a), "x"(b))
#define MANY 12
#include "checkkernels/loops.h"

#define LOOP int8
#define VECTOR __m256i
#define ZERO _mm256_setzero_si256()
#define STEP(s, a, b)                                                                                                  \
    __asm__ volatile("vpsignb %1, %2, %%ymm15\n\tvpmaddubsw %%ymm15, %1, %%ymm15\n\tvpmaddwd %2, %%ymm15, %%ymm15\n\t" \
                     "vpaddd %%ymm15, %0, %0"                                                                          \
                     : "+x"(s)                                                                                         \
                     : "x"(a), "x"(b)                                                                                  \
                     : "xmm15")
#define MANY 12
#include "checkkernels/loops.h"

check_loop check_loop_avx2(check_ceiling what, int *ops)
{
    *ops = what == CHECK_F32 ? 16 : 64;
    return what == CHECK_F32 ? f32 : int8;
}
#else
check_loop check_loop_avx2(check_ceiling what, int *ops)
{
    (void)what;
    *ops = 0;
    return 0;
}
#endif
