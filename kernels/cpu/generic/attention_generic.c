/* attention_generic.c - attention in integers in plain C: the definition of what the others compute. */
#include "cpu/attention_int.h"
#include "cpu/generic/generic.h"

#define LANES 4
#define INT_TILE 4
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline vec max_vec(vec a, vec b)
{
    return select_vec(a > b, a, b);
}

static inline ivec round_vec(vec x)
{
    ivec y;
    for (int l = 0; l < LANES; l++)
        y[l] = (int32_t)__builtin_lrintf(x[l]);
    return y;
}

/* sum + x[0] y[0] + .. + x[3] y[3], x unsigned bytes. Both as integers, so that any order of bytes will do. */
static inline ivec dot_bytes(ivec sum, ivec x, const int8_t *four)
{
    uint32_t y;
    memcpy(&y, four, sizeof y);
    for (int i = 0; i < 4; i++)
        sum += (ivec)((uvec)x >> 8 * i & 255) * (int8_t)(y >> 8 * i & 255);
    return sum;
}

#include "cpu/vec_exp2.h"
#include "cpu/vec_probability.h"
#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_generic(void)
{
    return &table;
}
