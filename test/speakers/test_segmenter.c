/* test_segmenter.c - segmentation-3.0: against the formulas in double precision with invented weights, against torch's
 * numbers with the real ones (test/data/speakers, made by make-segmentation-reference there), the same bits however
 * windows are given, all levels, damaged models. */
#include "support/bounds.h"
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/segmenter.h"
#include "support/calls.h"

#define CLASSES WH_SEGMENT_CLASSES
#define WINDOW ((size_t)WH_SEGMENT_FRAMES * CLASSES)
#define LENGTH ((size_t)WH_SEGMENT_SAMPLES)

/* ---- an invented model: the real shapes, random weights ---- */

typedef struct invented {
    char name[80];
    int64_t shape[3];
    double middle, size; /* of the weights */
    float *x;            /* as written */
} invented;

#define MOST_TENSORS 64
static invented tensors[MOST_TENSORS];
static int n_tensors;

static void add_tensor(const char *name, int64_t d0, int64_t d1, int64_t d2, double middle, double size)
{
    invented *t = &tensors[n_tensors++];
    assert_true(n_tensors <= MOST_TENSORS);
    snprintf(t->name, sizeof t->name, "segmentation.%s", name);
    t->shape[0] = d0, t->shape[1] = d1, t->shape[2] = d2;
    t->middle = middle, t->size = size;
}

static void list_tensors(void)
{
    char name[64];
    n_tensors = 0;
    add_tensor("sincnet.wav_norm1d.weight", 1, 1, 1, 1, 0.2);
    add_tensor("sincnet.wav_norm1d.bias", 1, 1, 1, 0, 0.2);
    add_tensor("sincnet.conv1d.0.filterbank.low_hz_", 40, 1, 1, 2000, 3500);
    add_tensor("sincnet.conv1d.0.filterbank.band_hz_", 40, 1, 1, 0, 600);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "sincnet.norm1d.%d.weight", i);
        add_tensor(name, i ? 60 : 80, 1, 1, 1, 0.5);
        snprintf(name, sizeof name, "sincnet.norm1d.%d.bias", i);
        add_tensor(name, i ? 60 : 80, 1, 1, 0, 0.5);
        snprintf(name, sizeof name, "sincnet.conv1d.%d.weight", i);
        if (i)
            add_tensor(name, 60, i == 1 ? 80 : 60, 5, 0, 0.2);
    }
    for (int i = 0; i < 8; i++) {
        const char *end = i % 2 ? "_reverse" : "";
        snprintf(name, sizeof name, "lstm.weight_ih_l%d%s", i / 2, end);
        add_tensor(name, 512, i < 2 ? 60 : 256, 1, 0, 0.2);
        snprintf(name, sizeof name, "lstm.weight_hh_l%d%s", i / 2, end);
        add_tensor(name, 512, 128, 1, 0, 0.15);
        snprintf(name, sizeof name, "lstm.bias_ih_l%d%s", i / 2, end);
        add_tensor(name, 512, 1, 1, 0, 0.3);
        snprintf(name, sizeof name, "lstm.bias_hh_l%d%s", i / 2, end);
        add_tensor(name, 512, 1, 1, 0, 0.3);
    }
    add_tensor("linear.0.weight", 128, 256, 1, 0, 0.2);
    add_tensor("linear.0.bias", 128, 1, 1, 0, 0.2);
    add_tensor("linear.1.weight", 128, 128, 1, 0, 0.2);
    add_tensor("linear.1.bias", 128, 1, 1, 0, 0.2);
    add_tensor("classifier.weight", 7, 128, 1, 0, 0.5);
    add_tensor("classifier.bias", 7, 1, 1, 0, 0.5);
}

/* What to do wrong: tensor number `missing` left out, `bad` with a NaN in it, `bent` with another shape; `high`: a filter
 * above half the rate. */
struct wrong {
    int missing, bad, bent, high;
};

static const struct wrong nothing_wrong = {-1, -1, -1, 0};

static void fill_tensor(const invented *t, size_t n, float *x, uint64_t *seed)
{
    for (size_t k = 0; k < n; k++)
        x[k] = (float)(t->middle + (2 * random_unit(seed) - 1) * t->size);
}

