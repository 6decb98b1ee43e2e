/* gemm.c - checkkernels: matrix products in float32, int8 and bfloat16 (kernels/cpu/gemm.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkkernels/check.h"
#include "cpu/gemm_parts.h"

/* ---- float32 ---- */

/* Within rounding of the sum in double precision, bit for bit the sum of kernels->rows (the same at all levels that
 * multiply and add in one rounding), nothing written between the rows, `add` adds. */
static void check_f32_once(const check_level *level)
{
    size_t m = check_size(1, 40), n = check_size(1, 70), k = check_size(1, 1100), pad = check_random() % 5;
    size_t ldx = k + pad, ldw = k + check_random() % 5, ldy = n + check_random() % 4;
    size_t y_size = (m - 1) * ldy + n;
    int add = check_random() % 2;
    if (check_random() % 4 == 0)
        ldx = k / 3 + 1; /* rows that overlap, as a convolution's */
    float *x = check_alloc(((m - 1) * ldx + k) * 4, 4), *w = check_alloc(((n - 1) * ldw + k) * 4, 4);
    float *y = check_alloc(y_size * 4, 4), *rows = check_alloc(y_size * 4, 4);
    check_fill(x, (m - 1) * ldx + k, 1, 0);
    check_fill(w, (n - 1) * ldw + k, 1, 0);
    check_fill(y, y_size, 1, 0);
    memcpy(rows, y, y_size * 4);
    float before = y[y_size - 1];
    level->gemm->f32(x, ldx, m, w, ldw, n, k, y, ldy, add);
    level->kernels->rows[WH_ROWS_F32](x, ldx, (int)m, w, ldw * 4, n, k, rows, ldy, add);
    check_same(rows, y, y_size * 4, "f32 is not kernels->rows");
    double want = add ? before : 0;
    for (size_t i = 0; i < k; i++)
        want += (double)x[(m - 1) * ldx + i] * w[(n - 1) * ldw + i];
    check_that(fabs(y[y_size - 1] - want) < 1e-6 * sqrt((double)k) + 2e-6, "the last output is not the sum");
    /* one row, one column alone */
    float alone;
    size_t r = check_random() % m, j = check_random() % n;
    level->gemm->f32(x + r * ldx, ldx, 1, w + j * ldw, ldw, 1, k, &alone, 1, 0);
    if (!add)
        check_same(&alone, y + r * ldy + j, 4, "an output depends on its neighbours");
}

typedef struct product {
    const check_level *level;
    size_t m, n, k;
    int is_bf16;
    float *x, *w, *y;
    int8_t *xq, *wq;
    float *x_scale, *w_scale;
    int32_t *w_sum;
} product;

static void *need(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p)
        abort();
    return p;
}

static void run_f32(void *context)
{
    const product *p = context;
    p->level->gemm->f32(p->x, p->k, p->m, p->w, wh_f32_stride(p->k), p->n, p->k, p->y, p->n, 0);
}

static product new_product_f32(const check_level *level, size_t m, size_t n, size_t k)
{
    product p = {.level = level, .m = m, .n = n, .k = k};
    size_t stride = wh_f32_stride(k);
    p.x = need(m * k * 4), p.w = need(n * stride * 4), p.y = need(m * n * 4);
    check_fill(p.x, m * k, 1, 0);
    check_fill(p.w, n * stride, 1, 0);
    return p;
}

/* Blocks of the encoder's products as a thread gets them: 750 rows, a tile of 128 weights. */
static void bench_f32(const check_level *level)
{
    static const size_t depths[] = {384, 512, 768, 1280, 2048, 5120};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        product p = new_product_f32(level, 750, 128, depths[i]);
        char what[64];
        snprintf(what, sizeof what, "f32 %zu x %zu x %zu", p.m, p.n, p.k);
        check_report(level, what, 2.0 * (double)(p.m * p.n * p.k), check_time(run_f32, &p), CHECK_F32);
        free(p.x), free(p.w), free(p.y);
    }
}

const check_kernel check_f32 = {"f32", check_f32_once, bench_f32};

/* ---- quantization ---- */

