/* test_backend.c - encoder, decoder and slots: against the architecture in double precision on random models, against
 * openai-whisper's dumps (../shared/reference) on real ones, and what must not change a bit. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "backend/cpu/state.h"
#include "support/slow_model.h"

#define MAX_TOKENS 40

/* Odd everywhere: heads of 24, a context that is no multiple of anything, more vocabulary than one slice. */
static const slow_sizes odd_sizes = {.n_vocab = 300,
                                     .n_mels = 17,
                                     .n_audio_ctx = 75,
                                     .n_text_ctx = 45,
                                     .d = 96,
                                     .heads = 4,
                                     .audio_layers = 2,
                                     .text_layers = 3};

static float *random_mel(const whisp_model *m, uint64_t seed)
{
    size_t n = (size_t)(2 * m->n_audio_ctx * m->n_mels);
    float *mel = malloc(n * sizeof *mel);
    assert_non_null(mel);
    for (size_t i = 0; i < n; i++)
        mel[i] = (float)(2 * random_unit(&seed) - 1);
    return mel;
}

static void random_tokens(const whisp_model *m, int32_t *tokens, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++)
        tokens[i] = (int32_t)(random_unit(&seed) * m->n_vocab);
}

static wh_backend *make(const char *name, const whisp_model *m, int n_slots, int threads)
{
    wh_backend_config config = {.n_slots = n_slots, .threads = threads};
    wh_backend *b = NULL;
    int rc = wh_backend_new(name, m, &config, &b);
    if (rc)
        fail_msg("%s", whisp_last_error());
    return b;
}

static void encode(wh_backend *b, const float *mel, int slot)
{
    assert_int_equal(wh_backend_encode(b, 1, &mel, &slot), WHISP_OK);
}

/* Feed n tokens at once and want all their logits. */
static void feed(wh_backend *b, int slot, const int32_t *tokens, int n, float *logits, float *scores)
{
    int rows[MAX_TOKENS * 12];
    for (int i = 0; i < n; i++)
        rows[i] = i;
    wh_step step = {.slot = slot,
                    .n_tokens = n,
                    .tokens = tokens,
                    .n_rows = logits ? n : 0,
                    .rows = rows,
                    .logits = logits,
                    .cross_scores = scores};
    if (wh_backend_decode(b, 1, &step))
        fail_msg("%s", whisp_last_error());
}

static double worst(const float *x, const double *y, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabs(x[i] - y[i]) > most || isnan(x[i]) ? fabs(x[i] - y[i]) : most;
    return most;
}

static double worst_float(const float *x, const float *y, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i] - y[i]));
    return most;
}

static float *floats(size_t n)
{
    float *array = calloc(n, sizeof *array);
    assert_non_null(array);
    return array;
}

/* ---- against the slow model ---- */

typedef struct taps {
    float *block0, *out;
} taps;

static void keep_tap(void *user, const char *name, const float *data, int rows, int cols)
{
    taps *t = user;
    float *to = !strcmp(name, "encoder.block0") ? t->block0 : t->out;
    memcpy(to, data, (size_t)rows * (size_t)cols * sizeof *data);
}

