/* conv_vnni.h - conv_body.h with AVX-512's VNNI, for conv_avx512vnni.c and conv_amx.c: vpdpbusd adds four products of an
 * unsigned and a signed byte to each of sixteen sums. */
#define CONV_BLOCK 12
#include "cpu/x86/lanes_avx512.h"

/* Written as assembly because GCC 12 copies and spills the sums around the intrinsic. */
static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

#include "cpu/conv_body.h"