static void check_quantize_once(const check_level *level)
{
    size_t k = check_size(1, 700);
    float *x = check_alloc(k * 4, 4), scale = 1, want_scale = 2;
    int8_t *q = check_alloc(k, 1), *want = check_alloc(k, 1);
    int8_t *rest = check_random() % 2 ? check_alloc(k, 1) : NULL, *want_rest = check_alloc(k, 1);
    check_fill(x, k, 3, check_random() % 3 == 0);
    switch (check_random() % 12) {
    case 0: x[check_random() % k] = NAN; break;
    case 1: x[check_random() % k] = -INFINITY; break;
    case 2: memset(x, 0, k * 4); break;
    case 3: /* halves: the largest is 127 / 2, so that the scale is exactly 0.5 */
        for (size_t i = 0; i < k; i++)
            x[i] = (float)((int)(check_random() % 255) - 127) * 0.25f;
        x[0] = 63.5f;
        break;
    }
    level->gemm->quantize(x, k, q, rest, &scale);
    level->gemm_reference->quantize(x, k, want, rest ? want_rest : NULL, &want_scale);
    check_same(&want_scale, &scale, 4, "scale");
    check_same(want, q, k, "integers");
    if (rest)
        check_same(want_rest, rest, k, "what rounding lost");
    int finite = 1;
    double most = 0;
    for (size_t i = 0; i < k; i++) {
        finite &= isfinite(x[i]);
        most = fmax(most, fabs(x[i]));
    }
    check_that(finite ? (double)scale <= most / 127 * 1.000001 : isnan(scale), "scale of special values");
    for (size_t i = 0; i < k && finite && scale > 0; i++)
        check_that(q[i] != -128 && fabs(q[i] - x[i] / (double)scale) <= 0.5001, "not the nearest integer");
    for (size_t i = 0; i < k && finite && scale > 0 && rest; i++)
        check_that(rest[i] != -128 && fabs(q[i] + rest[i] / 254.0 - x[i] / (double)scale) < 0.0021, "16 bits");
}

static void run_quantize(void *context)
{
    const product *p = context;
    p->level->gemm->quantize(p->x, p->k, p->xq, NULL, p->x_scale);
}

static void bench_quantize(const check_level *level)
{
    product p = {.level = level, .k = 2048, .x = need(8192), .xq = need(2048), .x_scale = need(4)};
    check_fill(p.x, p.k, 1, 0);
    double seconds = check_time(run_quantize, &p);
    printf("%-11s %-44s %9.3f us %8.3f ns a value\n", level->name, "quantize 2048", seconds * 1e6,
           seconds * 1e9 / 2048);
    free(p.x), free(p.xq), free(p.x_scale);
}

const check_kernel check_quantize = {"quantize", check_quantize_once, bench_quantize};

/* ---- layouts ---- */

static void check_layouts_once(const check_level *level)
{
    size_t k = check_size(1, 300), steps = wh_steps(k);
    int rows = (int)check_size(1, WH_PANEL), few = (int)check_size(1, WH_GROUP_MOST);
    int8_t *q = check_alloc((size_t)rows * k, 1), *panel = check_alloc(steps * WH_PANEL * 4, 4);
    int8_t *x = check_alloc((size_t)few * k, 1), *group = check_alloc(steps * (size_t)few * 4, 4);
    const int room = few > 16 ? 32 : 16;
    int8_t *tiles = check_alloc(steps * (size_t)room * 4, 64);
    int32_t *sum = check_alloc(WH_PANEL * 4, 4);
    (void)level;
    for (size_t i = 0; i < (size_t)rows * k; i++)
        q[i] = (int8_t)check_random();
    for (size_t i = 0; i < (size_t)few * k; i++)
        x[i] = (int8_t)check_random();
    wh_panel(q, rows, k, panel, sum);
    for (int j = 0; j < WH_PANEL; j++) {
        int32_t want = 0;
        for (size_t i = 0; i < 4 * steps; i++) {
            int8_t v = j < rows && i < k ? q[(size_t)j * k + i] : 0;
            check_that(panel[(i / 4 * WH_PANEL + (size_t)j) * 4 + i % 4] == v, "panel");
            want += v;
        }
        check_that(sum[j] == want, "sum of a weight row");
    }
    for (int flip = 0; flip < 2; flip++) {
        (flip ? wh_group_unsigned : wh_group_steps)(x, few, k, group);
        for (int r = 0; r < few; r++)
            for (size_t i = 0; i < 4 * steps; i++)
                if (i < k || !flip) /* behind the end, what is there meets weights that are zeros */
                    check_that(group[(i / 4 * (size_t)few + (size_t)r) * 4 + i % 4] ==
                                   (int8_t)(i < k ? x[(size_t)r * k + i] ^ (flip ? 0x80 : 0) : 0),
                               "group");
    }
    wh_group_tiles(x, few, k, tiles);
    for (int r = 0; r < room; r++)
        for (size_t i = 0; i < 4 * steps; i++)
            check_that(tiles[(i / 64 * (size_t)room + (size_t)r) * 64 + i % 64] ==
                           (r < few && i < k ? x[(size_t)r * k + i] : 0),
                       "group of tiles");
}

