/* gemm_works.c - whether a level's tiles are the definition's (see gemm.h). */
#include <string.h>

#include "cpu/generic/generic.h"

int wh_gemm_works(const wh_gemm *gemm)
{
    enum { ROWS = 7, BYTES = 200 }; /* three pieces of 64 and some: two and one, and zeros behind */
    const wh_gemm *define = wh_gemm_generic();
    uint16_t halves[WH_PANEL * BYTES / 2];
    int8_t *q = (int8_t *)halves, x[2][ROWS * 256], w[WH_PANEL * 256];
    int32_t w_sum[WH_PANEL];
    float scale[WH_PANEL], tile[2][ROWS * WH_PANEL], y[WH_PANEL * BYTES / 2];
    uint32_t state = 1;
    for (int j = 0; j < WH_PANEL; j++)
        scale[j] = 0.5f + (float)j;
    for (size_t i = 0; i < sizeof halves; i++)
        q[i] = (int8_t)((int)((state = state * 1664525 + 1013904223) >> 24) % 255 - 127);
    wh_panel(q, WH_PANEL, BYTES, w, w_sum);
    gemm->group(q, ROWS, BYTES, x[0]);
    define->group(q, ROWS, BYTES, x[1]);
    gemm->tile(x[0], ROWS, w, wh_steps(BYTES), w_sum, scale, scale, NULL, 0, tile[0]);
    define->tile(x[1], ROWS, w, wh_steps(BYTES), w_sum, scale, scale, NULL, 0, tile[1]);
    if (memcmp(tile[0], tile[1], sizeof tile[0]) != 0) /* bit for bit: NOLINT(*-memory-comparison,cert-*) */
        return 0;
    for (size_t i = 0; i < WH_PANEL * BYTES / 2; i++)
        y[i] = (float)q[i] * 0.01f;
    wh_bf16_round(y, WH_PANEL * BYTES / 2, halves);
    wh_panel(q, WH_PANEL, BYTES, w, NULL);
    gemm->group_bf16(q, ROWS, BYTES, x[0]);
    define->group_bf16(q, ROWS, BYTES, x[1]);
    gemm->tile_bf16(x[0], ROWS, w, wh_steps(BYTES), NULL, 0, tile[0]);
    define->tile_bf16(x[1], ROWS, w, wh_steps(BYTES), NULL, 0, tile[1]);
    for (int i = 0; i < ROWS * WH_PANEL; i++)
        if (!(tile[0][i] - tile[1][i] < 1e-3f && tile[1][i] - tile[0][i] < 1e-3f))
            return 0;
    return 1;
}
