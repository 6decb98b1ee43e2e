/* test_dense.c - dense layers of the speakers' nets: against the formula in double precision at every level, float32 and
 * int8, overlapping rows, a row's bits whatever stands beside it. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/dense.h"
#include "util/util.h"

#define MOST_M 230
#define MOST_N 130
#define MOST_K 1100

static const struct {
    size_t m, n, k, ldx;
    int has_bias;
} shapes[] = {
    {1, 1, 1, 1, 0},       {3, 7, 5, 5, 1},          {12, 32, 64, 64, 1},
    {13, 33, 65, 80, 0},   {100, 128, 512, 512, 1},  {97, 64, 60, 60, 0},
    {230, 96, 288, 96, 1}, {25, 130, 1100, 1100, 1}, {96, 32, 127, 127, 1},
};

static float x[MOST_M * MOST_K], w[MOST_N * (MOST_K + 3)], bias[MOST_N], y[2][MOST_M * (MOST_N + 3)];
static double want[MOST_M * MOST_N];

static void fill(float *to, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(2 * random_unit(seed) - 1);
}

/* The formula; *largest: the largest sum of magnitudes, by which errors are measured. */
static double define(size_t m, size_t n, size_t k, size_t ldx, int has_bias)
{
    double largest = 0;
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0, most = 0;
            for (size_t i = 0; i < k; i++) {
                sum += (double)x[r * ldx + i] * w[j * (k + 3) + i];
                most += fabs((double)x[r * ldx + i] * w[j * (k + 3) + i]);
            }
            want[r * n + j] = sum + (has_bias ? bias[j] : 0);
            largest = WH_MAX(largest, most);
        }
    return largest;
}

/* y from m rows, then the same rows by one, by five and by thirteen: the same bits, nothing written beside them. */
static void run_all(const wh_dense *d, size_t m, size_t ldx)
{
    const size_t ldy = d->n + 3, cuts[] = {1, 5, 13};
    void *scratch = wh_alloc_aligned(1, wh_dense_scratch(d->k));
    assert_non_null(scratch);
    for (size_t i = 0; i < m * ldy; i++)
        y[0][i] = y[1][i] = 77;
    wh_dense_run(d, x, ldx, m, y[0], ldy, scratch);
    for (size_t c = 0; c < WH_COUNT(cuts); c++) {
        for (size_t r = 0; r < m; r += cuts[c])
            wh_dense_run(d, x + r * ldx, ldx, WH_MIN(cuts[c], m - r), y[1] + r * ldy, ldy, scratch);
        assert_memory_equal(y[0], y[1], m * ldy * sizeof y[0][0]);
    }
    for (size_t r = 0; r < m; r++)
        for (size_t j = d->n; j < ldy; j++)
            assert_true(y[0][r * ldy + j] == 77);
    free(scratch);
}

static void check(const wh_cpu *cpu, int is_int8, float *record, size_t *n_recorded)
{
    uint64_t seed = 3;
    for (size_t s = 0; s < WH_COUNT(shapes); s++) {
        size_t m = shapes[s].m, n = shapes[s].n, k = shapes[s].k, ldx = shapes[s].ldx;
        fill(x, (m - 1) * ldx + k, &seed);
        fill(w, n * (k + 3), &seed);
        fill(bias, n, &seed);
        if (m > 1)
            memset(x + ldx, 0, k * sizeof *x); /* a row of zeros has no scale */
        double largest = define(m, n, k, ldx, shapes[s].has_bias), worst = 0;
        wh_dense dense;
        assert_int_equal(wh_dense_make(cpu->kernels, cpu->gemm, is_int8, w, k + 3, n, k,
                                       shapes[s].has_bias ? bias : NULL, &dense),
                         WHISP_OK);
        run_all(&dense, m, ldx);
        for (size_t r = 0; r < m; r++)
            for (size_t j = 0; j < n; j++)
                worst = WH_MAX(worst, fabs(y[0][r * (n + 3) + j] - want[r * n + j]));
        if (worst > largest * (is_int8 ? 1.1 / 127 : 1e-6))
            fail_msg("%s, shape %zu: off by %g of %g", cpu->name, s, worst, largest);
        memcpy(record + *n_recorded, y[0], m * (n + 3) * sizeof *record);
        *n_recorded += m * (n + 3);
        wh_dense_free(&dense);
    }
}

static void at_each_level(int is_int8)
{
    static float first[1 << 18], record[1 << 18];
    size_t n_first = 0;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        size_t n = 0;
        if (!wh_cpu_get(level, &cpu)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(level));
            continue;
        }
        check(&cpu, is_int8, record, &n);
        assert_true(n <= WH_COUNT(record));
        if (!is_int8)
            continue;
        if (!n_first)
            memcpy(first, record, (n_first = n) * sizeof *record);
        assert_int_equal(n, n_first);
        assert_memory_equal(first, record, n * sizeof *record);
    }
}

static void float32_is_the_formula(void **state)
{
    (void)state;
    at_each_level(0);
}

static void int8_is_near_it_with_the_same_bits_at_every_level(void **state)
{
    (void)state;
    at_each_level(1);
}

static void zeros_may_be_freed(void **state)
{
    (void)state;
    wh_dense dense;
    memset(&dense, 0, sizeof dense);
    wh_dense_free(&dense);
    assert_null(dense.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_is_the_formula),
        cmocka_unit_test(int8_is_near_it_with_the_same_bits_at_every_level),
        cmocka_unit_test(zeros_may_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
