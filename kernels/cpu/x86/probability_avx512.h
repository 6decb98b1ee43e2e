/* probability_avx512.h - 2^x for attention in integers with AVX-512: behind lanes_avx512.h, before attention_int_body.h. */
#include "cpu/vec_exp2.h"

#define WH_OWN_PROBABILITY
#include "cpu/vec_probability.h"

/* By x - round(x) and a multiplication by 2^round(x). */
static inline vec probability(vec x)
{
    __m512 r = _mm512_reduce_ps((__m512)x, 0);
    return (vec)_mm512_scalef_ps((__m512)probability_near((vec)r), _mm512_sub_ps((__m512)x, r));
}
