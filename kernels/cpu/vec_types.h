/* vec_types.h - vectors of LANES floats, and sixteen floats as 16 / LANES of them: every sum in the kernels runs in
 * sixteen lanes that are added up in one fixed order, so its bits do not depend on the vector width. Included by
 * vec_....c after LANES is defined, before what the level writes itself: fma_vec, load_half, half_to_float, load_bytes,
 * sum16. */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef uint32_t uvec __attribute__((vector_size(4 * LANES)));
typedef uint16_t hvec __attribute__((vector_size(2 * LANES)));
typedef int8_t bvec __attribute__((vector_size(LANES)));

#define PARTS (16 / LANES)
typedef struct vec16 {
    vec part[PARTS];
} vec16;

static inline vec load(const float *x)
{
    vec v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void store(float *x, vec v)
{
    memcpy(x, &v, sizeof v);
}

static inline ivec load_int(const int32_t *x)
{
    ivec v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void store_int(int32_t *x, ivec v)
{
    memcpy(x, &v, sizeof v);
}

static inline vec spread(float x)
{
    return x - (vec){0};
}

static inline uvec load_u16(const uint16_t *x)
{
    hvec h;
    memcpy(&h, x, sizeof h);
    return __builtin_convertvector(h, uvec);
}

INLINE vec select_vec(ivec mask, vec yes, vec no)
{
    return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask));
}

#ifndef WH_OWN_PARTS
/* LANES values, or the n < LANES last ones followed by zeros. */
INLINE vec load_part(const float *x, size_t n)
{
    vec v = {0};
    if (n >= LANES)
        return load(x);
    memcpy(&v, x, n * sizeof *x);
    return v;
}

INLINE void store_part(float *x, vec v, size_t n)
{
    if (n >= LANES)
        store(x, v);
    else
        memcpy(x, &v, n * sizeof *x);
}
#endif

/* The largest of |x| over n values; NaNs are passed over. */
INLINE float largest_magnitude(const float *x, size_t n)
{
    vec most = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vec size = (vec)((ivec)load_part(x + i, n - i) & 0x7fffffff);
        most = select_vec(size > most, size, most);
    }
    float lanes[LANES];
    memcpy(lanes, &most, sizeof lanes);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int l = 0; l < step; l++)
            lanes[l] = lanes[l + step] > lanes[l] ? lanes[l + step] : lanes[l];
    return lanes[0];
}

INLINE int32_t sum_lanes(ivec x)
{
    uint32_t lanes[LANES]; /* what a NaN became may not fit: it wraps around, as it does within a vector */
    memcpy(lanes, &x, sizeof lanes);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int l = 0; l < step; l++)
            lanes[l] += lanes[l + step];
    return (int32_t)lanes[0];
}
