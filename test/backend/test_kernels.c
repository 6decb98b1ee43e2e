/* test_kernels.c - every kernel at every level this machine has, against the definition in double precision, at odd
 * sizes and unaligned addresses; and the same bits from the levels with fused multiply-add. `test_kernels bench` times
 * them as well. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "cpu/generic/generic.h"
#include "cpu/registry.h"
#include "gguf/gguf.h"

#define MAX_N 1600
#define MAX_ROWS 18

static const size_t sizes[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 384, 511, 1500};
static const wh_type types[WH_STORAGES] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0};

static uint64_t seed = 1;

static void fill(float *x, size_t n, double spread)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(spread * (2 * random_unit(&seed) - 1));
}

typedef void (*check_fn)(const wh_kernels *kernels, float *record, size_t *n_recorded);

static void record_all(float *record, size_t *n, const float *x, size_t count)
{
    memcpy(record + *n, x, count * sizeof *x);
    *n += count;
}

/* Run a check at each level with the same random numbers. What it records must be the same bits at all levels that
 * multiply and add in one rounding (all but generic). */
static void at_each_level(check_fn check)
{
    static float first[1 << 19], record[1 << 19];
    size_t n_first = 0;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        size_t n = 0;
        if (!wh_cpu_get(level, &cpu)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(level));
            continue;
        }
        seed = 1;
        check(cpu.kernels, record, &n);
        assert_true(n <= sizeof record / sizeof *record);
        if (level == 0)
            continue;
        if (!n_first)
            memcpy(first, record, (n_first = n) * sizeof *record);
        assert_int_equal(n, n_first);
        assert_memory_equal(first, record, n * sizeof *record);
    }
}

/* ---- stored types ---- */

static void check_decode(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[MAX_N], out[MAX_N + 1], want[MAX_N];
    static unsigned char stored[MAX_N * 4 + 1];
    for (int s = 0; s < WH_STORAGES; s++)
        for (size_t i = 0; i < WH_COUNT(sizes); i++) {
            size_t n = types[s] == WH_Q8_0 ? sizes[i] * 32 % MAX_N / 32 * 32 : sizes[i];
            fill(x, n, 3.0);
            wh_encode_row(types[s], x, stored, (int64_t)n);
            wh_decode_row(types[s], stored, want, (int64_t)n);
            out[n] = 1234.5f;
            kernels->decode[s](stored, out, n);
            assert_memory_equal(out, want, n * sizeof *out);
            assert_true(out[n] == 1234.5f);
            record_all(record, n_recorded, out, n);
        }
}

/* Every half and every bfloat16 there is, NaNs by being NaN. */
static void check_all_halves(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static uint16_t x[1 << 16];
    static float out[1 << 16];
    for (size_t i = 0; i < 1 << 16; i++)
        x[i] = (uint16_t)i;
    for (int s = WH_ROWS_F16; s <= WH_ROWS_BF16; s++) {
        kernels->decode[s](x, out, 1 << 16);
        for (size_t i = 0; i < 1 << 16; i++) {
            float want = s == WH_ROWS_F16 ? wh_f16_to_f32(x[i]) : wh_bf16_to_f32(x[i]);
            if (isnan(want))
                assert_true(isnan(out[i]));
            else
                assert_memory_equal(&out[i], &want, sizeof want);
        }
    }
    (void)record, (void)n_recorded;
}

static void test_decode(void **state)
{
    (void)state;
    at_each_level(check_decode);
    at_each_level(check_all_halves);
}

/* ---- rows ---- */

