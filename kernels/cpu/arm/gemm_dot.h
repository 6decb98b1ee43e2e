/* gemm_dot.h - tiles with an instruction that adds, to each of four sums, the products of four bytes of a column with
 * four bytes of one row, picked out of a register of four rows: sdot, or bfdot, where they are two bfloat16 each. The text
 * of gemm_dotprod.c and gemm_armbf16.c, which define
 *   DOT_SUMS         a register of four sums, DOT_ZERO() it with zeros
 *   DOT(sum, w, x, lane)   the instruction, lane a literal
 *   DOT_STORE(sum, r, c, x_scale, w_scale, out)   four columns' end
 *
 * Written as assembly: the lane is part of the instruction, which a loop's variable can be only where the compiler unrolls
 * the loop, and no sum is copied. A panel's sixteen bytes are four columns of a step and a group's are four rows, so nothing
 * is moved on the way: 12 rows by 8 columns take 24 registers of sums, 3 of rows and 1 of columns. */

#include "cpu/arm/each.h"

/* R rows, C times four columns. What is read of x behind the R rows is the next step's, or room of the group. */
WH_INLINE void dot_block(const int R, const int C, const int8_t *x, const int8_t *w, size_t steps, const float *x_scale,
                         const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    DOT_SUMS sum[8][12]; /* [column][row]: R * C of them are used */
#define DO_ROW(r, lane) sum[c][r] = DOT_ZERO();
#define DO_COLUMN(n)                                                                                                   \
    {                                                                                                                  \
        enum { c = n };                                                                                                \
        EACH_ROW(DO_ROW)                                                                                               \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
    for (size_t i = 0; i < steps; i++, x += 4 * R, w += 4 * WH_PANEL) {
        int8x16_t a0 = vld1q_s8(x), a1 = R > 4 ? vld1q_s8(x + 16) : a0, a2 = R > 8 ? vld1q_s8(x + 32) : a0;
        fetch_ahead(&ahead, lines);
#define DO_ROW(r, lane)                                                                                                \
    if ((r) < R)                                                                                                       \
        DOT(sum[c][r], b, (r) < 4 ? a0 : (r) < 8 ? a1 : a2, lane);
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C) {                                                                                                     \
        enum { c = n };                                                                                                \
        int8x16_t b = vld1q_s8(w + 16 * c);                                                                            \
        EACH_ROW(DO_ROW)                                                                                               \
    }
        EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
    }
#define DO_ROW(r, lane)                                                                                                \
    if ((r) < R)                                                                                                       \
        DOT_STORE(sum[c][r], r, c, x_scale, w_scale, out);
#define DO_COLUMN(n)                                                                                                   \
    if ((n) < C) {                                                                                                     \
        enum { c = n };                                                                                                \
        EACH_ROW(DO_ROW)                                                                                               \
    }
    EACH_COLUMN(DO_COLUMN)
#undef DO_ROW
#undef DO_COLUMN
}

/* All columns, C times four at a time. */
#define DOT_COLUMNS(R, C)                                                                                              \
    for (int c = 0; c < WH_PANEL; c += 4 * (C), lines = 0)                                                             \
        dot_block(R, C, x, w + 4 * c, steps, x_scale, w_scale + (w_scale ? c : 0), ahead, lines, out + c);

WH_INLINE void dot_tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const float *x_scale,
                        const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    switch (rows) {
    case 1: DOT_COLUMNS(1, 8) break;
    case 2: DOT_COLUMNS(2, 8) break;
    case 3: DOT_COLUMNS(3, 8) break;
    case 4: DOT_COLUMNS(4, 4) break;
    case 5: DOT_COLUMNS(5, 4) break;
    case 6: DOT_COLUMNS(6, 4) break;
    case 7: DOT_COLUMNS(7, 2) break;
    case 8: DOT_COLUMNS(8, 2) break;
    case 9: DOT_COLUMNS(9, 2) break;
    case 10: DOT_COLUMNS(10, 2) break;
    case 11: DOT_COLUMNS(11, 2) break;
    default: DOT_COLUMNS(12, 2) break;
    }
}
