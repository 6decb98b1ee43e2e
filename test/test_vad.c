/* test_vad.c - voice activity: probabilities against onnxruntime's, spans and times against faster-whisper's (their
 * answers are in test/data/vad, made by make-reference there), streams, wrong and damaged models. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

/* ---- an invented model: the real shapes, random weights ---- */

static const struct {
    const char *name;
    int n_dims;
    int64_t shape[3];
    double size; /* of the weights */
} tensors[] = {
    {"stft_conv.weight", 3, {258, 1, 256}, 0.1}, {"conv1.weight", 3, {128, 129, 3}, 0.2}, {"conv1.bias", 1, {128}, 0.1},
    {"conv2.weight", 3, {64, 128, 3}, 0.2},      {"conv2.bias", 1, {64}, 0.1},            {"conv3.weight", 3, {64, 64, 3}, 0.2},
    {"conv3.bias", 1, {64}, 0.1},                {"conv4.weight", 3, {128, 64, 3}, 0.2},  {"conv4.bias", 1, {128}, 0.1},
    {"lstm_cell.weight_ih", 2, {512, 128}, 0.2}, {"lstm_cell.weight_hh", 2, {512, 128}, 0.2},
    {"lstm_cell.bias_ih", 1, {512}, 0.1},        {"lstm_cell.bias_hh", 1, {512}, 0.1},
    {"final_conv.weight", 3, {1, 128, 1}, 0.5},  {"final_conv.bias", 1, {1}, 0.1},
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
    if (whisp_vad_speech_samples(vad, samples, n, NULL, &speech))
        fail_msg("%s", whisp_last_error());
    const float *p = whisp_speech_probabilities(speech, n_out);
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
    assert_int_equal(whisp_vad_speech_samples(vad, NULL, 0, NULL, &speech), WHISP_OK);
    whisp_speech_probabilities(speech, &n);
    assert_int_equal(n, 0);
    whisp_speech_spans(speech, &n);
    assert_int_equal(n, 0);
    assert_true(whisp_speech_duration(speech) == 0);
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
        assert_int_equal(whisp_audio_open(
            shared_path("audio/night_119s_theres_supposed_to_be_another_broadcast.wav"), &audio), WHISP_OK);
        samples = malloc(2000000 * sizeof *samples);
        for (int64_t got; (got = whisp_audio_read(audio, samples + n, 2000000 - n)) > 0;)
            n += (size_t)got;
        whisp_audio_close(audio);
        double t0 = wh_now();
        compare(vad, "night_119s", samples, n);
        printf("speed: %.0f times real time\n", (double)n / 16000 / (wh_now() - t0));
        free(samples);
    }
    whisp_vad_free(vad);
}

/* ---- spans and times against faster-whisper ---- */

static float *walk(uint64_t seed, size_t *n)
{
    double level = 0;
    float *out = malloc(601 * sizeof *out);
    for (*n = 0; *n < 600; ++*n) {
        if (random_unit(&seed) < 0.04)
            level = random_unit(&seed);
        out[*n] = (float)((int)(1024 * (0.8 * level + 0.2 * random_unit(&seed))) / 1024.0);
    }
    return out;
}

static float *reference_probabilities(const char *name, size_t *n)
{
    unsigned seed;
    char path[128];
    if (sscanf(name, "walk%u", &seed) == 1)
        return walk(seed, n);
    snprintf(path, sizeof path, "test/data/vad/%s.f32", name);
    return read_floats(path, n);
}

/* The case in `line` ("INPUT TOTAL name value ...") to spans, as a whole recording gives them. Also checks that
 * spans ascend, stay apart and within what is known of the recording when they come out. */
static wh_spans spans_of(char *line)
{
    char *save, *name = strtok_r(line, " \n", &save);
    int64_t total = atoll(strtok_r(NULL, " \n", &save));
    whisp_options *o = whisp_options_new();
    for (char *key; (key = strtok_r(NULL, " \n", &save)) != NULL;)
        assert_int_equal(whisp_options_set(o, key, strtok_r(NULL, " \n", &save)), WHISP_OK);
    size_t n;
    float *p = reference_probabilities(name, &n);
    wh_speech speech;
    wh_spans out = {0};
    wh_speech_init(&speech, &o->values);
    for (size_t i = 0; i <= n; i++) {
        if (i == n && total % 512 != 0)
            break;
        int64_t available = WH_MIN(total, (int64_t)(i + 1) * 512);
        assert_int_equal(wh_speech_push(&speech, p[WH_MIN(i, n - 1)], available, &out), WHISP_OK);
        if (out.n)
            assert_true(out.spans[out.n - 1].end <= available);
    }
    assert_int_equal(wh_speech_finish(&speech, total, &out), WHISP_OK);
    for (size_t i = 0; i < out.n; i++) {
        assert_true(out.spans[i].start < out.spans[i].end && out.spans[i].end <= total);
        assert_true(i == 0 || out.spans[i - 1].end <= out.spans[i].start);
    }
    whisp_options_free(o);
    free(p);
    return out;
}

