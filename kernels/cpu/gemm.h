/* gemm.h - matrix products on the CPU: y = x w^T, in float32 and in 8-bit integers. Knows nothing of Whisper.
 *
 * Used by lib/backend/cpu/product.c and lib/speakers/dense.c. One table a level (registry.h), filled by gemm_LEVEL.c;
 * gemm_generic.c is the definition. Every output is one sum over k whose order depends on k alone: not on how many rows
 * or columns a call has, nor on where in the matrix it begins, so batches and threads change no bit.
 *
 * Integers. A weight row (an output channel) and a row of x are each stored as int8 times one float: the largest
 * magnitude becomes 127. Sums of products of int8 are exact in int32, so all levels agree in every bit. Weights are
 * packed in panels of WH_PANEL rows, each WH_PANEL * 4 bytes a step of four k: [n / 32][k / 4][32][4], zeros at the
 * ends, steps in multiples of 16. Rows of x are grouped, at most a table's `rows` of them, as the level's tile reads
 * them: [k / 4][rows][4] or, for AMX's tiles, [k / 64][16 or 32 rows][64].
 *
 * bfloat16. Weights and rows of x rounded to 16 bits, products added up in float32. The same layouts, a step's four
 * bytes being two k. Levels agree up to the rounding of sums. */
#ifndef WH_GEMM_H
#define WH_GEMM_H

#include "cpu/kernels.h"

#define WH_PANEL 32
#define WH_GROUP 12      /* rows of a group that every level takes */
#define WH_GROUP_MOST 32 /* that any level takes */

/* Steps of four bytes that a row of so many bytes takes. */
static inline size_t wh_steps(size_t bytes)
{
    return (bytes + 63) / 64 * 16;
}

/* Floats from one row of k to the next where a copy is made for f32: were they a multiple of 512, the rows that pass
 * together would fall into the same few sets of the first-level cache. */
static inline size_t wh_f32_stride(size_t k)
{
    return k % 512 ? k : k + 48;
}

/* y = tile + bias, or y += tile + bias */
typedef enum wh_store { WH_STORE_SET, WH_STORE_ADD } wh_store;

/* Of a tile's rows and columns, [rows] and [WH_PANEL]. */
typedef struct wh_scales {
    const float *x, *w;
} wh_scales;

typedef struct wh_gemm {
    /* Rows of a group, at most: WH_GROUP to WH_GROUP_MOST. Room for a group is room for so many, however few it has, and
     * so is room for a tile. */
    int rows;

    /* 0, or from how many rows a tile of integers holds bare sums, int32, which `store` scales on their way to where
     * they belong: a pass through memory less. */
    int bare_from;

    /* NULL, or what a thread calls before the first of its calls of tile or tile_bf16, and after the last, before it does
     * anything for others: `begin` takes registers that cost too much to take for each tile and that no other code may
     * find in use. */
    void (*begin)(void);
    void (*end)(void);

    /* y[r * ldy + j] (+)= sum_i x[r * ldx + i] * w[j * ldw + i] for m rows of x and n of w; the sums of
     * wh_kernels.rows[WH_ROWS_F32], bit for bit, but made for many rows. */
    void (*f32)(const float *x, size_t ldx, size_t m, const float *w, size_t ldw, size_t n, size_t k, float *y,
                size_t ldy, int add);

    /* q[i] = x[i] / scale to the nearest integer, halves to even, scale = max |x| / 127. A row of nothing but zeros
     * (or below 1e-30) has the scale 0, one with an infinity or NaN the scale NaN and q = 0. Where `rest` is not NULL,
     * what rounding lost follows likewise: x[i] is about q[i] * scale + rest[i] * scale / 254, 16 bits of precision. */
    void (*quantize)(const float *x, size_t k, int8_t *q, int8_t *rest, float *scale);

    /* Rows of `bytes` bytes (of int8 or bfloat16), one after the other, into a group's layout. */
    void (*group)(const int8_t *q, int rows, size_t bytes, int8_t *group);
    void (*group_bf16)(const int8_t *q, int rows, size_t bytes, int8_t *group);

    /* One tile: tile[r * WH_PANEL + j] = (float)sum * (x_scale[r] * w_scale[j]) for the rows (1 .. `rows`) of a group
     * and the weight rows of a panel. w_sum[j] is the sum of weight row j's integers. `ahead`: what will be
     * wanted soon, fetched into the second-level cache meanwhile, `lines` (0, 1, 2) times 64 bytes a step. */
    void (*tile)(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *tile);

    /* The same in bfloat16: the tile is the sums. */
    void (*tile_bf16)(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                      float *tile);

    /* rows x columns of a tile (rows WH_PANEL floats apart, columns <= WH_PANEL) into y, rows ldy floats apart. bias
     * [columns] or NULL is added to the tile's values first. y may be the tile. scales: NULL, or those of the bare sums
     * that the tile holds. */
    void (*store)(const float *tile, int rows, int columns, const wh_scales *scales, const float *bias, wh_store how,
                  float *y, size_t ldy);
} wh_gemm;

/* Whether a tile of so many rows of integers holds bare sums. */
static inline int wh_leaves_sums(const wh_gemm *gemm, int rows)
{
    return gemm->bare_from && rows >= gemm->bare_from;
}

static inline void wh_gemm_begin(const wh_gemm *gemm)
{
    if (gemm->begin)
        gemm->begin();
}

static inline void wh_gemm_end(const wh_gemm *gemm)
{
    if (gemm->end)
        gemm->end();
}

/* Whether a table's tiles are the definition's, for one small product: a look before use at instructions that the
 * authors could not run. */
int wh_gemm_works(const wh_gemm *gemm);

/* Rows of `bytes` bytes, one after the other, into a panel. `rows` may be less than WH_PANEL; the missing ones become
 * zeros. w_sum [WH_PANEL]: sums of a row's bytes as int8, or NULL. */
void wh_panel(const int8_t *q, int rows, size_t bytes, int8_t *panel, int32_t *w_sum);

/* bfloat16 of k floats, to nearest, halves to even; and back. */
void wh_bf16_round(const float *x, size_t k, uint16_t *q);
static inline float wh_bf16_float(uint16_t q)
{
    uint32_t bits = (uint32_t)q << 16;
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
