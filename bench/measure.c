/* measure.c - see measure.h. Uses the public header only, like any program that links libwhisp. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

const bench_row bench_rows[N_ROWS] = {
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

/* What one run gave, in the unit that is printed. */
struct run {
    double mel;    /* ms for 30 s of audio */
    double encode; /* ms for a window */
    double prompt; /* ms for a window's start sequence */
    double token;  /* ms for a decoding step */
    double search; /* ms for a decoding step: filters and choice */
    double total;  /* s */
};

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int bench_fail(void)
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
float *bench_recording(const char *path, size_t *n)
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
        return bench_fail();
    double t0 = bench_now();
    int rc = whisp_session_transcribe(session, audio, &result);
    run->total = bench_now() - t0;
    whisp_audio_free(audio);
    whisp_result_free(result);
    if (rc != WHISP_OK || whisp_session_describe(session, &info) != WHISP_OK)
        return bench_fail();
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

int bench_measure(const struct settings *set, const whisp_model *model, const float *samples, size_t n,
                  struct column *column)
{
    struct run warm, runs[MAX_RUNS];
    whisp_session *session;
    whisp_options *options = whisp_options_new();
    double *v = column->values, load = v[ROW_LOAD];
    if (!options || whisp_options_set(options, "temperature", "0") ||
        whisp_options_set(options, "temperature_increment_on_fallback", "None") ||
        whisp_options_set(options, "threads", set->threads) || whisp_options_set(options, "cut", "off") ||
        whisp_options_set(options, "backend", column->backend) ||
        whisp_options_set(options, "compute_type", set->compute_type))
        return bench_fail();
    double t0 = bench_now();
    int rc = whisp_session_new(model, options, &session);
    double t1 = bench_now();
    whisp_options_free(options);
    if (rc == WHISP_ERR_BACKEND && set->n_backends > 1) {
        snprintf(column->missing, sizeof column->missing, "%s", whisp_last_error());
        return 0;
    }
    if (rc)
        return bench_fail();
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