/* One model, one backend: encoder taps, prompt logits and cross scores in one pass of `n` tokens. */
static void compare_with_slow(const slow_sizes *sizes, wh_type type, const char *name, int no_blas, int n)
{
    whisp_model *m = slow_model_new(sizes, type, 7);
    size_t size = (size_t)(sizes->n_audio_ctx * sizes->d);
    taps t = {floats(size), floats(size)};
    wh_backend_config config = {.n_slots = 1, .threads = 2, .tap = keep_tap, .tap_user = &t};
    wh_backend *b;
    if (wh_backend_new(name, m, &config, &b))
        fail_msg("%s", whisp_last_error());
    if (no_blas)
        b->sgemm = NULL;
    float *mel = random_mel(m, 3);
    encode(b, mel, 0);
    double *audio = calloc(size, sizeof *audio), *block0 = calloc(size, sizeof *block0);
    slow_encode(m, mel, audio, block0);
    double e0 = worst(t.block0, block0, size), e1 = worst(t.out, audio, size);

    int32_t tokens[MAX_TOKENS];
    random_tokens(m, tokens, n, 5);
    size_t n_logits = (size_t)(n * m->n_vocab), n_scores = (size_t)(m->n_alignment_heads * n * m->n_audio_ctx);
    float *logits = floats(n_logits), *scores = floats(n_scores);
    double *slow_logits = calloc(n_logits, sizeof *slow_logits), *slow_scores = calloc(n_scores, sizeof *slow_scores);
    feed(b, 0, tokens, n, logits, scores);
    slow_decode(m, audio, tokens, n, slow_logits, slow_scores);
    double e2 = worst(logits, slow_logits, n_logits), e3 = worst(scores, slow_scores, n_scores);
    printf("  %s%s %s, %d tokens: block0 %.1e encoder %.1e logits %.1e scores %.1e\n", name, no_blas ? " (own)" : "",
           wh_type_name(type), n, e0, e1, e2, e3);
    assert_true(e0 < 2e-5 && e1 < 2e-5 && e2 < 5e-5 && e3 < 5e-5);
    wh_backend_free(b);
    slow_model_free(m);
    free(mel), free(t.block0), free(t.out), free(audio), free(block0);
    free(logits), free(scores), free(slow_logits), free(slow_scores);
}

static void test_slow_model(void **state)
{
    (void)state;
    const wh_type types[] = {WH_F32, WH_F16, WH_BF16, WH_Q8_0};
    for (size_t i = 0; i < WH_COUNT(types); i++) {
        compare_with_slow(&odd_sizes, types[i], "auto", 0, 5);
        compare_with_slow(&odd_sizes, types[i], "cpu", 1, MAX_TOKENS);
    }
    if (wh_blas_get()->sgemm)
        compare_with_slow(&odd_sizes, WH_F16, "blas", 0, MAX_TOKENS);
    else
        printf("skipped: no OpenBLAS: %s\n", wh_blas_get()->problem);
    /* more rows than one block of a large product, one head, one band, a decoder shallower than the encoder */
    const slow_sizes other = {.n_vocab = 40,
                              .n_mels = 1,
                              .n_audio_ctx = 900,
                              .n_text_ctx = 8,
                              .d = 32,
                              .heads = 1,
                              .audio_layers = 2,
                              .text_layers = 1};
    compare_with_slow(&other, WH_F16, "auto", 0, 8);
    compare_with_slow(&other, WH_F32, "auto", 1, 8);
    slow_sizes untied = odd_sizes;
    untied.own_output = 1;
    compare_with_slow(&untied, WH_F16, "auto", 0, 20);
    compare_with_slow(&untied, WH_BF16, "cpu", 1, 3);
    if (wh_blas_get()->sgemm)
        compare_with_slow(&untied, WH_F32, "blas", 0, 20);
}

static void test_levels(void **state)
{
    (void)state;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        wh_cpu cpu;
        if (!wh_cpu_get(level, &cpu)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(level));
            continue;
        }
        setenv("WHISP_CPU", cpu.name, 1);
        compare_with_slow(&odd_sizes, WH_F16, "auto", 1, 20);
        unsetenv("WHISP_CPU");
    }
}

/* ---- what must not change ---- */

#define N 24

typedef struct fixture {
    whisp_model *m;
    float *mel[2];
    int32_t tokens[MAX_TOKENS];
    size_t vocab;
} fixture;

static void open_sized(fixture *f, const slow_sizes *sizes)
{
    f->m = slow_model_new(sizes, WH_F16, 11);
    f->mel[0] = random_mel(f->m, 1);
    f->mel[1] = random_mel(f->m, 2);
    random_tokens(f->m, f->tokens, MAX_TOKENS, 9);
    f->vocab = (size_t)f->m->n_vocab;
}

static void open_fixture(fixture *f)
{
    open_sized(f, &odd_sizes);
}

static void close_fixture(fixture *f)
{
    slow_model_free(f->m);
    free(f->mel[0]), free(f->mel[1]);
}

/* The logits of N tokens fed one at a time to `slot`. */
static float *one_by_one(fixture *f, wh_backend *b, int slot)
{
    float *logits = floats(N * f->vocab);
    for (int i = 0; i < N; i++)
        feed(b, slot, f->tokens + i, 1, logits + (size_t)i * f->vocab, NULL);
    return logits;
}

