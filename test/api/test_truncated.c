/* test_truncated.c - a model file that is written over or cut off while it is in use, as `cp` over it does: a session that
 * computes in int8, and a model that is not mapped, need nothing of it any more. Each case is a process of its own, which
 * a needed page would end with SIGBUS. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/calls.h"

typedef struct use {
    const char *name, *model;
    const char *options[12];
    int is_copy; /* not mapped */
} use;

static void copy_file(const char *from, const char *to)
{
    size_t n;
    char *bytes = read_file(from, &n);
    FILE *file = fopen(to, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file))
        exit(2);
    free(bytes);
}

static int set(whisp_options *options, const char *const *list)
{
    int rc = whisp_options_set(options, "hallucination_guard", "False");
    if (!rc)
        rc = whisp_options_set(options, "sample_len", "8");
    if (!rc)
        rc = whisp_options_set(options, "temperature", "0");
    for (; !rc && *list; list += 2)
        rc = whisp_options_set(options, list[0], strncmp(list[1], "temp:", 5) ? list[1] : temp_path(list[1] + 5));
    return rc;
}

static int pull(whisp_stream *stream)
{
    const whisp_word *const *words;
    size_t n;
    int rc;
    while ((rc = whisp_stream_pull(stream, &words, &n)) == 1)
        ;
    return rc < 0 ? rc : WHISP_OK;
}

/* All that a session does, and what is asked of the model itself. */
static int use_all(const whisp_model *model, whisp_session *session, whisp_stream *stream, const float *samples,
                   size_t n)
{
    static float probabilities[128], mel[80 * 100];
    whisp_result *result = NULL;
    whisp_model_info info = {.size = sizeof info};
    int32_t ids[64];
    char text[256];
    int rc = whisp_model_describe(model, &info);
    if (!rc)
        rc = transcribe_samples(session, samples, n, &result);
    whisp_result_free(result);
    result = NULL;
    if (!rc)
        rc = align_samples(session, samples, n, "and the words that are said", &result);
    whisp_result_free(result);
    result = NULL;
    if (!rc && info.is_multilingual && (rc = detect_in_samples(session, samples, n, probabilities, 128)) > 0)
        rc = WHISP_OK;
    if (!rc && (rc = (int)whisp_tokenize(model, " and the words", ids, 64)) > 0)
        rc = (int)whisp_detokenize(model, ids, (size_t)rc, text, sizeof text);
    if (rc > 0 && (rc = (int)whisp_log_mel(model, samples, 16000, mel, 80 * 100)) > 0)
        rc = whisp_session_decode_mel(session, mel, 100, NULL, 0, &result);
    whisp_result_free(result);
    if (!rc && (rc = (int)whisp_stream_push(stream, samples, n)) > 0)
        rc = pull(stream);
    if (!rc)
        rc = whisp_stream_finish(stream);
    return rc ? rc : pull(stream);
}

/* In the child: 0, or what went wrong. */
static int run(const use *u)
{
    static float samples[7 * 16000];
    whisp_options *options = whisp_options_new();
    whisp_callbacks callbacks = {.size = sizeof callbacks, .no_mmap = u->is_copy};
    whisp_model *model;
    whisp_session *session;
    whisp_stream *stream;
    const char *path = temp_path("model.gguf");
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        samples[i] = 0.3f * sinf((float)i * 0.06f);
    copy_file(invented_path(u->model), path);
    int rc = set(options, u->options);
    if (!rc)
        rc = whisp_model_load(path, &callbacks, &model);
    if (!rc)
        rc = whisp_session_new(model, options, &session);
    if (!rc)
        rc = whisp_stream_new(model, options, &stream);
    if (!rc)
        rc = truncate(path, 0);
    if (!rc && u->is_copy) { /* another session, too */
        whisp_session_free(session);
        rc = whisp_session_new(model, options, &session);
    }
    if (!rc)
        rc = use_all(model, session, stream, samples, sizeof samples / sizeof *samples);
    if (rc) {
        fprintf(stderr, "%s: %s\n", u->name, whisp_last_error());
        return 1;
    }
    whisp_stream_free(stream);
    whisp_session_free(session);
    whisp_model_free(model);
    whisp_options_free(options);
    return 0;
}

static const use uses[] = {
    {.name = "int8", .model = "invented", .options = {"compute_type", "int8"}},
    {.name = "int8, everything",
     .model = "invented-multilingual",
     .options = {"compute_type", "int8", "beam_size", "3", "word_timestamps", "True", "confidence", "True",
                 "vocabulary", "temp:terms.txt"}},
    {.name = "int8, parts", .model = "invented", .options = {"compute_type", "int8", "cut", "5", "batch_size", "2"}},
    {.name = "int8, guard", .model = "invented", .options = {"compute_type", "int8", "hallucination_guard", "True"}},
    {.name = "f32, copied", .model = "invented", .options = {"compute_type", "f32"}, .is_copy = 1},
    {.name = "bf16, copied", .model = "invented-multilingual", .options = {"compute_type", "bf16"}, .is_copy = 1},
    {.name = "int8, copied", .model = "invented", .options = {"compute_type", "int8"}, .is_copy = 1},
};

static void a_model_may_go_away(void **state)
{
    (void)state;
    FILE *file = fopen(temp_path("terms.txt"), "w");
    assert_non_null(file);
    fputs("theon\nkubernetes\n", file);
    fclose(file);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            _exit(run(&uses[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("%s: %s %d", uses[i].name, WIFEXITED(status) ? "status" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_may_go_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
