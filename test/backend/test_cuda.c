/* test_cuda.c - the CUDA backend, its kernels run by the emulator (test/cudaemu): against the architecture in double
 * precision, against the CPU backend's tokens, in batches of 1 to 16, with every way of searching, and when it fails.
 * The kernels one by one: test/cuda/kernels.cpp. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/bounds.h"
#include "support/testing.h"

#include "backend/backend.h"
#include "support/slow_model.h"

#define SLOTS 16

/* Odd where it may be: heads of 24, a context that is no multiple of a tile, an odd vocabulary. */
static const slow_sizes odd_sizes = {.n_vocab = 301,
                                     .n_mels = 17,
                                     .n_audio_ctx = 75,
                                     .n_text_ctx = 45,
                                     .d = 96,
                                     .heads = 4,
                                     .audio_layers = 2,
                                     .text_layers = 3};

static float *floats(size_t n)
{
    float *array = calloc(n, sizeof *array);
    assert_non_null(array);
    return array;
}

static float *random_mel(const whisp_model *m, uint64_t seed)
{
    size_t n = (size_t)(2 * m->n_audio_ctx * m->n_mels);
    float *mel = floats(n);
    for (size_t i = 0; i < n; i++)
        mel[i] = (float)(2 * random_unit(&seed) - 1);
    return mel;
}

static wh_backend *make(const whisp_model *m, int n_slots)
{
    wh_backend_config config = {.n_slots = n_slots, .compute = WH_COMPUTE_AUTO};
    wh_backend *b = NULL;
    if (wh_backend_new("cuda", m, &config, &b))
        fail_msg("%s", whisp_last_error());
    return b;
}

