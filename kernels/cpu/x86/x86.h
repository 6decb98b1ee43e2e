/* x86.h - the tables of the x86 levels, for levels.c, and kernels of a level that later ones use too. Each table's
 * function is always there; it returns NULL where the compiler was not told to use the level's instructions. */
#ifndef WH_X86_H
#define WH_X86_H

#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/gemm_parts.h"

const wh_kernels *wh_kernels_avx2(void);
const wh_kernels *wh_kernels_avx512(void);

const wh_gemm *wh_gemm_avx2(void);
const wh_gemm *wh_gemm_avxvnni(void);
const wh_gemm *wh_gemm_avx512(void);
const wh_gemm *wh_gemm_avx512vnni(void);
const wh_gemm *wh_gemm_avx512bf16(void); /* the same with vdpbf16ps: no level of its own */
const wh_gemm *wh_gemm_amx(void);

const wh_attention_int *wh_attention_int_avxvnni(void);
const wh_attention_int *wh_attention_int_avx512vnni(void);
const wh_attention_int *wh_attention_int_amx(void);

const wh_conv *wh_conv_avx2(void);
const wh_conv *wh_conv_avxvnni(void);
const wh_conv *wh_conv_avx512(void);
const wh_conv *wh_conv_avx512vnni(void);
const wh_conv *wh_conv_amx(void);

/* Whether the CPU has the instructions of a level, and the operating system saves their registers (features.c); bf16:
 * AVX512_BF16; amx: the kernel lets this process use it. */
int wh_x86_has_avx2(void);
int wh_x86_has_avxvnni(void);
int wh_x86_has_avx512(void);
int wh_x86_has_avx512vnni(void);
int wh_x86_has_bf16(void);
int wh_x86_has_amx(void);

void wh_f32_avx2(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                 size_t ldy, int add);
void wh_f32_avx512(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                   size_t ldy, int add);
void wh_i8_quantize_avx2(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale);
void wh_i8_quantize_avx512(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale);
void wh_group_avx512vnni(const int8_t *q, int rows, size_t bytes, int8_t *group);
void wh_i8_tile_avx2(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                     const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *tile);
void wh_i8_tile_avx512vnni(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                           const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *tile);
void wh_bf16_tile_avx2(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *tile);
void wh_bf16_tile_avx512(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                         float *tile);

#endif
