/* test_segment_kernels.c - the kernels under segmentation-3.0 at every level this machine has, against their formulas in
 * double precision: a step of an LSTM, pairs of filters, columns made alike; and the same bits from the levels with
 * fused multiply-add. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "cpu/registry.h"
#include "util/util.h"

static uint64_t seed = 1;

static void fill(float *x, size_t n, double spread)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(spread * (2 * random_unit(&seed) - 1));
}

typedef void (*check_fn)(const wh_kernels *kernels);

static float first[1 << 18], record[1 << 18];
static size_t n_recorded;

static void record_all(const float *x, size_t n)
{
    assert_true(n_recorded + n <= WH_COUNT(record));
    memcpy(record + n_recorded, x, n * sizeof *x);
    n_recorded += n;
}

/* Run a check at each level with the same random numbers; what it records is the same at all levels but generic. */
static void at_each_level(check_fn check)
{
    size_t n_first = 0;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(level));
            continue;
        }
        seed = 1;
        n_recorded = 0;
        check(cpu.kernels);
        if (level == 0)
            continue;
        if (!n_first)
            memcpy(first, record, (n_first = n_recorded) * sizeof *record);
        assert_int_equal(n_recorded, n_first);
        assert_memory_equal(first, record, n_first * sizeof *record);
    }
}

/* ---- LSTM ---- */

#define MOST_UNITS 128
#define MOST_ROWS 9
#define PAD 5 /* floats between rows */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Where gate g (in, forget, cell, out) of unit u stands among a row's gates. */
static size_t gate_at(size_t u, size_t g)
{
    return u / 16 * 64 + g * 16 + u % 16;
}

static void check_lstm_of(const wh_kernels *kernels, size_t units, int rows, double spread)
{
    static float w[MOST_UNITS * 4 * MOST_UNITS], gates[MOST_ROWS * (4 * MOST_UNITS + PAD)];
    static float h[MOST_ROWS * (MOST_UNITS + PAD)], c[MOST_ROWS * MOST_UNITS + 1], before[MOST_ROWS * MOST_UNITS + 1];
    static float next[MOST_ROWS * (MOST_UNITS + PAD)], alone[MOST_UNITS], c_alone[MOST_UNITS];
    const size_t ld_gates = 4 * units + PAD, ldh = units + PAD, last = (size_t)rows - 1;
    fill(w, 4 * units * units, 0.3);
    fill(gates, (size_t)rows * ld_gates, spread);
    fill(h, (size_t)rows * ldh, 1);
    fill(before, (size_t)rows * units, 3);
    memcpy(c, before, sizeof c);
    for (size_t i = 0; i < WH_COUNT(next); i++)
        next[i] = 7;
    c[(size_t)rows * units] = 7;
    kernels->lstm(w, units, rows, gates, ld_gates, h, ldh, c, next, ldh);
    for (size_t r = 0; r < (size_t)rows; r++) {
        for (size_t u = 0; u < units; u++) {
            double sum[4];
            for (size_t g = 0; g < 4; g++) {
                sum[g] = gates[r * ld_gates + gate_at(u, g)];
                for (size_t k = 0; k < units; k++)
                    sum[g] += (double)h[r * ldh + k] * w[u / 16 * 64 * units + 64 * k + g * 16 + u % 16];
            }
            double cell = sigmoid(sum[1]) * before[r * units + u] + sigmoid(sum[0]) * tanh(sum[2]);
            assert_true(fabs(c[r * units + u] - cell) < 1e-6 + 3e-7 * spread);
            assert_true(fabs(next[r * ldh + u] - sigmoid(sum[3]) * tanh(cell)) < 1e-6 + 3e-7 * spread);
        }
        for (size_t u = units; u < ldh; u++)
            assert_true(next[r * ldh + u] == 7);
    }
    assert_true(c[(size_t)rows * units] == 7);
    record_all(next, (size_t)rows * ldh);
    /* a sequence alone: the same bits */
    memcpy(c_alone, before + last * units, units * sizeof *c_alone);
    kernels->lstm(w, units, 1, gates + last * ld_gates, ld_gates, h + last * ldh, ldh, c_alone, alone, units);
    assert_memory_equal(alone, next + last * ldh, units * sizeof *alone);
    assert_memory_equal(c_alone, c + last * units, units * sizeof *c_alone);
}