static void feed(wh_backend *b, int slot, const int32_t *tokens, int n, float *logits, float *scores)
{
    int rows[64];
    for (int i = 0; i < n; i++)
        rows[i] = i;
    wh_step step = {.slot = slot,
                    .n_tokens = n,
                    .tokens = tokens,
                    .n_rows = n,
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

typedef struct taps {
    float *block0, *out;
} taps;

static void keep_tap(void *user, const char *name, const float *data, int rows, int cols)
{
    taps *t = user;
    memcpy(!strcmp(name, "encoder.block0") ? t->block0 : t->out, data, (size_t)rows * (size_t)cols * sizeof *data);
}

/* Halfs have 11 bits: a few thousandths in numbers of about 1. */
static void compare_with_slow(const slow_sizes *sizes, wh_type type, int n)
{
    whisp_model *m = slow_model_new(sizes, type, 7);
    size_t size = (size_t)(sizes->n_audio_ctx * sizes->d);
    taps t = {floats(size), floats(size)};
    wh_backend_config config = {.n_slots = 1, .compute = WH_COMPUTE_AUTO, .tap = keep_tap, .tap_user = &t};
    wh_backend *b;
    if (wh_backend_new("cuda", m, &config, &b))
        fail_msg("%s", whisp_last_error());
    float *mel = random_mel(m, 3);
    int slot = 0;
    const float *in = mel;
    assert_int_equal(wh_backend_encode(b, 1, &in, &slot), WHISP_OK);
    double *audio = calloc(size, sizeof *audio), *block0 = calloc(size, sizeof *block0);
    slow_encode(m, mel, audio, block0);
    double e0 = worst(t.block0, block0, size), e1 = worst(t.out, audio, size);
    int32_t tokens[40];
    uint64_t seed = 5;
    for (int i = 0; i < n; i++)
        tokens[i] = (int32_t)(random_unit(&seed) * m->n_vocab);
    size_t n_logits = (size_t)(n * m->n_vocab), n_scores = (size_t)(m->n_alignment_heads * n * m->n_audio_ctx);
    float *logits = floats(n_logits), *scores = floats(n_scores);
    double *slow_logits = calloc(n_logits, sizeof *slow_logits), *slow_scores = calloc(n_scores, sizeof *slow_scores);
    feed(b, 0, tokens, n, logits, scores);
    slow_decode(m, audio, tokens, n, slow_logits, slow_scores);
    double e2 = worst(logits, slow_logits, n_logits), e3 = worst(scores, slow_scores, n_scores);
    printf("  %s, %d tokens: block0 %.1e encoder %.1e logits %.1e scores %.1e\n", wh_type_name(type), n, e0, e1, e2,
           e3);
    assert_true(e0 < 2e-2 && e1 < 2e-2 && e2 < 5e-2 && e3 < 5e-2);
    wh_backend_free(b);
    slow_model_free(m);
    free(mel), free(t.block0), free(t.out), free(audio), free(block0);
    free(logits), free(scores), free(slow_logits), free(slow_scores);
}

static void test_slow_model(void **state)
{
    (void)state;
    compare_with_slow(&odd_sizes, WH_F16, 11);
    compare_with_slow(&odd_sizes, WH_F32, 40); /* through the large products */
    compare_with_slow(&odd_sizes, WH_Q8_0, 1);
    slow_sizes wide = odd_sizes; /* heads of 64 */
    wide.d = 128, wide.heads = 2, wide.audio_layers = wide.text_layers = 1;
    compare_with_slow(&wide, WH_BF16, 17);
    slow_sizes untied = odd_sizes;
    untied.own_output = 1;
    compare_with_slow(&untied, WH_F16, 3);
}

/* One sequence alone, and among 1 to 16 others: the same bits. */
static void test_batches(void **state)
{
    (void)state;
    whisp_model *m = slow_model_new(&odd_sizes, WH_F16, 3);
    wh_backend *b = make(m, SLOTS);
    size_t vocab = (size_t)m->n_vocab;
    float *mel[SLOTS], *alone = floats(2 * vocab), *logits = floats(SLOTS * vocab);
    const float *in[SLOTS];
    int slots[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        in[i] = mel[i] = random_mel(m, (uint64_t)i + 1), slots[i] = i;
    const int32_t token[SLOTS] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, next = 77;
    assert_int_equal(wh_backend_encode(b, 1, in, slots), WHISP_OK);
    feed(b, 0, token, 1, alone, NULL);
    feed(b, 0, &next, 1, alone + vocab, NULL);
    for (int n = 1; n <= SLOTS; n++) {
        wh_step steps[SLOTS];
        const int row = 0;
        assert_int_equal(wh_backend_encode(b, n, in, slots), WHISP_OK);
        for (int i = 0; i < n; i++)
            steps[i] = (wh_step){.slot = i,
                                 .n_tokens = 1,
                                 .tokens = &token[i],
                                 .n_rows = 1,
                                 .rows = &row,
                                 .logits = logits + (size_t)i * vocab};
        assert_int_equal(wh_backend_decode(b, n, steps), WHISP_OK);
        assert_memory_equal(logits, alone, vocab * sizeof *logits);
        for (int i = 0; i < n; i++)
            steps[i].tokens = &next;
        assert_int_equal(wh_backend_decode(b, n, steps), WHISP_OK);
        assert_memory_equal(logits, alone + vocab, vocab * sizeof *logits);
    }
    wh_backend_free(b);
    slow_model_free(m);
    for (int i = 0; i < SLOTS; i++)
        free(mel[i]);
    free(alone), free(logits);
}

/* A fork goes on as its source does; a tail fork and a truncated slot too. */
static void test_forks(void **state)
{
    (void)state;
    whisp_model *m = slow_model_new(&odd_sizes, WH_F16, 4);
    wh_backend *b = make(m, 3);
    size_t vocab = (size_t)m->n_vocab;
    float *mel = random_mel(m, 8), *want = floats(6 * vocab), *got = floats(6 * vocab);
    const float *in = mel;
    const int32_t tokens[] = {1, 2, 3, 4, 5, 6}, other = 99;
    int slot = 0;
    assert_int_equal(wh_backend_encode(b, 1, &in, &slot), WHISP_OK);
    for (int i = 0; i < 6; i++) {
        if (i == 3) {
            assert_int_equal(wh_backend_fork(b, 1, 0), WHISP_OK);
            assert_int_equal(wh_backend_fork(b, 2, 0), WHISP_OK);
        }
        feed(b, 0, tokens + i, 1, want + (size_t)i * vocab, NULL);
    }
    for (int i = 3; i < 6; i++) {
        feed(b, 1, tokens + i, 1, got, NULL);
        assert_memory_equal(got, want + (size_t)i * vocab, vocab * sizeof *got);
    }
    feed(b, 2, &other, 1, got, NULL); /* goes another way, then takes over its sibling's tail */
    assert_int_equal(wh_backend_truncate(b, 1, 5), WHISP_OK);
    assert_int_equal(wh_backend_fork_tail(b, 2, 1, 3), WHISP_OK);
    feed(b, 2, tokens + 5, 1, got, NULL);
    assert_memory_equal(got, want + 5 * vocab, vocab * sizeof *got);
    assert_int_equal(wh_backend_fork_tail(b, 2, 1, 7), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_backend_truncate(b, 2, 7), WHISP_ERR_ARGUMENT);
    wh_backend_free(b);
    slow_model_free(m);
    free(mel), free(want), free(got);
}

/* ---- the whole program ---- */

/* Standard output of whisp with these options. free() it. */
static char *run_whisp(const char *before, const char *options)
{
    const char *build = getenv("WHISP_BUILD");
    char command[2048];
    size_t n = 0, capacity = 1 << 20;
    char *text = calloc(capacity, 1);
    assert_non_null(text);
    snprintf(command, sizeof command, "%s %s/whisp %s 2>&1", before, build ? build : "build", options);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    n = fread(text, 1, capacity - 1, pipe);
    text[n] = '\0';
    pclose(pipe);
    return text;
}

/* What follows the line that names the backend. */
static const char *words(const char *text)
{
    const char *line = strstr(text, "\ncuda: ") ? strstr(text, "\ncuda: ") : strstr(text, "\ncpu: ");
    const char *end = line ? strchr(line + 1, '\n') : NULL;
    assert_non_null(end);
    return end + 1;
}

/* Times in brackets taken out: eight bits move them by a few hundredths. */
static void drop_times(char *text)
{
    char *to = text;
    for (int inside = 0; *text; text++) {
        inside = *text == '[' ? 1 : inside;
        if (!inside)
            *to++ = *text;
        inside = *text == ']' ? 0 : inside;
    }
    *to = '\0';
}

static void same_words(const char *type, const char *options)
{
    char cuda[1024], cpu[1024];
    snprintf(cuda, sizeof cuda, "--backend cuda --compute_type %s %s", type, options);
    snprintf(cpu, sizeof cpu, "--backend cpu --compute_type f32 %s", options);
    char *a = run_whisp("", cuda), *b = run_whisp("", cpu);
    assert_non_null(strstr(a, "cuda: emulated GPU 0"));
    if (!strcmp(type, "int8")) {
        assert_non_null(strstr(a, "int8 keys and values"));
        drop_times(a);
        drop_times(b);
    }
    assert_string_equal(words(a), words(b));
    free(a), free(b);
}

/* The program is the same one, whatever this test was built with. */
static int is_heard_elsewhere(void)
{
    if (BOUNDS_SANITIZED)
        printf("skipped: whisp itself, which test_cuda without sanitizers runs\n");
    return BOUNDS_SANITIZED;
}

static void test_searches(void **state)
{
    (void)state;
    if (is_heard_elsewhere())
        return;
    static const char *const ways[] = {"--temperature 0",
                                       "--beam_size 5 --temperature 0",
                                       "--beam_size 3 --patience 2",
                                       "--temperature 0.4 --best_of 5",
                                       "--word_timestamps True --temperature 0",
                                       "--initial_prompt 'a the on' --temperature 0",
                                       "--without_timestamps True"};
    const char *model = invented_path("invented-small");
    for (size_t i = 0; model && i < WH_COUNT(ways); i++) {
        char options[1024];
        snprintf(options, sizeof options,
                 "--model %s --clip_timestamps 0,2 --sample_len 12 "
                 "--hallucination_guard False --temperature_increment_on_fallback None %s test/data/demo.flac",
                 model, ways[i]);
        same_words("auto", options);
    }
}

/* What the kernels asked for while the emulator ran a real model, line by line: a warp's requests touch no more than
 * 1.15 times the sectors that they must, and shared memory answers each at once. */
static void check_counts(const char *path)
{
    char kernel[128], what[128];
    long long launches, requests, lanes, bytes, sectors, least, phases, conflicts, all = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fscanf(file, "%127[^\t] %*d %127[^\t] %lld %lld %lld %lld %lld %lld %lld %lld %*d %*d ", kernel, what,
                  &launches, &requests, &lanes, &bytes, &sectors, &least, &phases, &conflicts) == 10) {
        if (sectors * 100 > least * 115 || conflicts > 0)
            fail_msg("%s, %s: %lld sectors for %lld, %lld conflicts", kernel, what, sectors, least, conflicts);
        all += strstr(what, "global") ? bytes : 0;
    }
    assert_true(feof(file) && all > 500000000); /* an encoder's and a decoder's traffic */
    fclose(file);
}

static void test_jfk(void **state)
{
    (void)state;
    const char *model = model_path("tiny.en"), *audio = shared_path("audio/jfk.flac");
    char options[1024];
    if (!model || !audio || is_heard_elsewhere())
        return;
    static const char *const types[] = {"auto", "int8"};
    for (size_t i = 0; i < WH_COUNT(types); i++) {
        const char *counts = temp_path("counts");
        setenv("CUDAEMU_PROFILE", "1", 1);
        setenv("CUDAEMU_PROFILE_OUT", counts, 1);
        snprintf(options, sizeof options, "--model %s %s", model, audio);
        same_words(types[i], options);
        unsetenv("CUDAEMU_PROFILE");
        unsetenv("CUDAEMU_PROFILE_OUT");
        check_counts(counts);
    }
}

/* ---- what goes wrong ---- */

static void says(const char *before, const char *options, const char *reason)
{
    char *text = run_whisp(before, options);
    if (!strstr(text, reason))
        fail_msg("\"%s\" is not in: %s", reason, text);
    free(text);
}

/* cuBLAS in folders as pip makes them. The emulator needs none, but opens what is found. */
static void test_where_cublas_is(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *folder, *version;
    } places[] = {
        {"WHISP_CUDA_PATH", "nvidia/cu13/lib", ".13"},
        {"WHISP_CUDA_PATH", "nvidia/cublas/lib", ".12"},
        {"WHISP_CUDA_PATH=/nowhere:", "lib64", ".13"},
        {"WHISP_CUDA_PATH", "", ".12"},
        {"VIRTUAL_ENV", "lib/python3.11/site-packages/nvidia/cublas/lib", ".12"},
        {"CUDA_HOME", "lib64", ".13"},
    };
    const char *model = invented_path("invented-small"), *build = getenv("WHISP_BUILD");
    char command[4096], root[512], options[1024];
    if (!model || is_heard_elsewhere())
        return;
    snprintf(options, sizeof options,
             "--model %s --clip_timestamps 0,1 --sample_len 3 --backend cuda "
             "test/data/demo.flac",
             model);
    for (size_t i = 0; i < WH_COUNT(places); i++) {
        snprintf(root, sizeof root, "%s.%zu", temp_path("cublas"), i);
        snprintf(
            command, sizeof command,
            "mkdir -p %s/%s && for l in libcublas libcublasLt; do ln -sf $(realpath %s)/libwhisp.so %s/%s/$l.so%s; done",
            root, places[i].folder, build ? build : "build", root, places[i].folder, places[i].version);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command, "CUDA_HOME= CUDA_PATH= LD_DEBUG=files CUDAEMU_CUBLAS=real %s%s%s",
                 places[i].variable, strchr(places[i].variable, '=') ? "" : "=", root);
        char *text = run_whisp(command, options), found[4096];
        snprintf(found, sizeof found, "calling init: %s/%s%slibcublasLt.so%s", root, places[i].folder,
                 *places[i].folder ? "/" : "", places[i].version);
        if (!strstr(text, found))
            fail_msg("not there: %s", found);
        free(text);
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
    }
}

