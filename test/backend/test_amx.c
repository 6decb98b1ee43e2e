/* test_amx.c - a backend on AMX's tiles, with the instructions in plain C (support/amx_in_c.h): AMX reads rows of x in
 * a layout of its own, which must be right in all that a model does; and a backend does not take tiles that compute
 * something else.
 *
 * The linker puts the functions below in place of those that say what the CPU has. All else is the best level there
 * is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "cpu/generic/generic.h"
#include "cpu/registry.h"
#include "support/slow_model.h"

static void check_that(int is_true, const char *what)
{
    if (!is_true) { /* in any thread */
        fprintf(stderr, "amx: %s\n", what);
        abort();
    }
}

#include "support/amx_in_c.h"

#include "cpu/x86/gemm_amx.h"

/* ---- a CPU with AMX ---- */

enum { NO_AMX, AMX, OTHER_LAYOUT, WRONG_INT8, WRONG_BF16 };
static int cpu;
static wh_gemm table;

int __real_wh_x86_has_amx(void);
const wh_gemm *__real_wh_gemm_amx(void);
wh_cpu __real_wh_cpu_best(void);
int __wrap_wh_x86_has_amx(void);
const wh_gemm *__wrap_wh_gemm_amx(void);
wh_cpu __wrap_wh_cpu_best(void);

static void wrong_i8(const int8_t *x, int rows, const int8_t *w, size_t steps, const int32_t *w_sum,
                     const float *x_scale, const float *w_scale, const int8_t *ahead, int lines, float *out)
{
    amx_i8(x, rows, w, steps - 16, w_sum, x_scale, w_scale, ahead, lines, out); /* the last piece is forgotten */
}

static void wrong_bf16(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                       float *out)
{
    amx_bf16(x, rows, w, steps - 16, ahead, lines, out);
}

/* The same sums from the layout of the other levels. */
static void bf16_of_steps(const int8_t *x, int rows, const int8_t *w, size_t steps, const int8_t *ahead, int lines,
                          float *out)
{
    int8_t group[32 * 1024] = {0};
    size_t n = (size_t)rows, room = rows > 16 ? 32 : 16;
    check_that(steps * 4 <= 1024, "a row of this test's model");
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < steps; i++)
            memcpy(group + (i / 16 * room + r) * 64 + i % 16 * 4, x + (i * n + r) * 4, 4);
    amx_bf16(group, rows, w, steps, ahead, lines, out);
}

/* `like` with AMX's tiles. */
static const wh_gemm *with_tiles(const wh_gemm *like)
{
    table = *like;
    table.rows = 32;
    table.bare_from = 1;
    table.begin = amx_begin;
    table.end = amx_end;
    table.group = table.group_bf16 = wh_group_tiles;
    table.tile = cpu == WRONG_INT8 ? wrong_i8 : amx_i8;
    table.tile_bf16 = cpu == WRONG_BF16 ? wrong_bf16 : amx_bf16;
    if (cpu == OTHER_LAYOUT) {
        table.group_bf16 = wh_group_steps;
        table.tile_bf16 = bf16_of_steps;
    }
    return &table;
}

/* What a backend computes with. */
wh_cpu __wrap_wh_cpu_best(void)
{
    int with = cpu;
    cpu = NO_AMX;
    wh_cpu best = __real_wh_cpu_best();
    cpu = with;
    if (cpu == NO_AMX)
        return best;
    best.name = "amx";
    best.gemm = with_tiles(best.gemm);
    best.integers_pay = 1;
    return best;
}

/* What the registry finds. */
int __wrap_wh_x86_has_amx(void)
{
    return cpu != NO_AMX || __real_wh_x86_has_amx();
}

const wh_gemm *__wrap_wh_gemm_amx(void)
{
    return cpu != NO_AMX ? with_tiles(wh_gemm_generic()) : __real_wh_gemm_amx();
}

/* ---- tests ---- */

#define N 24 /* tokens: more than a pass of few rows */

/* Odd everywhere: rows of x and of weights that end within a tile. */
static const slow_sizes sizes = {.n_vocab = 300,
                                 .n_mels = 17,
                                 .n_audio_ctx = 75,
                                 .n_text_ctx = 45,
                                 .d = 96,
                                 .heads = 4,
                                 .audio_layers = 1,
                                 .text_layers = 2};

static wh_backend *make(const whisp_model *m, wh_compute compute, int threads)
{
    wh_backend_config config = {.n_slots = 1, .threads = threads, .compute = compute};
    wh_backend *b;
    if (wh_backend_new("cpu", m, &config, &b))
        fail_msg("%s", whisp_last_error());
    return b;
}

