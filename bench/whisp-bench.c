/* whisp-bench.c - how long each stage takes: loading, log-Mel, encoder, prompt, token; real-time factor, peak memory.
 *
 * Uses the public header only, like any program that links libwhisp (stages.c goes deeper). Prints a table, or JSON
 * with --json. Figures of a shared machine move by tens of percent: compare figures of one run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ending.h"
#include "reading.h"
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
    "  --backend NAME,...  auto, cpu, blas or cuda (default: auto); several stand side by side, with the ratio of the\n"
    "                      first to each other, and one that is not there is named\n"
    "  --compute_type T    auto, f32, bf16 or int8 (default: auto)\n"
    "  --json              print JSON instead of a table\n"
    "  --help              print this\n"
    "\n"
    "whisp-bench --stages [--sizes A,B,...] [--batch N] [--threads 1,2] [--compute_type f32,bf16,int8] [--json]\n"
    "  encoder, prompt and decoder alone at batches up to N (default: 16), for each size (default: all, tiny to\n"
    "  large-v3), with invented weights where the model folder has no such file; in Gop/s, GB/s and shares of what\n"
    "  loops of nothing but arithmetic or reading do in the same run.\n"
    "whisp-bench --reading RECORDING...\n"
    "  decodes and resamples, nothing else, by one thread and by several, in turn.\n"
    "whisp-bench --invent SIZE FILE.gguf\n"
    "  writes such weights.\n"
    "\n"
    "Peak memory is of the whole process. Exit status: 0, 1 on failure, 2 for wrong usage, 130 interrupted from the\n"
    "keyboard, 143 ended by SIGTERM, 129 by SIGHUP.\n";

#define MAX_RUNS 100
#define MAX_BACKENDS 8

/* What one run gave, in the unit that is printed. */
struct run {
    double mel;    /* ms for 30 s of audio */
    double encode; /* ms for a window */
    double prompt; /* ms for a window's start sequence */
    double token;  /* ms for a decoding step */
    double search; /* ms for a decoding step: filters and choice */
    double total;  /* s */
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
            whisp_audio_free(audio);
            if (got < 0) {
                free(samples);
                return NULL;
            }
            return samples;
        }
        *n += (size_t)got;
    }
    whisp_audio_free(audio);
    free(samples);
    return NULL;
}

