/* conv_dotprod.c - convolutions with sdot (conv.h): what is 0 to 127 is a signed byte, too. */
#include "cpu/arm/arm.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_DOTPROD)
#define CONV_BLOCK 2
#include "cpu/arm/lanes_neon.h"

static inline ivec dot_bytes(ivec sum, ivec x, ivec w)
{
    return (ivec)vdotq_s32((int32x4_t)sum, (int8x16_t)x, (int8x16_t)w);
}

#include "cpu/conv_body.h"

const wh_conv *wh_conv_dotprod(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_dotprod(void)
{
    return NULL;
}
#endif
