/* conv_amx.h - convolutions' sums of bytes with AMX: the text of conv_amx.c, which defines the instructions, and of the
 * test that runs it with instructions in plain C (test/support/amx_in_c.h).
 *
 * A tile of A is 16 rows of x where they stand, overlapping or not; one of B is 16 outputs of a panel, 128 bytes apart.
 * Pieces are cut into 64 bytes and what is left, whose tiles have that size: nothing outside of the rows is read. */
#include "cpu/conv.h"
#include "cpu/x86/amx.h"

/* Tiles 0 to 3 are sums [row tile][column tile]; 4 of x, 5 of w; 6 and 7 likewise for a piece's last bytes. */
static void amx_conv_begin(size_t length)
{
    const uint8_t rest = (uint8_t)(length % 64);
    const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } sizes = {.palette = 1,
               .row_bytes = {64, 64, 64, 64, 64, 64, rest, rest ? 64 : 0},
               .rows = {16, 16, 16, 16, 16, 16, rest ? 16 : 0, rest / 4}};
    amx_configure(&sizes);
}

/* Two by two products, or one row of them; w's first half is loaded twice, a and b being all the tiles that are left. */
#define AMX_CONV_STEP(a, b)                                                                                            \
    do {                                                                                                               \
        amx_load(a, x, ldx);                                                                                           \
        amx_load(b, w, 4 * WH_CONV_PANEL);                                                                             \
        amx_dot_us(0, a, b);                                                                                           \
        amx_load(b, w + 64, 4 * WH_CONV_PANEL);                                                                        \
        amx_dot_us(1, a, b);                                                                                           \
        if (two) {                                                                                                     \
            amx_load(a, x + second, ldx);                                                                              \
            amx_dot_us(3, a, b);                                                                                       \
            amx_load(b, w, 4 * WH_CONV_PANEL);                                                                         \
            amx_dot_us(2, a, b);                                                                                       \
        }                                                                                                              \
    } while (0)

/* Sums of 16 to 32 rows: the first 16 to sums [32][32], and the last 16 behind them, some of them a second time. */
static void amx_conv_sums(const wh_conv_in *in, int rows, const int8_t *w, int32_t *sums)
{
    const int two = rows > 16;
    const size_t ldx = in->ldx, second = (size_t)(rows - 16) * ldx;
    amx_zero(0);
    amx_zero(1);
    amx_zero(2);
    amx_zero(3);
    for (size_t p = 0; p < in->n_pieces; p++) {
        const uint8_t *x = (const uint8_t *)in->x + in->pieces[p];
        size_t i = 0;
        for (; i + 64 <= in->length; i += 64, x += 64, w += (size_t)64 * WH_CONV_PANEL)
            AMX_CONV_STEP(4, 5);
        if (i < in->length)
            AMX_CONV_STEP(6, 7);
        w += (in->length - i) * WH_CONV_PANEL;
    }
    amx_store(0, sums, 4 * WH_CONV_PANEL);
    amx_store(1, sums + 16, 4 * WH_CONV_PANEL);
    if (two) {
        amx_store(2, sums + 16 * WH_CONV_PANEL, 4 * WH_CONV_PANEL);
        amx_store(3, sums + 16 * WH_CONV_PANEL + 16, 4 * WH_CONV_PANEL);
    }
}
