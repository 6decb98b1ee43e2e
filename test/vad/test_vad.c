/* test_vad.c - voice activity: probabilities against onnxruntime's (in test/data/vad, made by make-reference there),
 * the network against its formulas, streams, vad_filter, wrong and damaged models. Spans are in test_speech.c. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"
#include "support/calls.h"

/* ---- an invented model: the real shapes, random weights ---- */

static const struct {
    const char *name;
    int n_dims;
    int64_t shape[3];
    double size; /* of the weights */
} tensors[] = {
    {"stft_conv.weight", 3, {258, 1, 256}, 0.5},
    {"conv1.weight", 3, {128, 129, 3}, 0.2},
    {"conv1.bias", 1, {128}, 0.1},
    {"conv2.weight", 3, {64, 128, 3}, 0.2},
    {"conv2.bias", 1, {64}, 0.1},
    {"conv3.weight", 3, {64, 64, 3}, 0.2},
    {"conv3.bias", 1, {64}, 0.1},
    {"conv4.weight", 3, {128, 64, 3}, 0.2},
    {"conv4.bias", 1, {128}, 0.1},
    {"lstm_cell.weight_ih", 2, {512, 128}, 0.5},
    {"lstm_cell.weight_hh", 2, {512, 128}, 0.2},
    {"lstm_cell.bias_ih", 1, {512}, 0.1},
    {"lstm_cell.bias_hh", 1, {512}, 0.1},
    {"final_conv.weight", 3, {1, 128, 1}, -2},
    {"final_conv.bias", 1, {1}, 0.1},
};

/* What to do wrong: tensor number `missing` left out, `bad` with a NaN in it, `bent` with another shape. */
struct wrong {
    int missing, bad, bent;
    const char *architecture;
    int version;
};

static const struct wrong nothing_wrong = {-1, -1, -1, "silero-vad", 1};

static const char *invent(const char *file, struct wrong wrong)
{
    const char *path = temp_path(file);
    wh_gguf_writer *w;
    uint64_t seed = 5;
    assert_int_equal(wh_gguf_writer_new(path, &w), WHISP_OK);
    if (wrong.architecture)
        wh_gguf_put_string(w, "general.architecture", wrong.architecture, strlen(wrong.architecture));
    if (wrong.version)
        wh_gguf_put_u32(w, "silero-vad.format_version", (uint32_t)wrong.version);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < (int)WH_COUNT(tensors); i++) {
            int64_t shape[3] = {tensors[i].shape[0] + (i == wrong.bent), WH_MAX(tensors[i].shape[1], 1),
                                WH_MAX(tensors[i].shape[2], 1)};
            if (i == wrong.missing)
                continue;
            if (pass == 0) {
                assert_int_equal(wh_gguf_declare(w, tensors[i].name, WH_F32, tensors[i].n_dims, shape), WHISP_OK);
                continue;
            }
            size_t n = (size_t)(shape[0] * shape[1] * shape[2]);
            float *x = wh_calloc(n, sizeof *x);
            for (size_t k = 0; k < n; k++)
                x[k] = (float)((random_unit(&seed) - 0.5) * tensors[i].size);
            if (i == wrong.bad)
                x[n / 2] = NAN;
            assert_int_equal(wh_gguf_write(w, x, n * sizeof *x), WHISP_OK);
            free(x);
        }
        if (pass == 0)
            assert_int_equal(wh_gguf_writer_begin(w), WHISP_OK);
    }
    assert_int_equal(wh_gguf_writer_finish(w), WHISP_OK);
    return path;
}

static whisp_vad *load(const char *path)
{
    whisp_vad *vad;
    if (whisp_vad_load(path, &vad))
        fail_msg("%s", whisp_last_error());
    return vad;
}

static float *make_noise(size_t n)
{
    float *samples = malloc((n ? n : 1) * sizeof *samples);
    uint64_t seed = 11;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)((int)(8000 * (random_unit(&seed) - 0.5) * (double)(1 + i / 8000 % 2)) / 32768.0);
    return samples;
}

