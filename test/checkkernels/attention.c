/* attention.c - checkkernels: attention in float32 and in integers, and the decoder's stored keys and values. */
#include <math.h>
#include <string.h>

#include "checkkernels/check.h"
#include "cpu/attention.h"

static float *filled(size_t n, float spread)
{
    float *x = check_alloc(n * sizeof *x, sizeof *x);
    check_fill(x, n, spread, 0);
    return x;
}

static float *room(size_t n)
{
    return check_alloc(n * sizeof(float), sizeof(float));
}

/* Log2 of how many each of n keys stands for, or NULL. */
static float *counts(size_t n)
{
    float *x = check_size(0, 1) ? room(n) : NULL;
    for (size_t i = 0; x && i < n; i++)
        x[i] = check_size(0, 1) ? log2f((float)check_size(1, 16)) : 0;
    return x;
}

static void check_encoder(const check_level *l)
{
    size_t rows = check_size(1, 100), n = check_size(1, 150), d = check_size(1, 70), ld = d + check_size(0, 3);
    float *q = filled((rows - 1) * ld + d, 2), *k = filled((n - 1) * ld + d, 2), *v = filled(n * d, 1);
    float *packed = room(wh_packed_keys(n) * d), *scratch = room(wh_attend_scratch(d));
    float *want = room(rows * d), *got = room(rows * d), *log_counts = counts(n);
    l->kernels_reference->pack_keys(k, ld, (int)n, (int)d, packed);
    l->kernels_reference->attend(q, ld, (int)rows, packed, v, (int)n, (int)d, log_counts, want, d, scratch);
    l->kernels->pack_keys(k, ld, (int)n, (int)d, packed);
    l->kernels->attend(q, ld, (int)rows, packed, v, (int)n, (int)d, log_counts, got, d, scratch);
    check_close(want, got, rows * d, 1e-5, "attend");
}

void check_attention_int(const wh_attention_int *plain, const wh_attention_int *fast, double tolerance)
{
    size_t rows = check_size(1, 100), n = check_size(1, 150), d = check_size(1, 70), ld = d + check_size(0, 3);
    float *q = filled((rows - 1) * ld + d, 1), *k = filled((n - 1) * ld + d, 1), *v = filled((n - 1) * ld + d, 1);
    float *scratch = room(wh_attend_int_scratch(d)), *want = room(rows * d), *got = room(rows * d);
    const float *log_counts = counts(n);
    void *packed = check_alloc(wh_attend_int_size(n, d), 64);
    plain->pack(k, v, ld, (int)n, (int)d, packed);
    plain->attend(q, ld, (int)rows, packed, (int)n, (int)d, log_counts, want, d, scratch);
    fast->pack(k, v, ld, (int)n, (int)d, packed);
    fast->attend(q, ld, (int)rows, packed, (int)n, (int)d, log_counts, got, d, scratch);
    check_close(want, got, rows * d, tolerance, "attention in integers");
}

static void check_decoder(const check_level *l)
{
    const wh_kv type = (wh_kv)(check_random() % WH_KV_TYPES);
    size_t rows = check_size(1, 20), n = check_size(1, 150), d = check_size(1, 70), ld = d + check_size(0, 3);
    size_t lds = (n + 15) / 16 * 16, bytes = (n + WH_KV_KEYS - 1) / WH_KV_KEYS * wh_kv_tile(type, d);
    float *q = filled((rows - 1) * ld + d, 1), *k = filled((n - 1) * ld + d, 1), *v = filled((n - 1) * ld + d, 1);
    void *keys = check_alloc(bytes, 64), *values = check_alloc(bytes, 64);
    float *want = room(rows * lds), *got = room(rows * lds), *out = room(rows * d), *same = room(rows * d);
    double slack = type == WH_KV_I8 ? 1e-2 * (double)d : 1e-5 * (double)d; /* an int8 may be rounded the other way */
    l->kernels_reference->kv_store[type](k, v, ld, 0, (int)n, (int)d, keys, values);
    l->kernels_reference->kv_scores[type](q, ld, (int)rows, keys, (int)n, (int)d, want, lds);
    l->kernels_reference->kv_values[type](want, lds, (int)rows, values, (int)n, (int)d, same, d);
    l->kernels->kv_store[type](k, v, ld, 0, (int)n, (int)d, keys, values);
    l->kernels->kv_scores[type](q, ld, (int)rows, keys, (int)n, (int)d, got, lds);
    l->kernels->kv_values[type](want, lds, (int)rows, values, (int)n, (int)d, out, d);
    for (size_t r = 0; r < rows; r++)
        check_close(want + r * lds, got + r * lds, n, slack, "scores");
    check_close(same, out, rows * d, slack * (double)n, "sums");
}

static void check(const check_level *level)
{
    check_encoder(level);
    if (level->attention)
        check_attention_int(level->attention_reference, level->attention, 1e-2); /* roundings that fall the other way */
    check_decoder(level);
}

/* ---- times: a head of Whisper's ---- */

enum { KEYS = 1500, HEAD = 64, ROWS = 48 };

typedef struct timed_attention {
    const wh_kernels *kernels;
    const wh_attention_int *integers;
    float *q, *out, *packed, *v, *scratch;
    void *packed_int;
} timed_attention;

static void run_floats(void *context)
{
    const timed_attention *t = context;
    t->kernels->attend(t->q, HEAD, ROWS, t->packed, t->v, KEYS, HEAD, NULL, t->out, HEAD, t->scratch);
}

static void run_integers(void *context)
{
    const timed_attention *t = context;
    t->integers->attend(t->q, HEAD, ROWS, t->packed_int, KEYS, HEAD, NULL, t->out, HEAD, t->scratch);
}

static void bench(const check_level *l)
{
    float *k = filled(KEYS * HEAD, 2);
    timed_attention t = {l->kernels,
                         l->attention,
                         filled(ROWS * HEAD, 2),
                         room(ROWS * HEAD),
                         room(wh_packed_keys(KEYS) * HEAD),
                         filled(KEYS * HEAD, 1),
                         room(wh_attend_scratch(HEAD) + wh_attend_int_scratch(HEAD)),
                         check_alloc(wh_attend_int_size(KEYS, HEAD), 64)};
    l->kernels->pack_keys(k, HEAD, KEYS, HEAD, t.packed);
    check_report(l, "attention, 48 x 1500 x 64", 4.0 * ROWS * KEYS * HEAD, check_time(run_floats, &t), CHECK_F32);
    if (t.integers) {
        t.integers->pack(k, t.v, HEAD, KEYS, HEAD, t.packed_int);
        check_report(l, "the same in integers", 4.0 * ROWS * KEYS * HEAD, check_time(run_integers, &t), CHECK_INT8);
    }
    check_free_all();
}

const check_kernel check_attention = {"attention", check, bench};
