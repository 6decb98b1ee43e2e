/* test_fault.c - every allocation of the library is made to fail once: an error, no crash, and (the sanitizers watch) no
 * leak. The linker's --wrap sends the library's calls here; those of other libraries are not touched. */
#include "support/testing.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "whisp.h"
#include "support/calls.h"

static atomic_long calls, fail_at; /* the fail_at-th call fails, counted from 1; 0: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

static int fails(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == fail_at;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return fails() ? NULL : __real_strndup(text, n);
}

/* Run `scenario` with its first allocation failing, then its second, ... until it runs without meeting a failure. It
 * returns a code of the library; a failed allocation may be an error or harmless, never a success with wrong data. */
static void fail_each(int (*scenario)(void), int stride_from)
{
    fail_at = 0;
    calls = 0;
    assert_int_equal(scenario(), WHISP_OK);
    long total = calls;
    assert_true(total > 3);
    int errors = 0;
    for (long at = 1; at <= total; at += at < stride_from ? 1 : 1 + at / 40) {
        calls = 0;
        fail_at = at;
        int rc = scenario();
        fail_at = 0;
        if (rc != WHISP_OK && rc != WHISP_ERR_MEMORY && rc != WHISP_ERR_IO && rc != WHISP_ERR_AUDIO)
            fail_msg("allocation %ld of %ld: %s (%s)", at, total, whisp_error_name(rc), whisp_last_error());
        errors += rc != WHISP_OK;
    }
    assert_true(errors > 2);
}

static int load(void)
{
    whisp_model *model;
    int rc = whisp_model_load(invented_path("invented"), NULL, &model);
    whisp_model_free(model);
    return rc;
}

static whisp_model *model;

static int transcribe_and_write(void)
{
    whisp_options *options = whisp_options_new();
    whisp_session *session = NULL;
    whisp_result *result = NULL;
    char *text = NULL;
    int rc = options ? WHISP_OK : WHISP_ERR_MEMORY;
    if (!rc) /* invented models hear words in noise */
        rc = whisp_options_set(options, "hallucination_guard", "False");
    if (!rc)
        rc = whisp_options_set(options, "temperature", "0.0,0.5");
    if (!rc)
        rc = whisp_options_set(options, "logprob_threshold", "0");
    if (!rc)
        rc = whisp_options_set(options, "best_of", "2");
    if (!rc)
        rc = whisp_options_set(options, "threads", "1");
    if (!rc)
        rc = whisp_options_set(options, "initial_prompt", "and the");
    if (!rc)
        rc = whisp_session_new(model, options, &session);
    if (!rc)
        rc = transcribe_file(session, temp_path("fault.wav"), &result);
    if (!rc)
        rc = whisp_result_format(result, "json", NULL, &text, NULL);
    if (!rc)
        rc = whisp_result_write(result, "srt", NULL, temp_path("fault.srt"));
    whisp_string_free(text);
    whisp_result_free(result);
    whisp_session_free(session);
    whisp_options_free(options);
    return rc;
}

/* In other threads than this one, too. */
static int through_a_queue(void)
{
    whisp_options *options = whisp_options_new();
    whisp_queue *queue = NULL;
    whisp_audio *audio = NULL;
    whisp_event event = {.size = sizeof event};
    int rc = options ? WHISP_OK : WHISP_ERR_MEMORY;
    if (!rc)
        rc = whisp_options_set(options, "hallucination_guard", "False");
    if (!rc)
        rc = whisp_options_set(options, "threads", "1");
    if (!rc)
        rc = whisp_options_set(options, "sample_len", "8");
    if (!rc)
        rc = whisp_queue_new(model, options, &queue);
    if (!rc)
        rc = whisp_audio_open(temp_path("fault.wav"), &audio);
    if (!rc && !(rc = whisp_queue_submit(queue, audio, options, NULL, NULL))) {
        audio = NULL;
        while (event.kind != WHISP_EVENT_END)
            assert_int_equal(whisp_queue_next(queue, -1, &event), 1);
        rc = event.rc ? event.rc : event.result ? WHISP_OK : WHISP_ERR_STATE;
        whisp_result_free(event.result);
    }
    whisp_audio_free(audio);
    whisp_queue_free(queue);
    whisp_options_free(options);
    return rc;
}

static int tokens_and_back(void)
{
    int32_t ids[64];
    char text[256];
    int64_t n = whisp_tokenize(model, " and the words that are said here, one by one", ids, 64);
    if (n >= 0)
        n = whisp_detokenize(model, ids, (size_t)n, text, sizeof text);
    return n < 0 ? (int)n : WHISP_OK;
}

static int hear_speech(void)
{
    whisp_vad *vad = NULL;
    whisp_speech *speech = NULL;
    whisp_vad_stream *stream = NULL;
    enum { N = 2000 };
    float samples[N] = {0.5f};
    int rc = whisp_vad_load(model_path("silero-vad"), &vad);
    if (!rc)
        rc = speech_in_samples(vad, samples, N, NULL, &speech);
    if (!rc && !(rc = whisp_vad_stream_new(vad, NULL, &stream)) &&
        (rc = (int)whisp_vad_push(stream, samples, N, NULL, 0)) >= 0)
        rc = WHISP_OK;
    whisp_vad_stream_free(stream);
    whisp_speech_free(speech);
    whisp_vad_free(vad);
    return rc;
}

static void voice_activity(void **state)
{
    (void)state;
    if (model_path("silero-vad"))
        fail_each(hear_speech, 400);
}

static void loading_a_model(void **state)
{
    (void)state;
    fail_each(load, 400);
}

/* 0.3 s of a tone at 22.05 kHz, so that resampling takes part. */
static void write_recording(const char *path)
{
    enum { N = 6615 };
    static const unsigned char head[] = {'R', 'I', 'F',  'F',  0xd2, 0x33, 0,    0,    'W',  'A', 'V',
                                         'E', 'f', 'm',  't',  ' ',  16,   0,    0,    0,    1,   0,
                                         1,   0,   0x22, 0x56, 0,    0,    0x44, 0xac, 0,    0,   2,
                                         0,   16,  0,    'd',  'a',  't',  'a',  0xae, 0x33, 0,   0};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(head, 1, sizeof head, file);
    for (int i = 0; i < N; i++) {
        int16_t sample = (int16_t)((i % 50 - 25) * 300);
        fwrite(&sample, 2, 1, file);
    }
    fclose(file);
}

static void transcribing_and_writing(void **state)
{
    (void)state;
    write_recording(temp_path("fault.wav"));
    assert_int_equal(whisp_model_load(invented_path("invented"), NULL, &model), WHISP_OK);
    fail_each(transcribe_and_write, 200);
    fail_each(through_a_queue, 200);
    fail_each(tokens_and_back, 400);
    whisp_model_free(model);
}

static void looking_for_a_model(void **state)
{
    (void)state;
    char path[256];
    fail_at = 0;
    assert_int_equal(whisp_model_find("nonesuch", "test", path, sizeof path), WHISP_ERR_IO);
    for (long at = 1; at < 12; at++) {
        calls = 0;
        fail_at = at;
        assert_true(whisp_model_find("nonesuch", "build/test", path, sizeof path) < 0);
        fail_at = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_a_model),
        cmocka_unit_test(voice_activity),
        cmocka_unit_test(transcribing_and_writing),
        cmocka_unit_test(looking_for_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
