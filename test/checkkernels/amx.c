/* amx.c - checkkernels: AMX's tiles with its instructions in plain C (support/amx_in_c.h); on a machine with AMX,
 * level amx runs the instructions themselves. */
#include <math.h>

#include "checkkernels/check.h"
#include "support/amx_in_c.h"

static int8_t wrong;
static void wrong_tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                       const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    amx_i8(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out);
    out[rows * WH_PANEL - 1] += wrong;
}

static void wrong_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *out)
{
    amx_bf16(x, rows, w, steps, ahead, lines, out);
    out[0] = wrong ? NAN : out[0];
}

/* The same checks as every level's tiles get, and that a wrong one is noticed before use. */
static void check_amx_once(const check_level *level)
{
    if (level->level != 0)
        return;
    wh_gemm table = *level->gemm_reference;
    table.group = table.group_bf16 = wh_group_rows;
    table.tile = amx_i8;
    table.tile_bf16 = amx_bf16;
    check_level emulated = *level;
    emulated.gemm = &table;
    check_tile.check(&emulated);
    check_bf16.check(&emulated);
    table.tile = wrong_tile;
    wrong = 0;
    check_that(wh_gemm_works(&table), "a right table is refused");
    wrong = 1;
    check_that(!wh_gemm_works(&table), "a wrong table is believed");
    table.tile = amx_i8;
    table.tile_bf16 = wrong_bf16;
    check_that(!wh_gemm_works(&table), "a table whose bf16 is wrong is believed");
    wrong = 0;
    check_that(wh_gemm_works(&table), "a right table is refused");
    check_that(!tiles.configured, "tiles in use after a call");
}

const check_kernel check_amx = {"amx", check_amx_once, NULL};
