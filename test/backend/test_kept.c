/* test_kept.c - of a short window's padding few positions are computed (lib/backend/cpu/kept.h): which, that the numbers are
 * those of the definition in double precision, and that nothing else changes them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "backend/cpu/state.h"
#include "support/slow_model.h"

#define MOST 2000
#define N 9 /* tokens */

static const slow_sizes sizes = {.n_vocab = 90,
                                 .n_mels = 7,
                                 .n_audio_ctx = 420,
                                 .n_text_ctx = 20,
                                 .d = 48,
                                 .heads = 2,
                                 .audio_layers = 3,
                                 .text_layers = 2};

static wh_kept kept;
static int32_t positions[MOST], kept_by[MOST];
static float log_counts[MOST];

static void choose(int frames, int ctx, enum wh_hearing how)
{
    kept = (wh_kept){.position = positions, .kept_by = kept_by, .log_counts = log_counts};
    wh_kept_choose(&kept, frames, ctx, how);
}

/* Every position is stood for once, by one that is near and in order. */
static void check_plan(int frames, int ctx, enum wh_hearing how)
{
    static int count[MOST];
    memset(count, 0, sizeof count);
    choose(frames, ctx, how);
    assert_true(kept.n >= 1 && kept.n <= ctx && kept.n_plain >= WH_MIN(ctx, (frames + 1) / 2) &&
                kept.n_plain <= kept.n);
    for (int t = 0; t < ctx; t++) {
        assert_true(kept_by[t] >= 0 && kept_by[t] < kept.n);
        assert_true(t == 0 || kept_by[t] - kept_by[t - 1] <= 1);
        assert_true(t == 0 || kept_by[t] >= kept_by[t - 1]);
        assert_true(abs(positions[kept_by[t]] - t) <= 8);
        count[kept_by[t]]++;
    }
    for (int i = 0; i < kept.n; i++) {
        assert_int_equal(kept_by[positions[i]], i);
        assert_true(count[i] >= 1 && fabs(exp2(log_counts[i]) - count[i]) < 1e-5);
        assert_true(i >= kept.n_plain || (count[i] == 1 && log_counts[i] == 0));
    }
    if (how == WH_HEAR_FULL)
        assert_int_equal(kept.n, ctx);
}

static void test_plan(void **state)
{
    (void)state;
    for (int ctx = 1; ctx <= MOST; ctx += ctx < 20 ? 1 : 37)
        for (int frames = 0; frames <= 2 * ctx; frames += frames < 20 ? 1 : 1 + frames / 7)
            for (int how = WH_HEAR; how <= WH_HEAR_FULL; how++)
                check_plan(frames, ctx, (enum wh_hearing)how);
    choose(300, 1500, WH_HEAR);
    printf("  3 s of sound: %d of 1500 positions\n", kept.n);
    assert_true(kept.n < 600);
}

static void test_frames(void **state)
{
    (void)state;
    static float mel[2 * 30 * 5];
    assert_int_equal(wh_kept_frames(mel, 30, 5), 0);
    mel[7 * 5 + 2] = -0.5f;
    assert_int_equal(wh_kept_frames(mel, 30, 5), 8);
    mel[59 * 5] = 1e-20f;
    assert_int_equal(wh_kept_frames(mel, 30, 5), 60);
    mel[59 * 5] = NAN;
    assert_int_equal(wh_kept_frames(mel, 30, 5), 60);
}

/* ---- numbers ---- */

static float *floats(size_t n)
{
    float *array = calloc(n, sizeof *array);
    assert_non_null(array);
    return array;
}

static uint64_t seed;

static float next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(seed >> 40) / (1 << 23) - 1;
}

/* A window with so many frames of something. */
static float *some_mel(const whisp_model *m, int frames)
{
    float *mel = floats((size_t)(2 * m->n_audio_ctx * m->n_mels));
    for (int i = 0; i < frames * m->n_mels; i++)
        mel[i] = next();
    return mel;
}

