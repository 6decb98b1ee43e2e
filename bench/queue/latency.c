/* latency.c - how long a short recording takes in a queue: alone, and while a long one is transcribed (docs/queue.md).
 *
 * usage: queue-latency MODEL.gguf LONG CLIP [TIMES [BATCH_SIZE]]
 *
 * The clip is submitted TIMES times (10), one after the other: to an idle queue, then to one that works on LONG, from
 * when that has given its first segments. Prints each one's seconds, the medians and their ratio. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "whisp.h"

#define MOST 1000

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void check(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "queue-latency: %s\n", whisp_last_error());
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

/* Events until the end of `id`, or until `segments` of them came (0: any number). 1: that was another one's end. */
static int wait_for(whisp_queue *queue, uint64_t id, int segments)
{
    whisp_event event = {.size = sizeof event};
    int others = 0;
    for (;;) {
        check(whisp_queue_next(queue, -1, &event));
        if (event.kind == WHISP_EVENT_SEGMENT) {
            if (event.id == id && segments && --segments == 0)
                return others;
            continue;
        }
        check(event.rc);
        whisp_result_free(event.result);
        if (event.id == id)
            return others;
        others = 1;
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

int main(int argc, char **argv)
{
    whisp_model *model;
    whisp_queue *queue;
    whisp_options *options = whisp_options_new();
    int times = argc > 4 ? atoi(argv[4]) : 10, over = 0;
    if (argc < 4 || times < 1 || times > MOST || !options) {
        fprintf(stderr, "usage: queue-latency MODEL.gguf LONG CLIP [TIMES [BATCH_SIZE]]\n");
        return 2;
    }
    if (argc > 5)
        check(whisp_options_set(options, "batch_size", argv[5]));
    check(whisp_options_set(options, "language", "en"));
    check(whisp_model_load(argv[1], NULL, &model));
    check(whisp_queue_new(model, options, &queue));
    double alone = measure(queue, argv[3], options, times, "alone", &over);
    uint64_t id = submit(queue, argv[2], options);
    wait_for(queue, id, 4);
    double beside = measure(queue, argv[3], options, times, "beside the long one", &over);
    printf("%.2f times as long%s\n", beside / alone, over ? " (the long one ended before the last clip)" : "");
    whisp_queue_free(queue);
    whisp_model_free(model);
    whisp_options_free(options);
    return 0;
}
