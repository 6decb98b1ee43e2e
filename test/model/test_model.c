/* test_model.c - loading models: what a good one says of itself, and what damaged, foreign or newer ones are told. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model.h"
#include "support/calls.h"

static char *good;
static size_t good_size;

static int read_good(void **state)
{
    (void)state;
    good = read_file(invented_path("invented"), &good_size);
    return 0;
}

static int free_good(void **state)
{
    (void)state;
    free(good);
    return 0;
}

/* Write a variant of the good file and load it. */
static int load_variant(const char *data, size_t n, whisp_model **model)
{
    const char *path = temp_path("variant.gguf");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    fclose(file);
    return whisp_model_load(path, NULL, model);
}

static void a_model_describes_itself(void **state)
{
    (void)state;
    whisp_model *model;
    if (whisp_model_load(invented_path("invented"), NULL, &model))
        fail_msg("%s", whisp_last_error());
    whisp_model_info info = {.size = sizeof info};
    assert_int_equal(whisp_model_describe(model, &info), WHISP_OK);
    assert_int_equal(info.n_mels, 80);
    assert_int_equal(info.n_audio_ctx, 1500);
    assert_int_equal(info.n_text_ctx, 448);
    assert_int_equal(info.n_text_layer, info.n_audio_layer);
    assert_int_equal(info.n_languages, 99);
    assert_false(info.is_multilingual);
    assert_true(info.n_parameters > 100000);
    assert_non_null(info.name);
    /* a caller built against an older, shorter structure */
    whisp_model_info old;
    memset(&old, 0x55, sizeof old);
    old.size = offsetof(whisp_model_info, n_mels);
    assert_int_equal(whisp_model_describe(model, &old), WHISP_OK);
    assert_int_equal(old.n_vocab, info.n_vocab);
    assert_int_equal(old.n_mels, 0x55555555);
    assert_int_equal(whisp_model_describe(model, NULL), WHISP_ERR_ARGUMENT);
    whisp_model_free(model);
}

static void assert_refused(const char *data, size_t n, int code, const char *reason)
{
    whisp_model *model = (whisp_model *)&model;
    int rc = load_variant(data, n, &model);
    if (rc != code || !strstr(whisp_last_error(), reason) || !strstr(whisp_last_error(), "variant.gguf"))
        fail_msg("expected %d and '%s', got %d: %s", code, reason, rc, whisp_last_error());
    assert_null(model);
}

/* Replace the first occurrence of `from` by `to`, of the same length. */
static void assert_edit_refused(const char *from, const char *to, const char *reason)
{
    char *copy = malloc(good_size);
    memcpy(copy, good, good_size);
    char *at = memmem(copy, good_size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    assert_refused(copy, good_size, WHISP_ERR_MODEL, reason);
    free(copy);
}

/* Set the value (an unsigned 32-bit integer) of a metadata key. */
static void assert_value_refused(const char *key, uint32_t value, const char *reason)
{
    char *copy = malloc(good_size);
    memcpy(copy, good, good_size);
    char *at = memmem(copy, good_size, key, strlen(key));
    assert_non_null(at);
    memcpy(at + strlen(key) + 4, &value, sizeof value);
    assert_refused(copy, good_size, WHISP_ERR_MODEL, reason);
    free(copy);
}

static void foreign_and_newer_models_are_told_so(void **state)
{
    (void)state;
    whisp_model *model;
    assert_int_equal(whisp_model_load("no/such/model.gguf", NULL, &model), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), "no/such/model.gguf"));
    assert_int_equal(whisp_model_load("test", NULL, &model), WHISP_ERR_MODEL); /* a folder */
    assert_refused("", 0, WHISP_ERR_MODEL, "");
    assert_refused("just some text, no model at all", 31, WHISP_ERR_MODEL, "GGUF");
    assert_edit_refused("GGUF\3", "GGUF\4", "version");
    assert_edit_refused("whisper.vocab_size", "whisper.vocab_sizf", "whisper.vocab_size");
    assert_edit_refused("decoder.ln.weight", "decoder.ln.weighx", "missing");
    assert_value_refused("whisper.format_version", 3, "update the library");
    assert_value_refused("whisper.format_version", 0, "convert");
    assert_value_refused("whisper.vocab_size", 1, "whisper.vocab_size");
    assert_value_refused("whisper.mel_bands", 81, "shape");
    assert_value_refused("whisper.mel_bands", 0xffffffff, "whisper.mel_bands");
    assert_value_refused("whisper.encoder.context_length", 1400, "context_length");
    assert_value_refused("whisper.encoder.embedding_length", 63, "differ");
    assert_value_refused("whisper.decoder.attention.head_count", 7, "multiple");
    assert_value_refused("whisper.decoder.block_count", 3, "missing");
    assert_value_refused("whisper.vocab.ordinary", 300, "vocabulary");
}

