/* whisp-bench.c - how long each stage takes: loading, log-Mel, encoder, prompt, token; real-time factor, peak memory.
 *
 * Uses the public header only, like any program that links libwhisp (stages.c goes deeper). Prints a table, or JSON with
 * --json. Figures of a shared machine move by tens of percent: compare figures of one run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "stages.h"
#include "whisp.h"

static const char usage[] =
    "usage: whisp-bench [options] [RECORDING]\n"
    "\n"
    "Transcribes RECORDING (default: test/data/demo.flac) at temperature 0 and prints where the time went.\n"
    "\n"
    "  --model NAME|PATH   the model, looked up as whisp does (default: base or what is there)\n"
    "  --runs N            transcriptions that count, after one that warms up; medians are printed (default: 5)\n"
    "  --threads N         threads (default: one for each core)\n"
    "  --backend NAME      auto, cpu or blas (default: auto)\n"
    "  --compute_type T    auto, f32 or int8 (default: auto)\n"
    "  --json              print JSON instead of a table\n"
    "  --help              print this\n"
    "\n"
    "whisp-bench --stages [--sizes A,B,...] [--batch N] [--threads 1,2] [--compute_type f32,int8] [--json]\n"
    "  encoder, prompt and decoder alone at batches up to N (default: 16), for each size (default: all, tiny to\n"
    "  large-v3), with invented weights where the model folder has no such file; in Gop/s, GB/s and shares of what\n"
    "  loops of nothing but arithmetic or reading do in the same run.\n"
    "whisp-bench --invent SIZE FILE.gguf\n"
    "  writes such weights.\n"
    "\n"
    "Peak memory is of the whole process. Exit status: 0, 1 on failure, 2 for wrong usage.\n";

#define MAX_RUNS 100

/* What one run gave, in the unit that is printed. */
struct run {
    double mel;     /* ms for 30 s of audio */
    double encode;  /* ms for a window */
    double prompt;  /* ms for a window's start sequence */
    double token;   /* ms for a decoding step */
    double search;  /* ms for a decoding step: filters and choice */
    double total;   /* s */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(void)
{
    fprintf(stderr, "whisp-bench: %s\n", whisp_last_error());
    return 1;
}

static double per(double seconds, double count)
{
    return count > 0 ? 1e3 * seconds / count : 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of the member at `offset` over the runs. */
static double median(const struct run *runs, int n, size_t offset)
{
    double values[MAX_RUNS];
    for (int i = 0; i < n; i++)
        memcpy(&values[i], (const char *)&runs[i] + offset, sizeof values[i]);
    qsort(values, (size_t)n, sizeof values[0], compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The whole recording as samples. */
static float *read_recording(const char *path, size_t *n)
{
    whisp_audio *audio;
    float *samples = NULL;
    size_t capacity = 0;
    *n = 0;
    if (whisp_audio_open(path, &audio) != WHISP_OK)
        return NULL;
    for (;;) {
        if (capacity - *n < 65536) {
            capacity = 2 * capacity + 65536;
            float *grown = realloc(samples, capacity * sizeof *samples);
            if (!grown)
                break;
            samples = grown;
        }
        int64_t got = whisp_audio_read(audio, samples + *n, 65536);
        if (got <= 0) {
            whisp_audio_close(audio);
            if (got < 0) {
                free(samples);
                return NULL;
            }
            return samples;
        }
        *n += (size_t)got;
    }
    whisp_audio_close(audio);
    free(samples);
    return NULL;
}

static int one_run(whisp_session *session, const float *samples, size_t n, struct run *run, whisp_timings *t)
{
    whisp_result *result;
    double t0 = now();
    if (whisp_session_transcribe_samples(session, samples, n, &result) != WHISP_OK)
        return fail();
    run->total = now() - t0;
    whisp_result_free(result);
    t->size = sizeof *t;
    whisp_session_timings(session, t);
    run->mel = per(t->mel / 2, (double)n / 480000); /* a recording in memory is heard twice: measured, then used */
    run->encode = per(t->encode, (double)t->n_encode);
    run->prompt = per(t->prompt, (double)t->n_windows);
    run->token = per(t->decode, (double)t->n_decode_steps);
    run->search = per(t->search, (double)t->n_decode_steps);
    return 0;
}

static long peak_kib(void)
{
    struct rusage usage_;
    getrusage(RUSAGE_SELF, &usage_);
    return usage_.ru_maxrss;
}

static void print_text(const char *key, const char *text)
{
    printf("  \"%s\": \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        if ((unsigned char)*text >= 32)
            putchar(*text);
    }
    printf("\",\n");
}

int main(int argc, char **argv)
{
    const char *name = NULL, *recording = "test/data/demo.flac", *threads = "0", *backend = "auto", *compute_type = "auto";
    int n_runs = 5, json = 0;
    if (argc > 1 && (strcmp(argv[1], "--stages") == 0 || strcmp(argv[1], "--invent") == 0))
        return stages_main(argc, argv);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int has_value = strcmp(a, "--model") == 0 || strcmp(a, "--runs") == 0 || strcmp(a, "--threads") == 0 ||
                        strcmp(a, "--backend") == 0 || strcmp(a, "--compute_type") == 0;
        if (has_value && i + 1 == argc) {
            fprintf(stderr, "whisp-bench: %s needs a value; see whisp-bench --help\n", a);
            return 2;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (strcmp(a, "--json") == 0) {
            json = 1;
        } else if (strcmp(a, "--model") == 0) {
            name = argv[++i];
        } else if (strcmp(a, "--threads") == 0) {
            threads = argv[++i];
        } else if (strcmp(a, "--backend") == 0) {
            backend = argv[++i];
        } else if (strcmp(a, "--compute_type") == 0) {
            compute_type = argv[++i];
        } else if (strcmp(a, "--runs") == 0) {
            n_runs = atoi(argv[++i]);
            if (n_runs < 1 || n_runs > MAX_RUNS) {
                fprintf(stderr, "whisp-bench: --runs takes 1 to %d\n", MAX_RUNS);
                return 2;
            }
        } else if (a[0] == '-' && a[1]) {
            fprintf(stderr, "whisp-bench: there is no option %s; see whisp-bench --help\n", a);
            return 2;
        } else {
            recording = a;
        }
    }

    char path[4096];
    whisp_model *model;
    whisp_session *session;
    whisp_options *options = whisp_options_new();
    size_t n;
    if (!options || whisp_options_set(options, "temperature", "0") ||
        whisp_options_set(options, "temperature_increment_on_fallback", "None") ||
        whisp_options_set(options, "threads", threads) || whisp_options_set(options, "backend", backend) ||
        whisp_options_set(options, "compute_type", compute_type) ||
        whisp_model_find(name, NULL, path, sizeof path))
        return fail();
    float *samples = read_recording(recording, &n);
    if (!samples)
        return fail();
    double t0 = now();
    if (whisp_model_load(path, &model))
        return fail();
    double t1 = now();
    if (whisp_session_new(model, options, &session))
        return fail();
    double t2 = now();

    struct run warm, runs[MAX_RUNS];
    whisp_timings t;
    if (one_run(session, samples, n, &warm, &t))
        return 1;
    for (int i = 0; i < n_runs; i++)
        if (one_run(session, samples, n, &runs[i], &t))
            return 1;

    whisp_model_info info = {.size = sizeof info};
    whisp_model_describe(model, &info);
    double seconds = (double)n / 16000, total = median(runs, n_runs, offsetof(struct run, total));
    const struct {
        const char *key, *label, *unit;
        double value;
        const char *note;
    } rows[] = {
        {"load_ms", "load the model", "ms", 1e3 * (t1 - t0), "map, check, vocabulary"},
        {"session_ms", "open a session", "ms", 1e3 * (t2 - t1), "backend, buffers, threads"},
        {"mel_ms", "log-Mel, 30 s of audio", "ms", median(runs, n_runs, offsetof(struct run, mel)), ""},
        {"encoder_ms", "encoder, a window", "ms", median(runs, n_runs, offsetof(struct run, encode)),
         "and cross-attention K/V"},
        {"prompt_ms", "prompt, a window", "ms", median(runs, n_runs, offsetof(struct run, prompt)), ""},
        {"token_ms", "decoder, a token", "ms", median(runs, n_runs, offsetof(struct run, token)), ""},
        {"search_ms", "search, a token", "ms", median(runs, n_runs, offsetof(struct run, search)),
         "filters, choice, text"},
        {"total_s", "whole transcription", "s", total, ""},
        {"real_time_factor", "real-time factor", "x", seconds / total, "seconds of audio in a second"},
        {"peak_memory_mib", "peak memory", "MiB", (double)peak_kib() / 1024, "of the process"},
    };
    if (json) {
        printf("{\n");
        print_text("version", whisp_version());
        print_text("model", info.name);
        print_text("weights", info.type);
        print_text("backend", whisp_session_backend(session));
        print_text("recording", recording);
        printf("  \"audio_s\": %.3f,\n  \"runs\": %d,\n  \"windows\": %lld,\n  \"prompt_tokens\": %lld,\n"
               "  \"decode_steps\": %lld,\n", seconds, n_runs, (long long)t.n_windows, (long long)t.n_prompt_tokens,
               (long long)t.n_decode_steps);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            printf("  \"%s\": %.6g%s\n", rows[i].key, rows[i].value, i + 1 < sizeof rows / sizeof rows[0] ? "," : "");
        printf("}\n");
    } else {
        printf("libwhisp %s, model %s (%s, %.1f million parameters)\n%s\n%s: %.1f s, %lld windows, %lld prompt tokens, "
               "%lld steps; median of %d runs\n\n", whisp_version(), info.name, info.type,
               (double)info.n_parameters / 1e6, whisp_session_backend(session), recording, seconds,
               (long long)t.n_windows, (long long)t.n_prompt_tokens, (long long)t.n_decode_steps, n_runs);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            printf("%-24s %10.2f %-4s %s\n", rows[i].label, rows[i].value, rows[i].unit, rows[i].note);
    }
    whisp_session_free(session);
    whisp_model_free(model);
    whisp_options_free(options);
    free(samples);
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