static void test_threads(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    float *first = NULL, *prompt = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        wh_backend *b = make("auto", f.m, 2, threads);
        encode(b, f.mel[0], 0);
        encode(b, f.mel[0], 1);
        float *logits = one_by_one(&f, b, 0), *all = floats(N * f.vocab);
        feed(b, 1, f.tokens, N, all, NULL);
        if (!first) {
            first = logits, prompt = all;
            printf("  %s: one by one and at once differ by %.1e\n", wh_backend_describe(b),
                   worst_float(logits, all, N * f.vocab));
            assert_true(worst_float(logits, all, N * f.vocab) < 1e-4);
        } else {
            assert_memory_equal(first, logits, N * f.vocab * sizeof *logits);
            assert_memory_equal(prompt, all, N * f.vocab * sizeof *all);
            free(logits), free(all);
        }
        wh_backend_free(b);
    }
    free(first), free(prompt);
    close_fixture(&f);
}

/* Twenty sequences in every call, some of another window, some with a prompt in the same call: each as if alone. */
static void test_batch(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    wh_backend *b = make("auto", f.m, 20, 2);
    encode(b, f.mel[0], 0);
    encode(b, f.mel[1], 1);
    float *alone[2] = {one_by_one(&f, b, 0), one_by_one(&f, b, 1)};
    float *prompt = floats(N * f.vocab);
    wh_backend_truncate(b, 0, 0);
    feed(b, 0, f.tokens, N, prompt, NULL);
    wh_backend_truncate(b, 0, 0);
    wh_backend_truncate(b, 1, 0);
    for (int i = 2; i < 20; i++)
        assert_int_equal(wh_backend_fork(b, i, i % 3 == 0), WHISP_OK);

    float *logits = floats(20 * N * f.vocab);
    int rows[N];
    for (int i = 0; i < N; i++)
        rows[i] = i;
    for (int t = 0; t < N; t++) {
        wh_step steps[20];
        for (int i = 0; i < 20; i++)
            steps[i] = (wh_step){.slot = i,
                                 .n_tokens = 1,
                                 .tokens = f.tokens + t,
                                 .n_rows = 1,
                                 .rows = rows,
                                 .logits = logits + (size_t)i * f.vocab};
        if (t == 0) { /* slot 4 gets everything at once, then stays away */
            steps[4].n_tokens = steps[4].n_rows = N;
            steps[4].logits = logits + 20 * f.vocab;
        } else {
            steps[4] = steps[19];
        }
        assert_int_equal(wh_backend_decode(b, t ? 19 : 20, steps), WHISP_OK);
        if (t == 0)
            assert_memory_equal(logits + 20 * f.vocab, prompt, N * f.vocab * sizeof *logits);
        for (int i = 0; i < 20; i++)
            if (i != 4)
                assert_memory_equal(logits + (size_t)i * f.vocab,
                                    alone[i == 1 || (i > 1 && i % 3 == 0)] + (size_t)t * f.vocab,
                                    f.vocab * sizeof *logits);
    }
    free(alone[0]), free(alone[1]), free(prompt), free(logits);
    wh_backend_free(b);
    close_fixture(&f);
}

static int windows_in_memory(const wh_backend *b)
{
    int n = 0;
    for (int i = 0; i < b->config.n_slots; i++)
        n += b->cross[i].k != NULL;
    return n;
}

