/* ceiling_avx512bf16.c - a loop of AVX-512's vdpbf16ps. */
#include "checkkernels/ceilings.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>

#define LOOP bf16
#define VECTOR __m512
#define ZERO _mm512_setzero_ps()
#define STEP(s, a, b) __asm__ volatile("vdpbf16ps %1, %2, %0" : "+v"(s) : "v"(a), "v"(b))
#define MANY 16
#include "checkkernels/loops.h"

check_loop check_loop_avx512bf16(int *ops)
{
    *ops = 64;
    return bf16;
}
#else
check_loop check_loop_avx512bf16(int *ops)
{
    *ops = 0;
    return 0;
}
#endif