static void check_lstm(const wh_kernels *kernels)
{
    static const size_t units[] = {16, 48, 128};
    for (size_t i = 0; i < WH_COUNT(units); i++)
        for (int rows = 1; rows <= MOST_ROWS; rows++)
            check_lstm_of(kernels, units[i], rows, rows % 3 == 0 ? 120 : 3);
}

/* The two functions over all that they can be asked: in = x, cell open or the other way round; c is then what it says. */
static void check_functions(const wh_kernels *kernels)
{
    enum { UNITS = 16 };
    static const float w[UNITS * 4 * UNITS], h[UNITS];
    float gates[4 * UNITS], c[UNITS], next[UNITS];
    double most[2] = {0, 0};
    for (int i = 0; i < 20000; i++)
        for (int is_tanh = 0; is_tanh < 2; is_tanh++) {
            for (size_t u = 0; u < UNITS; u++) {
                float x = -100 + (float)(UNITS * i + (int)u) * (200.0f / (20000 * UNITS));
                gates[gate_at(u, 0)] = is_tanh ? 100 : x;
                gates[gate_at(u, 1)] = -200;
                gates[gate_at(u, 2)] = is_tanh ? x : 100;
                gates[gate_at(u, 3)] = 200;
                c[u] = 1;
            }
            kernels->lstm(w, UNITS, 1, gates, 0, h, 0, c, next, 0);
            for (size_t u = 0; u < UNITS; u++) {
                double x = gates[gate_at(u, is_tanh ? 2 : 0)], want = is_tanh ? tanh(x) : sigmoid(x);
                most[is_tanh] = isnan(c[u]) ? INFINITY : fmax(most[is_tanh], fabs(c[u] - want));
                assert_true(fabs(next[u] - tanh(want)) < 4e-7);
            }
        }
    printf("  sigmoid, tanh: largest errors %.1e, %.1e\n", most[0], most[1]);
    assert_true(most[0] < 1.5e-7 && most[1] < 2.5e-7);
}

static void test_lstm(void **state)
{
    (void)state;
    at_each_level(check_lstm);
    at_each_level(check_functions);
}

/* ---- filters ---- */

static void check_filters_of(const wh_kernels *kernels, size_t half, size_t pairs, size_t stride, size_t n)
{
    enum { MOST_HALF = 125, MOST_PAIRS = 40, MOST_N = 7 };
    static float x[2 * MOST_HALF + 1 + 10 * 3 * MOST_N], w[(MOST_HALF + 1) * 2 * MOST_PAIRS];
    static float folded[6 * (MOST_HALF + 1) + 1], out[MOST_N * 4 * MOST_PAIRS + 1];
    const size_t filters = 2 * pairs, folds = 6 * (half + 1);
    fill(x, 2 * half + 1 + stride * (3 * n - 1), 1);
    fill(w, (half + 1) * filters, 1);
    out[n * 2 * filters] = folded[folds] = 7;
    kernels->filter_pairs(x, stride, n, w, half, pairs, folded, out);
    assert_true(out[n * 2 * filters] == 7 && folded[folds] == 7);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < filters; j++) {
            double least = INFINITY, most = -INFINITY;
            for (size_t r = 0; r < 3; r++) {
                const float *at = x + (3 * i + r) * stride;
                double sum = j % 2 ? 0 : (double)w[half * filters + j] * at[half];
                for (size_t k = 0; k < half; k++)
                    sum += w[k * filters + j] * ((double)at[k] + (j % 2 ? -1 : 1) * (double)at[2 * half - k]);
                least = fmin(least, sum);
                most = fmax(most, sum);
            }
            assert_true(fabs(out[i * 2 * filters + j] - least) < 1e-6 * (double)half + 1e-6);
            assert_true(fabs(out[i * 2 * filters + filters + j] - most) < 1e-6 * (double)half + 1e-6);
        }
    record_all(out, n * 2 * filters);
}

