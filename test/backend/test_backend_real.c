/* test_backend_real.c - the backend with OpenAI's weights (models/tiny.en.gguf, models/base.gguf) against what
 * openai-whisper computes for the same Mel: encoder activations, logits, and each step's ten best tokens
 * (../shared/reference). `test_backend_real bench` times encoder and decoder as well. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

#include "backend/backend.h"
#include "backend/cpu/state.h"

typedef struct fixture {
    const char *name;
    whisp_model *model;
    wh_backend *backend;
    float *mel;              /* [3000][n_mels] */
    float *block0, *encoder; /* from the tap */
} fixture;

static float *floats(size_t n)
{
    float *array = calloc(n, sizeof *array);
    assert_non_null(array);
    return array;
}

static float *dump(const fixture *f, const char *what, size_t rows, size_t columns)
{
    char name[128];
    snprintf(name, sizeof name, "reference/%s/jfk.%s_%zux%zu.f32", f->name, what, rows, columns);
    size_t n;
    float *data = read_floats(shared_path(name), &n);
    assert_int_equal(n, rows * columns);
    return data;
}

static void keep_tap(void *user, const char *name, const float *data, int rows, int cols)
{
    fixture *f = user;
    memcpy(!strcmp(name, "encoder.block0") ? f->block0 : f->encoder, data, (size_t)rows * (size_t)cols * sizeof *data);
}

/* jfk's Mel, [80][3000] in the file, as the backend takes it. */
static float *read_mel(void)
{
    size_t n;
    float *bands = read_floats(shared_path("reference/jfk.mel_80x3000.f32"), &n), *mel = floats(n);
    assert_int_equal(n, 80 * 3000);
    for (size_t t = 0; t < 3000; t++)
        for (size_t i = 0; i < 80; i++)
            mel[t * 80 + i] = bands[i * 3000 + t];
    free(bands);
    return mel;
}

/* 0 when the data or the model are not there. */
static int open_fixture(fixture *f, const char *name, int own_products)
{
    *f = (fixture){.name = name};
    const char *path = model_path(name);
    if (!path || !shared_path("reference"))
        return 0;
    if (whisp_model_load(path, NULL, &f->model))
        fail_msg("%s", whisp_last_error());
    size_t size = (size_t)f->model->n_audio_ctx * (size_t)f->model->n_audio_state;
    f->block0 = floats(size), f->encoder = floats(size), f->mel = read_mel();
    wh_backend_config config = {.n_slots = 2, .threads = 0, .tap = keep_tap, .tap_user = f};
    if (wh_backend_new("auto", f->model, &config, &f->backend))
        fail_msg("%s", whisp_last_error());
    if (own_products)
        f->backend->sgemm = NULL;
    printf("  %s, %s%s\n", name, wh_backend_describe(f->backend), own_products ? ", own products" : "");
    const float *mel = f->mel;
    assert_int_equal(wh_backend_encode(f->backend, 1, &mel, (int[]){0}), WHISP_OK);
    return 1;
}

static void close_fixture(fixture *f)
{
    wh_backend_free(f->backend);
    whisp_model_free(f->model);
    free(f->mel), free(f->block0), free(f->encoder);
}

static double mean_difference(const float *x, const float *y, size_t n, double *most)
{
    double sum = 0;
    *most = 0;
    for (size_t i = 0; i < n; i++) {
        sum += fabs((double)x[i] - y[i]);
        *most = fmax(*most, fabs((double)x[i] - y[i]));
    }
    return sum / (double)n;
}

static void compare_encoder(fixture *f, const char *what, const float *ours)
{
    size_t rows = (size_t)f->model->n_audio_ctx, columns = (size_t)f->model->n_audio_state;
    float *want = dump(f, what, rows, columns);
    double most, mean = mean_difference(ours, want, rows * columns, &most);
    printf("    %s: mean absolute difference %.2e, largest %.2e\n", what, mean, most);
    assert_true(mean < 1e-4);
    free(want);
}

/* One step's logits against the reference's ten best (in order wherever it is sure of it) and log-sum-exp. */
static double compare_step(const json_t *step, const float *logits, int n_vocab)
{
    const json_t *top = json_object_get(step, "top");
    double most = 0, max = logits[0], sum = 0;
    for (size_t i = 0; i < json_array_size(top); i++) {
        const json_t *entry = json_array_get(top, i);
        int id = (int)json_integer_value(json_array_get(entry, 0));
        double value = json_number_value(json_array_get(entry, 1));
        most = fmax(most, fabs(logits[id] - value));
        /* nothing that the reference puts below it by 1e-3 may be above it here */
        for (size_t j = i + 1; j < json_array_size(top); j++) {
            const json_t *other = json_array_get(top, j);
            if (value - json_number_value(json_array_get(other, 1)) > 1e-3)
                assert_true(logits[id] > logits[json_integer_value(json_array_get(other, 0))]);
        }
    }
    /* and no other token is among the ten */
    const json_t *last = json_array_get(top, json_array_size(top) - 1);
    double floor_value = json_number_value(json_array_get(last, 1));
    for (int id = 0; id < n_vocab; id++) {
        int listed = 0;
        for (size_t i = 0; i < json_array_size(top); i++)
            listed |= json_integer_value(json_array_get(json_array_get(top, i), 0)) == id;
        assert_true(listed || logits[id] < floor_value + 1e-3);
        max = fmax(max, logits[id]);
    }
    for (int id = 0; id < n_vocab; id++)
        sum += exp(logits[id] - max);
    double want = json_number_value(json_object_get(step, "logsumexp"));
    assert_true(fabs(max + log(sum) - want) < 1e-3);
    return fmax(most, fabs(max + log(sum) - want));
}

