/* conv_amx.c - convolutions with AMX (conv.h): sums of bytes in tiles of 16 rows, fewer rows and all else as with
 * AVX-512's VNNI. */
#include "cpu/x86/x86.h"

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AVX512BW__)
#include "cpu/x86/conv_amx.h"

#define CONV_HAS_TABLE
#include "cpu/x86/conv_vnni.h"

static float tile_amx(const wh_conv_in *in, int rows, const int8_t *w, const wh_conv_out *out)
{
    int32_t sums[WH_CONV_ROWS * WH_CONV_PANEL] __attribute__((aligned(64)));
    vec most = {0};
    if (rows < 16)
        return tile_int8(in, rows, w, out);
    amx_conv_sums(in, rows, w, sums);
    for (int r = 0; r < rows; r++) {
        const int32_t *sum = sums + (r < 16 ? r : r - rows + 32) * WH_CONV_PANEL;
        vec s[1][VECS];
        for (int v = 0; v < VECS; v++)
            s[0][v] = __builtin_convertvector(load_int(sum + v * LANES), vec) *
                      (spread(in->scale[r]) * load(out->scale + v * LANES));
        most = conv_finish(1, s, r, out, most);
    }
    return largest_lane(most);
}

static const wh_conv table = {.rows = WH_CONV_ROWS,
                              .begin = amx_conv_begin,
                              .end = amx_end,
                              .tile_f32 = tile_f32,
                              .tile_int8 = tile_amx,
                              .first = first,
                              .rectify = rectify,
                              .round = round_bytes};

const wh_conv *wh_conv_amx(void)
{
    return &table;
}
#else
const wh_conv *wh_conv_amx(void)
{
    return NULL;
}
#endif
