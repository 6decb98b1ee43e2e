/* vec_exp2.h - powers of two. After vec_types.h, fma_vec and max_vec, for what normalizes scores. */
/* 2^x for x < 127, relative error below 2e-7; 2^-126 below that. The polynomial is a minimax fit on |r| <= 1/2. */
INLINE vec exp2_vec(vec x)
{
    const float magic = 0x1.8p23f;
    vec low = max_vec(spread(-126.0f), x); /* a NaN stays one */
    vec shifted = low + magic;
    vec r = low - (shifted - magic);
    vec p = spread(0.0013264727f);
    p = fma_vec(p, r, spread(0.009671513f));
    p = fma_vec(p, r, spread(0.055507336f));
    p = fma_vec(p, r, spread(0.24022242f));
    p = fma_vec(p, r, spread(0.693147f));
    p = fma_vec(p, r, spread(1.0f));
    return (vec)((uvec)p + ((uvec)shifted << 23));
}
