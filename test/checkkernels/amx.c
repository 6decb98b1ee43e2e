/* amx.c - checkkernels: AMX's tiles with its instructions in plain C (support/amx_in_c.h); on a machine with AMX,
 * level amx runs the instructions themselves. */
#include <math.h>
#include <string.h>

#include "checkkernels/check.h"
#include "support/amx_in_c.h"

#include "cpu/x86/conv_amx.h"
#include "cpu/x86/gemm_amx.h"

static int8_t wrong;
static void wrong_tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                       const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    amx_i8(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out);
    int32_t sum; /* as a float it may be a NaN, which RISC-V makes another of */
    memcpy(&sum, &out[rows * WH_PANEL - 1], sizeof sum);
    sum += wrong;
    memcpy(&out[rows * WH_PANEL - 1], &sum, sizeof sum);
}

static void wrong_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *out)
{
    amx_bf16(x, rows, w, steps, ahead, lines, out);
    out[0] = wrong ? NAN : out[0];
}

/* A convolution's sums; x and w are no longer than what may be read. */
static void check_conv_sums(void)
{
    const int rows = (int)check_size(16, WH_CONV_ROWS);
    size_t pieces[3] = {check_size(0, 200), check_size(0, 200), check_size(0, 200)}, extent = 0;
    wh_conv_in in = {.ldx = check_size(0, 150), .pieces = pieces, .n_pieces = check_size(1, 3)};
    in.length = 4 * check_size(1, 60);
    for (size_t p = 0; p < in.n_pieces; p++)
        extent = pieces[p] > extent ? pieces[p] : extent;
    extent += (size_t)(rows - 1) * in.ldx + in.length;
    uint8_t *x = check_alloc(extent, 1);
    const size_t n = in.n_pieces * in.length * WH_CONV_PANEL;
    int8_t *w = check_alloc(n, 64);
    for (size_t i = 0; i < extent; i++)
        x[i] = (uint8_t)(check_random() % 128);
    for (size_t i = 0; i < n; i++)
        w[i] = (int8_t)((int)(check_random() % 255) - 127);
    in.x = x;
    int32_t sums[WH_CONV_ROWS * WH_CONV_PANEL];
    amx_conv_begin(in.length);
    amx_conv_sums(&in, rows, w, sums);
    amx_end();
    for (int r = 0; r < rows; r++)
        for (size_t j = 0; j < WH_CONV_PANEL; j++) {
            int32_t sum = 0;
            for (size_t i = 0; i < in.n_pieces * in.length; i++)
                sum += x[(size_t)r * in.ldx + pieces[i / in.length] + i % in.length] *
                       w[i / 4 * 4 * WH_CONV_PANEL + j * 4 + i % 4];
            const int at = r < 16 ? r : r - rows + 32; /* the last sixteen stand together */
            check_that(sums[(size_t)at * WH_CONV_PANEL + j] == sum, "a convolution's sum with AMX");
        }
}

/* The same checks as every level's tiles get, and that a wrong one is noticed before use. */
static void check_amx_once(const check_level *level)
{
    if (level->level != 0)
        return;
    wh_gemm table = *level->gemm_reference;
    table.rows = 32;
    table.bare_from = 1;
    table.begin = amx_begin;
    table.end = amx_end;
    table.group = table.group_bf16 = wh_group_tiles;
    table.tile = amx_i8;
    table.tile_bf16 = amx_bf16;
    check_level emulated = *level;
    emulated.gemm = &table;
    check_tile.check(&emulated);
    check_bf16.check(&emulated);
    check_conv_sums();
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
