/* conv_avx512vnni.c - convolutions with AVX-512's VNNI (conv.h). */
#include "cpu/x86/x86.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include "cpu/x86/conv_vnni.h"

const wh_conv *wh_conv_avx512vnni(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_avx512vnni(void)
{
    return NULL;
}
#endif