/* name, value pairs up to NULL */
static whisp_options *make_options(const char *name, ...)
{
    whisp_options *o = whisp_options_new();
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *))
        assert_int_equal(whisp_options_set(o, name, va_arg(args, const char *)), WHISP_OK);
    va_end(args);
    return o;
}

static float *probabilities_of(const whisp_vad *vad, const float *samples, size_t n, size_t *n_out)
{
    whisp_speech *speech;
    if (speech_in_samples(vad, samples, n, NULL, &speech))
        fail_msg("%s", whisp_last_error());
    *n_out = speech_info(speech).n_probabilities;
    const float *p = speech_info(speech).probabilities;
    float *copy = malloc((*n_out + 1) * sizeof *copy);
    memcpy(copy, p, *n_out * sizeof *copy);
    whisp_speech_free(speech);
    return copy;
}

/* ---- the network ---- */

static void how_samples_are_cut_does_not_matter(void **state)
{
    (void)state;
    const size_t n = 512 * 40 + 77;
    float *samples = make_noise(n), pushed[64];
    whisp_vad *vad = load(invent("vad.gguf", nothing_wrong));
    whisp_vad_stream *stream;
    size_t n_whole;
    float *whole = probabilities_of(vad, samples, n, &n_whole);
    assert_int_equal(n_whole, 41);
    assert_int_equal(whisp_vad_stream_new(vad, NULL, &stream), WHISP_OK);
    static const size_t blocks[] = {1, 77, 512, 513, 9000, n};
    for (size_t b = 0; b < WH_COUNT(blocks); b++) {
        size_t made = 0;
        for (size_t done = 0; done < n; done += blocks[b]) {
            size_t count = WH_MIN(blocks[b], n - done);
            int64_t got = whisp_vad_push(stream, samples + done, count, pushed + made, (count + 511) / 512);
            assert_true(got >= 0);
            made += (size_t)got;
        }
        assert_int_equal(whisp_vad_finish(stream, pushed + made), 1);
        assert_memory_equal(pushed, whole, n_whole * sizeof *whole);
        assert_int_equal(whisp_vad_push(stream, samples, 1, NULL, 0), WHISP_ERR_STATE);
        assert_int_equal(whisp_vad_finish(stream, NULL), WHISP_ERR_STATE);
        whisp_vad_stream_reset(stream);
    }
    double low = 1, high = 0;
    for (size_t i = 0; i < n_whole; i++) {
        low = fmin(low, whole[i]);
        high = fmax(high, whole[i]);
    }
    assert_true(low > 0 && high < 1 && high - low > 1e-3); /* it is not all the same */
    assert_int_equal(whisp_vad_push(stream, samples, 1024, pushed, 1), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_vad_push(stream, samples, 1024, pushed, 2), 2);
    assert_int_equal(whisp_vad_finish(stream, pushed), 0);
    whisp_vad_stream_free(stream);
    whisp_vad_free(vad);
    free(whole);
    free(samples);
}

/* The network once more, as the formulas say, in double precision. */
static double slow_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static const float *weights(const whisp_vad *vad, const char *name)
{
    return wh_gguf_tensor(vad->file, name)->data;
}

static void slow_conv(const whisp_vad *vad, int number, int in, int out, int stride, int *frames, double *x)
{
    char name[32];
    snprintf(name, sizeof name, "conv%d.weight", number);
    const float *w = weights(vad, name);
    snprintf(name, sizeof name, "conv%d.bias", number);
    const float *b = weights(vad, name);
    int to = (*frames - 1) / stride + 1;
    double y[4 * 129];
    for (int t = 0; t < to; t++)
        for (int o = 0; o < out; o++) {
            double sum = b[o];
            for (int k = 0; k < 3 * in; k++) {
                int from = t * stride + k % 3 - 1;
                if (from >= 0 && from < *frames)
                    sum += (double)w[o * in * 3 + k] * x[from * in + k / 3];
            }
            y[t * out + o] = fmax(sum, 0);
        }
    memcpy(x, y, (size_t)(to * out) * sizeof *y);
    *frames = to;
}