static void spans_and_times_are_faster_whispers(void **state)
{
    (void)state;
    FILE *file = fopen("test/data/vad/spans.txt", "r");
    assert_non_null(file);
    char line[512];
    wh_spans found = {0};
    wh_timeline timeline = {0};
    size_t next = 0, cases = 0, spans = 0, times = 0;
    while (fgets(line, sizeof line, file)) {
        long start, end;
        int is_end;
        char copy[512];
        double time, original;
        strcpy(copy, line);
        if (strncmp(line, "case ", 5) == 0) {
            assert_int_equal(next, timeline.speech.n); /* no span too many in the case before */
            wh_timeline_free(&timeline);
            found = spans_of(copy + 5);
            assert_int_equal(wh_timeline_init(&timeline, &found), WHISP_OK);
            next = 0;
            cases++;
        } else if (sscanf(line, "span %ld %ld", &start, &end) == 2) {
            assert_true(next < timeline.speech.n);
            assert_int_equal(timeline.speech.spans[next].start, start);
            assert_int_equal(timeline.speech.spans[next].end, end);
            next++;
            spans++;
        } else {
            assert_int_equal(sscanf(line, "time %lf %d %lf", &time, &is_end, &original), 3);
            double got = wh_timeline_original(&timeline, time, is_end);
            if (got != original)
                fail_msg("%s%.17g", line, got);
            times++;
        }
    }
    assert_int_equal(next, timeline.speech.n);
    fclose(file);
    wh_timeline_free(&timeline);
    printf("%zu cases, %zu spans, %zu times\n", cases, spans, times);
    assert_true(cases > 50 && spans > 300 && times > 500);
}

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
    assert_int_equal(whisp_vad_speech_samples(vad, samples, n, o, &speech), WHISP_OK);
    const whisp_span *want = whisp_speech_spans(speech, &n_spans);
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

/* faster-whisper's tests of its splitting, by meaning: silence, speech, a long silence, speech to the end. */
static void a_pattern_of_speech_and_silence(void **state)
{
    (void)state;
    whisp_options *o = make_options("vad_speech_pad_ms", "0", NULL);
    wh_speech speech;
    wh_spans out = {0};
    wh_speech_init(&speech, &o->values);
    for (int i = 0; i < 5 + 20 + 70 + 100; i++)
        wh_speech_push(&speech, (i >= 5 && i < 25) || i >= 95 ? 1 : 0, (i + 1) * 512, &out);
    wh_speech_finish(&speech, 195 * 512, &out);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.spans[0].start, 5 * 512);
    assert_int_equal(out.spans[0].end, 25 * 512);
    assert_int_equal(out.spans[1].start, 95 * 512);
    assert_int_equal(out.spans[1].end, 195 * 512);
    free(out.spans);
    whisp_options_free(o);
}

/* ---- the recording without silence ---- */

static void groups(const wh_span *list, size_t n, int64_t longest, const wh_vad_group *want, size_t n_want)
{
    wh_span copy[8];
    memcpy(copy, list, n * sizeof *list);
    wh_spans spans = {copy, n, n};
    wh_vad_group *got;
    size_t n_got;
    assert_int_equal(wh_collect_chunks(&spans, longest, &got, &n_got), WHISP_OK);
    assert_int_equal(n_got, n_want);
    assert_memory_equal(got, want, n_want * sizeof *want);
    free(got);
}

static void spans_are_collected_to_groups(void **state)
{
    (void)state;
    const wh_span list[] = {{0, 8000}, {8000, 16000}, {20000, 28000}}, one[] = {{0, 32000}};
    groups(list, 0, 0, &(wh_vad_group){0, 0, 0, 0}, 1);
    groups(list, 3, 0, &(wh_vad_group){0, 3, 0, 24000}, 1);
    groups(list, 3, 19200, (wh_vad_group[]){{0, 2, 0, 16000}, {2, 1, 16000, 8000}}, 2);
    groups(list, 3, 12000, (wh_vad_group[]){{0, 1, 0, 8000}, {1, 1, 8000, 8000}, {2, 1, 16000, 8000}}, 3);
    groups(one, 1, 16000, &(wh_vad_group){0, 1, 0, 32000}, 1); /* longer than allowed, yet no empty group before it */
}