static const char *invent(const char *file, struct wrong wrong)
{
    const char *path = temp_path(file);
    wh_gguf_writer *w;
    uint64_t seed = 5;
    list_tensors();
    assert_int_equal(wh_gguf_writer_new(path, &w), WHISP_OK);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < n_tensors; i++) {
            invented *t = &tensors[i];
            int64_t shape[3] = {t->shape[0] + (i == wrong.bent), t->shape[1], t->shape[2]};
            size_t n = (size_t)(shape[0] * shape[1] * shape[2]);
            if (i == wrong.missing)
                continue;
            if (pass == 0) {
                assert_int_equal(wh_gguf_declare(w, t->name, WH_F32, 3, shape), WHISP_OK);
                continue;
            }
            free(t->x);
            t->x = wh_calloc(n, sizeof *t->x);
            fill_tensor(t, n, t->x, &seed);
            if (i == wrong.bad)
                t->x[n / 2] = NAN;
            if (wrong.high && strstr(t->name, "low_hz_"))
                t->x[17] = 7950;
            assert_int_equal(wh_gguf_write(w, t->x, n * sizeof *t->x), WHISP_OK);
        }
        if (pass == 0)
            assert_int_equal(wh_gguf_writer_begin(w), WHISP_OK);
    }
    assert_int_equal(wh_gguf_writer_finish(w), WHISP_OK);
    return path;
}