static void check_rows_of(const wh_kernels *kernels, int s, int rows, size_t n, size_t k, float *record,
                          size_t *recorded)
{
    static float x[MAX_ROWS * (MAX_N + 3)], w[40 * MAX_N], y[MAX_ROWS * 50], one[50];
    static unsigned char stored[40 * MAX_N * 4];
    size_t ldx = k + 3, ldy = n + 2, stride = wh_type_row_size(types[s], (int64_t)k) + 4;
    fill(x, (size_t)rows * ldx, 1.0);
    fill(w, n * k, 1.0);
    for (size_t j = 0; j < n; j++) {
        wh_encode_row(types[s], w + j * k, stored + j * stride, (int64_t)k);
        wh_decode_row(types[s], stored + j * stride, w + j * k, (int64_t)k);
    }
    for (int add = 0; add < 2; add++) {
        for (size_t i = 0; i < (size_t)rows * ldy; i++)
            y[i] = 7;
        kernels->rows[s](x, ldx, rows, stored, stride, n, k, y, ldy, add);
        for (int r = 0; r < rows; r++) {
            for (size_t j = 0; j < n; j++) {
                double want = add ? 7 : 0;
                for (size_t i = 0; i < k; i++)
                    want += (double)x[(size_t)r * ldx + i] * w[j * k + i];
                assert_true(fabs(y[(size_t)r * ldy + j] - want) < 1e-6 * sqrt((double)k) + 2e-6);
            }
            assert_true(r == rows - 1 || (y[(size_t)r * ldy + n] == 7 && y[(size_t)r * ldy + n + 1] == 7));
        }
        record_all(record, recorded, y, ldy);
    }
    /* a row alone, a weight row alone: the same bits */
    kernels->rows[s](x, ldx, rows, stored, stride, n, k, y, ldy, 0);
    kernels->rows[s](x + (size_t)(rows - 1) * ldx, ldx, 1, stored, stride, n, k, one, n, 0);
    assert_memory_equal(one, y + (size_t)(rows - 1) * ldy, n * sizeof *one);
    kernels->rows[s](x, ldx, 1, stored + (n - 1) * stride, stride, 1, k, one, n, 0);
    assert_memory_equal(one, y + n - 1, sizeof *one);
}

static void check_rows(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    for (int s = 0; s < WH_STORAGES; s++)
        for (int rows = 1; rows <= MAX_ROWS; rows += rows < 6 ? 1 : 5)
            for (size_t i = 0; i < WH_COUNT(sizes); i++) {
                size_t k = types[s] == WH_Q8_0 ? sizes[i] * 32 % MAX_N : sizes[i];
                check_rows_of(kernels, s, rows, 1 + (i + (size_t)rows) % 9, k, record, n_recorded);
            }
}

static void test_rows(void **state)
{
    (void)state;
    at_each_level(check_rows);
}

/* ---- attention ---- */

#define MAX_KEYS 200
#define MAX_HEAD 80

/* How many each key stands for in every second call: n log2 of them, else NULL. */
static const float *key_counts(int rows, int n)
{
    static float log_counts[MAX_KEYS];
    static const float some[] = {0, 0, 1, 2, 3, 1.5849625f, 0, 3};
    for (int j = 0; j < n; j++)
        log_counts[j] = some[(j / 3 + rows) % 8];
    return (rows + n) % 2 ? log_counts : NULL;
}

/* softmax(q k^T / sqrt(d_head)) v of one query in double precision, each key as often as it counts; rows of k and v ld
 * floats apart */
static void slow_attention(const float *q, const float *k, const float *v, size_t ld, int n, int d_head,
                           const float *log_counts, double *out)
{
    double score[MAX_KEYS], max = -INFINITY, sum = 0;
    for (int j = 0; j < n; j++) {
        score[j] = 0;
        for (int c = 0; c < d_head; c++)
            score[j] += (double)q[c] * k[(size_t)j * ld + (size_t)c] / sqrt(d_head);
        max = fmax(max, score[j]);
    }
    for (int c = 0; c < d_head; c++)
        out[c] = 0;
    for (int j = 0; j < n; j++) {
        double p = exp(score[j] - max) * (log_counts ? exp2(log_counts[j]) : 1);
        sum += p;
        for (int c = 0; c < d_head; c++)
            out[c] += p * v[(size_t)j * ld + (size_t)c];
    }
    for (int c = 0; c < d_head; c++)
        out[c] /= sum;
}