static void test_slots(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    wh_backend *b = make("auto", f.m, 5, 1);
    encode(b, f.mel[0], 3);
    float *alone = one_by_one(&f, b, 3), *logits = floats(N * f.vocab);

    /* back to 10 tokens and on again: the same; likewise from a fork taken there */
    assert_int_equal(wh_backend_truncate(b, 3, 10), WHISP_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(wh_backend_fork(b, i, 3), WHISP_OK);
    assert_int_equal(windows_in_memory(b), 1);
    encode(b, f.mel[1], 3); /* the forks keep the old window */
    assert_int_equal(windows_in_memory(b), 2);
    for (int slot = 0; slot < 5; slot += 4) {
        for (int i = 10; i < N; i++)
            feed(b, slot, f.tokens + i, 1, logits + (size_t)i * f.vocab, NULL);
        assert_memory_equal(logits + 10 * f.vocab, alone + 10 * f.vocab, (N - 10) * f.vocab * sizeof *logits);
    }
    feed(b, 3, f.tokens, 1, logits, NULL); /* encode forgot slot 3's tokens, and this is another window */
    assert_true(worst_float(logits, alone, f.vocab) > 1e-3);

    /* many windows through the same slots take no more memory */
    for (int i = 0; i < 12; i++)
        encode(b, f.mel[i % 2], i % 2);
    assert_true(windows_in_memory(b) <= 4);
    free(alone), free(logits);
    wh_backend_free(b);
    close_fixture(&f);
}

/* Slots at rest leave their window to others, and begin anew. */
static void test_rest(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    wh_backend *b = make("auto", f.m, 3, 1);
    encode(b, f.mel[0], 0);
    float *alone = one_by_one(&f, b, 0), *again;
    for (int i = 1; i < 3; i++)
        assert_int_equal(wh_backend_fork(b, i, 0), WHISP_OK);
    for (int i = 0; i < 3; i++)
        wh_backend_rest(b, i);
    encode(b, f.mel[0], 1);
    assert_int_equal(windows_in_memory(b), 1); /* two, if slots 0 and 2 still had the old one */
    wh_step step = {.slot = 2, .tokens = f.tokens, .n_tokens = 1};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_STATE);
    again = one_by_one(&f, b, 1);
    assert_memory_equal(again, alone, N * f.vocab * sizeof *alone);
    free(alone), free(again);
    wh_backend_free(b);
    close_fixture(&f);
}

/* Under AddressSanitizer too, an allocation that cannot be is to give NULL. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_refusals(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    wh_backend *b = NULL;
    wh_backend_config config = {.n_slots = 0};
    assert_int_equal(wh_backend_new("auto", f.m, &config, &b), WHISP_ERR_ARGUMENT);
    config.n_slots = 1 << 30;
    assert_int_equal(wh_backend_new("auto", f.m, &config, &b), WHISP_ERR_ARGUMENT);
    config = (wh_backend_config){.n_slots = 1, .threads = 100000};
    assert_int_equal(wh_backend_new("auto", f.m, &config, &b), WHISP_ERR_ARGUMENT);
    config.threads = 1;
    assert_int_equal(wh_backend_new("quantum", f.m, &config, &b), WHISP_ERR_BACKEND);
    assert_null(b);
    f.m->n_text_ctx = 1 << 30; /* more memory than there is */
    config.n_slots = 4096;
    assert_int_equal(wh_backend_new("auto", f.m, &config, &b), WHISP_ERR_MEMORY);
    f.m->n_text_ctx = odd_sizes.n_text_ctx;

    b = make("auto", f.m, 2, 1);
    float *logits = floats(f.vocab);
    wh_step step = {.slot = 0, .n_tokens = 1, .tokens = f.tokens, .logits = logits};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_STATE);
    encode(b, f.mel[0], 0);
    const wh_step twice[] = {step, step};
    assert_int_equal(wh_backend_decode(b, 2, twice), WHISP_ERR_ARGUMENT);
    assert_int_equal(b->ledger.slots[0].n_tokens, 0);
    step.n_tokens = odd_sizes.n_text_ctx + 1;
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_ARGUMENT);
    step.n_tokens = 0;
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_ARGUMENT);
    int32_t outside = f.m->n_vocab;
    step = (wh_step){.slot = 0, .n_tokens = 1, .tokens = &outside};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_ARGUMENT);
    step.slot = 2;
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_backend_truncate(b, 0, 1), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_backend_fork(b, 0, 5), WHISP_ERR_ARGUMENT);
    free(logits);
    wh_backend_free(b);
    close_fixture(&f);
}

/* ---- threads of the host ---- */

static void *host_thread(void *argument)
{
    fixture *f = argument;
    wh_backend *b = make("auto", f->m, 1, 2);
    encode(b, f->mel[0], 0);
    float *logits = one_by_one(f, b, 0);
    wh_backend_free(b);
    return logits;
}