static const float *tensor(const char *name)
{
    char full[80];
    snprintf(full, sizeof full, "segmentation.%s", name);
    for (int i = 0; i < n_tensors; i++)
        if (!strcmp(tensors[i].name, full))
            return tensors[i].x;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void free_tensors(void)
{
    for (int i = 0; i < n_tensors; i++) {
        free(tensors[i].x);
        tensors[i].x = NULL;
    }
}

/* ---- a model and its buffers ---- */

typedef struct net {
    whisp_speakers s;
    wh_segmentation *buffers;
} net;

static int load(net *n, const char *path, const wh_cpu *cpu, int is_int8)
{
    memset(n, 0, sizeof *n);
    n->s = (whisp_speakers){.kernels = cpu->kernels, .gemm = cpu->gemm, .conv = cpu->conv, .is_int8 = is_int8};
    int rc = wh_gguf_open(path, &n->s.file);
    return rc ? rc : wh_segmenter_load(&n->s, &n->s.segmenter);
}

static void unload(net *n)
{
    wh_segmentation_free(n->buffers);
    wh_segmenter_free(n->s.segmenter);
    wh_gguf_close(n->s.file);
}

static void load_well(net *n, const char *path, const wh_cpu *cpu, int is_int8)
{
    assert_int_equal(load(n, path, cpu, is_int8), WHISP_OK);
    assert_int_equal(wh_segmentation_new(&n->s, &n->buffers), WHISP_OK);
}

static float *floats(size_t n)
{
    float *x = wh_calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* Tones that come and go, in noise. */
static float *make_sound(size_t n)
{
    uint64_t seed = 3;
    float *x = floats(n);
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / WH_SPEAKERS_RATE, loud = fmax(0, sin(2 * t)) + 0.1;
        x[i] = (float)(0.3 * loud * sin(2 * M_PI * (200 + 40 * sin(3 * t)) * t) + 0.05 * (random_unit(&seed) - 0.5) +
                       0.02);
    }
    return x;
}

/* ---- the formulas ---- */

/* Columns of x [n][d] to mean 0 and variance 1, gain, bias and leaky rectifier. */
static void norm(double *x, size_t n, size_t d, int layer)
{
    char name[64];
    snprintf(name, sizeof name, "sincnet.norm1d.%d.weight", layer);
    const float *gain = tensor(name);
    snprintf(name, sizeof name, "sincnet.norm1d.%d.bias", layer);
    const float *bias = tensor(name);
    for (size_t j = 0; j < d; j++) {
        double mean = 0, variance = 0;
        for (size_t r = 0; r < n; r++)
            mean += x[r * d + j] / (double)n;
        for (size_t r = 0; r < n; r++)
            variance += (x[r * d + j] - mean) * (x[r * d + j] - mean) / (double)n;
        for (size_t r = 0; r < n; r++) {
            double v = (x[r * d + j] - mean) / sqrt(variance + 1e-5) * gain[j] + bias[j];
            x[r * d + j] = v > 0 ? v : 0.01 * v;
        }
    }
}

/* Filter f (40 cosines, then 40 sines), its middle at h[125]. */
static void define_filter(int f, double *h)
{
    double low = 50 + fabs((double)tensor("sincnet.conv1d.0.filterbank.low_hz_")[f % 40]);
    double high = fmin(low + 50 + fabs((double)tensor("sincnet.conv1d.0.filterbank.band_hz_")[f % 40]), 8000);
    for (int k = -125; k <= 125; k++) {
        double t = 2 * M_PI * k / 16000, window = 0.54 + 0.46 * cos(M_PI * k / 125);
        double v = f < 40 ? sin(high * t) - sin(low * t) : cos(low * t) - cos(high * t);
        h[125 + k] = k ? v / t * window / (high - low) : f < 40;
    }
}

/* Samples to [5325][80]. */
UNWATCHED static void define_filtered(const float *samples, double *out)
{
    double mean = 0, variance = 0, h[251];
    double *x = wh_calloc(LENGTH, sizeof *x);
    for (size_t i = 0; i < LENGTH; i++)
        mean += (double)samples[i] / (double)LENGTH;
    for (size_t i = 0; i < LENGTH; i++)
        variance += ((double)samples[i] - mean) * ((double)samples[i] - mean) / (double)LENGTH;
    for (size_t i = 0; i < LENGTH; i++)
        x[i] = ((double)samples[i] - mean) / sqrt(variance + 1e-5) * tensor("sincnet.wav_norm1d.weight")[0] +
               tensor("sincnet.wav_norm1d.bias")[0];
    for (int f = 0; f < 80; f++) {
        define_filter(f, h);
        for (size_t t = 0; t < 5325; t++) {
            double most = 0;
            for (size_t r = 0; r < 3; r++) {
                double sum = 0;
                for (size_t k = 0; k < 251; k++)
                    sum += h[k] * x[(3 * t + r) * 10 + k];
                most = fmax(most, fabs(sum));
            }
            out[t * 80 + (size_t)f] = most;
        }
    }
    free(x);
}

/* in [n][d] to [(n - 4) / 3][60] */
UNWATCHED static size_t define_convolution(const double *in, size_t n, size_t d, int layer, double *out)
{
    char name[64];
    snprintf(name, sizeof name, "sincnet.conv1d.%d.weight", layer);
    const float *w = tensor(name);
    for (size_t t = 0; t < (n - 4) / 3; t++)
        for (size_t j = 0; j < 60; j++) {
            double most = -INFINITY;
            for (size_t r = 0; r < 3; r++) {
                double sum = 0;
                for (size_t c = 0; c < d; c++)
                    for (size_t tap = 0; tap < 5; tap++)
                        sum += w[(j * d + c) * 5 + tap] * in[(3 * t + r + tap) * d + c];
                most = fmax(most, sum);
            }
            out[t * 60 + j] = most;
        }
    norm(out, (n - 4) / 3, 60, layer);
    return (n - 4) / 3;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* x [589][k] to half of out [589][256] */
UNWATCHED static void define_lstm(const double *x, size_t k, int layer, int backwards, double *out)
{
    const float *w[4];
    const char *parts[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "lstm.%s_l%d%s", parts[i], layer, backwards ? "_reverse" : "");
        w[i] = tensor(name);
    }
    double h[128] = {0}, c[128] = {0}, gates[512];
    for (size_t i = 0; i < WH_SEGMENT_FRAMES; i++) {
        size_t t = backwards ? WH_SEGMENT_FRAMES - 1 - i : i;
        for (size_t g = 0; g < 512; g++) {
            gates[g] = (double)w[2][g] + w[3][g];
            for (size_t j = 0; j < k; j++)
                gates[g] += w[0][g * k + j] * x[t * k + j];
            for (size_t j = 0; j < 128; j++)
                gates[g] += w[1][g * 128 + j] * h[j];
        }
        for (size_t u = 0; u < 128; u++) {
            c[u] = sigmoid(gates[128 + u]) * c[u] + sigmoid(gates[u]) * tanh(gates[256 + u]);
            h[u] = sigmoid(gates[384 + u]) * tanh(c[u]);
            out[t * 256 + (size_t)backwards * 128 + u] = h[u];
        }
    }
}

/* One frame, k to n numbers, leaky or not. */
UNWATCHED static void define_dense(const char *layer, const double *x, size_t k, size_t n, int is_leaky, double *y)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", layer);
    const float *w = tensor(name);
    snprintf(name, sizeof name, "%s.bias", layer);
    const float *bias = tensor(name);
    for (size_t j = 0; j < n; j++) {
        y[j] = bias[j];
        for (size_t i = 0; i < k; i++)
            y[j] += w[j * k + i] * x[i];
        if (is_leaky && y[j] < 0)
            y[j] *= 0.01;
    }
}

