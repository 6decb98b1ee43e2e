/* vec_neon.c - the kernels for NEON: four lanes, thirty-two registers. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
#define BLOCK_ROWS 2
#define BLOCK_WEIGHTS 3
#define ATTEND_TILE 8
#define KV_ROWS 4
#define KV_VECS 4
#define LSTM_ROWS 4
#define FILTER_VECS 5
#include "cpu/arm/lanes_neon.h"

static inline float half_to_float(uint16_t h)
{
    __fp16 half;
    memcpy(&half, &h, sizeof half);
    return (float)half;
}

static inline vec load_half(const uint16_t *x)
{
    return (vec)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)));
}

static inline void store_half(uint16_t *x, vec v)
{
    vst1_u16(x, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)v)));
}

static inline vec load_bytes(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vset_lane_s32(four, vdup_n_s32(0), 0)));
    return (vec)vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}

static inline float sum16(const vec16 *x)
{
    vec a = (x->part[0] + x->part[2]) + (x->part[1] + x->part[3]);
    float32x2_t two = vadd_f32(vget_low_f32((float32x4_t)a), vget_high_f32((float32x4_t)a));
    return vget_lane_f32(vpadd_f32(two, two), 0);
}

#include "cpu/vec_body.h"

const wh_kernels *wh_kernels_neon(void)
{
    return &table;
}
#else
const wh_kernels *wh_kernels_neon(void)
{
    return NULL;
}
#endif
