/* reading.c - whisp-bench --reading: recordings decoded and resampled, nothing else, by one thread and by several, in turn.
 *
 * Each run hears a recording to its end as a transcription would (lib/audio/ahead.h) and sums up its samples: all sums
 * of a recording must be the same. */
#include "reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audio/ahead.h"
#include "util/pool.h"

#define ROUNDS 3

typedef struct run {
    int64_t n;
    uint64_t sum;
    double wall, cpu;
} run;

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* A sum that a difference in any bit of any sample changes, and that costs nothing beside decoding. */
static void add(run *r, const float *samples, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, samples + i, sizeof bits);
        r->sum += bits * (uint64_t)(2 * (r->n + i) + 1);
    }
    r->n += n;
}

static int hear(const char *path, int threads, run *r)
{
    whisp_audio *audio;
    wh_ahead *ahead = NULL;
    const float *samples;
    int64_t n = 0;
    double began = wh_now(), used = cpu_seconds();
    *r = (run){0};
    int rc = whisp_audio_open(path, &audio);
    if (!rc)
        rc = wh_ahead_start(audio, threads, &ahead);
    while (!rc && (n = wh_ahead_read(ahead, &samples)) > 0)
        add(r, samples, n);
    wh_ahead_stop(ahead);
    whisp_audio_free(audio);
    r->wall = wh_now() - began;
    r->cpu = cpu_seconds() - used;
    return rc ? rc : (int)WH_MIN(n, 0);
}

static int compare(const char *path, int most)
{
    uint64_t sum = 0;
    printf("%s\n", path);
    for (int round = 0; round < ROUNDS; round++)
        for (int threads = 1; threads <= most; threads *= 2) {
            run r;
            if (hear(path, threads, &r)) {
                fprintf(stderr, "whisp-bench: %s\n", whisp_last_error());
                return 1;
            }
            sum = round || threads > 1 ? sum : r.sum;
            printf("  %d threads: %.3f s on the clock, %.3f s of processor time, %.0f s of sound, %s\n", threads,
                   r.wall, r.cpu, (double)r.n / 16000, r.sum == sum ? "the same samples" : "OTHER SAMPLES");
            if (r.sum != sum)
                return 1;
        }
    return 0;
}

int reading_main(int argc, char **argv)
{
    int rc = 0;
    for (int i = 2; i < argc && !rc; i++)
        rc = compare(argv[i], WH_MAX(2, WH_MIN(wh_usable_cores(), 8)));
    return rc;
}