static void test_failures(void **state)
{
    (void)state;
    const char *model = invented_path("invented-small");
    char options[1024];
    if (!model)
        return;
    snprintf(options, sizeof options,
             "--model %s --clip_timestamps 0,1 --sample_len 3 --backend cuda "
             "test/data/demo.flac",
             model);
    says("WHISP_CUDA_LIBRARY=/nowhere.so", options, "backend cuda: its library cannot be opened");
    says("CUDAEMU_DEVICES=0", options, "no CUDA device");
    says("CUDAEMU_SM=70", options, "too old");
    says("CUDAEMU_DRIVER=12040", options,
         "driver here is for CUDA 12.4; this library was built with CUDA 13.0, which needs driver 580 or later");
    says("CUDAEMU_DRIVER=0", options, "NVIDIA's driver (580 or later) is not there");
    says("CUDAEMU_CUBLAS=none", options, "cuBLAS");
    says("CUDAEMU_MEMORY=100000", options, "device memory");
    says("CUDAEMU_MEMORY=75000000", options, "sequences of 0.5 MiB; 5 are needed");
    says("CUDAEMU_MEMORY=90000000", options, "sm_80, room for "); /* fewer than 64, and it runs */
    says("CUDAEMU_MEMORY=90000000 CUDAEMU_PROMISE=20000000 ", options, "sm_80, room for "); /* less than is said */
    says("CUDAEMU_MEMORY=98000000 CUDAEMU_CUBLAS_MEMORY=8000000", options, "sm_80, room for ");
    says("CUDAEMU_CUBLAS_MEMORY=80000000 CUDAEMU_MEMORY=81000000", options, "no device memory");
    says("CUDAEMU_FAIL_CAPTURE=begin", options, "sm_80, without CUDA graphs");
    int call = 1; /* the device is lost at the n-th call; the run makes some hundreds */
    for (;; call += call < 40 ? 3 : 41) {
        char before[64];
        snprintf(before, sizeof before, "CUDAEMU_FAIL=%d", call);
        char *text = run_whisp(before, options);
        int failed = strstr(text, "backend cuda: ") != NULL;
        free(text);
        if (!failed)
            break;
    }
    assert_true(call > 100);
    snprintf(options, sizeof options,
             "--model %s --clip_timestamps 0,1 --sample_len 3 --backend cuda --device 3 "
             "test/data/demo.flac",
             model);
    says("", options, "there is no CUDA device 3; there is 1");
    snprintf(options, sizeof options, "--model %s --clip_timestamps 0,1 --sample_len 3 test/data/demo.flac", model);
    says("CUDAEMU_DEVICES=0", options, "cpu: "); /* auto */
}

int main(void)
{
    const char *build = getenv("WHISP_BUILD");
    char library[1024];
    snprintf(library, sizeof library, "%s/cudaemu/libwhisp-cuda.so", build ? build : "build");
    if (access(library, R_OK)) {
        printf("skipped: no %s (make cuda-programs)\n", library);
        return 0;
    }
    char absolute[PATH_MAX];
    if (!realpath(library, absolute))
        return 1;
    setenv("WHISP_CUDA_LIBRARY", absolute, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_model),      cmocka_unit_test(test_batches), cmocka_unit_test(test_forks),
        cmocka_unit_test(test_searches),        cmocka_unit_test(test_jfk),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_where_cublas_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