static double slow_chunk(const whisp_vad *vad, const float *seen, double *h, double *c)
{
    const float *stft = weights(vad, "stft_conv.weight"), *wi = weights(vad, "lstm_cell.weight_ih"),
                *wh = weights(vad, "lstm_cell.weight_hh"), *bi = weights(vad, "lstm_cell.bias_ih"),
                *bh = weights(vad, "lstm_cell.bias_hh"), *last = weights(vad, "final_conv.weight");
    double x[4 * 129], gates[512], sum = weights(vad, "final_conv.bias")[0];
    int frames = 4;
    for (int t = 0; t < 4; t++)
        for (int k = 0; k < 129; k++) {
            double re = 0, im = 0;
            for (int i = 0; i < 256; i++) {
                int at = t * 128 + i;
                double s = seen[at < 576 ? at : 2 * 575 - at];
                re += s * stft[k * 256 + i];
                im += s * stft[(k + 129) * 256 + i];
            }
            x[t * 129 + k] = sqrt(re * re + im * im);
        }
    slow_conv(vad, 1, 129, 128, 1, &frames, x);
    slow_conv(vad, 2, 128, 64, 2, &frames, x);
    slow_conv(vad, 3, 64, 64, 2, &frames, x);
    slow_conv(vad, 4, 64, 128, 1, &frames, x);
    for (int g = 0; g < 512; g++) {
        gates[g] = (double)bi[g] + bh[g];
        for (int i = 0; i < 128; i++)
            gates[g] += wi[g * 128 + i] * x[i] + wh[g * 128 + i] * h[i];
    }
    for (int i = 0; i < 128; i++) {
        c[i] = slow_sigmoid(gates[128 + i]) * c[i] + slow_sigmoid(gates[i]) * tanh(gates[256 + i]);
        h[i] = slow_sigmoid(gates[384 + i]) * tanh(c[i]);
        sum += fmax(h[i], 0) * last[i];
    }
    return slow_sigmoid(sum);
}

static void the_network_is_what_its_formulas_say(void **state)
{
    (void)state;
    static const char *const levels[] = {"generic", "avx2", "avx512"};
    const size_t n = 512 * 20;
    float *samples = make_noise(n), *padded = calloc(64 + n, sizeof *padded);
    memcpy(padded + 64, samples, n * sizeof *samples);
    const char *path = invent("vad.gguf", nothing_wrong);
    for (size_t l = 0; l < WH_COUNT(levels); l++) {
        double h[128] = {0}, c[128] = {0};
        setenv("WHISP_CPU", levels[l], 1);
        whisp_vad *vad = load(path);
        size_t n_found;
        float *found = probabilities_of(vad, samples, n, &n_found);
        assert_int_equal(n_found, 20);
        for (size_t i = 0; i < n_found; i++) {
            double want = slow_chunk(vad, padded + i * 512, h, c);
            if (!(fabs(found[i] - want) < 1e-5))
                fail_msg("%s, chunk %zu: %g instead of %g", levels[l], i, (double)found[i], want);
        }
        free(found);
        whisp_vad_free(vad);
    }
    unsetenv("WHISP_CPU");
    free(samples);
    free(padded);
}

