/* ceiling_avx512vnni.c - a loop of AVX-512's vpdpbusd. */
#include "checkkernels/ceilings.h"

#if defined(__AVX512VNNI__)
#include <immintrin.h>

#define LOOP int8
#define VECTOR __m512i
#define ZERO _mm512_setzero_si512()
#define STEP(s, a, b) __asm__ volatile("vpdpbusd %1, %2, %0" : "+v"(s) : "v"(a), "v"(b))
#define MANY 16
#include "checkkernels/loops.h"

check_loop check_loop_avx512vnni(check_ceiling what, int *ops)
{
    *ops = what == CHECK_INT8 ? 128 : 0;
    return what == CHECK_INT8 ? int8 : 0;
}
#else
check_loop check_loop_avx512vnni(check_ceiling what, int *ops)
{
    (void)what;
    *ops = 0;
    return 0;
}
#endif