static void check_attend_of(const wh_kernels *kernels, int rows, int n, int d_head, double size, float *record,
                            size_t *n_recorded)
{
    static float q[110 * (MAX_HEAD + 3)], k[MAX_KEYS * MAX_HEAD], v[MAX_KEYS * MAX_HEAD], out[110 * (MAX_HEAD + 5)];
    static float packed[(MAX_KEYS + WH_ATTEND_TILE) * MAX_HEAD], scratch[WH_ATTEND_ROWS * (2 + 2 * MAX_HEAD + 64)];
    size_t head = (size_t)d_head, ldq = head + 3, ldo = head + 5;
    const float *log_counts = key_counts(rows, n);
    double want[MAX_HEAD];
    float alone[MAX_HEAD];
    fill(q, (size_t)rows * ldq, size);
    fill(k, (size_t)n * head, size);
    fill(v, (size_t)n * head, 1.0);
    for (size_t i = 0; i < WH_COUNT(out); i++)
        out[i] = 7;
    packed[wh_packed_keys((size_t)n) * head] = 7;
    kernels->pack_keys(k, head, n, d_head, packed);
    assert_true(packed[wh_packed_keys((size_t)n) * head] == 7);
    kernels->attend(q, ldq, rows, packed, v, n, d_head, log_counts, out, ldo, scratch);
    for (size_t r = 0; r < (size_t)rows; r++) {
        slow_attention(q + r * ldq, k, v, head, n, d_head, log_counts, want);
        for (size_t c = 0; c < head; c++)
            assert_true(fabs(out[r * ldo + c] - want[c]) < 2e-6 * (1 + size * size));
        for (size_t c = head; c < ldo; c++)
            assert_true(out[r * ldo + c] == 7);
    }
    kernels->attend(q + (size_t)(rows - 1) * ldq, ldq, 1, packed, v, n, d_head, log_counts, alone, ldo, scratch);
    assert_memory_equal(alone, out + (size_t)(rows - 1) * ldo, head * sizeof *alone);
    record_all(record, n_recorded, out, (size_t)rows * ldo);
}

static void check_attend(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static const int row_counts[] = {1, 3, 16, 17, 40, 48, 53, 109}, key_counts[] = {1, 5, 8, 60, 64, 65, 131, 200};
    static const int heads[] = {1, 4, 7, 64, 80};
    for (size_t i = 0; i < WH_COUNT(row_counts); i++)
        for (size_t j = 0; j < WH_COUNT(key_counts); j++)
            check_attend_of(kernels, row_counts[i], key_counts[j], heads[(i + j) % WH_COUNT(heads)],
                            (i * 3 + j) % 4 ? 1.0 : 6.0, record, n_recorded);
}

static void test_attend(void **state)
{
    (void)state;
    at_each_level(check_attend);
}

/* Attention in integers: near the definition in double precision, and within a rounding of a probability of the same
 * integers' in plain C. */
static void check_attend_int_of(const wh_attention_int *kernels, int rows, int n, int d_head, double size)
{
    static float q[110 * (MAX_HEAD + 3)], k[MAX_KEYS * (MAX_HEAD + 3)], v[MAX_KEYS * (MAX_HEAD + 3)];
    static float out[110 * (MAX_HEAD + 5)], same[110 * (MAX_HEAD + 5)], alone[MAX_HEAD], scratch[48 * 300];
    static _Alignas(64) char packed[(MAX_KEYS + 8) * (MAX_HEAD * 4 + 16) + 64 * MAX_HEAD];
    const wh_attention_int *plain = wh_attention_int_generic();
    size_t head = (size_t)d_head, ldq = head + 3, ldo = head + 5, bytes = wh_attend_int_size((size_t)n, head);
    const float *log_counts = key_counts(rows, n);
    double want[MAX_HEAD];
    assert_true(bytes < sizeof packed && wh_attend_int_scratch(head) <= WH_COUNT(scratch));
    fill(q, (size_t)rows * ldq, size);
    fill(k, (size_t)n * ldq, size);
    fill(v, (size_t)n * ldq, 1.0);
    for (size_t i = 0; i < (size_t)n * ldq; i++) /* means far from zero cost no accuracy */
        k[i] += (float)(i % ldq), v[i] += 3;
    for (size_t i = 0; i < WH_COUNT(out); i++)
        out[i] = 7;
    plain->pack(k, v, ldq, n, d_head, packed);
    plain->attend(q, ldq, rows, packed, n, d_head, log_counts, same, ldo, scratch);
    packed[bytes] = 77;
    kernels->pack(k, v, ldq, n, d_head, packed);
    assert_true(packed[bytes] == 77);
    kernels->attend(q, ldq, rows, packed, n, d_head, log_counts, out, ldo, scratch);
    for (size_t r = 0; r < (size_t)rows; r++) {
        slow_attention(q + r * ldq, k, v, ldq, n, d_head, log_counts, want);
        for (size_t c = 0; c < head; c++) {
            assert_true(fabs(out[r * ldo + c] - want[c]) < 0.004 + 0.02 * size * size);
            assert_true(fabsf(out[r * ldo + c] - same[r * ldo + c]) < 4e-3f);
        }
        for (size_t c = head; c < ldo; c++)
            assert_true(out[r * ldo + c] == 7);
    }
    kernels->attend(q + (size_t)(rows - 1) * ldq, ldq, 1, packed, n, d_head, log_counts, alone, ldo, scratch);
    assert_memory_equal(alone, out + (size_t)(rows - 1) * ldo, head * sizeof *alone);
}

