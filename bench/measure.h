/* measure.h - transcriptions of a recording, timed by stage: what whisp-bench prints and --report, too. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>

#include "whisp.h"

#define MAX_RUNS 100
#define MAX_BACKENDS 8

struct settings {
    const char *name, *recording, *threads, *compute_type;
    const char *backends[MAX_BACKENDS];
    int n_backends, n_runs, json;
};

/* The rows of the table. */
enum {
    ROW_LOAD,
    ROW_SESSION,
    ROW_MEL,
    ROW_ENCODER,
    ROW_PROMPT,
    ROW_TOKEN,
    ROW_SEARCH,
    ROW_TOTAL,
    ROW_FACTOR,
    ROW_MEMORY,
    N_ROWS
};
typedef struct bench_row {
    const char *key, *label, *unit, *note;
} bench_row;
extern const bench_row bench_rows[N_ROWS];

/* One backend's figures. */
struct column {
    const char *backend;
    char description[256], missing[512]; /* missing: why it cannot run, or "" */
    double values[N_ROWS];
    whisp_timings timings;
};

double bench_now(void);

/* Say on stderr what the library says is wrong; 1. */
int bench_fail(void);

/* The whole recording as samples, 16 kHz; NULL: whisp_last_error() says why not. */
float *bench_recording(const char *path, size_t *n);

/* One run that warms up and set->n_runs that count, of a model that took column->values[ROW_LOAD] ms to load, by
 * column->backend. 0, also where that backend is not here and others are asked for (column->missing); or 1, said on stderr. */
int bench_measure(const struct settings *set, const whisp_model *model, const float *samples, size_t n,
                  struct column *column);

#endif