const check_kernel check_layouts = {"layouts", check_layouts_once, NULL};

/* ---- integer tiles ---- */

/* Random or extreme integers: all of +-127 is where 16-bit sums would saturate. */
static void fill_bytes(int8_t *q, size_t n)
{
    int kind = (int)(check_random() % 4);
    for (size_t i = 0; i < n; i++) {
        int v = (int)(check_random() % 255) - 127;
        q[i] = (int8_t)(kind == 0 ? 127 : kind == 1 ? (v < 0 ? -127 : 127) : v);
    }
}

static void check_tile_once(const check_level *level)
{
    size_t most = (size_t)level->gemm->rows,
           is_whole = check_random() % 4 == 0; /* what levels group in a way of its own */
    size_t k = is_whole ? 64 * check_size(1, 14) : check_size(1, 900), steps = wh_steps(k);
    int rows = is_whole ? (int)most : (int)check_size(1, most), columns = (int)check_size(1, WH_PANEL);
    int8_t *xq = check_alloc((size_t)rows * k, 1), *wq = check_alloc((size_t)columns * k, 1);
    int8_t *x = check_alloc(steps * most * 4, 64), *w = check_alloc(steps * WH_PANEL * 4, 64);
    int32_t *sum = check_alloc(WH_PANEL * 4, 4);
    float *xs = check_alloc((size_t)rows * 4, 4), *ws = check_alloc(WH_PANEL * 4, 4);
    float *tile = check_alloc(most * WH_PANEL * 4, 64), want[WH_GROUP_MOST * WH_PANEL];
    fill_bytes(xq, (size_t)rows * k);
    fill_bytes(wq, (size_t)columns * k);
    check_fill(xs, (size_t)rows, 1, 0);
    check_fill(ws, WH_PANEL, 1, 0);
    wh_panel(wq, columns, k, w, sum);
    level->gemm_reference->group(xq, rows, k, x);
    level->gemm_reference->tile(x, rows, w, steps, sum, xs, ws, NULL, 0, want);
    for (int i = 0; i < 4; i++) { /* the definition itself */
        int r = (int)(check_random() % (uint32_t)rows), j = (int)(check_random() % (uint32_t)columns);
        int64_t exact = 0;
        for (size_t t = 0; t < k; t++)
            exact += xq[(size_t)r * k + t] * wq[(size_t)j * k + t];
        check_that(want[r * WH_PANEL + j] == (float)exact * (xs[r] * ws[j]), "the definition");
    }
    level->gemm->group(xq, rows, k, x);
    wh_gemm_begin(level->gemm);
    level->gemm->tile(x, rows, w, steps, sum, xs, ws, w, (int)(check_random() % 3), tile);
    if (wh_leaves_sums(level->gemm, rows))
        level->gemm->store(tile, rows, WH_PANEL, &(wh_scales){xs, ws}, NULL, WH_STORE_SET, tile, WH_PANEL);
    check_same(want, tile, (size_t)rows * WH_PANEL * 4, "tile");
    int r = (int)(check_random() % (uint32_t)rows); /* a row alone */
    level->gemm->group(xq + (size_t)r * k, 1, k, x);
    level->gemm->tile(x, 1, w, steps, sum, xs + r, ws, NULL, 0, tile);
    wh_gemm_end(level->gemm);
    if (wh_leaves_sums(level->gemm, 1))
        level->gemm->store(tile, 1, WH_PANEL, &(wh_scales){xs + r, ws}, NULL, WH_STORE_SET, tile, WH_PANEL);
    check_same(want + r * WH_PANEL, tile, WH_PANEL * 4, "a row alone");
}

