/* attention_amx.c - attention in integers on AMX's tiles; all but the products as avx512vnni. */
#include "cpu/attention_int.h"
#include "cpu/x86/x86.h"

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AVX512BW__) && defined(__AVX512VL__) &&                \
    defined(__AVX512DQ__)
#define INT_TILE 8
#define INT_PRODUCTS "cpu/x86/attention_amx.h"
#include "cpu/x86/lanes_avx512.h"

#include "cpu/x86/probability_avx512.h"

#include "cpu/attention_int_body.h"

const wh_attention_int *wh_attention_int_amx(void)
{
    return &table;
}
#else
const wh_attention_int *wh_attention_int_amx(void)
{
    return NULL;
}
#endif