static void test_attend_int(void **state)
{
    static const int row_counts[] = {1, 3, 16, 17, 40, 48, 53, 109}, key_counts[] = {1, 5, 8, 60, 64, 65, 131, 200};
    static const int heads[] = {1, 4, 7, 64, 80};
    (void)state;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        const wh_attention_int *kernels = wh_cpu_get(level, &cpu) ? cpu.attention : NULL;
        seed = 1;
        if (!kernels)
            printf("skipped: no attention in integers for %s here\n", wh_cpu_level_name(level));
        for (size_t i = 0; kernels && i < WH_COUNT(row_counts); i++)
            for (size_t j = 0; j < WH_COUNT(key_counts); j++)
                check_attend_int_of(kernels, row_counts[i], key_counts[j], heads[(i + j) % WH_COUNT(heads)],
                                    (i * 3 + j) % 4 ? 0.5 : 2.0);
    }
}

/* Stored keys and values against floats that went through the type: the products are float32 for every type. */
static void check_kv_of(const wh_kernels *kernels, wh_kv type, int rows, int n, int d_head, float *record,
                        size_t *n_recorded)
{
    static float q[20 * (MAX_HEAD + 3)], k[MAX_KEYS * MAX_HEAD], v[MAX_KEYS * MAX_HEAD], scores[20 * (MAX_KEYS + 16)];
    static float out[20 * (MAX_HEAD + 5)], one[MAX_HEAD], one_scores[MAX_KEYS + 16];
    static _Alignas(64) char keys[256 * MAX_HEAD * 4 + 1], values[256 * MAX_HEAD * 4 + 1];
    static const double error[] = {0, 0x1p-11, 0.5 / 127};
    size_t head = (size_t)d_head, ldq = head + 3, ldo = head + 5, lds = (size_t)(n + 15) / 16 * 16 + 1;
    size_t bytes = (size_t)(n + 63) / 64 * wh_kv_tile(type, head);
    fill(q, (size_t)rows * ldq, 1.0);
    fill(k, (size_t)n * head, 3.0);
    fill(v, (size_t)n * head, 3.0);
    memset(keys, 0, bytes), memset(values, 0, bytes);
    keys[bytes] = values[bytes] = 77;
    for (size_t i = 0; i < WH_COUNT(scores); i++)
        scores[i] = 7;
    for (size_t i = 0; i < WH_COUNT(out); i++)
        out[i] = 7;
    for (int j = 0; j < n; j += 7) /* a few at a time, as a decoder appends them */
        kernels->kv_store[type](k + (size_t)j * head, v + (size_t)j * head, head, j, WH_MIN(7, n - j), d_head, keys,
                                values);
    assert_true(keys[bytes] == 77 && values[bytes] == 77);
    kernels->kv_scores[type](q, ldq, rows, keys, n, d_head, scores, lds);
    for (size_t r = 0; r < (size_t)rows; r++) {
        for (size_t j = 0; j < (size_t)n; j++) {
            double want = 0, size = 0;
            for (size_t c = 0; c < head; c++) {
                want += (double)q[r * ldq + c] * k[j * head + c];
                size += fabs(q[r * ldq + c]) * 3;
            }
            assert_true(fabs(scores[r * lds + j] - want) <= size * (error[type] + 1e-6));
        }
        assert_true(scores[r * lds + lds - 1] == 7);
        for (size_t j = 0; j < (size_t)n; j++)
            scores[r * lds + j] = (float)random_unit(&seed) / (float)n;
    }
    kernels->kv_values[type](scores, lds, rows, values, n, d_head, out, ldo);
    for (size_t r = 0; r < (size_t)rows; r++) {
        for (size_t c = 0; c < head; c++) {
            double want = 0;
            for (size_t j = 0; j < (size_t)n; j++)
                want += (double)scores[r * lds + j] * v[j * head + c];
            assert_true(fabs(out[r * ldo + c] - want) <= 3 * error[type] + 1e-5);
        }
        for (size_t c = head; c < ldo; c++)
            assert_true(out[r * ldo + c] == 7);
    }
    record_all(record, n_recorded, out, (size_t)rows * ldo);
    /* a query alone: the same bits */
    size_t last = (size_t)rows - 1;
    kernels->kv_values[type](scores + last * lds, lds, 1, values, n, d_head, one, head);
    assert_memory_equal(one, out + last * ldo, head * sizeof *one);
    kernels->kv_scores[type](q, ldq, rows, keys, n, d_head, scores, lds);
    kernels->kv_scores[type](q + last * ldq, ldq, 1, keys, n, d_head, one_scores, lds);
    assert_memory_equal(one_scores, scores + last * lds, (size_t)n * sizeof *scores);
    for (size_t r = 0; r < (size_t)rows; r++)
        record_all(record, n_recorded, scores + r * lds, (size_t)n);
}

