/* conv_avx512vnni.c - convolutions with AVX-512's VNNI (conv.h): vpdpbusd adds four products of an unsigned and a signed
 * byte to each of sixteen sums. */
#include "cpu/x86/x86.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>

#define LANES 16
#define CONV_BLOCK 12
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
}

/* Written as assembly because GCC 12 copies and spills the sums around the intrinsic. */
static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_avx512vnni(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_avx512vnni(void)
{
    return NULL;
}
#endif
