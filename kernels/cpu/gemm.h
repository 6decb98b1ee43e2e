/* gemm.h - matrix products on the CPU: y = x w^T, in float32 and in 8-bit integers. Knows nothing of Whisper.
 *
 * Used by lib/backend/cpu_product.c. One table a level, filled by kernels/cpu/gemm_LEVEL.c; gemm_generic.c is the
 * definition. Every output is one sum over k whose order depends on k alone: not on how many rows or columns a call
 * has, nor on where in the matrix it begins, so batches and threads change no bit.
 *
 * Integers. A weight row (an output channel) and a row of x are each stored as int8 times one float: the largest
 * magnitude becomes 127. Sums of products of int8 are exact in int32, so all levels agree in every bit. Weights are
 * packed in panels of WH_PANEL rows, each WH_PANEL * 4 bytes a step of four k: [n / 32][k / 4][32][4], zeros at the
 * ends. Rows of x are grouped likewise, at most WH_GROUP of them: [k / 4][rows][4]. One step of a tile then multiplies
 * 4 bytes of x with 4 bytes of 32 weight rows. */
#ifndef WH_GEMM_H
#define WH_GEMM_H

#include "cpu/kernels.h"

#define WH_PANEL 32
#define WH_GROUP 12

/* Steps of four that k elements take. */
static inline size_t wh_i8_steps(size_t k)
{
    return (k + 3) / 4;
}

/* Floats from one row of k to the next where a copy is made for f32: were they a multiple of 512, the rows that pass
 * together would fall into the same few sets of the first-level cache. */
static inline size_t wh_f32_stride(size_t k)
{
    return k % 512 ? k : k + 48;
}

/* y = tile + bias, y += tile + bias, or y = (tile + bias)^T */
typedef enum wh_store { WH_STORE_SET, WH_STORE_ADD, WH_STORE_TRANSPOSED } wh_store;

typedef struct wh_gemm {
    /* y[r * ldy + j] (+)= sum_i x[r * ldx + i] * w[j * ldw + i] for m rows of x and n of w; the sums of
     * wh_kernels.rows[WH_ROWS_F32], bit for bit, but made for many rows. */
    void (*f32)(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                size_t ldy, int add);

    /* q[i] = x[i] / scale to the nearest integer, halves to even, scale = max |x| / 127. A row of nothing but zeros
     * (or below 1e-30) has the scale 0, one with an infinity or NaN the scale NaN and q = 0. Where `rest` is not NULL,
     * what rounding lost follows likewise: x[i] is about q[i] * scale + rest[i] * scale / 254, 16 bits of precision. */
    void (*quantize)(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale);

    /* What the bytes of a group are xor-ed with: 0x80 where the instruction wants unsigned bytes, x + 128; else 0. */
    uint8_t flip;

    /* One tile: tile[r * WH_PANEL + j] = (float)sum * (x_scale[r] * w_scale[j]) for the rows (1 .. WH_GROUP) of a group
     * and the weight rows of a panel. w_sum[j] is the sum of weight row j's integers. `ahead`: what will be
     * wanted soon, fetched into the second-level cache meanwhile, `lines` (0, 1, 2) times 64 bytes a step. */
    void (*tile)(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *tile);

    /* rows x columns of a tile (rows WH_PANEL floats apart, columns <= WH_PANEL) into y, rows ldy floats apart. bias
     * [columns] or NULL is added to the tile's values first. */
    void (*store)(const float *tile, int rows, int columns, const float *bias, wh_store how, float *y, size_t ldy);
} wh_gemm;

/* The table for a level; NULL where wh_kernels_get() is NULL. Immutable, static storage. */
const wh_gemm *wh_gemm_get(wh_cpu_level level);

/* Quantized rows of k elements, one after the other, into a group's or a panel's layout. For a panel `rows` may be less
 * than WH_PANEL; the missing ones become zeros. */
void wh_i8_group(const int8_t *q, int rows, size_t k, uint8_t flip, int8_t *group);
void wh_i8_panel(const int8_t *q, int rows, size_t k, int8_t *panel, int32_t *w_sum);

#endif