static void a_truncated_model_is_refused_wherever_it_ends(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 300; i++) {
        size_t n = (size_t)(random_unit(&seed) * (double)(i < 200 ? WH_MIN(good_size, (size_t)60000) : good_size));
        whisp_model *model;
        int rc = load_variant(good, n, &model);
        if (rc == WHISP_OK) { /* only padding may be missing */
            assert_true(good_size - n < 64);
            whisp_model_free(model);
        } else {
            assert_int_equal(rc, WHISP_ERR_MODEL);
        }
    }
}

/* Any byte may be wrong: an error or a model, never a crash (the sanitizers watch). What loads must also run. */
static void damaged_models_do_not_crash(void **state)
{
    (void)state;
    uint64_t seed = 11;
    char *copy = malloc(good_size);
    float samples[3200] = {0.25f};
    int loaded = 0;
    for (int i = 0; i < 400; i++) {
        memcpy(copy, good, good_size);
        int n = 1 + (int)(random_unit(&seed) * 4);
        for (int k = 0; k < n; k++) {
            size_t head = random_unit(&seed) < 0.9 ? WH_MIN(good_size, (size_t)90000) : good_size;
            copy[(size_t)(random_unit(&seed) * (double)head)] = (char)(int)(random_unit(&seed) * 256);
        }
        whisp_model *model;
        if (load_variant(copy, good_size, &model))
            continue;
        if (++loaded % 16 == 0) {
            whisp_options *options = whisp_options_new();
            whisp_session *session;
            whisp_options_set(options, "temperature", "0");
            whisp_options_set(options, "temperature_increment_on_fallback", "None");
            if (whisp_session_new(model, options, &session) == WHISP_OK) {
                whisp_result *result = NULL;
                transcribe_samples(session, samples, 3200, &result);
                whisp_result_free(result);
            }
            whisp_session_free(session);
            whisp_options_free(options);
        }
        whisp_model_free(model);
    }
    free(copy);
    assert_true(loaded > 20 && loaded < 400);
}

static void names_are_looked_up(void **state)
{
    (void)state;
    char path[512], folder[256];
    snprintf(folder, sizeof folder, "%s", invented_path("invented"));
    *strrchr(folder, '/') = 0;
    assert_int_equal(whisp_model_find("invented", folder, path, sizeof path), WHISP_OK);
    assert_string_equal(path, invented_path("invented"));
    assert_int_equal(whisp_model_find(path, NULL, path, sizeof path), WHISP_OK);
    assert_int_equal(whisp_model_find(NULL, folder, path, sizeof path), WHISP_OK); /* no base there: the first */
    assert_string_equal(path, invented_path("invented"));
    assert_int_equal(whisp_model_find("nonesuch", folder, path, sizeof path), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), "nonesuch"));
    assert_non_null(strstr(whisp_last_error(), "invented-multilingual"));
    assert_int_equal(whisp_model_find("invented", folder, path, 5), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_model_find("no/such.gguf", folder, path, sizeof path), WHISP_ERR_IO);
}

/* Where a model is missing, the error says what makes it be there. */
static void the_command_that_helps_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"small", "`whisp-get small` fetches it"},
        {"large", "`whisp-get large` fetches it"},
        {"distil-large-v3.5", "`whisp-get distil-large-v3.5` fetches it"},
        {"/nowhere/small.en.gguf", "`whisp-get small.en` fetches it"},
        {"models/turbo", "`whisp-get models/turbo`"},
        {"somebody/whisper-of_mine.v2", "`whisp-get somebody/whisper-of_mine.v2` fetches it"},
        {"silero-vad", "`whisp-get silero-vad` fetches it"},
        {"speakers", "`whisp-get speakers` fetches it"},
        {"nonesuch", "`whisp-get --list`"},
    };
    static const char *const none[] = {"../x", "a/b/c", "/no/such", "a/..", "-a/b", "a/b.gguf", "a/b c", "a/b`x", "a/"};
    char path[512];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(whisp_model_find(cases[i][0], "/nowhere", path, sizeof path), WHISP_ERR_IO);
        assert_non_null(strstr(whisp_last_error(), cases[i][1]));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_not_equal(whisp_model_find(none[i], "/nowhere", path, sizeof path), WHISP_OK);
        assert_null(strstr(whisp_last_error(), "whisp-get"));
    }
    assert_int_equal(whisp_model_find(NULL, "/nowhere", path, sizeof path), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), "`whisp-get base` fetches it"));
    /* also where only a file is asked for, and a name or its file is given */
    static const char *const missing[] = {"medium.en", "/nowhere/medium.en.gguf"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        whisp_model *model;
        assert_int_equal(whisp_model_load(missing[i], NULL, &model), WHISP_ERR_IO);
        assert_non_null(strstr(whisp_last_error(), "`whisp-get medium.en` fetches it"));
    }
}