/* As lib/backend/cpu/packed.c does it: few rows in groups of about the same size, each of which fetches its part of the
 * next panel. */
static void run_tiles(void *context)
{
    const product *p = context;
    const wh_gemm *gemm = p->level->gemm;
    size_t steps = wh_steps(p->k * (p->is_bf16 ? 2 : 1)), room = (size_t)gemm->rows;
    size_t groups = (p->m + room - 1) / room, most = p->m <= 16 ? (p->m + groups - 1) / groups : room;
    float tile[WH_GROUP_MOST * WH_PANEL] __attribute__((aligned(64)));
    wh_gemm_begin(gemm);
    for (size_t j = 0; j < p->n; j += WH_PANEL)
        for (size_t g = 0; g < groups; g++) {
            size_t r = g * most;
            int rows = (int)(p->m - r < most ? p->m - r : most), has_next = p->m <= 16 && j + WH_PANEL < p->n;
            const int8_t *w = p->wq + j * steps * 4, *x = p->xq + g * room * steps * 4;
            const int8_t *ahead = w + (WH_PANEL * 4 + g * 64) * steps;
            int lines = !has_next || g > 1 ? 0 : groups == 1 ? 2 : 1;
            if (p->is_bf16)
                gemm->tile_bf16(x, rows, w, steps, ahead, lines, tile);
            else
                gemm->tile(x, rows, w, steps, p->w_sum + j, p->x_scale + r, p->w_scale + j, ahead, lines, tile);
            const wh_scales scales = {p->x_scale + r, p->w_scale + j};
            gemm->store(tile, rows, WH_PANEL, !p->is_bf16 && wh_leaves_sums(gemm, rows) ? &scales : NULL, NULL,
                        WH_STORE_SET, p->y + r * p->n + j, p->n);
        }
    wh_gemm_end(gemm);
}

static product new_product(const check_level *level, size_t m, size_t n, size_t k, int is_bf16)
{
    product p = {.level = level, .m = m, .n = n, .k = k, .is_bf16 = is_bf16};
    size_t bytes = 4 * wh_steps(k * (is_bf16 ? 2 : 1));
    size_t room = m + (size_t)level->gemm->rows; /* whole groups */
    p.xq = need(room * bytes), p.wq = need(n * bytes), p.y = need(m * n * 4);
    p.x_scale = need(m * 4), p.w_scale = need(n * 4), p.w_sum = need(n * 4);
    memset(p.xq, 3, room * bytes);
    memset(p.wq, 5, n * bytes);
    memset(p.w_sum, 0, n * 4);
    check_fill(p.x_scale, m, 1, 0);
    check_fill(p.w_scale, n, 1, 0);
    return p;
}

static void free_product(product *p)
{
    free(p->x), free(p->w), free(p->y);
    free(p->xq), free(p->wq), free(p->x_scale), free(p->w_scale), free(p->w_sum);
}

enum { MOST_THREADS = 8 };

double check_product_speed(const check_level *level, check_ceiling type, int threads)
{
    product list[MOST_THREADS];
    void *contexts[MOST_THREADS];
    threads = threads < 1 ? 1 : threads < MOST_THREADS ? threads : MOST_THREADS;
    for (int i = 0; i < threads; i++) {
        list[i] = type == CHECK_F32 ? new_product_f32(level, 120, 128, 512)
                                    : new_product(level, 120, 256, 512, type == CHECK_BF16);
        contexts[i] = &list[i];
    }
    check_call call = type == CHECK_F32 ? run_f32 : run_tiles;
    double seconds = threads == 1 ? check_time(call, list) : check_time_threads(call, contexts, threads);
    double ops = 2.0 * threads * (double)(list[0].m * list[0].n * list[0].k);
    for (int i = 0; i < threads; i++)
        free_product(&list[i]);
    return 1e-9 * ops / seconds;
}

