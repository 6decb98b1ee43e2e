/* test_heads.c - heads of every size, odd ones too, in the encoder and in the decoder, with every arithmetic and every
 * instruction set that is here: within the room that is planned for them, and right.
 *
 * The linker puts a wh_alloc_aligned in place that rounds no size up, so that AddressSanitizer sees the first byte that
 * is read or written behind the end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "backend/cpu/blas.h"
#include "cpu/registry.h"
#include "support/slow_model.h"

#define N 21         /* tokens: more than a pass of few rows */
#define MOST_HEAD 80 /* channels; no published model has more than 64 */

void *__wrap_wh_alloc_aligned(size_t n, size_t size);

void *__wrap_wh_alloc_aligned(size_t n, size_t size)
{
    void *room;
    assert_true(!size || n <= SIZE_MAX / size);
    return posix_memalign(&room, 64, n && size ? n * size : 1) ? NULL : room;
}

typedef struct expected {
    const whisp_model *model;
    float *mel;
    int32_t tokens[N];
    double *logits, *scores; /* in double precision */
} expected;

static void expect(expected *e, const whisp_model *m)
{
    size_t n_mel = (size_t)(2 * m->n_audio_ctx * m->n_mels), ctx = (size_t)m->n_audio_ctx;
    uint64_t seed = 11;
    double *audio = calloc(ctx * (size_t)m->n_audio_state, sizeof *audio);
    double *block0 = calloc(ctx * (size_t)m->n_audio_state, sizeof *block0);
    *e = (expected){.model = m, .mel = malloc(n_mel * sizeof(float))};
    e->logits = calloc(N * (size_t)m->n_vocab, sizeof(double));
    e->scores = calloc((size_t)m->n_alignment_heads * N * ctx, sizeof(double));
    assert_true(audio && block0 && e->mel && e->logits && e->scores);
    for (size_t i = 0; i < n_mel; i++)
        e->mel[i] = (float)(2 * random_unit(&seed) - 1);
    for (int i = 0; i < N; i++)
        e->tokens[i] = (int32_t)(random_unit(&seed) * m->n_vocab);
    slow_encode(m, e->mel, audio, block0);
    slow_decode(m, audio, e->tokens, N, e->logits, e->scores);
    free(audio);
    free(block0);
}

static void free_expected(expected *e)
{
    free(e->mel);
    free(e->logits);
    free(e->scores);
}

/* Tokens first .. first + n - 1: the error (root of mean squares) of their logits and the alignment heads' scores. */
static double error_of(const expected *e, wh_backend *b, int first, int n)
{
    const whisp_model *m = e->model;
    size_t vocab = (size_t)m->n_vocab, ctx = (size_t)m->n_audio_ctx, heads = (size_t)m->n_alignment_heads;
    float *logits = malloc((size_t)n * vocab * sizeof *logits);
    float *scores = malloc(heads * (size_t)n * ctx * sizeof *scores);
    double sum = 0;
    int rows[N];
    assert_true(logits && scores);
    for (int i = 0; i < n; i++)
        rows[i] = i;
    const wh_step step = {.n_tokens = n,
                          .tokens = e->tokens + first,
                          .n_rows = n,
                          .rows = rows,
                          .logits = logits,
                          .cross_scores = scores};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_OK);
    for (size_t i = 0; i < (size_t)n * vocab; i++) {
        double error = logits[i] - e->logits[(size_t)first * vocab + i];
        sum += error * error / (double)((size_t)n * vocab);
    }
    for (size_t i = 0; i < heads * (size_t)n * ctx; i++) {
        size_t head = i / ((size_t)n * ctx), at = i % ((size_t)n * ctx);
        double error = scores[i] - e->scores[(head * N + (size_t)first) * ctx + at];
        sum += error * error / (double)(heads * (size_t)n * ctx);
    }
    free(logits);
    free(scores);
    return sqrt(sum);
}

/* All tokens but the last in one pass, then the last alone. */
static double run(const expected *e, const char *name, wh_compute compute)
{
    const wh_backend_config config = {.n_slots = 1, .threads = 1, .compute = compute};
    const float *mel = e->mel;
    wh_backend *b;
    if (wh_backend_new(name, e->model, &config, &b))
        fail_msg("%s", whisp_last_error());
    assert_int_equal(wh_backend_encode(b, 1, &mel, (int[]){0}), WHISP_OK);
    double prompt = error_of(e, b, 0, N - 1), last = error_of(e, b, N - 1, 1);
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

static void try_levels(const expected *e)
{
    /* a layer norm of a few channels magnifies what is rounded: then only what is far off is seen */
    double looser = e->model->n_text_state < 24 ? 1000 : 1;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu))
            continue;
        setenv("WHISP_CPU", cpu.name, 1);
        for (size_t c = 0; c < WH_COUNT(computes); c++) {
            double error = run(e, "cpu", computes[c].compute);
            worst[c] = looser > 1 ? worst[c] : fmax(worst[c], error);
            if (!(error < computes[c].tolerance * looser))
                fail_msg("%s, %s, %d channels, %d and %d heads: off by %g", cpu.name, computes[c].name,
                         e->model->n_text_state, e->model->n_audio_head, e->model->n_text_head, error);
        }
        unsetenv("WHISP_CPU");
    }
    if (wh_blas_get()->sgemm)
        assert_true(run(e, "blas", WH_COMPUTE_F32) < computes[0].tolerance * looser);
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
    whisp_model *m = slow_model_new(&sizes, type, (uint64_t)d);
    expected e;
    expect(&e, m);
    try_levels(&e);
    free_expected(&e);
    slow_model_free(m);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_unlike_heads),
        cmocka_unit_test(test_long_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