static void check_kv(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static const int row_counts[] = {1, 2, 4, 5, 9, 16}, key_counts[] = {1, 15, 16, 17, 64, 65, 131, 200};
    static const int heads[] = {1, 4, 7, 16, 64, 80, 33};
    for (int type = 0; type < WH_KV_TYPES; type++)
        for (size_t i = 0; i < WH_COUNT(row_counts); i++)
            for (size_t j = 0; j < WH_COUNT(key_counts); j++)
                check_kv_of(kernels, (wh_kv)type, row_counts[i], key_counts[j], heads[(i + j) % WH_COUNT(heads)],
                            record, n_recorded);
}

/* f16 storage rounds as wh_f32_to_f16 does: every half, and floats between two of them. */
static void check_kv_rounding(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static uint16_t keys[64 * 16], values[64 * 16], want;
    float x[1];
    for (uint32_t half = 0; half < 1 << 16; half++) {
        float low = wh_f16_to_f32((uint16_t)half), high = wh_f16_to_f32((uint16_t)(half + 1));
        if (!isfinite(low) || !isfinite(high) || (half & 0x7fff) == 0x7fff)
            continue;
        for (int step = 0; step < 4; step++) {
            x[0] = low + (high - low) * 0.25f * (float)step;
            kernels->kv_store[WH_KV_F16](x, x, 1, 0, 1, 1, keys, values);
            want = wh_f32_to_f16(x[0]);
            assert_int_equal(keys[0], want);
            assert_int_equal(values[0], want);
        }
    }
    (void)record, (void)n_recorded;
}

static void test_kv(void **state)
{
    (void)state;
    at_each_level(check_kv);
    at_each_level(check_kv_rounding);
}

/* ---- functions of a vector ---- */

static void check_layer_norm(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[MAX_N], gain[MAX_N], bias[MAX_N], out[MAX_N + 1];
    for (size_t s = 0; s < WH_COUNT(sizes); s++) {
        size_t n = sizes[s];
        fill(x, n, 2.0);
        for (size_t i = 0; i < n; i++)
            x[i] += 50; /* a mean far from zero loses a one-pass variance */
        fill(gain, n, 2.0);
        fill(bias, n, 2.0);
        out[n] = 7;
        kernels->layer_norm(x, gain, bias, out, n);
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(out[i] - ((x[i] - mean) / sqrt(variance + 1e-5) * gain[i] + bias[i])) < 3e-5);
        assert_true(out[n] == 7);
        kernels->layer_norm(x, gain, bias, x, n);
        assert_memory_equal(x, out, n * sizeof *x);
        record_all(record, n_recorded, out, n);
    }
}

