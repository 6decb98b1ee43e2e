/* dense.c - see dense.h. Rows of x are rounded in groups of twelve; the groups that fit the second-level cache pass each
 * panel of 32 outputs while that stays in the first. */
#include "speakers/dense.h"

#include <stdlib.h>
#include <string.h>

#include "util/util.h"

#define BLOCK_GROUPS 8 /* of WH_GROUP rows */

/* What is in the scratch, in this order: each part's size is a multiple of 64 bytes. */
typedef struct rounded {
    int8_t *groups; /* [BLOCK_GROUPS][WH_GROUP][steps * 4] */
    float *scale;   /* [BLOCK_GROUPS][WH_GROUP] */
    int8_t *rows;   /* [WH_GROUP][k], on their way into a group */
} rounded;

static size_t group_size(size_t k)
{
    return WH_GROUP * wh_steps(k) * 4;
}

size_t wh_dense_scratch(size_t k)
{
    return BLOCK_GROUPS * (group_size(k) + WH_GROUP * sizeof(float)) + group_size(k);
}

static rounded scratch_parts(void *scratch, size_t k)
{
    rounded parts = {.groups = scratch};
    parts.scale = (float *)(void *)(parts.groups + BLOCK_GROUPS * group_size(k));
    parts.rows = (int8_t *)(parts.scale + BLOCK_GROUPS * (size_t)WH_GROUP);
    return parts;
}

/* ---- weights ---- */

static int pack(wh_dense *d, const float *w, size_t ldw)
{
    size_t panels = (d->n + WH_PANEL - 1) / WH_PANEL;
    d->steps = wh_steps(d->k);
    d->panels = wh_alloc_aligned(panels, d->steps * WH_PANEL * 4);
    d->scale = wh_calloc(panels * WH_PANEL, sizeof *d->scale);
    d->sum = wh_calloc(panels * WH_PANEL, sizeof *d->sum);
    int8_t *rows = wh_calloc(WH_PANEL, d->k);
    if (d->panels && d->scale && d->sum && rows)
        for (size_t panel = 0; panel < panels; panel++) {
            size_t first = panel * WH_PANEL, count = WH_MIN(WH_PANEL, d->n - first);
            for (size_t j = 0; j < count; j++)
                d->gemm->quantize(w + (first + j) * ldw, d->k, rows + j * d->k, NULL, &d->scale[first + j]);
            wh_panel(rows, (int)count, d->k, d->panels + panel * d->steps * WH_PANEL * 4, d->sum + first);
        }
    int rc = d->panels && d->scale && d->sum && rows ? WHISP_OK : wh_fail_memory();
    free(rows);
    return rc;
}

int wh_dense_make(const wh_kernels *kernels, const wh_gemm *gemm, int is_int8, const float *w, size_t ldw, size_t n,
                  size_t k, const float *bias, wh_dense *dense)
{
    *dense = (wh_dense){.n = n, .k = k, .kernels = kernels, .gemm = gemm};
    if (bias) {
        dense->bias = wh_calloc(n, sizeof *bias);
        if (!dense->bias)
            return wh_fail_memory();
        memcpy(dense->bias, bias, n * sizeof *bias);
    }
    if (is_int8)
        return pack(dense, w, ldw);
    dense->ldw = wh_f32_stride(k);
    dense->w = wh_alloc_aligned(n, dense->ldw * sizeof *dense->w);
    if (!dense->w)
        return wh_fail_memory();
    for (size_t j = 0; j < n; j++)
        memcpy(dense->w + j * dense->ldw, w + j * ldw, k * sizeof *w);
    return WHISP_OK;
}

void wh_dense_free(wh_dense *dense)
{
    free(dense->bias);
    free(dense->w);
    free(dense->panels);
    free(dense->scale);
    free(dense->sum);
    memset(dense, 0, sizeof *dense);
}

/* ---- products ---- */

/* m rows (at most BLOCK_GROUPS groups) to integers. */
static void round_rows(const wh_dense *d, const float *x, size_t ldx, size_t m, const rounded *to)
{
    for (size_t r = 0; r < m; r += WH_GROUP) {
        size_t count = WH_MIN(WH_GROUP, m - r);
        for (size_t i = 0; i < count; i++)
            d->gemm->quantize(x + (r + i) * ldx, d->k, to->rows + i * d->k, NULL, to->scale + r + i);
        d->gemm->group(to->rows, (int)count, d->k, to->groups + r / WH_GROUP * group_size(d->k));
    }
}

static void multiply_rounded(const wh_dense *d, const rounded *x, size_t m, float *y, size_t ldy)
{
    float tile[WH_GROUP * WH_PANEL] __attribute__((aligned(64)));
    for (size_t j = 0; j < d->n; j += WH_PANEL) {
        const int8_t *panel = d->panels + j * d->steps * 4;
        int columns = (int)WH_MIN(WH_PANEL, d->n - j);
        for (size_t r = 0; r < m; r += WH_GROUP) {
            int rows = (int)WH_MIN(WH_GROUP, m - r);
            d->gemm->tile(x->groups + r / WH_GROUP * group_size(d->k), rows, panel, d->steps, d->sum + j, x->scale + r,
                          d->scale + j, panel, 0, tile);
            d->gemm->store(tile, rows, columns, d->bias ? d->bias + j : NULL, WH_STORE_SET, y + r * ldy + j, ldy);
        }
    }
}

void wh_dense_run(const wh_dense *d, const float *x, size_t ldx, size_t m, float *y, size_t ldy, void *scratch)
{
    if (d->w) {
        d->gemm->f32(x, ldx, m, d->w, d->ldw, d->n, d->k, y, ldy, 0);
        for (size_t r = 0; d->bias && r < m; r++)
            d->kernels->add(y + r * ldy, d->bias, d->n);
        return;
    }
    rounded parts = scratch_parts(scratch, d->k);
    const size_t block = (size_t)BLOCK_GROUPS * WH_GROUP;
    for (size_t r = 0; r < m; r += block) {
        round_rows(d, x + r * ldx, ldx, WH_MIN(block, m - r), &parts);
        multiply_rounded(d, &parts, WH_MIN(block, m - r), y + r * ldy, ldy);
    }
}