static void strange_samples_do_no_harm(void **state)
{
    (void)state;
    whisp_vad *vad = load(invent("vad.gguf", nothing_wrong));
    float *samples = make_noise(512 * 8);
    size_t n;
    samples[100] = NAN;
    samples[700] = INFINITY;
    samples[701] = -INFINITY;
    samples[1500] = 3e38f;
    samples[1501] = -3e38f;
    float *with = probabilities_of(vad, samples, 512 * 8, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(with[i] >= 0 && with[i] <= 1);
    samples[100] = samples[700] = samples[701] = 0;
    float *without = probabilities_of(vad, samples, 512 * 8, &n);
    assert_memory_equal(with, without, n * sizeof *with);
    free(with);
    free(without);
    free(samples);
    whisp_speech *speech;
    assert_int_equal(speech_in_samples(vad, NULL, 0, NULL, &speech), WHISP_OK);
    n = speech_info(speech).n_probabilities;
    assert_int_equal(n, 0);
    n = speech_info(speech).n_spans;
    assert_int_equal(n, 0);
    assert_true(speech_info(speech).duration == 0);
    assert_true(whisp_speech_original_time(speech, 1.234, 0) == 1.23);
    whisp_speech_free(speech);
    whisp_vad_free(vad);
}

/* ---- against onnxruntime ---- */

static void compare(const whisp_vad *vad, const char *name, const float *samples, size_t n)
{
    char path[128];
    size_t n_want, n_got;
    snprintf(path, sizeof path, "test/data/vad/%s.f32", name);
    float *want = read_floats(path, &n_want), *got = probabilities_of(vad, samples, n, &n_got);
    double worst = 0;
    assert_int_equal(n_got, n_want);
    for (size_t i = 0; i < n_got; i++)
        worst = fmax(worst, fabs((double)got[i] - want[i]));
    printf("%s: %zu probabilities, largest difference from onnxruntime %.2g\n", name, n_got, worst);
    assert_true(worst < 5e-5); /* 1e-3 is asked for */
    free(want);
    free(got);
}

static void probabilities_are_onnxruntimes(void **state)
{
    (void)state;
    const char *model = model_path("silero-vad");
    if (!model)
        return;
    whisp_vad *vad = load(model);
    float *noise = make_noise(64000);
    compare(vad, "noise", noise, 64000);
    free(noise);
    const char *jfk = shared_path("reference/jfk.pcm_176000.f32");
    if (jfk) {
        size_t n;
        float *samples = read_floats(jfk, &n);
        compare(vad, "jfk", samples, n);
        free(samples);
        whisp_audio *audio;
        n = 0;
        assert_int_equal(whisp_audio_open(shared_path("audio/night_119s_theres_supposed_to_be_another_broadcast.wav"),
                                          &audio),
                         WHISP_OK);
        samples = malloc(2000000 * sizeof *samples);
        for (int64_t got; (got = whisp_audio_read(audio, samples + n, 2000000 - n)) > 0;)
            n += (size_t)got;
        whisp_audio_free(audio);
        double t0 = wh_now();
        compare(vad, "night_119s", samples, n);
        printf("speed: %.0f times real time\n", (double)n / 16000 / (wh_now() - t0));
        free(samples);
    }
    whisp_vad_free(vad);
}

/* ---- streams ---- */

static void a_stream_gives_the_same_spans_early(void **state)
{
    (void)state;
    const char *model = model_path("silero-vad"), *jfk = shared_path("reference/jfk.pcm_176000.f32");
    if (!model || !jfk)
        return;
    whisp_vad *vad = load(model);
    whisp_options *o = make_options("vad_min_silence_duration_ms", "200", "vad_speech_pad_ms", "50", NULL);
    whisp_speech *speech;
    whisp_vad_stream *stream;
    whisp_span span;
    size_t n, n_spans, i = 0;
    float *samples = read_floats(jfk, &n);
    assert_int_equal(speech_in_samples(vad, samples, n, o, &speech), WHISP_OK);
    const whisp_span *want = speech_info(speech).spans;
    n_spans = speech_info(speech).n_spans;
    assert_true(n_spans >= 3);
    assert_int_equal(whisp_vad_stream_new(vad, o, &stream), WHISP_OK);
    for (size_t done = 0; done < n; done += 500) {
        assert_true(whisp_vad_push(stream, samples + done, WH_MIN(500, n - done), NULL, 0) >= 0);
        for (; whisp_vad_pull(stream, &span) == 1; i++) {
            assert_true(i < n_spans);
            assert_true(span.start == want[i].start && span.end == want[i].end);
            assert_true((double)done / 16000 < span.end + 0.25);
        }
    }
    assert_true(i + 1 >= n_spans);
    assert_true(whisp_vad_finish(stream, NULL) >= 0);
    for (; whisp_vad_pull(stream, &span) == 1; i++)
        assert_true(span.start == want[i].start && span.end == want[i].end);
    assert_int_equal(i, n_spans);
    assert_int_equal(whisp_vad_pull(stream, &span), WHISP_END);
    whisp_vad_stream_free(stream);
    whisp_speech_free(speech);
    whisp_options_free(o);
    whisp_vad_free(vad);
    free(samples);
}

/* ---- wrong and damaged models ---- */

static void expect_refusal(const char *path, int code, const char *words)
{
    whisp_vad *vad = (whisp_vad *)&vad;
    assert_int_equal(whisp_vad_load(path, &vad), code);
    assert_null(vad);
    if (!strstr(whisp_last_error(), words) || !strstr(whisp_last_error(), path))
        fail_msg("%s", whisp_last_error());
}

static void wrong_models_are_refused_by_name(void **state)
{
    (void)state;
    struct wrong wrong = nothing_wrong;
    expect_refusal(invented_path("invented"), WHISP_ERR_MODEL, "a Whisper speech model");
    expect_refusal("no/such/file.gguf", WHISP_ERR_IO, "");
    expect_refusal("Makefile", WHISP_ERR_MODEL, "");
    wrong.architecture = "llama";
    expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, "not of Silero VAD");
    wrong.architecture = NULL;
    expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, "not of Silero VAD");
    wrong = nothing_wrong;
    wrong.version = 2;
    expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, "update the library");
    for (int i = 0; i < (int)WH_COUNT(tensors); i++) {
        wrong = nothing_wrong;
        wrong.missing = i;
        expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, tensors[i].name);
        wrong.missing = -1;
        wrong.bent = i;
        expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, tensors[i].name);
        wrong.bent = -1;
        wrong.bad = i;
        expect_refusal(invent("wrong.gguf", wrong), WHISP_ERR_MODEL, "damaged");
    }
    whisp_model *model;
    assert_int_equal(whisp_model_load(invent("vad.gguf", nothing_wrong), NULL, &model), WHISP_ERR_MODEL);
    assert_non_null(strstr(whisp_last_error(), "voice activity model"));
    assert_non_null(strstr(whisp_last_error(), "vad_model"));
}

