/* attention_dotprod.c - attention in integers with sdot and udot. Probabilities are unsigned and no instruction here
 * multiplies those with signed bytes, so values are stored with 128 added. */
#include "cpu/arm/arm.h"
#include "cpu/attention_int.h"

#if defined(WH_HAS_NEON) && defined(__ARM_FEATURE_DOTPROD)
#define INT_TILE 8
#define INT_PRODUCTS "cpu/arm/attention_dot.h"
#define DOT_SIGNED(sum, x, four, lane) __asm__("sdot %0.4s, %1.16b, %2.4b[" lane "]" : "+w"(sum) : "w"(x), "w"(four))
#define DOT_MIXED(sum, x, four, lane) __asm__("udot %0.4s, %1.16b, %2.4b[" lane "]" : "+w"(sum) : "w"(x), "w"(four))
#include "cpu/arm/lanes_neon.h"

#include "cpu/vec_exp2.h"
#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_dotprod(void)
{
    return &table;
}
#else
const wh_attention_int *wh_attention_int_dotprod(void)
{
    return NULL;
}
#endif