static void test_host_threads_and_fork(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, host_thread, &f), 0);
    wh_backend *b = make("auto", f.m, 1, 2);
    encode(b, f.mel[0], 0);
    float *here = one_by_one(&f, b, 0);
    for (int i = 0; i < 3; i++) {
        void *logits;
        pthread_join(threads[i], &logits);
        assert_memory_equal(logits, here, N * f.vocab * sizeof(float));
        free(logits);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { /* its copy of the backend has no workers any more; it must still answer */
        alarm(60);
        wh_backend_truncate(b, 0, 0);
        float *there = one_by_one(&f, b, 0);
        int differs = memcmp(here, there, N * f.vocab * sizeof(float)) != 0;
        free(here), free(there);
        wh_backend_free(b);
        close_fixture(&f);
        _exit(differs);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    free(here);
    wh_backend_free(b);
    close_fixture(&f);
}

/* Every task runs once, by a worker of its own number at a time, however short the jobs and however many. */
typedef struct counting {
    int ran[300], busy[4], bad;
} counting;

static void count_task(void *context, size_t task, int worker)
{
    counting *c = context;
    if (__atomic_fetch_add(&c->busy[worker], 1, __ATOMIC_SEQ_CST) != 0)
        c->bad = 1;
    __atomic_fetch_add(&c->ran[task], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&c->busy[worker], 1, __ATOMIC_SEQ_CST);
}

static void test_pool(void **state)
{
    (void)state;
    wh_pool *pool;
    assert_int_equal(wh_pool_new(-1, &pool), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_pool_new(0, &pool), WHISP_OK);
    assert_true(wh_pool_threads(pool) >= 1);
    wh_pool_free(pool);
    assert_int_equal(wh_pool_new(4, &pool), WHISP_OK);
    assert_int_equal(wh_pool_threads(pool), 4);
    for (int i = 0; i < 3000; i++) {
        counting c = {.bad = 0};
        size_t n = (size_t)(i * 7 % (i % 10 ? 6 : 300));
        if (i % 100 == 0)
            usleep(1000); /* long enough for the workers to fall asleep */
        wh_pool_run(pool, n, count_task, &c);
        for (size_t t = 0; t < WH_COUNT(c.ran); t++)
            assert_int_equal(c.ran[t], t < n);
        assert_false(c.bad);
    }
    wh_pool_free(pool);
    wh_pool_free(NULL);
}

/* ---- int8, bfloat16 ---- */

static wh_backend *make_packed(const whisp_model *m, wh_compute compute, int n_slots, int threads)
{
    wh_backend_config config = {.n_slots = n_slots, .threads = threads, .compute = compute};
    wh_backend *b = NULL;
    if (wh_backend_new("auto", m, &config, &b))
        fail_msg("%s", whisp_last_error());
    return b;
}

/* Root mean square of the difference over that of the values. */
static double relative(const float *want, const float *got, size_t n)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    return sqrt(error / size);
}

/* Close to float32, and the same bits fed one by one, all at once, alone, in a batch of 14 and by any number of
 * threads. (Between levels only GELU and the float32 rest differ, so those are compared in checkkernels.) */
