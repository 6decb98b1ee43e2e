/* arm.h - the tables of the ARM levels, for levels.c, and kernels of a level that later ones use too. Each table's
 * function is always there; it returns NULL where the compiler was not told to use the level's instructions.
 *
 * 64-bit ARM, little-endian. 32-bit ARM computes with generic. */
#ifndef WH_ARM_H
#define WH_ARM_H

#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/gemm_parts.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WH_HAS_NEON
#endif

const wh_kernels *wh_kernels_neon(void);

const wh_gemm *wh_gemm_neon(void);
const wh_gemm *wh_gemm_dotprod(void);
const wh_gemm *wh_gemm_i8mm(void);
const wh_gemm *wh_gemm_armbf16(void); /* i8mm's with bfdot: no level of its own */

const wh_attention_int *wh_attention_int_dotprod(void);
const wh_attention_int *wh_attention_int_i8mm(void);

const wh_conv *wh_conv_neon(void);
const wh_conv *wh_conv_dotprod(void);

/* Whether the CPU and the operating system have the instructions (features.c). */
int wh_arm_has_dotprod(void);
int wh_arm_has_i8mm(void);
int wh_arm_has_bf16(void);

void wh_f32_neon(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                 size_t ldy, int add);
void wh_i8_quantize_neon(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale);
void wh_bf16_tile_neon(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *tile);
void wh_i8_tile_dotprod(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                        const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *tile);

#endif
