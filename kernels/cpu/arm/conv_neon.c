/* conv_neon.c - convolutions with NEON (conv.h). Two products of a byte of 0 to 127 and one of -127 to 127 fit 16 bits. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON)
#define CONV_BLOCK 2
#include "cpu/arm/lanes_neon.h"

static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    int8x16_t a = (int8x16_t)x, b = (int8x16_t)w;
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return (ivec)vpadalq_s16((int32x4_t)sum, vpaddq_s16(low, high));
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_neon(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_neon(void)
{
    return NULL;
}
#endif
