/* attention_i8mm.c - attention in integers with smmla, and usmmla, which multiplies unsigned probabilities with signed
 * values as they are. */
#include "cpu/arm/arm.h"
#include "cpu/attention_int.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
#define INT_TILE 8
#define INT_PRODUCTS "cpu/arm/attention_mm.h"
#include "cpu/arm/lanes_neon.h"

#include "cpu/vec_exp2.h"
#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_i8mm(void)
{
    return &table;
}
#else
const wh_attention_int *wh_attention_int_i8mm(void)
{
    return NULL;
}
#endif
