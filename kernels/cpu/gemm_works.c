/* gemm_works.c - whether a level's tiles are the definition's (see gemm.h). */
#include <string.h>

#include "cpu/generic/generic.h"

#define BYTES 200 /* of a row: three pieces of 64 and some, and zeros behind */

typedef struct trial {
    const wh_gemm *gemm;
    int8_t x[WH_GROUP_MOST * 256];
    float tile[WH_GROUP_MOST * WH_PANEL];
} trial;

static void run_int8(trial *t, const int8_t *q, int rows, const int8_t *w, const int32_t *w_sum, const float *scale)
{
    t->gemm->group(q, rows, BYTES, t->x);
    wh_gemm_begin(t->gemm);
    t->gemm->tile(t->x, rows, w, wh_steps(BYTES), w_sum, scale, scale, NULL, 0, t->tile);
    wh_gemm_end(t->gemm);
    if (wh_leaves_sums(t->gemm, rows))
        t->gemm->store(t->tile, rows, WH_PANEL, &(wh_scales){scale, scale}, NULL, WH_STORE_SET, t->tile, WH_PANEL);
}

static void run_bf16(trial *t, const int8_t *q, int rows, const int8_t *w)
{
    t->gemm->group_bf16(q, rows, BYTES, t->x);
    wh_gemm_begin(t->gemm);
    t->gemm->tile_bf16(t->x, rows, w, wh_steps(BYTES), NULL, 0, t->tile);
    wh_gemm_end(t->gemm);
}

static int same_int8(trial *t, trial *define, int rows)
{
    int8_t q[WH_PANEL * BYTES], w[WH_PANEL * 256];
    int32_t w_sum[WH_PANEL];
    float scale[WH_PANEL];
    uint32_t state = (uint32_t)rows;
    for (int j = 0; j < WH_PANEL; j++)
        scale[j] = 0.5f + (float)j;
    for (size_t i = 0; i < sizeof q; i++)
        q[i] = (int8_t)((int)((state = state * 1664525 + 1013904223) >> 24) % 255 - 127);
    wh_panel(q, WH_PANEL, BYTES, w, w_sum);
    run_int8(t, q, rows, w, w_sum, scale);
    run_int8(define, q, rows, w, w_sum, scale);
    size_t bytes = (size_t)rows * WH_PANEL * sizeof(float);
    return memcmp(t->tile, define->tile, bytes) == 0; /* bit for bit: NOLINT(*-memory-comparison,cert-*) */
}

static int same_bf16(trial *t, trial *define, int rows)
{
    uint16_t q[WH_PANEL * BYTES / 2];
    int8_t w[WH_PANEL * 256];
    float y[WH_PANEL * BYTES / 2];
    uint32_t state = (uint32_t)rows;
    for (size_t i = 0; i < WH_PANEL * BYTES / 2; i++)
        y[i] = (float)((int)((state = state * 1664525 + 1013904223) >> 24) % 255 - 127) * 0.01f;
    wh_bf16_round(y, WH_PANEL * BYTES / 2, q);
    wh_panel((const int8_t *)q, WH_PANEL, BYTES, w, NULL);
    run_bf16(t, (const int8_t *)q, rows, w);
    run_bf16(define, (const int8_t *)q, rows, w);
    for (int i = 0; i < rows * WH_PANEL; i++)
        if (!(t->tile[i] - define->tile[i] < 1e-3f && define->tile[i] - t->tile[i] < 1e-3f))
            return 0;
    return 1;
}

int wh_gemm_works(const wh_gemm *gemm)
{
    trial t = {.gemm = gemm}, define = {.gemm = wh_gemm_generic()};
    const int rows[] = {7, gemm->rows - 1};
    for (int i = 0; i < 2; i++)
        if (!same_int8(&t, &define, rows[i]) || !same_bf16(&t, &define, rows[i]))
            return 0;
    return 1;
}