static void check_filters(const wh_kernels *kernels)
{
    static const size_t halves[] = {1, 2, 17, 125}, pairs[] = {8, 24, 40}, strides[] = {1, 3, 10};
    for (size_t i = 0; i < WH_COUNT(halves); i++)
        for (size_t j = 0; j < WH_COUNT(pairs); j++)
            check_filters_of(kernels, halves[i], pairs[j], strides[(i + j) % 3], 1 + (i + 2 * j) % 7);
}

static void check_extremes(const wh_kernels *kernels)
{
    static float x[3 * 2 * 80], shift[80], out[3 * 80 + 1];
    static const size_t widths[] = {1, 7, 16, 17, 60, 80};
    for (size_t i = 0; i < WH_COUNT(widths); i++) {
        size_t d = widths[i];
        float factor = i % 2 ? -3.5f : 0.25f;
        fill(x, 3 * 2 * d, 1);
        fill(shift, d, 1);
        out[3 * d] = 7;
        kernels->scaled_extremes(x, 3, factor, shift, d, out);
        assert_true(out[3 * d] == 7);
        for (size_t r = 0; r < 3; r++)
            for (size_t j = 0; j < d; j++) {
                double a = fabs((double)x[2 * r * d + j] * factor + shift[j]);
                double b = fabs((double)x[(2 * r + 1) * d + j] * factor + shift[j]);
                assert_true(fabs(out[r * d + j] - fmax(a, b)) < 1e-6);
            }
        record_all(out, 3 * d);
    }
}

static void test_filters(void **state)
{
    (void)state;
    at_each_level(check_filters);
    at_each_level(check_extremes);
}

/* ---- columns ---- */

/* Columns of all sizes and means; every third does not change at all, and must become its bias. */
static void check_columns_of(const wh_kernels *kernels, size_t n, size_t d)
{
    static float x[1000 * 80 + 1], out[1000 * 80 + 1], gain[80], bias[80];
    fill(gain, d, 2);
    fill(bias, d, 2);
    for (size_t j = 0; j < d; j++) {
        double mean = (random_unit(&seed) - 0.5) * 60, spread = j % 3 ? pow(10, 2 - 4 * random_unit(&seed)) : 0;
        for (size_t r = 0; r < n; r++)
            x[r * d + j] = (float)(mean + spread * (random_unit(&seed) - 0.5));
    }
    memcpy(out, x, n * d * sizeof *x);
    out[n * d] = 7;
    kernels->norm_columns(out, n, d, gain, bias, 0.125f);
    assert_true(out[n * d] == 7);
    for (size_t j = 0; j < d; j++) {
        double mean = 0, variance = 0;
        for (size_t r = 0; r < n; r++)
            mean += x[r * d + j] / (double)n;
        for (size_t r = 0; r < n; r++)
            variance += (x[r * d + j] - mean) * (x[r * d + j] - mean) / (double)n;
        for (size_t r = 0; r < n; r++) {
            double want = (x[r * d + j] - mean) / sqrt(variance + 1e-5) * gain[j] + bias[j];
            if (j % 3 == 0)
                assert_true(out[r * d + j] == (bias[j] > 0 ? bias[j] : bias[j] * 0.125f));
            /* a difference of floats near 30 is exact, their mean is rounded to 2e-6 */
            assert_true(fabs(out[r * d + j] - (want > 0 ? want : 0.125 * want)) < 2e-5 + 4e-6 / sqrt(variance + 1e-5));
        }
    }
    record_all(out, n * d);
}

static void test_columns_at(const wh_kernels *kernels)
{
    static const size_t counts[] = {1, 2, 63, 64, 65, 130, 1000}, widths[] = {1, 5, 16, 23, 60, 80};
    for (size_t i = 0; i < WH_COUNT(counts); i++)
        for (size_t j = i % 3; j < WH_COUNT(widths); j += 3)
            check_columns_of(kernels, counts[i], widths[j]);
}

static void test_columns(void **state)
{
    (void)state;
    at_each_level(test_columns_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
