/* gemm_i8mm.h - integer tiles with smmla: two rows by two columns of eight k, thirty-two products an instruction. The text
 * of gemm_i8mm.c and gemm_armbf16.c.
 *
 * Groups of x: [k / 8][rows / 2][2][8], an odd last row's partner zeros. A panel's sixteen bytes are four columns of four k;
 * two steps of them zipped are two columns of eight k each, twice: a zip for each register of columns, which serves up to
 * six pairs of rows. 12 rows by 8 columns take 24 registers of sums, 4 of columns and 1 of rows. */
#define MM_FROM 3 /* rows: below it half or more of what smmla multiplies is for nothing, and sdot is as fast */

static void mm_group(const int8_t *q, int rows, size_t bytes, int8_t *group)
{
    const size_t pieces = wh_steps(bytes) / 2;
    if (rows < MM_FROM) {
        wh_group_steps(q, rows, bytes, group);
        return;
    }
    for (size_t i = 0; i < pieces; i++)
        for (int r = 0; r < (rows + 1) / 2 * 2; r++, group += 8) {
            size_t left = r < rows && 8 * i < bytes ? bytes - 8 * i : 0;
            if (left >= 8) {
                memcpy(group, q + (size_t)r * bytes + 8 * i, 8);
                continue;
            }
            memset(group, 0, 8);
            if (left)
                memcpy(group, q + (size_t)r * bytes + 8 * i, left);
        }
}

#define MM_DOT(sum, x, w) __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w))

#include "cpu/arm/each.h"

/* Columns 2 n and 2 n + 1, n of 0 to 2 C - 1, of the step at w and the next one. */
WH_INLINE int8x16_t mm_columns(const int8_t *w, const int n)
{
    int32x4_t first = vreinterpretq_s32_s8(vld1q_s8(w + n / 2 * 16));
    int32x4_t second = vreinterpretq_s32_s8(vld1q_s8(w + 4 * WH_PANEL + n / 2 * 16));
    return vreinterpretq_s8_s32(n % 2 ? vzip2q_s32(first, second) : vzip1q_s32(first, second));
}

/* R rows, C times four columns. Registers: with many rows those of columns stay while rows come one pair after the other,
 * with few the other way around. */
WH_INLINE void mm_block(const int R, const int C, const int8_t *x, const int8_t *w, size_t steps, const float *x_scale,
                        const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    const int P = (R + 1) / 2;
    int32x4_t sum[8][6]; /* [two columns][two rows], of which 2 C P are used: [row][column] */
#define DO_PAIR(p) sum[c][p] = vdupq_n_s32(0);
#define DO_COLUMN(n)                                                                                                   \
    {                                                                                                                  \
        enum { c = n };                                                                                                \
        EACH_PAIR(DO_PAIR)                                                                                             \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_PAIR
#undef DO_COLUMN
    for (size_t i = 0; i < steps; i += 2, x += 16 * P, w += 8 * WH_PANEL) {
        fetch_ahead(&ahead, lines);
        fetch_ahead(&ahead, lines);
        if (C <= 2) {
            int8x16_t b0 = mm_columns(w, 0), b1 = mm_columns(w, 1), b2 = mm_columns(w, 2), b3 = mm_columns(w, 3);
#define DO_PAIR(p)                                                                                                     \
    if ((p) < P) {                                                                                                     \
        int8x16_t a = vld1q_s8(x + 16 * (p));                                                                          \
        MM_DOT(sum[0][p], a, b0);                                                                                      \
        MM_DOT(sum[1][p], a, b1);                                                                                      \
        MM_DOT(sum[2][p], a, b2);                                                                                      \
        MM_DOT(sum[3][p], a, b3);                                                                                      \
    }
            EACH_PAIR(DO_PAIR)
#undef DO_PAIR
        } else {
            int8x16_t a0 = vld1q_s8(x), a1 = P > 1 ? vld1q_s8(x + 16) : a0, a2 = P > 2 ? vld1q_s8(x + 32) : a0;
#define DO_COLUMN(n)                                                                                                   \
    {                                                                                                                  \
        int8x16_t b = mm_columns(w, n);                                                                                \
        MM_DOT(sum[n][0], a0, b);                                                                                      \
        if (P > 1)                                                                                                     \
            MM_DOT(sum[n][1], a1, b);                                                                                  \
        if (P > 2)                                                                                                     \
            MM_DOT(sum[n][2], a2, b);                                                                                  \
    }
            EACH_COLUMN(DO_COLUMN)
#undef DO_COLUMN
        }
    }
#define DO_ROW(r, lane)                                                                                                \
    if ((r) < R) {                                                                                                     \
        int64x2_t low = vreinterpretq_s64_s32(sum[2 * c % 8][(r) / 2]);                                                \
        int64x2_t high = vreinterpretq_s64_s32(sum[(2 * c + 1) % 8][(r) / 2]);                                         \
        int64x2_t row = (r) % 2 ? vzip2q_s64(low, high) : vzip1q_s64(low, high);                                       \
        store_four(vreinterpretq_s32_s64(row), x_scale[r], w_scale + 4 * c, out + (r)*WH_PANEL + 4 * c);               \
    }
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C) {                                                                                                     \
        enum { c = n };                                                                                                \
        EACH_ROW(DO_ROW)                                                                                               \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
}

#define MM_COLUMNS(R, C)                                                                                               \
    for (int c = 0; c < WH_PANEL; c += 4 * (C), lines = 0)                                                             \
        mm_block(R, C, x, w + 4 * c, steps, x_scale, w_scale + c, ahead, lines, out + c);

static void mm_tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                    const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    switch (rows) {
    case 1:
    case 2: wh_i8_tile_dotprod(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out); break;
    case 3: MM_COLUMNS(3, 4) break;
    case 4: MM_COLUMNS(4, 4) break;
    case 5: MM_COLUMNS(5, 4) break;
    case 6: MM_COLUMNS(6, 4) break;
    case 7: MM_COLUMNS(7, 2) break;
    case 8: MM_COLUMNS(8, 2) break;
    case 9: MM_COLUMNS(9, 2) break;
    case 10: MM_COLUMNS(10, 2) break;
    case 11: MM_COLUMNS(11, 2) break;
    default: MM_COLUMNS(12, 2) break;
    }
}