static void check_softmax(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[MAX_N + 1];
    static double argument[MAX_N];
    const float scale = 0.125f;
    for (size_t s = 0; s < WH_COUNT(sizes); s++) {
        size_t n = sizes[s];
        fill(x, n, s % 3 ? 60.0 : 2000.0);
        x[n] = 7;
        double max = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++)
            max = fmax(max, (double)x[i] * scale);
        for (size_t i = 0; i < n; i++)
            sum += exp(argument[i] = (double)x[i] * scale - max);
        kernels->softmax(x, scale, n);
        for (size_t i = 0; i < n; i++) { /* the argument itself is rounded to a float: 2^-24 of its size */
            double want = exp(argument[i]) / sum;
            assert_true(fabs(x[i] - want) < (4e-7 - 0x1p-23 * argument[i]) * want + 1e-37);
        }
        assert_true(x[n] == 7);
        record_all(record, n_recorded, x, n);
    }
}

static void check_exp_sum(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[52000];
    static const size_t lengths[] = {1, 2, 15, 16, 17, 99, 1023, 1024, 1025, 1501, 51865};
    double sum;
    for (size_t s = 0; s < WH_COUNT(lengths); s++) {
        size_t n = lengths[s];
        fill(x, n, s % 3 ? 20.0 : 200.0);
        x[n] = 1000; /* not to be seen */
        x[n / 2] = n > 1 ? -INFINITY : x[0];
        double most = -INFINITY, want = 0;
        for (size_t i = 0; i < n; i++)
            most = fmax(most, (double)x[i]);
        for (size_t i = 0; i < n; i++)
            want += exp((double)x[i] - most);
        assert_true((double)kernels->exp_sum(x, n, &sum, NULL) == most);
        assert_true(fabs(sum - want) < 4e-6 * want);
        float bits[2] = {(float)sum};
        double again, weighted, product = 0;
        for (size_t i = 0; i < n; i++)
            product += exp((double)x[i] - most) > 0 ? exp((double)x[i] - most) * ((double)x[i] - most) : 0;
        assert_true((double)kernels->exp_sum(x, n, &again, &weighted) == most);
        assert_true(again == sum && fabs(weighted - product) < 4e-6 * fabs(product) + 1e-30);
        bits[1] = (float)weighted;
        record_all(record, n_recorded, bits, 2);
        for (int bad = 0; bad < 2; bad++) {
            float old = x[n / 3];
            x[n / 3] = bad ? NAN : INFINITY;
            float greatest = kernels->exp_sum(x, n, &sum, NULL);
            assert_true(isnan(greatest + log(sum)));
            x[n / 3] = old;
        }
        for (size_t i = 0; i < n; i++)
            x[i] = -INFINITY;
        assert_true(kernels->exp_sum(x, n, &sum, NULL) == -INFINITY);
    }
}

/* erf and exp's accuracy, from where gelu is its argument to where it is zero. */
static void check_gelu(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[200001], b[200001];
    size_t n = 200001;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = -20.0f + (float)i * 2e-4f;
        b[i] = (float)i * 1e-9f;
    }
    kernels->bias_gelu(x, b, n);
    for (size_t i = 0; i < n; i++) {
        double at = -20.0f + (float)i * 2e-4f + (float)i * 1e-9f;
        double want = 0.5 * at * erfc(-at / sqrt(2.0)), error = fabs(x[i] - want) / fmax(1, fabs(want));
        most = isnan(x[i]) ? INFINITY : fmax(most, error);
    }
    printf("  gelu: largest error %.1e\n", most);
    assert_true(most < 2e-7);
    float far[] = {-INFINITY, -1e30f, -100, -0.0f, 0, 100, 1e30f, 3}, no_bias[WH_COUNT(far)];
    memcpy(no_bias, far, sizeof far);
    kernels->bias_gelu(no_bias, NULL, WH_COUNT(far));
    assert_true(fabsf(no_bias[2]) < 1e-20f && no_bias[3] == 0 && no_bias[4] == 0 && no_bias[5] == 100);
    assert_true(no_bias[6] == 1e30f && fabsf(no_bias[7] - 2.99595f) < 1e-5f);
    record_all(record, n_recorded, x, n);
}

