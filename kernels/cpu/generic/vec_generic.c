/* vec_generic.c - the kernels in plain C with four-lane vectors, for any CPU. They define what the others compute; the
 * others differ in the last bits, because they multiply and add with one rounding. */
#include "cpu/generic/generic.h"

#define LANES 4
#define BLOCK_ROWS 2
#define BLOCK_WEIGHTS 2
#define ATTEND_TILE 4
#define KV_ROWS 2
#define KV_VECS 4
#define LSTM_ROWS 2
#define FILTER_VECS 4
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return a * b + c;
}

/* The second one where either is NaN. */
static inline vec min_vec(vec a, vec b)
{
    return select_vec(a < b, a, b);
}

static inline vec max_vec(vec a, vec b)
{
    return select_vec(a > b, a, b);
}

/* IEEE half precision by moving the exponent: exact for normal and subnormal numbers, infinities and NaN. */
static inline vec load_half(const uint16_t *x)
{
    uvec h = load_u16(x);
    uvec special = (uvec)((h & 0x7c00) == 0x7c00) & 0x7f800000;
    vec magnitude = (vec)((h & 0x7fff) << 13) * 0x1p112f;
    return (vec)((uvec)magnitude | special | (h & 0x8000) << 16);
}

static inline float half_to_float(uint16_t h)
{
    uint32_t bits = (h & 0x7fffu) << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    x *= 0x1p112f;
    memcpy(&bits, &x, sizeof bits);
    bits |= ((h & 0x7c00) == 0x7c00 ? 0x7f800000u : 0) | (h & 0x8000u) << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To nearest, ties to even: adding 2^k with the right k rounds a float to where a half's mantissa ends. */
static inline uint16_t float_to_half(float x)
{
    uint32_t bits, sign;
    memcpy(&bits, &x, sizeof bits);
    sign = bits & 0x80000000u;
    bits ^= sign;
    uint32_t half;
    if (bits > 0x7f800000u) {
        half = 0x7e00;
    } else if (bits >= 0x477ff000u) {
        half = 0x7c00;
    } else if (bits < 0x38800000u) { /* subnormal: in units of 2^-24 */
        float magnitude;
        memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude += 0.5f;
        memcpy(&half, &magnitude, sizeof half);
        half -= 0x3f000000u;
    } else {
        half = (bits - 0x38000000u + 0xfffu + (bits >> 13 & 1)) >> 13;
    }
    return (uint16_t)(sign >> 16 | half);
}

static inline void store_half(uint16_t *x, vec v)
{
    for (int l = 0; l < LANES; l++)
        x[l] = float_to_half(v[l]);
}

static inline ivec round_vec(vec x)
{
    ivec y;
    for (int l = 0; l < LANES; l++)
        y[l] = (int32_t)__builtin_lrintf(x[l]);
    return y;
}

static inline vec load_bytes(const int8_t *x)
{
    return __builtin_convertvector(((ivec){x[0], x[1], x[2], x[3]}), vec);
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
