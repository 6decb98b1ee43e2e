/* gemm_amx.c - the level amx: tiles with AMX's matrix registers, few rows as avx512vnni, all else as avx512. Machines with
 * AMX are rare here: the registry asks wh_gemm_works() before it believes the table, and the tests run the text with its
 * instructions written in C (test/support/amx_in_c.h). */
#include "cpu/x86/x86.h"

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__) && defined(__AVX512BW__)
#include "cpu/x86/gemm_amx.h"

#define STORE_LANES 16
#include "cpu/gemm_store.h"

/* Rows of a group from which tiles are faster: a tile of sixteen takes as long for one of them, as long as the vectors
 * take for six. The integers are the same. (bfloat16's sums are not: vdpbf16ps adds up in another order.) */
#define FROM 7

static void group(const int8_t *q, int rows, size_t bytes, int8_t *to)
{
    if (rows >= FROM)
        wh_group_tiles(q, rows, bytes, to);
    else
        wh_group_unsigned(q, rows, bytes, to);
}

static void tile(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum, const float *x_scale,
                 const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    if (rows >= FROM)
        amx_i8(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out);
    else
        wh_i8_tile_avx512vnni(x, rows, w, steps, w_sum, x_scale, w_scale, ahead, lines, out);
}

static const wh_gemm table = {.rows = 32,
                              .bare_from = FROM,
                              .begin = amx_begin,
                              .end = amx_end,
                              .f32 = wh_f32_avx512,
                              .quantize = wh_i8_quantize_avx512,
                              .group = group,
                              .group_bf16 = wh_group_tiles,
                              .tile = tile,
                              .tile_bf16 = amx_bf16,
                              .store = store};

const wh_gemm *wh_gemm_amx(void)
{
    return &table;
}
#else
const wh_gemm *wh_gemm_amx(void)
{
    return NULL;
}
#endif