static void feed(fixture *f, int slot, const int32_t *tokens, int n, float *logits)
{
    int rows[448];
    for (int i = 0; i < n; i++)
        rows[i] = i;
    wh_step step = {.slot = slot, .n_tokens = n, .tokens = tokens, .n_rows = n, .rows = rows, .logits = logits};
    if (wh_backend_decode(f->backend, 1, &step))
        fail_msg("%s", whisp_last_error());
}

static void compare_decoder(fixture *f)
{
    char name[128];
    snprintf(name, sizeof name, "reference/%s/jfk.decode.json", f->name);
    json_error_t error;
    json_t *root = json_load_file(shared_path(name), 0, &error);
    if (!root)
        fail_msg("%s: %s", name, error.text);
    const json_t *steps = json_object_get(root, "steps");
    int n = (int)json_array_size(steps), n_vocab = f->model->n_vocab;
    size_t vocab = (size_t)n_vocab;
    int32_t tokens[448];
    assert_true(n > 16 && n <= 448); /* more than WH_FEW_ROWS: at once is the prompt's way */
    for (int i = 0; i < n; i++)
        tokens[i] = (int32_t)json_integer_value(json_object_get(json_array_get(steps, (size_t)i), "input"));

    float *first4 = dump(f, "logits_first4", 4, vocab), *logits = floats((size_t)n * vocab);
    feed(f, 0, tokens, 4, logits);
    double most, mean = mean_difference(logits, first4, 4 * vocab, &most);
    printf("    logits_first4: mean absolute difference %.2e, largest %.2e\n", mean, most);
    assert_true(most < 2e-3);

    most = 0;
    wh_backend_truncate(f->backend, 0, 0);
    for (int i = 0; i < n; i++) {
        feed(f, 0, tokens + i, 1, logits);
        most = fmax(most, compare_step(json_array_get(steps, (size_t)i), logits, n_vocab));
    }
    printf("    %d steps, token by token: largest difference %.2e\n", n, most);
    most = 0;
    wh_backend_truncate(f->backend, 0, 0);
    feed(f, 0, tokens, n, logits);
    for (int i = 0; i < n; i++)
        most = fmax(most, compare_step(json_array_get(steps, (size_t)i), logits + (size_t)i * vocab, n_vocab));
    printf("    %d steps at once: largest difference %.2e\n", n, most);
    free(first4), free(logits);
    json_decref(root);
}

static void compare(const char *name, int own_products)
{
    fixture f;
    if (!open_fixture(&f, name, own_products))
        return;
    compare_encoder(&f, "encoder_block0", f.block0);
    compare_encoder(&f, "encoder", f.encoder);
    compare_decoder(&f);
    close_fixture(&f);
}

static void test_tiny_en(void **state)
{
    (void)state;
    compare("tiny.en", 0);
}

static void test_tiny_en_own_products(void **state)
{
    (void)state;
    compare("tiny.en", 1);
}

static void test_base(void **state)
{
    (void)state;
    compare("base", 0);
}

static void bench(const char *name, int own_products)
{
    fixture f;
    if (!open_fixture(&f, name, own_products))
        return;
    size_t vocab = (size_t)f.model->n_vocab;
    float *logits = floats(16 * vocab);
    const float *mel = f.mel;
    double encode = 1e9;
    for (int i = 0; i < 4; i++) {
        double start = wh_now();
        wh_backend_encode(f.backend, 1, &mel, (int[]){0});
        encode = fmin(encode, wh_now() - start);
    }
    double step = 1e9, prompt = 1e9, total = 0;
    for (int i = 0; i < 60; i++) {
        int32_t token = 50 + i;
        double start = wh_now();
        feed(&f, 0, &token, 1, logits);
        step = fmin(step, wh_now() - start);
        total += wh_now() - start;
    }
    for (int i = 0; i < 3; i++) {
        int32_t tokens[224];
        for (int t = 0; t < 224; t++)
            tokens[t] = t + 100;
        wh_step s = {.slot = 0, .n_tokens = 224, .tokens = tokens, .n_rows = 1, .rows = (int[]){223}, .logits = logits};
        wh_backend_truncate(f.backend, 0, 0);
        double start = wh_now();
        wh_backend_decode(f.backend, 1, &s);
        prompt = fmin(prompt, wh_now() - start);
    }
    printf("%s%s: window %.1f ms, token %.2f ms (mean %.2f), prompt of 224 %.1f ms\n", name,
           own_products ? " (own products)" : "", encode * 1e3, step * 1e3, total / 60 * 1e3, prompt * 1e3);
    free(logits);
    close_fixture(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_en),
        cmocka_unit_test(test_tiny_en_own_products),
        cmocka_unit_test(test_base),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (argc > 1 && !strcmp(argv[1], "bench")) {
        bench("tiny.en", 0);
        bench("base", 0);
        bench("base", 1);
    }
    return failed;
}