static void check_packed(wh_compute compute, double most, int own_output)
{
    fixture f;
    slow_sizes sizes = odd_sizes;
    sizes.own_output = own_output;
    open_sized(&f, &sizes);
    wh_backend *exact = make("cpu", f.m, 1, 2);
    encode(exact, f.mel[0], 0);
    float *want = one_by_one(&f, exact, 0), *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        wh_backend *b = make_packed(f.m, compute, 14, threads);
        encode(b, f.mel[0], 0);
        float *logits = one_by_one(&f, b, 0), *all = floats(N * f.vocab), *batch = floats(14 * f.vocab);
        assert_int_equal(wh_backend_truncate(b, 0, 0), WHISP_OK);
        feed(b, 0, f.tokens, N, all, NULL);
        assert_memory_equal(logits, all, N * f.vocab * sizeof *all);
        wh_backend_truncate(b, 0, N - 1);
        for (int i = 1; i < 14; i++)
            assert_int_equal(wh_backend_fork(b, i, 0), WHISP_OK);
        wh_step steps[14];
        const int row = 0;
        for (int i = 0; i < 14; i++)
            steps[i] = (wh_step){.slot = i,
                                 .n_tokens = 1,
                                 .tokens = f.tokens + N - 1,
                                 .n_rows = 1,
                                 .rows = &row,
                                 .logits = batch + (size_t)i * f.vocab};
        assert_int_equal(wh_backend_decode(b, 14, steps), WHISP_OK);
        for (int i = 0; i < 14; i++)
            assert_memory_equal(batch + (size_t)i * f.vocab, all + (N - 1) * f.vocab, f.vocab * sizeof *all);
        if (!first) {
            first = logits;
            double error = relative(want, logits, N * f.vocab);
            printf("  %s: %.4f of the logits' size from float32\n", wh_backend_describe(b), error);
            assert_true(error > 0 && error < most);
        } else {
            assert_memory_equal(first, logits, N * f.vocab * sizeof *logits);
            free(logits);
        }
        free(all), free(batch);
        wh_backend_free(b);
    }
    wh_backend_config config = {.n_slots = 1, .compute = compute};
    wh_backend *b;
    assert_int_equal(wh_backend_new("blas", f.m, &config, &b), WHISP_ERR_BACKEND);
    free(first), free(want);
    wh_backend_free(exact);
    close_fixture(&f);
}

static void test_packed(void **state)
{
    (void)state;
    check_packed(WH_COMPUTE_INT8, 0.03, 0);
    check_packed(WH_COMPUTE_INT8, 0.03, 1);
    check_packed(WH_COMPUTE_BF16, 0.01, 1);
    wh_cpu cpu;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        if (!wh_cpu_get(level, &cpu))
            continue;
        setenv("WHISP_CPU", cpu.name, 1);
        check_packed(WH_COMPUTE_BF16, 0.01, 0);
        unsetenv("WHISP_CPU");
    }
}

/* ---- without OpenBLAS ---- */

static int no_openblas_child(void)
{
    fixture f;
    open_fixture(&f);
    wh_backend_config config = {.n_slots = 1, .threads = 2};
    wh_backend *b;
    if (wh_backend_new("blas", f.m, &config, &b) != WHISP_ERR_BACKEND)
        return 1;
    if (!strstr(whisp_last_error(), "install OpenBLAS"))
        return 3;
    printf("  backend blas: %s\n", whisp_last_error());
    b = make("auto", f.m, 1, 2);
    printf("  backend auto: %s\n", wh_backend_describe(b));
    if (strstr(wh_backend_describe(b), "OpenBLAS"))
        return 2;
    encode(b, f.mel[0], 0);
    free(one_by_one(&f, b, 0));
    wh_backend_free(b);
    close_fixture(&f);
    return 0;
}

/* This program again, where the library's name leads to something that is none. */
static void test_no_openblas(void **state)
{
    (void)state;
    const char *fake = temp_path("libopenblas.so.0");
    FILE *file = fopen(fake, "w");
    assert_non_null(file);
    fputs("not a library, but long enough to be read as the head of one: 0123456789012345678901234567890\n", file);
    fclose(file);
    char folder[1024];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(fake, '/') - fake), fake);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setenv("LD_LIBRARY_PATH", folder, 1);
        execl("/proc/self/exe", "test_backend", "no-openblas", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* Opening OpenBLAS leaves the environment as it was. */
static void test_environment(void **state)
{
    (void)state;
    const char *before = getenv("OPENBLAS_CORETYPE");
    char copy[64] = "";
    snprintf(copy, sizeof copy, "%s", before ? before : "");
    const wh_blas *blas = wh_blas_get();
    assert_true(blas->sgemm || blas->problem[0]);
    assert_ptr_equal(wh_blas_get(), blas);
    const char *after = getenv("OPENBLAS_CORETYPE");
    assert_string_equal(after ? after : "", copy);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "no-openblas"))
        return no_openblas_child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment), cmocka_unit_test(test_packed),
        cmocka_unit_test(test_no_openblas), cmocka_unit_test(test_slow_model),
        cmocka_unit_test(test_levels),      cmocka_unit_test(test_threads),
        cmocka_unit_test(test_batch),       cmocka_unit_test(test_slots),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_host_threads_and_fork),
        cmocka_unit_test(test_pool),        cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