static wh_backend *make(const whisp_model *m, wh_compute compute, int n_slots, int threads,
                        enum wh_encoder_padding padding)
{
    wh_backend_config config = {.n_slots = n_slots, .threads = threads, .compute = compute, .padding = padding};
    wh_backend *b = NULL;
    if (wh_backend_new("cpu", m, &config, &b))
        fail_msg("%s", whisp_last_error());
    return b;
}

/* What N tokens give after the window in the slot: logits [N][n_vocab], scores [alignment heads][N][n_audio_ctx]. */
static void feed_tokens(wh_backend *b, const whisp_model *m, int slot, float *logits, float *scores)
{
    int32_t tokens[N];
    int rows[N];
    for (int i = 0; i < N; i++)
        tokens[i] = (7 * i + 3) % m->n_vocab, rows[i] = i;
    wh_step step = {.slot = slot,
                    .n_tokens = N,
                    .tokens = tokens,
                    .n_rows = N,
                    .rows = rows,
                    .logits = logits,
                    .cross_scores = scores};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_OK);
}

static void feed(wh_backend *b, const whisp_model *m, const float *mel, int slot, float *logits, float *scores)
{
    assert_int_equal(wh_backend_encode(b, 1, &mel, &slot), WHISP_OK);
    feed_tokens(b, m, slot, logits, scores);
}

static double worst(const float *x, const double *y, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabs(x[i] - y[i]) > most || isnan(x[i]) ? fabs(x[i] - y[i]) : most;
    return most;
}

static void compare(const whisp_model *m, int frames, enum wh_encoder_padding padding)
{
    const size_t n_logits = (size_t)(N * m->n_vocab), n_scores = (size_t)(m->n_alignment_heads * N * m->n_audio_ctx);
    float *mel = some_mel(m, frames), *logits = floats(n_logits), *scores = floats(n_scores);
    double *slow_logits = calloc(n_logits, sizeof(double)), *slow_scores = calloc(n_scores, sizeof(double));
    double *audio = calloc((size_t)(m->n_audio_ctx * m->n_audio_state), sizeof *audio);
    int32_t tokens[N];
    for (int i = 0; i < N; i++)
        tokens[i] = (7 * i + 3) % m->n_vocab;
    wh_backend *b = make(m, WH_COMPUTE_F32, 1, 2, padding);
    feed(b, m, mel, 0, logits, scores);
    choose(frames, m->n_audio_ctx, padding == WH_PADDING_FULL);
    slow_encode_kept(m, mel, positions, kept.n, kept_by, audio);
    slow_decode(m, audio, tokens, N, slow_logits, slow_scores);
    double e = worst(logits, slow_logits, n_logits), s = worst(scores, slow_scores, n_scores);
    printf("  %3d frames, %3d of %d positions: logits %.1e scores %.1e\n", frames, kept.n, m->n_audio_ctx, e, s);
    assert_true(e < 5e-5 && s < 5e-5);
    wh_backend_free(b);
    free(mel), free(logits), free(scores), free(slow_logits), free(slow_scores), free(audio);
}

static void test_definition(void **state)
{
    (void)state;
    static const int frames[] = {0, 1, 2, 3, 33, 128, 400, 611, 700, 839, 840};
    whisp_model *m = slow_model_new(&sizes, WH_F16, 7);
    for (size_t i = 0; i < WH_COUNT(frames); i++) {
        compare(m, frames[i], WH_PADDING_FULL);
        compare(m, frames[i], WH_PADDING_FEW);
    }
    slow_model_free(m);
}

static void test_levels(void **state)
{
    (void)state;
    whisp_model *m = slow_model_new(&sizes, WH_F16, 8);
    wh_cpu cpu;
    for (int level = 0; level < wh_cpu_levels(); level++) {
        if (!wh_cpu_get(level, &cpu)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(level));
            continue;
        }
        setenv("WHISP_CPU", cpu.name, 1);
        compare(m, 200, WH_PADDING_FEW);
        unsetenv("WHISP_CPU");
    }
    slow_model_free(m);
}

