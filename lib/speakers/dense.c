/* dense.c - see dense.h. Rows of x are rounded in groups of the level's size; the groups that fit the second-level cache
 * pass each panel of 32 outputs while that stays in the first. */
#include "speakers/dense.h"

#include <stdlib.h>
#include <string.h>

#include "util/util.h"

#define BLOCK_ROWS 96 /* whole groups of twelve or 32 */

/* What is in the scratch, in this order: each part's size is a multiple of 64 bytes. */
typedef struct rounded {
    int8_t *groups; /* [BLOCK_ROWS][steps * 4] */
    float *scale;   /* [BLOCK_ROWS] */
    int8_t *rows;   /* [WH_GROUP_MOST][k], on their way into a group */
} rounded;

static size_t rows_size(size_t rows, size_t k)
{
    return rows * wh_steps(k) * 4;
}

size_t wh_dense_scratch(size_t k)
{
    return rows_size(BLOCK_ROWS + WH_GROUP_MOST, k) + BLOCK_ROWS * sizeof(float);
}

static rounded scratch_parts(void *scratch, size_t k)
{
    rounded parts = {.groups = scratch};
    parts.scale = (float *)(void *)(parts.groups + rows_size(BLOCK_ROWS, k));
    parts.rows = (int8_t *)(parts.scale + BLOCK_ROWS);
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

/* m rows (at most BLOCK_ROWS) to integers. */
static void round_rows(const wh_dense *d, const float *x, size_t ldx, size_t m, const rounded *to)
{
    const size_t most = (size_t)d->gemm->rows;
    for (size_t r = 0; r < m; r += most) {
        size_t count = WH_MIN(most, m - r);
        for (size_t i = 0; i < count; i++)
            d->gemm->quantize(x + (r + i) * ldx, d->k, to->rows + i * d->k, NULL, to->scale + r + i);
        d->gemm->group(to->rows, (int)count, d->k, to->groups + rows_size(r, d->k));
    }
}

static void multiply_rounded(const wh_dense *d, const rounded *x, size_t m, float *y, size_t ldy)
{
    float tile[WH_GROUP_MOST * WH_PANEL] __attribute__((aligned(64)));
    const size_t most = (size_t)d->gemm->rows;
    wh_gemm_begin(d->gemm);
    for (size_t j = 0; j < d->n; j += WH_PANEL) {
        const int8_t *panel = d->panels + j * d->steps * 4;
        int columns = (int)WH_MIN(WH_PANEL, d->n - j);
        for (size_t r = 0; r < m; r += most) {
            int rows = (int)WH_MIN(most, m - r);
            const wh_scales scales = {x->scale + r, d->scale + j};
            d->gemm->tile(x->groups + rows_size(r, d->k), rows, panel, d->steps, d->sum + j, scales.x, scales.w, panel,
                          0, tile);
            d->gemm->store(tile, rows, columns, wh_leaves_sums(d->gemm, rows) ? &scales : NULL,
                           d->bias ? d->bias + j : NULL, WH_STORE_SET, y + r * ldy + j, ldy);
        }
    }
    wh_gemm_end(d->gemm);
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
    for (size_t r = 0; r < m; r += BLOCK_ROWS) {
        round_rows(d, x + r * ldx, ldx, WH_MIN(BLOCK_ROWS, m - r), &parts);
        multiply_rounded(d, &parts, WH_MIN(BLOCK_ROWS, m - r), y + r * ldy, ldy);
    }
}
