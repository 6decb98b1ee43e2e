/* vec_generic.c - the kernels in plain C with four-lane vectors, for any CPU. They define what the others compute; the
 * others differ in the last bits, because they multiply and add with one rounding. */
#include "cpu/levels.h"

#define LANES 4
#define BLOCK_ROWS 2
#define BLOCK_WEIGHTS 2
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline float half_to_float(uint16_t h)
{
    return load_half_portable((const uint16_t[LANES]){h})[0];
}

static inline vec load_half(const uint16_t *x)
{
    return load_half_portable(x);
}

static inline vec load_bytes(const int8_t *x)
{
    bvec q;
    memcpy(&q, x, sizeof q);
    return __builtin_convertvector(__builtin_convertvector(q, ivec), vec);
}

static inline float sum16(const vec16 *x)
{
    vec a = (x->part[0] + x->part[2]) + (x->part[1] + x->part[3]);
    return (a[0] + a[2]) + (a[1] + a[3]);
}

#include "cpu/vec_body.h"

const wh_kernels *wh_kernels_generic(void)
{
    return &table;
}
