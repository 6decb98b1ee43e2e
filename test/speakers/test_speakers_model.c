/* test_speakers_model.c - the speakers' model file: what is missing, bent, damaged or another model is refused with a line
 * that says so; compute_type chooses the arithmetic. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/model.h"

/* What to do wrong with one tensor, or with the head. */
typedef struct wrong {
    const char *tensor;
    enum { LEFT_OUT, BENT, NOT_A_NUMBER, NEGATIVE } how;
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
            int is_it = w.tensor && !strcmp(w.tensor, t->name);
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
            if (is_it && w.how >= NOT_A_NUMBER)
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
        cmocka_unit_test(compute_type_chooses_the_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