/* In 8-bit integers: near float32 with the same positions; the same bits by any number of threads and whatever the other
 * windows are. */
static void test_int8(void **state)
{
    (void)state;
    whisp_model *m = slow_model_new(&sizes, WH_F16, 9);
    const size_t n = (size_t)(N * m->n_vocab);
    float *mel = some_mel(m, 150), *other = some_mel(m, 820), *want = floats(n), *got = floats(n), *first = floats(n);
    wh_backend *exact = make(m, WH_COMPUTE_F32, 1, 1, WH_PADDING_FEW);
    feed(exact, m, mel, 0, want, NULL);
    wh_backend_free(exact);
    for (int threads = 1; threads <= 3; threads++) {
        wh_backend *b = make(m, WH_COMPUTE_INT8, 3, threads, WH_PADDING_FEW);
        feed(b, m, mel, 0, got, NULL);
        if (threads == 1)
            memcpy(first, got, n * sizeof *got);
        assert_memory_equal(first, got, n * sizeof *got);
        feed(b, m, other, 0, got, NULL); /* a window with more before it in its place */
        feed(b, m, other, 1, got, NULL);
        feed(b, m, mel, 0, got, NULL);
        assert_memory_equal(first, got, n * sizeof *got);
        wh_backend_free(b);
    }
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        error += pow((double)first[i] - want[i], 2);
        size += pow(want[i], 2);
    }
    printf("  int8: %.4f of the logits' size from float32\n", sqrt(error / size));
    assert_true(sqrt(error / size) < 0.03);
    free(mel), free(other), free(want), free(got), free(first);
    slow_model_free(m);
}

/* A window may be had in full where few positions are usual: then its numbers are those of a backend that leaves none out,
 * to the bit. And who leaves out what. */
static void test_full_after_all(void **state)
{
    (void)state;
    whisp_model *m = slow_model_new(&sizes, WH_F16, 10);
    const size_t n = (size_t)(N * m->n_vocab);
    const float *mel = some_mel(m, 150), *whole = some_mel(m, 2 * m->n_audio_ctx);
    float *want = floats(n), *got = floats(n);
    static const struct {
        wh_compute compute;
        enum wh_encoder_padding padding;
        int leaves_out;
    } rows[] = {
        {WH_COMPUTE_INT8, WH_PADDING_FULL, 0}, {WH_COMPUTE_INT8, WH_PADDING_FEW, 1},
        {WH_COMPUTE_INT8, WH_PADDING_AUTO, 1}, {WH_COMPUTE_F32, WH_PADDING_FEW, 1},
        {WH_COMPUTE_F32, WH_PADDING_AUTO, 0},  {WH_COMPUTE_BF16, WH_PADDING_AUTO, 0},
    };
    static const int slot = 0;
    for (size_t i = 0; i < WH_COUNT(rows); i++) {
        wh_backend *full = make(m, rows[i].compute, 1, 1, WH_PADDING_FULL);
        wh_backend *b = make(m, rows[i].compute, 1, 1, rows[i].padding);
        feed(full, m, mel, 0, want, NULL);
        feed(b, m, mel, 0, got, NULL);
        assert_int_equal(memcmp(want, got, n * sizeof *got) != 0, rows[i].leaves_out);
        assert_int_equal(wh_backend_leaves_out(b, mel), rows[i].leaves_out);
        assert_int_equal(wh_backend_leaves_out(b, whole), 0);
        assert_int_equal(wh_backend_encode_as(b, 1, &mel, &slot, WH_HEAR_FULL), WHISP_OK);
        feed_tokens(b, m, 0, got, NULL);
        assert_memory_equal(want, got, n * sizeof *got);
        wh_backend_free(b), wh_backend_free(full);
    }
    free((void *)mel), free((void *)whole), free(want), free(got);
    slow_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),   cmocka_unit_test(test_frames), cmocka_unit_test(test_definition),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_int8),   cmocka_unit_test(test_full_after_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