/* The whole net: samples to [589][7]. */
static void define(const float *samples, double *out)
{
    double *a = wh_calloc(5325 * 80, sizeof *a), *b = wh_calloc(5325 * 80, sizeof *b);
    define_filtered(samples, a);
    norm(a, 5325, 80, 0);
    size_t n = define_convolution(a, 5325, 80, 1, b);
    n = define_convolution(b, n, 60, 2, a);
    assert_int_equal(n, WH_SEGMENT_FRAMES);
    for (int i = 0; i < 4; i++) {
        for (int d = 0; d < 2; d++)
            define_lstm(a, i ? 256 : 60, i, d, b);
        memcpy(a, b, n * 256 * sizeof *a);
    }
    for (size_t t = 0; t < n; t++) {
        double y[128], z[128], sum = 0, *to = out + t * CLASSES;
        define_dense("linear.0", a + t * 256, 256, 128, 1, y);
        define_dense("linear.1", y, 128, 128, 1, z);
        define_dense("classifier", z, 128, CLASSES, 0, to);
        for (int i = 0; i < CLASSES; i++)
            sum += exp(to[i]);
        for (int i = 0; i < CLASSES; i++)
            to[i] -= log(sum);
    }
    free(a);
    free(b);
}

/* The classes that are likeliest agree in so many of n frames. */
static size_t agreeing(const float *a, const float *b, size_t n)
{
    size_t agree = 0;
    for (size_t t = 0; t < n; t++, a += CLASSES, b += CLASSES) {
        int best_a = 0, best_b = 0;
        for (int i = 1; i < CLASSES; i++) {
            best_a = a[i] > a[best_a] ? i : best_a;
            best_b = b[i] > b[best_b] ? i : best_b;
        }
        agree += best_a == best_b;
    }
    return agree;
}

static double difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        most = isnan(d) ? INFINITY : fmax(most, d);
    }
    return most;
}

static void test_formulas(void **state)
{
    (void)state;
    const char *path = invent("invented.gguf", nothing_wrong);
    float *sound = make_sound(LENGTH), *want = floats(WINDOW), *got = floats(WINDOW), *fused = NULL;
    double *exact = wh_calloc(WINDOW, sizeof *exact);
    define(sound, exact);
    for (size_t i = 0; i < WINDOW; i++)
        want[i] = (float)exact[i];
    for (int level = 0; level < wh_cpu_levels(); level++)
        for (int is_int8 = 0; is_int8 < 2; is_int8++) {
            wh_cpu cpu;
            net n;
            const size_t start = 0;
            if (!wh_cpu_get(level, &cpu))
                continue;
            load_well(&n, path, &cpu, is_int8);
            wh_segmentation_run(n.buffers, sound, &start, 1, got);
            unload(&n);
            double most = difference(want, got, WINDOW);
            printf("  %s, %s: largest difference %.1e\n", cpu.name, is_int8 ? "int8" : "float32", most);
            assert_true(most < (is_int8 ? 0.2 : 2e-4));
            if (level && !is_int8) { /* all that multiply and add in one rounding: the same bits */
                if (fused)
                    assert_memory_equal(fused, got, WINDOW * sizeof *got);
                else
                    memcpy(fused = floats(WINDOW), got, WINDOW * sizeof *got);
            }
        }
    free(sound), free(want), free(got), free(fused), free(exact);
    free_tensors();
}

