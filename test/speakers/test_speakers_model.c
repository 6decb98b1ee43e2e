/* test_speakers_model.c - the speakers' model file: what is missing, bent, damaged or another model is refused with a line
 * that says so; numbers of any size are refused or give an answer; compute_type chooses the arithmetic. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/model.h"
#include "support/process.h"

/* What to do wrong with one tensor, or with the head. */
typedef struct wrong {
    const char *tensor;
    enum { LEFT_OUT, BENT, NOT_A_NUMBER, NEGATIVE, FILLED } how; /* filled: all tensors whose names contain it */
    float fill;
    const char *architecture;
    uint32_t version;
} wrong;

static const char *copy_with(wrong w)
{
    const char *path = temp_path("copy.gguf"), *architecture = w.architecture ? w.architecture : "speakers";
    wh_gguf *from;
    wh_gguf_writer *to;
    assert_int_equal(wh_gguf_open(invented_path("invented-speakers"), &from), WHISP_OK);
    assert_int_equal(wh_gguf_writer_new(path, &to), WHISP_OK);
    wh_gguf_put_string(to, "general.architecture", architecture, strlen(architecture));
    wh_gguf_put_u32(to, "speakers.format_version", w.version ? w.version : 1);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < wh_gguf_tensor_count(from); i++) {
            const wh_tensor *t = wh_gguf_tensor_at(from, i);
            int is_it = w.tensor && (w.how == FILLED ? strstr(t->name, w.tensor) != NULL : !strcmp(w.tensor, t->name));
            int64_t shape[WH_MAX_DIMS];
            memcpy(shape, t->shape, sizeof shape);
            if (is_it && w.how == LEFT_OUT)
                continue;
            if (is_it && w.how == BENT)
                shape[0]++;
            if (pass == 0) {
                assert_int_equal(wh_gguf_declare(to, t->name, WH_F32, t->n_dims, shape), WHISP_OK);
                continue;
            }
            size_t row = t->bytes / (size_t)t->shape[0];
            char *data = wh_calloc(1, t->bytes + row);
            memcpy(data, t->data, t->bytes);
            const float bad = w.how == NEGATIVE ? -2 : NAN;
            for (size_t k = 0; is_it && w.how == FILLED && k < t->bytes / sizeof w.fill; k++)
                memcpy(data + k * sizeof w.fill, &w.fill, sizeof w.fill);
            if (is_it && (w.how == NOT_A_NUMBER || w.how == NEGATIVE))
                memcpy(data + t->bytes - sizeof bad, &bad, sizeof bad);
            assert_int_equal(wh_gguf_write(to, data, (size_t)shape[0] * row), WHISP_OK);
            free(data);
        }
        if (pass == 0)
            assert_int_equal(wh_gguf_writer_begin(to), WHISP_OK);
    }
    assert_int_equal(wh_gguf_writer_finish(to), WHISP_OK);
    wh_gguf_close(from);
    return path;
}

static void refused(const char *path, const char *reason)
{
    whisp_speakers *s = (whisp_speakers *)(void *)&path; /* is to be NULL afterwards */
    int rc = whisp_speakers_load(path, NULL, &s);
    if (rc != WHISP_ERR_MODEL || !strstr(whisp_last_error(), reason) || !strstr(whisp_last_error(), path))
        fail_msg("%d, '%s', which has no '%s'", rc, whisp_last_error(), reason);
    assert_null(s);
}

static void what_is_wrong_with_a_tensor_is_said(void **state)
{
    (void)state;
    static const char *const names[] = {
        "embedding.head.conv1.weight",
        "embedding.head.layer2.0.shortcut.0.weight",
        "embedding.xvector.tdnn.linear.weight",
        "embedding.xvector.block2.tdnnd24.cam_layer.linear2.bias",
        "embedding.xvector.transit3.linear.weight",
        "embedding.xvector.dense.nonlinear.batchnorm.running_var",
        "segmentation.classifier.bias",
    };
    for (size_t i = 0; i < WH_COUNT(names); i++) {
        refused(copy_with((wrong){.tensor = names[i], .how = LEFT_OUT}), names[i]);
        refused(copy_with((wrong){.tensor = names[i], .how = BENT}), "type or shape");
        refused(copy_with((wrong){.tensor = names[i], .how = NOT_A_NUMBER}), "not numbers");
    }
    refused(copy_with(
                (wrong){.tensor = "embedding.xvector.block1.tdnnd3.nonlinear1.batchnorm.running_var", .how = NEGATIVE}),
            "variance");
}

