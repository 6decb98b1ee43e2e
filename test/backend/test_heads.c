/* test_heads.c - heads of every size, odd ones too, in the encoder and in the decoder, and models of sizes drawn by
 * chance, with every arithmetic, every element type and every instruction set that is here: within the room that is
 * planned for them, and right.
 *
 * All that is allocated, weights included, lies between pages that may not be touched (support/guarded.h).
 *
 * WHISP_SEED=N takes the chance's seed, which is printed; WHISP_MODELS=N the number of models drawn. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "backend/cpu/blas.h"
#include "cpu/registry.h"
#include "support/bounds.h"
#include "support/guarded.h"
#include "support/slow_model.h"

#define N 21 /* tokens: more than a pass of few rows */
#define MOST_TOKENS 96
#define MOST_SLOTS 18
#define MOST_HEAD 80 /* channels; no published model has more than 64 */

/* ---- what is expected ---- */

typedef struct expected {
    const whisp_model *model;
    float *mel;
    int n; /* tokens */
    int32_t tokens[MOST_TOKENS];
    double *logits, *scores; /* in double precision */
} expected;

static void expect(expected *e, const whisp_model *m, int n)
{
    size_t n_mel = (size_t)(2 * m->n_audio_ctx * m->n_mels), ctx = (size_t)m->n_audio_ctx;
    uint64_t seed = 11;
    double *audio = calloc(ctx * (size_t)m->n_audio_state, sizeof *audio);
    double *block0 = calloc(ctx * (size_t)m->n_audio_state, sizeof *block0);
    *e = (expected){.model = m, .n = n, .mel = malloc(n_mel * sizeof(float))};
    e->logits = calloc((size_t)n * (size_t)m->n_vocab, sizeof(double));
    e->scores = calloc((size_t)m->n_alignment_heads * (size_t)n * ctx, sizeof(double));
    assert_true(audio && block0 && e->mel && e->logits && e->scores);
    for (size_t i = 0; i < n_mel; i++)
        e->mel[i] = (float)(2 * random_unit(&seed) - 1);
    for (int i = 0; i < n; i++)
        e->tokens[i] = (int32_t)(random_unit(&seed) * m->n_vocab);
    slow_encode(m, e->mel, audio, block0);
    slow_decode(m, audio, e->tokens, n, e->logits, e->scores);
    free(audio);
    free(block0);
}

static void free_expected(expected *e)
{
    free(e->mel);
    free(e->logits);
    free(e->scores);
}

/* What one slot gave for tokens first .. first + n - 1: the mean square of the errors of logits and scores. */
static double error_of(const expected *e, int first, int n, const float *logits, const float *scores)
{
    const whisp_model *m = e->model;
    size_t vocab = (size_t)m->n_vocab, ctx = (size_t)m->n_audio_ctx, heads = (size_t)m->n_alignment_heads;
    size_t rows = (size_t)n;
    double sum = 0;
    for (size_t i = 0; i < rows * vocab; i++) {
        double error = logits[i] - e->logits[(size_t)first * vocab + i];
        sum += error * error / (double)(rows * vocab);
    }
    for (size_t i = 0; i < heads * rows * ctx; i++) {
        size_t head = i / (rows * ctx), at = i % (rows * ctx);
        double error = scores[i] - e->scores[(head * (size_t)e->n + (size_t)first) * ctx + at];
        sum += error * error / (double)(heads * rows * ctx);
    }
    return sum;
}

