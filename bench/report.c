/* report.c - whisp-bench --report: what machine this is, whether its kernels are right, how fast they are, and what
 * transcribing takes. For machines that nobody of this project has: its output is pasted into an issue.
 *
 * Each level's kernels are checked in a process of their own, so that one that the CPU does not know, or that writes where
 * it may not, is a line of the report and not its end. */
#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checkkernels/check.h"
#include "machine.h"
#include "measure.h"
#include "util/pool.h"

enum { TIMES = 20, RUNS = 2, SECONDS = 10 };

/* In a child: the checks write to `out`, the last line of which says what failed. */
static int check_in(const check_level *level, int out)
{
    const check_asked asked = {.seed = 1, .times = TIMES};
    if (dup2(out, STDOUT_FILENO) < 0)
        return 1;
    int passed = check_run(level, &asked);
    printf("%d kernels right\n", passed);
    return fflush(stdout) ? 1 : 0;
}

/* The last line of what a child writes. */
static void last_line(int in, char *line, size_t size)
{
    char text[256];
    size_t n = 0;
    FILE *f = fdopen(in, "r");
    *line = 0;
    while (f && fgets(text, sizeof text, f))
        if ((n = strcspn(text, "\n")) > 0)
            snprintf(line, size, "%.*s", (int)n, text);
    f ? fclose(f) : close(in);
}

/* 0: all kernels of the level are right. */
static int check_level_apart(const check_level *level)
{
    int ends[2], status = 1;
    char line[256];
    fflush(stdout);
    if (pipe(ends)) {
        printf("  %-11s not checked: no pipe\n", level->name);
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        exit(check_in(level, ends[1]));
    }
    close(ends[1]);
    last_line(ends[0], line, sizeof line);
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        printf("  %-11s not checked: no process\n", level->name);
        return 1;
    }
    if (WIFSIGNALED(status))
        printf("  %-11s WRONG: ended by signal %d after \"%s\"\n", level->name, WTERMSIG(status), line);
    else
        printf("  %-11s %s%s\n", level->name, status ? "WRONG: " : "", line);
    return status != 0;
}

static int report_kernels(void)
{
    int wrong = 0;
    check_level level;
    printf("\nkernels against their definitions, %d times each:\n", (int)TIMES);
    for (int l = 0; l < wh_cpu_levels(); l++)
        if (check_level_get(l, &level))
            wrong += check_level_apart(&level);
        else
            printf("  %-11s not on this CPU\n", wh_cpu_level_name(l));
    return wrong;
}

static void report_speed(void)
{
    check_level level;
    int threads = wh_usable_cores(), most = threads < 8 ? threads : 8;
    printf(
        "\nproducts on one thread and on %d: Gop/s (a multiply-add is two); a row of int8 by weights from memory: GB/s\n",
        most);
    printf("  %-11s %15s %15s %15s %15s\n", "", "float32", "bfloat16", "int8", "a row");
    for (int l = 0; l < wh_cpu_levels(); l++) {
        static const check_ceiling types[] = {CHECK_F32, CHECK_BF16, CHECK_INT8};
        if (!check_level_get(l, &level))
            continue;
        printf("  %-11s", level.name);
        for (int i = 0; i < 3; i++)
            printf(" %7.1f %7.1f", check_product_speed(&level, types[i], 1),
                   check_product_speed(&level, types[i], most));
        printf(" %7.1f %7.1f\n", check_row_speed(&level, 1), check_row_speed(&level, most));
        fflush(stdout);
    }
}

/* 0: measured; 1: not, and why is said. */
static int measure_model(const struct settings *set, const float *samples, size_t n, struct column *column)
{
    char path[4096];
    whisp_model *model;
    if (whisp_model_find(set->name, NULL, path, sizeof path)) {
        printf("  %s is not here (make models, or whisp-get %s)\n", set->name, set->name);
        return 1;
    }
    double begin = bench_now();
    if (whisp_model_load(path, NULL, &model)) {
        printf("  %s: %s\n", set->name, whisp_last_error());
        return 1;
    }
    column->values[ROW_LOAD] = 1e3 * (bench_now() - begin);
    column->backend = "auto";
    int rc = bench_measure(set, model, samples, n, column);
    whisp_model_free(model);
    return rc;
}

static void report_models(const char *recording)
{
    static const char *const names[] = {"tiny.en", "base"};
    struct column columns[2] = {{0}};
    int n_there = 0, there[2];
    size_t n;
    float *samples = bench_recording(recording, &n);
    if (!samples) {
        printf("\nno transcription: %s\n", whisp_last_error());
        return;
    }
    n = n < SECONDS * 16000 ? n : SECONDS * 16000;
    printf("\n%.1f s of %s, median of %d runs after one:\n", (double)n / 16000, recording, (int)RUNS);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        const struct settings set = {.name = names[i],
                                     .recording = recording,
                                     .threads = "0",
                                     .compute_type = "auto",
                                     .n_runs = RUNS,
                                     .n_backends = 1};
        if (!measure_model(&set, samples, n, &columns[i]))
            there[n_there++] = i;
    }
    free(samples);
    if (!n_there)
        return;
    printf("  %-24s", columns[there[0]].description);
    for (int k = 0; k < n_there; k++)
        printf(" %10s     ", names[there[k]]);
    printf("\n");
    for (int r = 0; r < N_ROWS; r++) {
        printf("  %-24s", bench_rows[r].label);
        for (int k = 0; k < n_there; k++)
            printf(" %10.2f %-4s", columns[there[k]].values[r], bench_rows[r].unit);
        printf("\n");
    }
}

int report_main(int argc, char **argv)
{
    const char *recording = argc > 2 ? argv[2] : "test/data/demo.flac";
    if (argc > 3 || recording[0] == '-') {
        fprintf(stderr, "whisp-bench: --report takes a recording or nothing; see whisp-bench --help\n");
        return 2;
    }
    int before = machine_clock();
    printf("```\n");
    machine_print();
    int wrong = report_kernels();
    report_speed();
    report_models(recording);
    if (before && machine_clock())
        printf("\nclock of the first core: %d MHz at the beginning, %d MHz at the end\n", before, machine_clock());
    printf("```\n");
    return wrong || fflush(stdout) || ferror(stdout) ? 1 : 0;
}