/* ---- windows together ---- */

/* Windows near each other and far, sharing what their filters hear or not: each has the bits that it has alone. */
static void test_together(void **state)
{
    static const size_t starts[] = {0, 30, 40230, 40230, 40231, 80460, 80461, 250000, 250030, 409990};
    const size_t n_windows = WH_COUNT(starts);
    (void)state;
    const char *path = invent("together.gguf", nothing_wrong);
    float *sound = make_sound(starts[n_windows - 1] + LENGTH), *got = floats(n_windows * WINDOW), *one = floats(WINDOW);
    for (int is_int8 = 0; is_int8 < 2; is_int8++) {
        wh_cpu cpu = wh_cpu_best();
        net n;
        load_well(&n, path, &cpu, is_int8);
        wh_segmentation_run(n.buffers, sound, starts, n_windows, got);
        for (size_t i = 0; i < n_windows; i += i == 1 ? 1 : 2) {
            wh_segmentation_run(n.buffers, sound, &starts[i], 1, one);
            assert_memory_equal(one, got + i * WINDOW, WINDOW * sizeof *one);
        }
        assert_memory_not_equal(got, got + WINDOW, WINDOW * sizeof *got);
        unload(&n);
    }
    free(sound), free(got), free(one);
    free_tensors();
}

/* ---- the real net ---- */

#define EVERY 24 /* frames of the reference */
#define KEPT 25

/* Window number i of a reference, which is in double precision, against what was computed: issue 14's bound. */
static void compare(const char *what, const float *want, size_t i, const float *got, int is_int8, size_t *agree)
{
    float some[KEPT * CLASSES];
    for (size_t t = 0; t < KEPT; t++)
        memcpy(some + t * CLASSES, got + t * EVERY * CLASSES, CLASSES * sizeof *some);
    want += i * KEPT * CLASSES;
    *agree += agreeing(want, some, KEPT);
    double most = difference(want, some, KEPT * CLASSES);
    if (!is_int8)
        printf("  %s: largest difference %.1e\n", what, most);
    assert_true(is_int8 || most < 1e-3);
}

static float *read_sound(const char *path, size_t *n)
{
    whisp_audio *audio;
    const size_t most = 400 * WH_SPEAKERS_RATE;
    float *x = floats(most);
    *n = 0;
    assert_int_equal(whisp_audio_open(path, &audio), WHISP_OK);
    for (int64_t got; (got = whisp_audio_read(audio, x + *n, most - *n)) > 0;)
        *n += (size_t)got;
    whisp_audio_free(audio);
    return x;
}

/* The windows that make-segmentation-reference takes of the demonstration, the last four changed as it says. */
static size_t compare_demo(wh_segmentation *buffers, int is_int8, size_t *agree)
{
    enum { WINDOWS = 7 };
    size_t n, n_want, starts[WINDOWS];
    float *demo = read_sound("test/data/demo.flac", &n), *x = floats(WINDOWS * LENGTH), *got = floats(WINDOWS * WINDOW);
    float *want = read_floats("test/data/speakers/segmentation.f32", &n_want);
    assert_int_equal(n_want, WINDOWS * KEPT * CLASSES);
    memcpy(x, demo, LENGTH * sizeof *x);
    memcpy(x + LENGTH, demo + 100001, LENGTH * sizeof *x);
    memcpy(x + 2 * LENGTH, demo + n - LENGTH, LENGTH * sizeof *x);
    memcpy(x + 3 * LENGTH, demo, 32000 * sizeof *x);
    for (size_t i = 0; i < LENGTH; i++) {
        x[5 * LENGTH + i] = demo[i] / 8192;
        x[6 * LENGTH + i] = demo[i] / 8 + 0.5f;
    }
    for (size_t i = 0; i < WINDOWS; i++)
        starts[i] = i * LENGTH;
    wh_segmentation_run(buffers, x, starts, WINDOWS, got);
    static const char *const names[] = {"demo", "demo from 6 s", "its end", "2 s", "silence", "quiet", "an offset"};
    for (size_t i = 0; i < WINDOWS; i++)
        compare(names[i], want, i, got + i * WINDOW, is_int8, agree);
    free(demo), free(x), free(got), free(want);
    return WINDOWS * KEPT;
}