double check_row_speed(const check_level *level, int threads)
{
    product list[MOST_THREADS];
    void *contexts[MOST_THREADS];
    threads = threads < 1 ? 1 : threads < MOST_THREADS ? threads : MOST_THREADS;
    for (int i = 0; i < threads; i++) {
        list[i] = new_product(level, 1, 65536 / (size_t)threads / WH_PANEL * WH_PANEL, 512, 0);
        contexts[i] = &list[i];
    }
    double bytes = (double)threads * (double)(list[0].n * list[0].k);
    double seconds = threads == 1 ? check_time(run_tiles, list) : check_time_threads(run_tiles, contexts, threads);
    for (int i = 0; i < threads; i++)
        free_product(&list[i]);
    return 1e-9 * bytes / seconds;
}

static void bench_tiles(const check_level *level, int is_bf16)
{
    static const size_t depths[] = {384, 512, 768, 1280, 2048, 5120};
    const char *type = is_bf16 ? "bf16" : "int8";
    char what[64];
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        product p = new_product(level, 120, 256, depths[i], is_bf16);
        snprintf(what, sizeof what, "%s %zu x %zu x %zu", type, p.m, p.n, p.k);
        check_report(level, what, 2.0 * (double)(p.m * p.n * p.k), check_time(run_tiles, &p),
                     is_bf16 ? CHECK_BF16 : CHECK_INT8);
        free_product(&p);
    }
    /* few rows against weights that no cache holds: a thread's half of 64 MiB (bf16: 128) */
    for (size_t rows = 1; rows <= 16; rows = rows < 4 ? rows + 3 : 2 * rows) {
        product p[2] = {new_product(level, rows, 65536, 512, is_bf16), new_product(level, rows, 65536, 512, is_bf16)};
        void *contexts[2] = {&p[0], &p[1]};
        snprintf(what, sizeof what, "%s %zu rows, weights from memory, 2 threads", type, rows);
        check_report(level, what, (is_bf16 ? 4.0 : 2.0) * (double)(p[0].n * p[0].k),
                     check_time_threads(run_tiles, contexts, 2), CHECK_READ);
        free_product(&p[0]), free_product(&p[1]);
    }
}

static void bench_tile(const check_level *level)
{
    bench_tiles(level, 0);
}

const check_kernel check_tile = {"tile", check_tile_once, bench_tile};

/* ---- tiles of bfloat16 ---- */

/* Rounding: the nearest, of two equally near ones the one whose last bit is 0; specials stay what they are. */
static void check_round(void)
{
    float x[3] = {(float)(int32_t)check_random() * 0x1p-20f, 0x1p-130f * (float)(int32_t)check_random(), INFINITY};
    uint16_t q[3];
    wh_bf16_round(x, 3, q);
    for (int i = 0; i < 3; i++) {
        float below = wh_bf16_float((uint16_t)(q[i] - 1)), above = wh_bf16_float((uint16_t)(q[i] + 1));
        float at = wh_bf16_float(q[i]);
        double error = fabs((double)at - x[i]);
        int is_tie = error == fabs((double)below - x[i]) || error == fabs((double)above - x[i]);
        check_that(isinf(x[i]) ? isinf(at)
                               : (error <= fabs((double)below - x[i]) || !(q[i] & 0x7fff)) &&
                                     error <= fabs((double)above - x[i]) && (!is_tie || !(q[i] & 1)),
                   "bf16 is not the nearest");
    }
    x[0] = NAN;
    wh_bf16_round(x, 1, q);
    check_that(isnan(wh_bf16_float(q[0])), "bf16 of NaN");
}

