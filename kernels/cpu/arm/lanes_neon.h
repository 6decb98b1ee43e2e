/* lanes_neon.h - four floats in a register of NEON, and what every kernel at that width begins with. */
#include <arm_neon.h>

#define LANES 4
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

/* The second one where either is NaN, which fmin and fmax do not promise. */
static inline vec min_vec(vec a, vec b)
{
    return select_vec(a < b, a, b);
}

static inline vec max_vec(vec a, vec b)
{
    return select_vec(a > b, a, b);
}

static inline ivec round_vec(vec x)
{
    return (ivec)vcvtnq_s32_f32((float32x4_t)x);
}