static size_t compare_shared(wh_segmentation *buffers, int is_int8, size_t *agree)
{
    static const char *const names[] = {"ami_dev00",     "ami_dev01",      "ami_trn01",     "ami_trn02",
                                        "ami_trn03",     "ami_trn04",      "ami_trn05",     "meeting_2clean",
                                        "meeting_4room", "meeting_5noisy", "meeting_8room", "talk_4voices",
                                        "telephone"};
    static const struct hard {
        const char *name;
        size_t start;
    } hard[] = {{"talk_4voices", 0},
                {"meeting_4room", 1603800},
                {"meeting_4room", 1683990},
                {"meeting_5noisy", 240570},
                {"ami_trn01", 240570}};
    const size_t some = WH_COUNT(names), all = some + WH_COUNT(hard);
    size_t n, n_want;
    if (!shared_path("speakers"))
        return 0;
    float *want = read_floats("test/data/speakers/segmentation_shared.f32", &n_want), *got = floats(WINDOW);
    assert_int_equal(n_want, all * KEPT * CLASSES);
    size_t frames = 0;
    for (size_t i = 0; i < all; i += BOUNDS_SANITIZED ? 4 : 1, frames += KEPT) {
        const char *stem = i < some ? names[i] : hard[i - some].name;
        const size_t start = i < some ? 100000 : hard[i - some].start;
        char name[64];
        snprintf(name, sizeof name, "speakers/%s.flac", stem);
        float *x = read_sound(shared_path(name), &n);
        assert_true(n >= start + LENGTH);
        wh_segmentation_run(buffers, x, &start, 1, got);
        compare(stem, want, i, got, is_int8, agree);
        free(x);
    }
    free(want), free(got);
    return frames;
}

static void test_reference(void **state)
{
    (void)state;
    for (int is_int8 = 0; is_int8 < 2 && model_path("speakers"); is_int8++) {
        wh_cpu cpu = wh_cpu_best();
        net n;
        size_t agree = 0, frames;
        load_well(&n, model_path("speakers"), &cpu, is_int8);
        frames = compare_demo(n.buffers, is_int8, &agree);
        frames += compare_shared(n.buffers, is_int8, &agree);
        unload(&n);
        printf("  %s: the likeliest class agrees in %zu of %zu frames\n", is_int8 ? "int8" : "float32", agree, frames);
        assert_true(is_int8 ? (double)agree >= 0.99 * (double)frames : agree == frames);
    }
}

/* ---- models that are wrong ---- */

static void check_wrong(const char *file, struct wrong wrong, const char *message)
{
    wh_cpu cpu = wh_cpu_best();
    net n;
    assert_int_equal(load(&n, invent(file, wrong), &cpu, 1), WHISP_ERR_MODEL);
    if (!strstr(whisp_last_error(), message))
        fail_msg("%s", whisp_last_error());
    assert_null(n.s.segmenter);
    unload(&n);
    free_tensors();
}

static void test_wrong(void **state)
{
    (void)state;
    list_tensors();
    for (int i = 0; i < n_tensors; i += 3) {
        check_wrong("missing.gguf", (struct wrong){i, -1, -1, 0}, "is missing");
        check_wrong("bent.gguf", (struct wrong){-1, -1, i, 0}, "type or shape");
        check_wrong("bad.gguf", (struct wrong){-1, i, -1, 0}, "not numbers");
    }
    check_wrong("high.gguf", (struct wrong){-1, -1, -1, 1}, "above 8000 Hz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
