/* conv_generic.c - convolutions in plain C: the definition of what the others compute (conv.h). */
#include "cpu/generic/generic.h"

#define LANES 4
#define CONV_BLOCK 1
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline vec max_vec(vec a, vec b)
{
    return select_vec(a > b, a, b);
}

/* sum + x[0] w[0] + .. + x[3] w[3], x unsigned bytes, w signed ones */
static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    for (int i = 0; i < 4; i++)
        sum += (ivec)((uvec)x >> 8 * i & 255) * ((ivec)((uvec)w << (24 - 8 * i)) >> 24);
    return sum;
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_generic(void)
{
    return &table;
}
