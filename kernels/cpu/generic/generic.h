/* generic.h - the tables in plain C, which define what all others compute. For registry.c, and for what checks a level
 * against them. */
#ifndef WH_GENERIC_H
#define WH_GENERIC_H

#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"

const wh_kernels *wh_kernels_generic(void);
const wh_gemm *wh_gemm_generic(void);
const wh_attention_int *wh_attention_int_generic(void);
const wh_conv *wh_conv_generic(void);

#endif
