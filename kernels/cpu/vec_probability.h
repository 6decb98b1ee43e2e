/* vec_probability.h - powers of two for attention in integers, which rounds them to bytes. After vec_types.h, fma_vec and
 * max_vec; AVX-512 has instructions for the rest of it (attention_avx512vnni.c). */

/* 2^r for |r| <= 1/2, relative error 1e-4. */
INLINE vec probability_near(vec r)
{
    vec p = spread(0.05517167f);
    p = fma_vec(p, r, spread(0.24261114f));
    p = fma_vec(p, r, spread(0.69326097f));
    return fma_vec(p, r, spread(0.99992806f));
}

#ifndef WH_OWN_PROBABILITY
/* 2^x for x <= 8; nearly 0 far below. */
INLINE vec probability(vec x)
{
    const float magic = 0x1.8p23f;
    vec low = max_vec(x, spread(-40.0f));
    vec shifted = low + magic;
    return (vec)((uvec)probability_near(low - (shifted - magic)) + ((uvec)shifted << 23));
}
#endif