static void damaged_models_are_refused_or_run(void **state)
{
    (void)state;
    size_t size;
    char *data = read_file(invent("vad.gguf", nothing_wrong), &size);
    const char *path = temp_path("damaged.gguf");
    uint64_t seed = 3;
    for (int i = 0; i < 300; i++) {
        char *copy = malloc(size);
        memcpy(copy, data, size);
        size_t n = size;
        if (i % 3 == 0)
            n = (size_t)(random_unit(&seed) * (i % 2 ? 2000 : (double)size));
        else
            copy[(size_t)(random_unit(&seed) * 2000)] = (char)(256 * random_unit(&seed));
        FILE *file = fopen(path, "wb");
        assert_int_equal(fwrite(copy, 1, n, file), n);
        fclose(file);
        free(copy);
        whisp_vad *vad;
        int rc = whisp_vad_load(path, &vad);
        if (n < size)
            assert_int_equal(rc, WHISP_ERR_MODEL);
        if (!rc) {
            float samples[1024] = {0.5f};
            size_t count;
            free(probabilities_of(vad, samples, 1024, &count));
            assert_int_equal(count, 2);
        }
        whisp_vad_free(vad);
    }
    free(data);
}

static int stop(void *user)
{
    return ++*(int *)user > 2;
}

static void arguments_and_cancelling(void **state)
{
    (void)state;
    whisp_vad *vad = load(invent("vad.gguf", nothing_wrong)), *none;
    whisp_speech *speech;
    whisp_vad_stream *stream;
    int asked = 0;
    float *samples = make_noise(200000);
    whisp_options *o = whisp_options_new();
    set_callbacks(o, NULL, NULL, NULL, stop, &asked);
    assert_int_equal(speech_in_samples(vad, samples, 200000, o, &speech), WHISP_ERR_CANCELLED);
    assert_null(speech);
    assert_int_equal(asked, 3);
    assert_int_equal(speech_in_file(vad, "no such file", o, &speech), WHISP_ERR_IO);
    assert_int_equal(whisp_vad_speech(vad, NULL, o, &speech), WHISP_ERR_ARGUMENT);
    assert_int_equal(speech_in_samples(vad, NULL, 5, o, &speech), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_vad_stream_new(NULL, o, &stream), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_vad_load(NULL, &none), WHISP_ERR_ARGUMENT);
    assert_null(none);
    whisp_vad_free(vad);
    assert_int_equal(whisp_vad_pull(NULL, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_options_set(o, "vad_threshold", "1.5"), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_options_set(o, "vad_max_speech_duration_s", "0"), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_options_set(o, "vad_speech_pad_ms", "-1"), WHISP_ERR_ARGUMENT);
    whisp_options_free(o);
    free(samples);
    whisp_vad_free(NULL);
    whisp_speech_free(NULL);
    whisp_vad_stream_free(NULL);
    whisp_vad_stream_reset(NULL);
}

/* ---- vad_filter ---- */

/* Two seconds of noise, `gap` seconds of silence, two of noise. */
static float *make_two(double gap, size_t *n)
{
    size_t quiet = (size_t)(gap * 16000);
    float *noise = make_noise(64000);
    *n = 64000 + quiet;
    float *samples = calloc(*n, sizeof *samples);
    memcpy(samples, noise, 32000 * sizeof *noise);
    memcpy(samples + 32000 + quiet, noise + 32000, 32000 * sizeof *noise);
    free(noise);
    return samples;
}

static void a_filtered_transcription_has_the_recordings_times(void **state)
{
    (void)state;
    whisp_model *model;
    whisp_vad *vad;
    whisp_session *session;
    whisp_result *result, *shorter;
    whisp_speech *speech;
    size_t n, n_spans, kept = 0;
    const char *vad_file = invent("vad.gguf", nothing_wrong);
    float *samples = make_two(3, &n), *cut = malloc(n * sizeof *cut);
    assert_int_equal(whisp_model_load(invented_path("invented"), NULL, &model), WHISP_OK);

    /* a threshold between what the invented network says of noise and of silence */
    vad = load(vad_file);
    size_t n_p;
    float *p = probabilities_of(vad, samples, n, &n_p);
    char threshold[32];
    snprintf(threshold, sizeof threshold, "%.6f", ((double)p[30] + p[120]) / 2);
    assert_true(p[30] > p[120] + 0.001);
    free(p);
    whisp_options *o = make_options("temperature_increment_on_fallback", "None", "hallucination_guard", "False",
                                    "vad_filter", "True", "vad_model", vad_file, "vad_threshold", threshold,
                                    "vad_neg_threshold", threshold, "vad_min_silence_duration_ms", "500",
                                    "vad_speech_pad_ms", "100", NULL);
    assert_int_equal(speech_in_samples(vad, samples, n, o, &speech), WHISP_OK);
    const whisp_span *spans = speech_info(speech).spans;
    n_spans = speech_info(speech).n_spans;
    assert_true(n_spans >= 2);
    for (size_t i = 0; i < n_spans; i++)
        for (size_t k = (size_t)(spans[i].start * 16000 + 0.5); k < (size_t)(spans[i].end * 16000 + 0.5); k++)
            cut[kept++] = samples[k];
    assert_true(kept < n - 16000);

    /* the same words as of the samples that are left, at the recording's times */
    if (whisp_session_new(model, o, &session) || transcribe_samples(session, samples, n, &result))
        fail_msg("%s", whisp_last_error());
    whisp_session_free(session);
    assert_int_equal(whisp_options_set(o, "vad_filter", "False"), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(transcribe_samples(session, cut, kept, &shorter), WHISP_OK);
    whisp_session_free(session);
    assert_string_equal(whisp_result_text(result), whisp_result_text(shorter));
    assert_true(result_info(result).duration == (double)n / 16000);
    assert_true(result_info(result).n_segments > 0);
    for (size_t i = 0; i < result_info(result).n_segments; i++) {
        const whisp_segment *a = whisp_result_segment(result, i), *b = whisp_result_segment(shorter, i);
        double start = whisp_speech_original_time(speech, b->start, 0);
        double end = whisp_speech_original_time(speech, b->end, 1);
        assert_true(a->start == start);
        assert_true(a->end == (end < start ? start : end));
    }
    whisp_result_free(result);
    whisp_result_free(shorter);

    /* pushes cannot be filtered: what follows is not known */
    assert_int_equal(whisp_options_set(o, "vad_filter", "True"), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(whisp_session_push(session, samples, 100), WHISP_ERR_STATE);
    assert_non_null(strstr(whisp_last_error(), "vad_filter"));
    assert_int_equal(whisp_session_measure(session, samples, 100), WHISP_ERR_STATE);
    whisp_session_free(session);

    /* nothing but silence: no words, no error */
    assert_int_equal(whisp_options_set(o, "vad_neg_threshold", "None"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "vad_threshold", "1"), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_OK);
    assert_int_equal(transcribe_samples(session, samples, n, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 0);
    assert_true(result_info(result).duration == (double)n / 16000);
    whisp_result_free(result);
    whisp_session_free(session);

    /* a speech model given as the one of voice activity */
    assert_int_equal(whisp_options_set(o, "vad_model", invented_path("invented")), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &session), WHISP_ERR_MODEL);
    assert_non_null(strstr(whisp_last_error(), "a Whisper speech model"));
    whisp_options_free(o);
    whisp_speech_free(speech);
    whisp_vad_free(vad);
    whisp_model_free(model);
    free(samples);
    free(cut);
}

static void a_voice_activity_model_is_not_chosen_as_the_speech_model(void **state)
{
    (void)state;
    char path[4096], folder[4096];
    size_t n;
    snprintf(folder, sizeof folder, "%s", temp_path("a-vad.gguf"));
    invent("a-vad.gguf", nothing_wrong);
    *strrchr(folder, '/') = 0;
    char *data = read_file(invented_path("invented"), &n);
    FILE *file = fopen(temp_path("z-speech.gguf"), "wb");
    assert_int_equal(fwrite(data, 1, n, file), n);
    fclose(file);
    free(data);
    assert_int_equal(whisp_model_find(NULL, folder, path, sizeof path), WHISP_OK);
    whisp_model *model;
    if (whisp_model_load(path, NULL, &model) && strstr(whisp_last_error(), "voice activity"))
        fail_msg("%s", whisp_last_error());
    whisp_model_free(model);
    remove(temp_path("z-speech.gguf"));
    assert_int_equal(whisp_model_find("a-vad", folder, path, sizeof path), WHISP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_samples_are_cut_does_not_matter),
        cmocka_unit_test(the_network_is_what_its_formulas_say),
        cmocka_unit_test(strange_samples_do_no_harm),
        cmocka_unit_test(probabilities_are_onnxruntimes),
        cmocka_unit_test(a_stream_gives_the_same_spans_early),
        cmocka_unit_test(a_filtered_transcription_has_the_recordings_times),
        cmocka_unit_test(a_voice_activity_model_is_not_chosen_as_the_speech_model),
        cmocka_unit_test(wrong_models_are_refused_by_name),
        cmocka_unit_test(damaged_models_are_refused_or_run),
        cmocka_unit_test(arguments_and_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