static int one_run(whisp_session *session, const float *samples, size_t n, struct run *run, whisp_timings *t)
{
    whisp_audio *audio;
    whisp_result *result = NULL;
    whisp_session_info info = {.size = sizeof info};
    if (whisp_audio_open_samples(samples, n, &audio) != WHISP_OK)
        return fail();
    double t0 = now();
    int rc = whisp_session_transcribe(session, audio, &result);
    run->total = now() - t0;
    whisp_audio_free(audio);
    whisp_result_free(result);
    if (rc != WHISP_OK || whisp_session_describe(session, &info) != WHISP_OK)
        return fail();
    *t = *info.timings;                             /* the library's own structure, of the same build */
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

/* ---- what is measured ---- */

struct settings {
    const char *name, *recording, *threads, *compute_type;
    const char *backends[MAX_BACKENDS];
    int n_backends, n_runs, json;
};

/* The rows of the table. */
static const struct {
    const char *key, *label, *unit, *note;
} rows[] = {
    {"load_ms", "load the model", "ms", "map, check, vocabulary"},
    {"session_ms", "open a session", "ms", "backend, buffers, threads"},
    {"mel_ms", "log-Mel, 30 s of audio", "ms", ""},
    {"encoder_ms", "encoder, a window", "ms", "and cross-attention K/V"},
    {"prompt_ms", "prompt, a window", "ms", ""},
    {"token_ms", "decoder, a token", "ms", ""},
    {"search_ms", "search, a token", "ms", "filters, choice, text"},
    {"total_s", "whole transcription", "s", ""},
    {"real_time_factor", "real-time factor", "x", "seconds of audio in a second"},
    {"peak_memory_mib", "peak memory", "MiB", "of the process"},
};
#define N_ROWS (sizeof rows / sizeof rows[0])
#define FACTOR 8 /* more is better */
#define MEMORY 9 /* no time: no ratio */

/* One backend's figures. */
struct column {
    const char *backend;
    char description[256], missing[512]; /* missing: why it cannot run, or "" */
    double values[N_ROWS];
    whisp_timings timings;
};

static int measure(const struct settings *set, const whisp_model *model, const float *samples, size_t n,
                   struct column *column)
{
    struct run warm, runs[MAX_RUNS];
    whisp_session *session;
    whisp_options *options = whisp_options_new();
    double *v = column->values, load = v[0];
    if (!options || whisp_options_set(options, "temperature", "0") ||
        whisp_options_set(options, "temperature_increment_on_fallback", "None") ||
        whisp_options_set(options, "threads", set->threads) || whisp_options_set(options, "cut", "off") ||
        whisp_options_set(options, "backend", column->backend) ||
        whisp_options_set(options, "compute_type", set->compute_type))
        return fail();
    double t0 = now();
    int rc = whisp_session_new(model, options, &session);
    double t1 = now();
    whisp_options_free(options);
    if (rc == WHISP_ERR_BACKEND && set->n_backends > 1) {
        snprintf(column->missing, sizeof column->missing, "%s", whisp_last_error());
        return 0;
    }
    if (rc)
        return fail();
    whisp_session_info info = {.size = sizeof info};
    whisp_session_describe(session, &info);
    snprintf(column->description, sizeof column->description, "%s", info.backend);
    rc = one_run(session, samples, n, &warm, &column->timings);
    for (int i = 0; i < set->n_runs && !rc; i++)
        rc = one_run(session, samples, n, &runs[i], &column->timings);
    whisp_session_free(session);
    if (rc)
        return rc;
    double total = median(runs, set->n_runs, offsetof(struct run, total));
    const double values[N_ROWS] = {
        load,
        1e3 * (t1 - t0),
        median(runs, set->n_runs, offsetof(struct run, mel)),
        median(runs, set->n_runs, offsetof(struct run, encode)),
        median(runs, set->n_runs, offsetof(struct run, prompt)),
        median(runs, set->n_runs, offsetof(struct run, token)),
        median(runs, set->n_runs, offsetof(struct run, search)),
        total,
        (double)n / 16000 / total,
        (double)peak_kib() / 1024,
    };
    memcpy(v, values, sizeof values);
    return 0;
}

/* ---- printing ---- */

static void print_json(const struct settings *set, const whisp_model_info *info, double seconds,
                       const struct column *columns)
{
    const char *open = set->n_backends > 1 ? "{\"backends\": [" : "";
    for (int b = 0; b < set->n_backends; b++) {
        const struct column *c = &columns[b];
        printf("%s%s{\n", b ? ", " : open, "");
        print_text("version", whisp_version());
        print_text("model", info->name);
        print_text("weights", info->type);
        print_text("recording", set->recording);
        if (*c->missing) {
            print_text("missing", c->missing);
            printf("  \"backend\": \"%s\"\n}", c->backend);
            continue;
        }
        print_text("backend", c->description);
        printf("  \"audio_s\": %.3f,\n  \"runs\": %d,\n  \"windows\": %lld,\n  \"prompt_tokens\": %lld,\n"
               "  \"decode_steps\": %lld,\n",
               seconds, set->n_runs, (long long)c->timings.n_windows, (long long)c->timings.n_prompt_tokens,
               (long long)c->timings.n_decode_steps);
        for (size_t i = 0; i < N_ROWS; i++)
            printf("  \"%s\": %.6g%s\n", rows[i].key, c->values[i], i + 1 < N_ROWS ? "," : "");
        printf("}");
    }
    printf("%s\n", set->n_backends > 1 ? "]}" : "");
}

static void print_table(const struct settings *set, const whisp_model_info *info, double seconds,
                        const struct column *columns)
{
    printf("libwhisp %s, model %s (%s, %.1f million parameters)\n", whisp_version(), info->name, info->type,
           (double)info->n_parameters / 1e6);
    for (int b = 0; b < set->n_backends; b++)
        printf(*columns[b].missing ? "%s is not here: %s\n" : "%s%s\n", *columns[b].missing ? columns[b].backend : "",
               *columns[b].missing ? columns[b].missing : columns[b].description);
    const whisp_timings *t = &columns[0].timings;
    printf("%s: %.1f s, %lld windows, %lld prompt tokens, %lld steps; median of %d runs\n\n", set->recording, seconds,
           (long long)t->n_windows, (long long)t->n_prompt_tokens, (long long)t->n_decode_steps, set->n_runs);
    if (set->n_backends > 1) {
        printf("%-24s", "");
        for (int b = 0; b < set->n_backends; b++)
            printf(b ? " %10s      ratio" : " %10s     ", columns[b].backend);
        printf("\n");
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        printf("%-24s", rows[i].label);
        for (int b = 0; b < set->n_backends; b++) {
            double value = columns[b].values[i], first = columns[0].values[i];
            if (*columns[b].missing)
                printf(" %10s %-4s%s", "-", "", b ? "      -" : "");
            else
                printf(" %10.2f %-4s", value, rows[i].unit);
            if (b && !*columns[b].missing) {
                if (*columns[0].missing || i == MEMORY || value <= 0 || first <= 0)
                    printf(" %6s", "-");
                else
                    printf(" %6.2f", i == FACTOR ? value / first : first / value);
            }
        }
        printf(" %s\n", rows[i].note);
    }
}

/* ---- the command line ---- */

/* -1: go on; else an exit status. */
static int read_arguments(struct settings *set, int argc, char **argv)
{
    static char list[256];
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const struct {
            const char *option, **value;
        } texts[] = {{"--model", &set->name}, {"--threads", &set->threads}, {"--compute_type", &set->compute_type}};
        size_t t = 0;
        while (t < 3 && strcmp(a, texts[t].option) != 0)
            t++;
        int has_value = t < 3 || strcmp(a, "--runs") == 0 || strcmp(a, "--backend") == 0;
        if (has_value && i + 1 == argc) {
            fprintf(stderr, "whisp-bench: %s needs a value; see whisp-bench --help\n", a);
            return 2;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (t < 3) {
            *texts[t].value = argv[++i];
        } else if (strcmp(a, "--json") == 0) {
            set->json = 1;
        } else if (strcmp(a, "--backend") == 0) {
            snprintf(list, sizeof list, "%s", argv[++i]);
            set->n_backends = 0;
            for (char *rest = list, *one; (one = strtok_r(rest, ",", &rest)) && set->n_backends < MAX_BACKENDS;)
                set->backends[set->n_backends++] = one;
        } else if (strcmp(a, "--runs") == 0) {
            set->n_runs = (int)strtol(argv[++i], NULL, 10);
            if (set->n_runs < 1 || set->n_runs > MAX_RUNS) {
                fprintf(stderr, "whisp-bench: --runs takes 1 to %d\n", MAX_RUNS);
                return 2;
            }
        } else if (a[0] == '-' && a[1]) {
            fprintf(stderr, "whisp-bench: there is no option %s; see whisp-bench --help\n", a);
            return 2;
        } else {
            set->recording = a;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct settings set = {.recording = "test/data/demo.flac",
                           .threads = "0",
                           .compute_type = "auto",
                           .n_runs = 5,
                           .backends = {"auto"},
                           .n_backends = 1};
    ending_catch();
    if (argc > 2 && strcmp(argv[1], "--reading") == 0)
        return reading_main(argc, argv);
    if (argc > 1 && (strcmp(argv[1], "--stages") == 0 || strcmp(argv[1], "--invent") == 0))
        return stages_main(argc, argv);
    int status = read_arguments(&set, argc, argv);
    if (status >= 0)
        return status;

    static struct column columns[MAX_BACKENDS];
    char path[4096];
    whisp_model *model;
    size_t n;
    if (whisp_model_find(set.name, NULL, path, sizeof path))
        return fail();
    float *samples = read_recording(set.recording, &n);
    if (!samples)
        return fail();
    double t0 = now();
    if (whisp_model_load(path, NULL, &model))
        return fail();
    double load = 1e3 * (now() - t0);
    int n_missing = 0, rc = 0;
    for (int b = 0; b < set.n_backends && !rc; b++) {
        columns[b].backend = set.backends[b];
        columns[b].values[0] = load;
        rc = measure(&set, model, samples, n, &columns[b]);
        n_missing += *columns[b].missing != 0;
    }
    whisp_model_info info = {.size = sizeof info};
    whisp_model_describe(model, &info);
    if (!rc)
        (set.json ? print_json : print_table)(&set, &info, (double)n / 16000, columns);
    whisp_model_free(model);
    free(samples);
    return rc || n_missing == set.n_backends || fflush(stdout) || ferror(stdout) ? 1 : 0;
}
