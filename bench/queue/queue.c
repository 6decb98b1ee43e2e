/* queue.c - what a queue costs and gains (docs/queue.md).
 *
 * usage: queue-bench MODEL.gguf LONG CLIP [TIMES]   how long a short recording takes: alone, and while a long one is
 *                                                   transcribed, from when that has given its first segments
 *        queue-bench --all MODEL.gguf FILE...       seconds of wall and processor time for all the files
 *
 * In English, with the library's defaults. The clip is submitted TIMES times (10), one after the other; each one's
 * seconds, the medians and their ratio are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "whisp.h"

#define MOST 1000

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double processor(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void check(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "queue-bench: %s\n", whisp_last_error());
    exit(1);
}

static uint64_t submit(whisp_queue *queue, const char *path, const whisp_options *options)
{
    whisp_audio *audio;
    uint64_t id;
    check(whisp_audio_open(path, &audio));
    check(whisp_queue_submit(queue, audio, options, NULL, &id));
    return id;
}

/* The next event; an end's result is dropped. Its kind. */
static int take(whisp_queue *queue, whisp_event *event)
{
    check(whisp_queue_next(queue, -1, event));
    if (event->kind == WHISP_EVENT_END) {
        if (event->rc) {
            fprintf(stderr, "queue-bench: %s\n", event->error);
            exit(1);
        }
        whisp_result_free(event->result);
    }
    return event->kind;
}

/* Events until the end of `id`, or until `segments` of them came (0: any number). 1: another one ended meanwhile. */
static int wait_for(whisp_queue *queue, uint64_t id, int segments)
{
    whisp_event event = {.size = sizeof event};
    int others = 0;
    for (;;) {
        int is_end = take(queue, &event) == WHISP_EVENT_END;
        if (event.id == id && (is_end || (segments && --segments == 0)))
            return others;
        others |= is_end;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of each of `times` clips; the median. *over: the long recording has ended before. */
static double measure(whisp_queue *queue, const char *clip, const whisp_options *options, int times, const char *what,
                      int *over)
{
    double seconds[MOST];
    printf("%-22s", what);
    for (int i = 0; i < times; i++) {
        double t0 = now();
        *over |= wait_for(queue, submit(queue, clip, options), 0);
        seconds[i] = now() - t0;
        printf(" %.2f", seconds[i]);
        fflush(stdout);
    }
    qsort(seconds, (size_t)times, sizeof *seconds, compare);
    printf("   median %.2f s, slowest %.2f s\n", seconds[times / 2], seconds[times - 1]);
    return seconds[times / 2];
}

static void latency(whisp_queue *queue, const whisp_options *options, const char *long_one, const char *clip, int times)
{
    int over = 0;
    wait_for(queue, submit(queue, clip, options), 0); /* the weights are in memory then */
    double alone = measure(queue, clip, options, times, "alone", &over);
    wait_for(queue, submit(queue, long_one, options), 4);
    double beside = measure(queue, clip, options, times, "beside the long one", &over);
    printf("%.2f times as long%s\n", beside / alone, over ? " (the long one ended before the last clip)" : "");
}

static void all(whisp_queue *queue, const whisp_options *options, char **paths, int n)
{
    whisp_event event = {.size = sizeof event};
    int submitted = 0;
    double t0 = now(), p0 = processor();
    for (int ended = 0; ended < n;) {
        while (submitted < n && submitted - ended < WHISP_QUEUE_MOST)
            submit(queue, paths[submitted++], options);
        ended += take(queue, &event) == WHISP_EVENT_END;
    }
    printf("%d recordings in %.2f s, %.2f s of processor time\n", n, now() - t0, processor() - p0);
}

int main(int argc, char **argv)
{
    whisp_model *model;
    whisp_queue *queue;
    whisp_options *options = whisp_options_new();
    int is_all = argc > 1 && !strcmp(argv[1], "--all"),
        times = argc > 4 && !is_all ? (int)strtol(argv[4], NULL, 10) : 10;
    if (argc < 4 || times < 1 || times > MOST || !options) {
        fprintf(stderr,
                "usage: queue-bench MODEL.gguf LONG CLIP [TIMES]\n       queue-bench --all MODEL.gguf FILE...\n");
        return 2;
    }
    check(whisp_options_set(options, "language", "en"));
    check(whisp_model_load(argv[1 + is_all], NULL, &model));
    check(whisp_queue_new(model, options, &queue));
    if (is_all)
        all(queue, options, argv + 3, argc - 3);
    else
        latency(queue, options, argv[2], argv[3], times);
    whisp_queue_free(queue);
    whisp_model_free(model);
    whisp_options_free(options);
    return 0;
}