/* The same tokens in so many slots in one call: the greatest error (root of mean squares). */
static double decode(const expected *e, wh_backend *b, int first, int n, int n_slots)
{
    const whisp_model *m = e->model;
    size_t n_logits = (size_t)n * (size_t)m->n_vocab;
    size_t n_scores = (size_t)m->n_alignment_heads * (size_t)n * (size_t)m->n_audio_ctx;
    float *logits = wh_alloc_aligned((size_t)n_slots * n_logits, sizeof *logits);
    float *scores = wh_alloc_aligned((size_t)n_slots * n_scores, sizeof *scores);
    double worst_sum = 0;
    int rows[MOST_TOKENS];
    wh_step steps[MOST_SLOTS];
    assert_true(logits && scores);
    for (int i = 0; i < n; i++)
        rows[i] = i;
    for (int i = 0; i < n_slots; i++)
        steps[i] = (wh_step){.slot = i,
                             .n_tokens = n,
                             .tokens = e->tokens + first,
                             .n_rows = n,
                             .rows = rows,
                             .logits = logits + (size_t)i * n_logits,
                             .cross_scores = scores + (size_t)i * n_scores};
    assert_int_equal(wh_backend_decode(b, n_slots, steps), WHISP_OK);
    for (int i = 0; i < n_slots; i++) {
        double sum = error_of(e, first, n, steps[i].logits, steps[i].cross_scores);
        worst_sum = sum > worst_sum || isnan(sum) ? sum : worst_sum;
    }
    free(logits);
    free(scores);
    return sqrt(worst_sum);
}

/* All tokens but the last in one pass, then the last alone in all slots, which are forked from the first. */
static double run(const expected *e, const char *name, wh_compute compute, int n_slots, int threads)
{
    const wh_backend_config config = {.n_slots = n_slots, .threads = threads, .compute = compute};
    const float *mel = e->mel;
    wh_backend *b;
    if (wh_backend_new(name, e->model, &config, &b))
        fail_msg("%s", whisp_last_error());
    assert_int_equal(wh_backend_encode(b, 1, &mel, (int[]){0}), WHISP_OK);
    double prompt = decode(e, b, 0, e->n - 1, 1);
    for (int slot = 1; slot < n_slots; slot++)
        assert_int_equal(wh_backend_fork(b, slot, 0), WHISP_OK);
    double last = decode(e, b, e->n - 1, 1, n_slots);
    wh_backend_free(b);
    return prompt > last || isnan(prompt) ? prompt : last;
}

static const struct {
    wh_compute compute;
    const char *name;
    double tolerance;
} computes[] = {{WH_COMPUTE_F32, "f32", 1e-5}, {WH_COMPUTE_BF16, "bf16", 0.1}, {WH_COMPUTE_INT8, "int8", 0.25}};

/* The largest of these errors, by arithmetic. */
static double worst[WH_COUNT(computes)];

static void try_levels(const expected *e, int n_slots, int threads)
{
    /* a layer norm of a few channels magnifies what is rounded: then only what is far off is seen */
    const whisp_model *m = e->model;
    double layers = m->n_audio_layer + m->n_text_layer, looser = m->n_text_state < 24 ? 1000 : layers * layers / 4;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu))
            continue;
        setenv("WHISP_CPU", cpu.name, 1);
        for (size_t c = 0; c < WH_COUNT(computes); c++) {
            if (e->model->is_int8 && computes[c].compute != WH_COMPUTE_INT8)
                continue;
            guarded_at_start = !guarded_at_start;
            double error = run(e, "cpu", computes[c].compute, n_slots, threads);
            worst[c] = looser > 1 ? worst[c] : fmax(worst[c], error);
            if (!(error < computes[c].tolerance * looser))
                fail_msg("%s, %s, %d channels, %d and %d heads: off by %g", cpu.name, computes[c].name,
                         e->model->n_text_state, e->model->n_audio_head, e->model->n_text_head, error);
        }
        unsetenv("WHISP_CPU");
    }
    if (wh_blas_get()->sgemm && !e->model->is_int8)
        assert_true(run(e, "blas", WH_COMPUTE_F32, n_slots, threads) < computes[0].tolerance * looser);
}

static void try_sizes(const slow_sizes *sizes, wh_type type, uint64_t seed, int n, int n_slots, int threads)
{
    whisp_model *m = slow_model_new(sizes, type, seed);
    expected e;
    expect(&e, m, n);
    try_levels(&e, n_slots, threads);
    free_expected(&e);
    slow_model_free(m);
}

static void try_model(int d, int audio_heads, int text_heads, int ctx, wh_type type)
{
    const slow_sizes sizes = {.n_vocab = 40,
                              .n_mels = 3,
                              .n_audio_ctx = ctx,
                              .n_text_ctx = N,
                              .d = d,
                              .heads = audio_heads,
                              .text_heads = text_heads,
                              .audio_layers = 1,
                              .text_layers = 1};
    try_sizes(&sizes, type, (uint64_t)d, N, 1, 1);
}