/* The logits of N tokens [N][n_vocab], `at_once` in a call, after a window of noise. */
static float *logits_of(const whisp_model *m, wh_backend *b, int at_once)
{
    size_t n_mel = (size_t)(2 * m->n_audio_ctx * m->n_mels), vocab = (size_t)m->n_vocab;
    float *mel = malloc(n_mel * sizeof *mel), *logits = calloc(N * vocab, sizeof *logits);
    const float *window = mel;
    uint64_t seed = 4;
    int rows[N];
    int32_t tokens[N];
    assert_true(mel && logits);
    for (size_t i = 0; i < n_mel; i++)
        mel[i] = (float)(2 * random_unit(&seed) - 1);
    for (int i = 0; i < N; i++)
        rows[i] = i, tokens[i] = (int32_t)(random_unit(&seed) * m->n_vocab);
    assert_int_equal(wh_backend_encode(b, 1, &window, (int[]){0}), WHISP_OK);
    for (int i = 0; i < N; i += at_once) {
        wh_step step = {.slot = 0,
                        .n_tokens = at_once,
                        .tokens = tokens + i,
                        .n_rows = at_once,
                        .rows = rows,
                        .logits = logits + (size_t)i * vocab};
        assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_OK);
    }
    free(mel);
    return logits;
}

/* Which of the tiles' registers the CPU has in use in this thread (XINUSE), where it says so. */
static int registers_in_use(void)
{
    unsigned low = 0, high = 0;
#if defined(__x86_64__)
    if (__real_wh_x86_has_amx())
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
#endif
    (void)high;
    return low >> 17 & 3;
}

static float *run(const whisp_model *m, wh_compute compute, int threads, int at_once)
{
    wh_backend *b = make(m, compute, threads);
    float *logits = logits_of(m, b, at_once);
    assert_false(tiles.configured); /* the caller's thread has given them back */
    assert_false(registers_in_use());
    wh_backend_free(b);
    return logits;
}

/* The bits that `other` computes come out of AMX's tiles, for any threads and rows. */
static void same_bits(wh_compute compute, int other, const char *description)
{
    whisp_model *m = slow_model_new(&sizes, WH_F16, 3);
    size_t bytes = N * (size_t)m->n_vocab * sizeof(float);
    cpu = other;
    float *want = run(m, compute, 1, 1);
    cpu = AMX;
    wh_backend *b = make(m, compute, 1);
    assert_string_equal(wh_backend_describe(b), description);
    wh_backend_free(b);
    for (int threads = 1; threads <= 3; threads += 2)
        for (int at_once = 1; at_once <= N; at_once *= N) {
            float *got = run(m, compute, threads, at_once);
            assert_memory_equal(want, got, bytes);
            free(got);
        }
    cpu = NO_AMX;
    free(want);
    slow_model_free(m);
}

/* Integers: those of the level without AMX. */
static void test_int8(void **state)
{
    (void)state;
    same_bits(WH_COMPUTE_INT8, NO_AMX, "cpu: int8, amx, 1 thread");
}

/* bfloat16: those of the same sums made from the layout of the other levels. (The other levels add up in another order.
 * The last bit of a sum can round a number of the next product's rows to the other side, which moves many of those
 * behind it: sums in double precision differ from avx512vnni's logits as much as AMX's do.) */
static void test_bf16(void **state)
{
    (void)state;
    same_bits(WH_COMPUTE_BF16, OTHER_LAYOUT, "cpu: bfloat16, amx, 1 thread");
}

/* Tiles that compute something else: the registry does not believe in the level. */
static void test_wrong_tiles(void **state)
{
    static const int found[] = {AMX, WRONG_INT8, WRONG_BF16};
    wh_cpu got;
    (void)state;
    int level = wh_cpu_levels() - 1;
    if (strcmp(wh_cpu_level_name(level), "amx")) {
        printf("skipped: this architecture has no amx\n");
        return;
    }
    if (!wh_cpu_get(level - 1, &got)) {
        printf("skipped: no %s here\n", wh_cpu_level_name(level - 1));
        return;
    }
    for (size_t i = 0; i < WH_COUNT(found); i++) {
        cpu = found[i];
        assert_int_equal(wh_cpu_get(level, &got), cpu == AMX);
        assert_string_equal(__real_wh_cpu_best().name, wh_cpu_level_name(cpu == AMX ? level : level - 1));
    }
    cpu = NO_AMX;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_wrong_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
