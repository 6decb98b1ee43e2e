/* ceiling_avxvnni.c - a loop of AVX-VNNI's vpdpbusd. */
#include "checkkernels/ceilings.h"

#if defined(__AVXVNNI__)
#include <immintrin.h>

#define LOOP int8
#define VECTOR __m256i
#define ZERO _mm256_setzero_si256()
#define STEP(s, a, b) __asm__ volatile("%{vex%} vpdpbusd %1, %2, %0" : "+x"(s) : "x"(a), "x"(b))
#define MANY 12
#include "checkkernels/loops.h"

check_loop check_loop_avxvnni(check_ceiling what, int *ops)
{
    *ops = what == CHECK_INT8 ? 64 : 0;
    return what == CHECK_INT8 ? int8 : 0;
}
#else
check_loop check_loop_avxvnni(check_ceiling what, int *ops)
{
    (void)what;
    *ops = 0;
    return 0;
}
#endif