static void test_every_size(void **state)
{
    (void)state;
    for (int size = 1; size <= MOST_HEAD; size++) { /* a context that is no multiple of a tile */
        int heads = size > 32 ? 1 : WH_MAX(2, 24 / size);
        try_model(size * heads, heads, 0, 19, size % 2 ? WH_F16 : WH_F32);
    }
    printf("  largest errors:");
    for (size_t c = 0; c < WH_COUNT(computes); c++)
        printf(" %s %.1e", computes[c].name, worst[c]);
    printf("\n");
    if (!wh_blas_get()->sgemm)
        printf("skipped: backend blas: no OpenBLAS: %s\n", wh_blas_get()->problem);
}

/* Encoder and decoder with other numbers of heads. */
static void test_unlike_heads(void **state)
{
    (void)state;
    static const int list[][3] = {{30, 2, 15}, {30, 15, 2}, {30, 1, 30}, {30, 30, 1},
                                  {96, 1, 96}, {96, 96, 1}, {130, 13, 5}};
    for (size_t i = 0; i < WH_COUNT(list); i++)
        try_model(list[i][0], list[i][1], list[i][2], 37, WH_F32);
}

/* A long window: what grows with it outweighs all that is rounded up. */
static void test_long_windows(void **state)
{
    (void)state;
    try_model(2, 1, 0, 700, WH_F32);
    try_model(5, 1, 5, 700, WH_F16);
    try_model(6, 2, 0, 700, WH_F32);
}

/* A number from lo to hi. */
static int between(int lo, int hi, uint64_t *seed)
{
    return lo + (int)(random_unit(seed) * (hi - lo + 1));
}

/* A divisor of d, any of them. */
static int divisor(int d, uint64_t *seed)
{
    int n = between(1, d, seed);
    while (d % n)
        n--;
    return n;
}

static void draw(uint64_t seed)
{
    static const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0, WH_I8, SLOW_MIXED, SLOW_MIXED_INT8};
    wh_type type = types[between(0, 6, &seed)];
    int n = between(2, MOST_TOKENS, &seed),
        d = between(1, 5, &seed) < 5 ? between(2, 100, &seed) : 16 * between(2, 12, &seed);
    d = type == WH_Q8_0 ? (d + 31) / 32 * 32 : d;
    slow_sizes sizes = {.n_vocab = between(5, 700, &seed),
                        .n_mels = between(1, 4, &seed) < 4 ? between(1, 40, &seed) : 80 + 48 * between(0, 1, &seed),
                        .n_audio_ctx = between(1, 160, &seed),
                        .n_text_ctx = n + between(0, 20, &seed),
                        .d = d,
                        .heads = divisor(d, &seed),
                        .text_heads = divisor(d, &seed),
                        .audio_layers = between(1, 2, &seed),
                        .text_layers = between(1, 2, &seed),
                        .own_output = between(0, 1, &seed)};
    int n_slots = between(1, MOST_SLOTS, &seed), threads = between(1, 3, &seed);
    printf(
        "  type %d, %d channels, %d and %d heads, %d and %d layers, %d tokens of %d, %d bands, context %d and %d, %d "
        "slots, %d threads\n",
        (int)type, d, sizes.heads, sizes.text_heads, sizes.audio_layers, sizes.text_layers, n, sizes.n_vocab,
        sizes.n_mels, sizes.n_audio_ctx, sizes.n_text_ctx, n_slots, threads);
    try_sizes(&sizes, type, seed, n, n_slots, threads);
}

static void test_by_chance(void **state)
{
    (void)state;
    const char *many = getenv("WHISP_MODELS");
    uint64_t seed = test_seed();
    int n = many ? atoi(many) : BOUNDS_SANITIZED ? 2 : 6;
    for (int i = 0; i < n; i++, seed++) {
        printf("  WHISP_SEED=%llu WHISP_MODELS=1:\n", (unsigned long long)seed);
        draw(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_unlike_heads),
        cmocka_unit_test(test_long_windows),
        cmocka_unit_test(test_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
