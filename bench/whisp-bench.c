/* whisp-bench.c - how long each stage takes: loading, log-Mel, encoder, prompt, token; real-time factor, peak memory.
 *
 * Uses the public header only, like any program that links libwhisp (stages.c and report.c go deeper). Prints a table, or
 * JSON with --json. Figures of a shared machine move by tens of percent: compare figures of one run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ending.h"
#include "measure.h"
#include "reading.h"
#include "report.h"
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
    "whisp-bench --report [RECORDING]\n"
    "  what this machine is, whether its kernels are right, how fast they are, and what tiny.en and base take for ten\n"
    "  seconds of speech, where they are there: text to paste into an issue, after some minutes on a slow machine.\n"
    "\n"
    "Peak memory is of the whole process. Exit status: 0, 1 on failure, 2 for wrong usage, 130 interrupted from the\n"
    "keyboard, 143 ended by SIGTERM, 129 by SIGHUP.\n";

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
            printf("  \"%s\": %.6g%s\n", bench_rows[i].key, c->values[i], i + 1 < N_ROWS ? "," : "");
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
        printf("%-24s", bench_rows[i].label);
        for (int b = 0; b < set->n_backends; b++) {
            double value = columns[b].values[i], first = columns[0].values[i];
            if (*columns[b].missing)
                printf(" %10s %-4s%s", "-", "", b ? "      -" : "");
            else
                printf(" %10.2f %-4s", value, bench_rows[i].unit);
            if (b && !*columns[b].missing) {
                if (*columns[0].missing || i == ROW_MEMORY || value <= 0 || first <= 0)
                    printf(" %6s", "-");
                else
                    printf(" %6.2f", i == ROW_FACTOR ? value / first : first / value);
            }
        }
        printf(" %s\n", bench_rows[i].note);
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
    if (argc > 1 && strcmp(argv[1], "--report") == 0)
        return report_main(argc, argv);
    int status = read_arguments(&set, argc, argv);
    if (status >= 0)
        return status;

    static struct column columns[MAX_BACKENDS];
    char path[4096];
    whisp_model *model;
    size_t n;
    if (whisp_model_find(set.name, NULL, path, sizeof path))
        return bench_fail();
    float *samples = bench_recording(set.recording, &n);
    if (!samples)
        return bench_fail();
    double t0 = bench_now();
    if (whisp_model_load(path, NULL, &model))
        return bench_fail();
    double load = 1e3 * (bench_now() - t0);
    int n_missing = 0, rc = 0;
    for (int b = 0; b < set.n_backends && !rc; b++) {
        columns[b].backend = set.backends[b];
        columns[b].values[ROW_LOAD] = load;
        rc = bench_measure(&set, model, samples, n, &columns[b]);
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
