/* lanes_avx512.h - sixteen floats in a register of AVX-512, and what every kernel at that width begins with. Above
 * vec_types.h, under the files of the level whose bodies want more of it (min_vec, dot_bytes, ...). */
#include <immintrin.h>

#define LANES 16
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline vec max_vec(vec a, vec b)
{
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline ivec round_vec(vec x)
{
    return (ivec)_mm512_cvtps_epi32((__m512)x);
}