static void samples_outside_speech_are_dropped(void **state)
{
    (void)state;
    const wh_span list[] = {{100, 250}, {250, 300}, {1000, 1001}, {1500, 2500}};
    for (size_t block = 1; block < 3000; block = block * 3 + 1) {
        wh_spans spans = {wh_calloc(4, sizeof *spans.spans), 4, 4};
        memcpy(spans.spans, list, sizeof list);
        wh_timeline timeline;
        assert_int_equal(wh_timeline_init(&timeline, &spans), WHISP_OK);
        assert_int_equal(wh_timeline_kept(&timeline), 1201);
        int64_t kept = 0;
        size_t at = 0;
        for (int64_t position = 0; position < 2200;) { /* the recording ends within the last span */
            size_t offset, count, n = (size_t)WH_MIN((int64_t)block, 2200 - position);
            wh_timeline_next(&timeline, &at, position, n, &offset, &count);
            for (size_t i = 0; i < count; i++) {
                int64_t sample = position + (int64_t)(offset + i);
                assert_true((sample >= 100 && sample < 300) || sample == 1000 || sample >= 1500);
            }
            kept += (int64_t)count;
            position += (int64_t)(count ? offset + count : n);
        }
        assert_int_equal(kept, 901);
        wh_timeline_free(&timeline);
    }
}

static void a_words_times_stay_in_one_span(void **state)
{
    (void)state;
    wh_spans spans = {wh_calloc(2, sizeof *spans.spans), 2, 2};
    spans.spans[0] = (wh_span){16000, 32000};
    spans.spans[1] = (wh_span){80000, 96000};
    wh_timeline t;
    assert_int_equal(wh_timeline_init(&t, &spans), WHISP_OK);
    /* a word from 0.9 to 1.4 belongs to where its middle is: the second span */
    size_t index = wh_timeline_index(&t, (0.9 + 1.4) / 2, 0);
    assert_int_equal(index, 1);
    assert_true(wh_timeline_original_in(&t, 0.9, index) == 4.9);
    assert_true(wh_timeline_original_in(&t, 1.4, index) == 5.4);
    /* where both meet */
    assert_true(wh_timeline_original(&t, 1.0, 0) == 5.0);
    assert_true(wh_timeline_original(&t, 1.0, 1) == 2.0);
    assert_true(wh_timeline_original(&t, 7.0, 0) == 11.0);
    assert_true(wh_timeline_original(&t, 1e300, 0) > 1e299);
    assert_true(wh_timeline_original(&t, 0.0, 0) == 1.0);
    wh_timeline_free(&t);
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
    assert_int_equal(whisp_model_load(invent("vad.gguf", nothing_wrong), &model), WHISP_ERR_MODEL);
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
    whisp_options_on_cancel(o, stop, &asked);
    assert_int_equal(whisp_vad_speech_samples(vad, samples, 200000, o, &speech), WHISP_ERR_CANCELLED);
    assert_null(speech);
    assert_int_equal(asked, 3);
    assert_int_equal(whisp_vad_speech_file(vad, "no such file", o, &speech), WHISP_ERR_IO);
    assert_int_equal(whisp_vad_speech_file(NULL, "x", o, &speech), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_vad_speech_samples(vad, NULL, 5, o, &speech), WHISP_ERR_ARGUMENT);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_samples_are_cut_does_not_matter),
        cmocka_unit_test(the_network_is_what_its_formulas_say),
        cmocka_unit_test(strange_samples_do_no_harm),
        cmocka_unit_test(probabilities_are_onnxruntimes),
        cmocka_unit_test(spans_and_times_are_faster_whispers),
        cmocka_unit_test(a_stream_gives_the_same_spans_early),
        cmocka_unit_test(a_pattern_of_speech_and_silence),
        cmocka_unit_test(spans_are_collected_to_groups),
        cmocka_unit_test(samples_outside_speech_are_dropped),
        cmocka_unit_test(a_words_times_stay_in_one_span),
        cmocka_unit_test(wrong_models_are_refused_by_name),
        cmocka_unit_test(damaged_models_are_refused_or_run),
        cmocka_unit_test(arguments_and_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
