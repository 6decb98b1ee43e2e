/* gemm_amx.h - tiles of int8 and bfloat16 with AMX: the text of gemm_amx.c, which defines the instructions, and of
 * the tests that run it with instructions in plain C (test/support/amx_in_c.h).
 *
 * AMX multiplies A [16 rows][64 bytes] by B [16][64 bytes], where a row of B holds four bytes (or two bfloat16) of k
 * for each of 16 columns: a panel's layout as it is, 128 bytes apart, two tiles side by side. A is half a group of x, in
 * rows of 64 bytes. Two by two tiles of sums take the whole of a group and a panel: four loads for four products, which
 * is what the first-level cache can bring. A group of up to 16 rows has one tile beside the panel's two; a sum's order
 * is the same. */
#include "cpu/x86/amx.h"

/* Tiles 0 to 3 are sums [row tile][column tile]; 4, 5 of x; 6, 7 of w. */

/* The sums of a group, of one or two tiles, and a panel. */
#define AMX_SUMS(dot, two)                                                                                             \
    do {                                                                                                               \
        amx_zero(0);                                                                                                   \
        amx_zero(1);                                                                                                   \
        amx_zero(2);                                                                                                   \
        amx_zero(3);                                                                                                   \
        for (size_t i = 0; i < steps; i += 16, w += 16 * WH_PANEL * 4) {                                               \
            for (int step = 0; lines && step < 16; step++)                                                             \
                fetch_ahead(&ahead, lines);                                                                            \
            amx_load(4, x, 64);                                                                                        \
            amx_load(6, w, WH_PANEL * 4);                                                                              \
            dot(0, 4, 6);                                                                                              \
            amx_load(7, w + 64, WH_PANEL * 4);                                                                         \
            dot(1, 4, 7);                                                                                              \
            x += 1024;                                                                                                 \
            if (two) {                                                                                                 \
                amx_load(5, x, 64);                                                                                    \
                dot(2, 5, 6);                                                                                          \
                dot(3, 5, 7);                                                                                          \
                x += 1024;                                                                                             \
            }                                                                                                          \
        }                                                                                                              \
        amx_store(0, out, WH_PANEL * 4);                                                                               \
        amx_store(1, out + 16, WH_PANEL * 4);                                                                          \
        if (two) {                                                                                                     \
            amx_store(2, out + 16 * WH_PANEL, WH_PANEL * 4);                                                           \
            amx_store(3, out + 16 * WH_PANEL + 16, WH_PANEL * 4);                                                      \
        }                                                                                                              \
    } while (0)

/* Bare sums. */
static void amx_i8(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                   const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    (void)w_sum; /* for instructions that want unsigned bytes */
    (void)x_scale, (void)w_scale;
    if (rows > 16)
        AMX_SUMS(amx_dot_i8, 1);
    else
        AMX_SUMS(amx_dot_i8, 0);
}

static void amx_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                     float *out)
{
    if (rows > 16)
        AMX_SUMS(amx_dot_bf16, 1);
    else
        AMX_SUMS(amx_dot_bf16, 0);
}