/* Within rounding of the sum in double precision; vdpbf16ps and AMX take denormals as zeros. */
static void check_bf16_once(const check_level *level)
{
    size_t k = check_size(1, 900), steps = wh_steps(2 * k), most = (size_t)level->gemm->rows;
    int rows = (int)check_size(1, most), columns = (int)check_size(1, WH_PANEL);
    float *xf = check_alloc((size_t)rows * k * 4, 4), *wf = check_alloc((size_t)columns * k * 4, 4);
    uint16_t *xq = check_alloc((size_t)rows * k * 2, 2), *wq = check_alloc((size_t)columns * k * 2, 2);
    int8_t *x = check_alloc(steps * most * 4, 64), *w = check_alloc(steps * WH_PANEL * 4, 64);
    float *tile = check_alloc(most * WH_PANEL * 4, 64), alone[WH_GROUP_MOST * WH_PANEL];
    check_round();
    check_fill(xf, (size_t)rows * k, 1, check_random() % 2);
    check_fill(wf, (size_t)columns * k, 1, 0);
    wh_bf16_round(xf, (size_t)rows * k, xq);
    wh_bf16_round(wf, (size_t)columns * k, wq);
    wh_panel((const int8_t *)wq, columns, 2 * k, w, NULL);
    level->gemm->group_bf16((const int8_t *)xq, rows, 2 * k, x);
    wh_gemm_begin(level->gemm);
    level->gemm->tile_bf16(x, rows, w, steps, w, (int)(check_random() % 3), tile);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < WH_PANEL; j++) {
            double want = 0, size = 0;
            for (size_t i = 0; j < columns && i < k; i++) {
                double term = (double)wh_bf16_float(xq[(size_t)r * k + i]) * wh_bf16_float(wq[(size_t)j * k + i]);
                want += term;
                size += fabs(term);
            }
            check_that(fabs(tile[r * WH_PANEL + j] - want) <= 1e-5 * size + (double)k * 0x1p-126, "tile of bf16");
        }
    int r = (int)(check_random() % (uint32_t)rows);
    level->gemm->group_bf16((const int8_t *)(xq + (size_t)r * k), 1, 2 * k, x);
    level->gemm->tile_bf16(x, 1, w, steps, NULL, 0, alone);
    wh_gemm_end(level->gemm);
    check_same(tile + r * WH_PANEL, alone, WH_PANEL * 4, "a row of bf16 alone");
    check_that(wh_gemm_works(level->gemm), "the look before use");
}

static void bench_bf16(const check_level *level)
{
    bench_tiles(level, 1);
}

const check_kernel check_bf16 = {"bf16", check_bf16_once, bench_bf16};

/* ---- a tile's end ---- */

static void check_store_once(const check_level *level)
{
    int rows = (int)check_size(1, WH_GROUP_MOST), columns = (int)check_size(1, WH_PANEL), has_bias = check_random() % 2;
    wh_store how = (wh_store)(check_random() % 2);
    size_t ldy = (size_t)columns + check_random() % 3, size = (size_t)(rows - 1) * ldy + (size_t)columns;
    float *tile = check_alloc((size_t)rows * WH_PANEL * 4, 4), *bias = check_alloc((size_t)columns * 4, 4);
    float *y = check_alloc(size * 4, 4), *want = check_alloc(size * 4, 4);
    float *xs = check_alloc((size_t)rows * 4, 4), *ws = check_alloc(WH_PANEL * 4, 4);
    int is_sums = check_random() % 2;
    check_fill(xs, (size_t)rows, 1, 1);
    check_fill(ws, WH_PANEL, 1, 1);
    check_fill(tile, (size_t)rows * WH_PANEL, 1, 1);
    check_fill(bias, (size_t)columns, 1, 1);
    check_fill(y, size, 1, 0);
    memcpy(want, y, size * 4);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++) {
            float v = tile[r * WH_PANEL + j], *at = want + (size_t)r * ldy + (size_t)j;
            int32_t sum;
            memcpy(&sum, &v, sizeof sum);
            if (is_sums)
                v = (float)sum * (xs[r] * ws[j]);
            if (has_bias)
                v += bias[j];
            *at = how == WH_STORE_ADD ? *at + v : v;
        }
    level->gemm->store(tile, rows, columns, is_sums ? &(wh_scales){xs, ws} : NULL, has_bias ? bias : NULL, how, y, ldy);
    check_same(want, y, size * 4, "store");
}

const check_kernel check_store = {"store", check_store_once, NULL};