static void check_add(const wh_kernels *kernels, float *record, size_t *n_recorded)
{
    static float x[MAX_N], y[MAX_N + 1], want[MAX_N];
    for (size_t s = 0; s < WH_COUNT(sizes); s++) {
        size_t n = sizes[s];
        fill(x, n, 1.0);
        fill(y, n, 1.0);
        for (size_t i = 0; i < n; i++)
            want[i] = y[i] + x[i];
        y[n] = 7;
        kernels->add(y, x, n);
        assert_memory_equal(y, want, n * sizeof *y);
        assert_true(y[n] == 7);
        record_all(record, n_recorded, y, n);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    at_each_level(check_layer_norm);
    at_each_level(check_softmax);
    at_each_level(check_exp_sum);
    at_each_level(check_gelu);
    at_each_level(check_add);
}

static void test_detection(void **state)
{
    (void)state;
    wh_cpu best, expected;
    int last = wh_cpu_levels() - 1;
    assert_int_equal(wh_cpu_get(last + 1, &best), 0);
    assert_int_equal(wh_cpu_get(-1, &best), 0);
    assert_string_equal(wh_cpu_level_name(last + 1), "unknown");
    for (int level = 0; level <= last; level++) {
        setenv("WHISP_CPU", wh_cpu_level_name(level), 1);
        int there = level;
        while (!wh_cpu_get(there, &expected))
            there--;
        assert_string_equal(wh_cpu_best().name, expected.name);
    }
    setenv("WHISP_CPU", "abacus", 1); /* no cap: the last of the loop */
    assert_string_equal(wh_cpu_best().name, expected.name);
    unsetenv("WHISP_CPU");
}

/* ---- times ---- */

/* One head of Whisper's encoder: 1500 keys of 64 channels. */
static void bench_attend(const wh_kernels *kernels, const char *level)
{
    enum { KEYS = 1500, HEAD = 64, ROWS = 48 };
    static float q[ROWS * HEAD], k[KEYS * HEAD], v[KEYS * HEAD], out[ROWS * HEAD], packed[(KEYS + 8) * HEAD];
    static float scratch[WH_ATTEND_ROWS * (2 + 2 * HEAD + WH_ATTEND_KEYS)];
    double best = 1e9, pack = 1e9;
    fill(q, WH_COUNT(q), 2.0);
    fill(k, WH_COUNT(k), 2.0);
    fill(v, WH_COUNT(v), 2.0);
    for (int i = 0; i < 200; i++) {
        double start = wh_now();
        kernels->attend(q, HEAD, ROWS, packed, v, KEYS, HEAD, NULL, out, HEAD, scratch);
        best = fmin(best, wh_now() - start);
        start = wh_now();
        kernels->pack_keys(k, HEAD, KEYS, HEAD, packed);
        pack = fmin(pack, wh_now() - start);
    }
    printf("%-8s attention, %d queries x %d keys x %d: %.0f us %.1f GFLOP/s; packing K %.0f us\n", level, ROWS, KEYS,
           HEAD, best * 1e6, 4e-9 * ROWS * KEYS * HEAD / best, pack * 1e6);
}

static void bench_attend_int(const wh_attention_int *kernels, const char *level)
{
    enum { KEYS = 1500, HEAD = 64, ROWS = 48 };
    static float q[ROWS * HEAD], k[KEYS * HEAD], v[KEYS * HEAD], out[ROWS * HEAD], scratch[48 * 300];
    static _Alignas(64) char packed[1504 * HEAD * 4];
    double best = 1e9, pack = 1e9;
    fill(q, WH_COUNT(q), 2.0);
    fill(k, WH_COUNT(k), 2.0);
    fill(v, WH_COUNT(v), 2.0);
    for (int i = 0; i < 200; i++) {
        double start = wh_now();
        kernels->pack(k, v, HEAD, KEYS, HEAD, packed);
        pack = fmin(pack, wh_now() - start);
        start = wh_now();
        kernels->attend(q, HEAD, ROWS, packed, KEYS, HEAD, NULL, out, HEAD, scratch);
        best = fmin(best, wh_now() - start);
    }
    printf("%-8s attention in integers, %d queries x %d keys x %d: %.0f us %.1f Gop/s; packing K and V %.0f us\n",
           level, ROWS, KEYS, HEAD, best * 1e6, 4e-9 * ROWS * KEYS * HEAD / best, pack * 1e6);
}

/* One head of a decoder's cross-attention, in the cache: memory is slower. */
static void bench_kv(const wh_kernels *kernels, const char *level)
{
    enum { KEYS = 1500, HEAD = 64, ROWS = 8 };
    static const char *const names[] = {"f32", "f16", "i8"};
    static float q[ROWS * HEAD], k[KEYS * HEAD], v[KEYS * HEAD], out[ROWS * HEAD], scores[ROWS * 1504];
    static _Alignas(64) char keys[1536 * HEAD * 4], values[1536 * HEAD * 4];
    fill(q, WH_COUNT(q), 1.0);
    fill(k, WH_COUNT(k), 1.0);
    fill(v, WH_COUNT(v), 1.0);
    for (int type = 0; type < WH_KV_TYPES; type++)
        for (int rows = 1; rows <= ROWS; rows += rows == 1 ? 4 : 3) {
            double store = 1e9, dots = 1e9, sums = 1e9;
            for (int i = 0; i < 200; i++) {
                double start = wh_now();
                kernels->kv_store[type](k, v, HEAD, 0, KEYS, HEAD, keys, values);
                store = fmin(store, wh_now() - start);
                start = wh_now();
                kernels->kv_scores[type](q, HEAD, rows, keys, KEYS, HEAD, scores, 1504);
                dots = fmin(dots, wh_now() - start);
                start = wh_now();
                kernels->kv_values[type](scores, 1504, rows, values, KEYS, HEAD, out, HEAD);
                sums = fmin(sums, wh_now() - start);
            }
            double bytes = 1500e-9 / 64 * (double)wh_kv_tile((wh_kv)type, HEAD);
            printf("%-8s %-3s K/V, %d queries: store %.0f us, scores %.1f us (%.1f GB/s), sums %.1f us (%.1f GB/s)\n",
                   level, names[type], rows, store * 1e6, dots * 1e6, bytes / dots, sums * 1e6, bytes / sums);
        }
}

static void bench(void)
{
    static float x[16 * 2048], y[16 * 2048], w[2048 * 512];
    fill(x, WH_COUNT(x), 1.0);
    fill(w, WH_COUNT(w), 0.05);
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu))
            continue;
        const wh_kernels *kernels = cpu.kernels;
        for (int s = 0; s < WH_STORAGES; s++)
            for (int rows = 1; rows <= 16; rows *= 4) {
                static unsigned char stored[2048 * 512 * 4];
                size_t stride = wh_type_row_size(types[s], 512);
                for (size_t j = 0; j < 2048; j++)
                    wh_encode_row(types[s], w + j * 512, stored + j * stride, 512);
                double best = 1e9;
                for (int i = 0; i < 20; i++) {
                    double start = wh_now();
                    kernels->rows[s](x, 512, rows, stored, stride, 2048, 512, y, 2048, 0);
                    best = fmin(best, wh_now() - start);
                }
                printf("%-8s %-5s %2d rows x 2048 x 512: %7.1f us %6.1f GFLOP/s %5.1f GB/s\n", cpu.name,
                       wh_type_name(types[s]), rows, best * 1e6, 2e-9 * rows * 2048 * 512 / best,
                       2048e-9 * (double)stride / best);
            }
        bench_kv(kernels, cpu.name);
        if (cpu.attention)
            bench_attend_int(cpu.attention, cpu.name);
        bench_attend(kernels, cpu.name);
        double softmax = 1e9, gelu = 1e9, norm = 1e9;
        for (int i = 0; i < 200; i++) {
            fill(x, 1536, 5.0);
            double start = wh_now();
            kernels->softmax(x, 1.0f, 1536);
            double middle = wh_now();
            kernels->bias_gelu(x, w, 1536);
            double later = wh_now();
            kernels->layer_norm(x, w, w + 1536, y, 1536);
            softmax = fmin(softmax, middle - start);
            gelu = fmin(gelu, later - middle);
            norm = fmin(norm, wh_now() - later);
        }
        printf("%-8s ns a value: softmax %.2f gelu %.2f layer_norm %.2f\n", cpu.name, softmax * 1e9 / 1536,
               gelu * 1e9 / 1536, norm * 1e9 / 1536);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detection), cmocka_unit_test(test_decode), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attend),    cmocka_unit_test(test_kv),     cmocka_unit_test(test_attend_int),
        cmocka_unit_test(test_vectors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (argc > 1 && !strcmp(argv[1], "bench"))
        bench();
    return failed;
}