static void other_models_and_versions_are_said(void **state)
{
    (void)state;
    refused(invented_path("invented"), "a model of Whisper");
    refused(copy_with((wrong){.architecture = "silero-vad"}), "a model of voice activity");
    refused(copy_with((wrong){.architecture = "llama"}), "not of speakers' voices");
    refused(copy_with((wrong){.version = 2}), "update the library");
    whisp_speakers *s;
    assert_int_equal(whisp_speakers_load("no/such/file", NULL, &s), WHISP_ERR_IO);
    assert_int_equal(whisp_speakers_load(NULL, NULL, &s), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_speakers_load("x", NULL, NULL), WHISP_ERR_ARGUMENT);
    whisp_speakers_free(NULL);
}

/* What is said of three seconds of noise: voices of unit length or zeros, turns within the recording. */
static void check_answer(const whisp_speakers *s)
{
    enum { SECONDS = 3, N = SECONDS * WH_SPEAKERS_RATE };
    static float samples[N];
    const size_t starts[] = {0, 8000};
    float voices[2][WH_VOICE_SIZE];
    uint64_t seed = 5;
    for (size_t i = 0; i < N; i++)
        samples[i] = (float)random_unit(&seed) - 0.5f;
    wh_embedder *embedder;
    assert_int_equal(wh_embedder_new(s, &embedder), WHISP_OK);
    wh_embed(embedder, samples, starts, 2, 24000, voices[0]);
    wh_embedder_free(embedder);
    for (int v = 0; v < 2; v++) {
        double square = 0;
        for (int i = 0; i < WH_VOICE_SIZE; i++)
            square += (double)voices[v][i] * (double)voices[v][i];
        assert_true(square == 0 || fabs(square - 1) < 1e-4);
    }
    const wh_diarizer_config config = {.speakers = s, .least = 2, .most = 3, .threads = 1};
    wh_diarizer *d;
    wh_diarization who;
    assert_int_equal(wh_diarizer_new(&config, &d), WHISP_OK);
    assert_int_equal(wh_diarizer_push(d, samples, N), WHISP_OK);
    assert_int_equal(wh_diarizer_finish(d, &who), WHISP_OK);
    wh_diarizer_free(d);
    for (size_t i = 0; i < who.n; i++) {
        assert_true(who.turns[i].start >= 0 && who.turns[i].start < who.turns[i].end && who.turns[i].end <= SECONDS);
        assert_in_range(who.turns[i].speaker, 1, who.n_speakers);
    }
    wh_diarization_free(&who);
}

static void numbers_of_any_size_are_refused_or_give_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *tensors;
        float fill;
    } odd[] = {
        {"", 0},
        {"", 3e38f},
        {"", 1e-38f},
        {"embedding.xvector.dense.", 1e-45f}, /* a voice whose length has an inverse that no float holds */
        {"cam_layer.", -3e38f},
        {"embedding.head.conv", 3e38f},
        {"lstm.weight", 3e38f},
        {"classifier.", 3e38f},
        {"sincnet.norm1d.", 3e38f},
        {"sincnet.wav_norm1d.", -3e38f},
    };
    for (size_t i = 0; i < WH_COUNT(odd); i++) {
        const char *path = copy_with((wrong){.tensor = odd[i].tensors, .how = FILLED, .fill = odd[i].fill});
        for (int is_int8 = 0; is_int8 < 2; is_int8++) {
            if (is_sanitized() && is_int8 != (int)i % 2) /* slow: one of the two */
                continue;
            whisp_speakers *s = NULL;
            const int rc = wh_speakers_load(path, is_int8 ? WH_SPEAKERS_INT8 : WH_SPEAKERS_F32, NULL, &s);
            if (rc)
                assert_int_equal(rc, WHISP_ERR_MODEL);
            else
                check_answer(s);
            whisp_speakers_free(s);
        }
    }
}

static void compute_type_chooses_the_arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int is_int8; /* -1: what pays on this CPU */
    } types[] = {{"f32", 0}, {"int8", 1}, {"auto", -1}, {"bf16", -1}};
    for (size_t i = 0; i < WH_COUNT(types); i++) {
        whisp_options *o = whisp_options_new();
        whisp_speakers *s;
        assert_int_equal(whisp_options_set(o, "compute_type", types[i].type), WHISP_OK);
        if (whisp_speakers_load(invented_path("invented-speakers"), o, &s))
            fail_msg("%s", whisp_last_error());
        assert_int_equal(s->is_int8, types[i].is_int8 < 0 ? wh_cpu_best().integers_pay : types[i].is_int8);
        whisp_speakers_free(s);
        whisp_options_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_with_a_tensor_is_said),
        cmocka_unit_test(other_models_and_versions_are_said),
        cmocka_unit_test(numbers_of_any_size_are_refused_or_give_an_answer),
        cmocka_unit_test(compute_type_chooses_the_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