static void put_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

/* $XDG_CACHE_HOME counts if it is from the root, else ~/.cache; there, a published model goes by its other names, too. */
static void the_cache_is_looked_into(void **state)
{
    char home[] = "/tmp/whisp-home-XXXXXX", path[512], want[512], here[512];
    (void)state;
    assert_non_null(mkdtemp(home));
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(home), 0); /* no ./models */
    unsetenv("WHISP_MODEL_DIR");
    setenv("HOME", home, 1);
    static const char *const folders[] = {".cache", ".cache/whisp", "xdg", "xdg/whisp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(folders[i], 0700), 0);
    put_file(".cache/whisp/large-v3.gguf");
    put_file("xdg/whisp/owner--name.gguf");
    unsetenv("XDG_CACHE_HOME");
    snprintf(want, sizeof want, "%s/.cache/whisp/large-v3.gguf", home);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(whisp_model_find("large", NULL, path, sizeof path), WHISP_OK);
        assert_string_equal(path, want);
        setenv("XDG_CACHE_HOME", "xdg", 1); /* not from the root: as if it were not set */
    }
    assert_int_equal(whisp_model_find("owner/name", NULL, path, sizeof path), WHISP_ERR_IO);
    snprintf(want, sizeof want, "%s/xdg", home);
    setenv("XDG_CACHE_HOME", want, 1);
    snprintf(want, sizeof want, "%s/xdg/whisp/owner--name.gguf", home);
    assert_int_equal(whisp_model_find("owner/name", NULL, path, sizeof path), WHISP_OK);
    assert_string_equal(path, want);
    assert_int_equal(whisp_model_find("large", NULL, path, sizeof path), WHISP_ERR_IO);
    assert_int_equal(unlink("xdg/whisp/owner--name.gguf") | unlink(".cache/whisp/large-v3.gguf"), 0);
    for (size_t i = sizeof folders / sizeof *folders; i-- > 0;)
        assert_int_equal(rmdir(folders[i]), 0);
    assert_int_equal(chdir(here) | rmdir(home), 0);
    unsetenv("XDG_CACHE_HOME");
}

static void text_and_tokens(void **state)
{
    (void)state;
    whisp_model *model;
    int32_t ids[16];
    char text[64];
    assert_int_equal(whisp_model_load(invented_path("invented"), NULL, &model), WHISP_OK);
    int64_t n = whisp_tokenize(model, " and the", ids, 16);
    assert_in_range(n, 2, 16);
    assert_int_equal(whisp_detokenize(model, ids, (size_t)n, text, sizeof text), 8);
    assert_string_equal(text, " and the");
    assert_int_equal(whisp_detokenize(model, ids, (size_t)n, text, 4), 8);
    assert_string_equal(text, " an");
    assert_int_equal(whisp_tokenize(model, " and the", NULL, 0), n);
    whisp_model_info info = {.size = sizeof info};
    whisp_model_describe(model, &info);
    ids[0] = info.n_vocab - 1;
    assert_true(whisp_detokenize(model, ids, 1, text, sizeof text) > 0);
    assert_string_equal(text, "<|30.00|>");
    ids[0] = info.n_vocab;
    assert_int_equal(whisp_detokenize(model, ids, 1, text, sizeof text), WHISP_ERR_ARGUMENT);
    whisp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_describes_itself),
        cmocka_unit_test(foreign_and_newer_models_are_told_so),
        cmocka_unit_test(a_truncated_model_is_refused_wherever_it_ends),
        cmocka_unit_test(damaged_models_do_not_crash),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(the_command_that_helps_is_named),
        cmocka_unit_test(the_cache_is_looked_into),
        cmocka_unit_test(text_and_tokens),
    };
    return cmocka_run_group_tests(tests, read_good, free_good);
}
