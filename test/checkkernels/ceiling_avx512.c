/* ceiling_avx512.c - a loop of AVX-512's fused multiply-add. */
#include "checkkernels/ceilings.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define LOOP f32
#define VECTOR __m512
#define ZERO _mm512_setzero_ps()
#define STEP(s, a, b) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(s) : "v"(a), "v"(b))
#define MANY 16
#include "checkkernels/loops.h"

check_loop check_loop_avx512(check_ceiling what, int *ops)
{
    *ops = what == CHECK_F32 ? 32 : 0;
    return what == CHECK_F32 ? f32 : 0;
}
#else
check_loop check_loop_avx512(check_ceiling what, int *ops)
{
    (void)what;
    *ops = 0;
    return 0;
}
#endif
