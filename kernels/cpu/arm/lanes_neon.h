/* lanes_neon.h - four floats in a register of NEON, and what every kernel at that width begins with. */
#include <arm_neon.h>

#define LANES 4

/* As vec_types.h has them, but without a call of memcpy(), of which no vector register is safe: loops that end with a part
 * loaded all their numbers anew each turn. */
#define WH_OWN_PARTS
typedef float four_floats __attribute__((vector_size(16)));
static inline __attribute__((always_inline)) four_floats load_part(const float *x, size_t n)
{
    four_floats v = {0};
    if (n >= 4)
        return (four_floats)vld1q_f32(x);
    if (n & 2) {
        v[0] = x[0], v[1] = x[1];
        x += 2;
    }
    if (n == 3)
        v[2] = x[0];
    else if (n == 1)
        v[0] = x[0];
    return v;
}

static inline __attribute__((always_inline)) void store_part(float *x, four_floats v, size_t n)
{
    if (n >= 4) {
        vst1q_f32(x, (float32x4_t)v);
        return;
    }
    if (n & 2) {
        x[0] = v[0], x[1] = v[1];
        x += 2;
    }
    if (n & 1)
        x[0] = n & 2 ? v[2] : v[0];
}

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
