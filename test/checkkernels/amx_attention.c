/* amx_attention.c - checkkernels: attention in integers on AMX's tiles with its instructions in plain C
 * (support/amx_in_c.h); and on a machine with AMX that level amx attends as avx512vnni does, bit for bit, and has given
 * its registers back. */
#include <math.h>
#include <string.h>

#include "checkkernels/check.h"
#include "cpu/attention_int.h"
#include "support/amx_in_c.h"

#pragma GCC diagnostic ignored "-Wpsabi" /* vectors are handed over within this file only */

#define LANES 16
#define INT_TILE 8
#define INT_PRODUCTS "cpu/x86/attention_amx.h"
#include "cpu/vec_types.h"

static inline vec fma_vec(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline vec max_vec(vec a, vec b)
{
    return select_vec(a > b, a, b);
}

static inline ivec round_vec(vec x)
{
    ivec y;
    for (int l = 0; l < LANES; l++)
        y[l] = (int32_t)lrintf(x[l]);
    return y;
}

#include "cpu/vec_exp2.h"
#include "cpu/vec_probability.h"

#include "cpu/attention_int_body.h"

/* Which of the tiles' registers the CPU has in use in this thread (XINUSE). */
static int tiles_in_use(void)
{
    unsigned low = 0, high = 0;
#if defined(__x86_64__)
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
#endif
    (void)high;
    return low >> 17 & 3;
}

static void check_amx_attention_once(const check_level *level)
{
    check_level before;
    if (level->level == 0) {
        check_attention_int(level->attention_reference, &table, 1e-2);
        check_that(!tiles.configured, "tiles in use after a call");
    }
    if (strcmp(level->name, "amx") != 0 || !check_level_get(level->level - 1, &before))
        return;
    check_attention_int(before.attention, level->attention, 0);
    check_that(!tiles_in_use(), "registers in use after attention");
    wh_gemm_begin(level->gemm);
    check_that(tiles_in_use(), "registers not in use while tiles are multiplied");
    wh_gemm_end(level->gemm);
    check_that(!tiles_in_use(), "registers in use after tiles");
}

const check_kernel check_amx_attention = {"amxattn", check_amx_attention_once, NULL};
