/* diarizer.c - samples of a recording in; who speaks when out. See speakers.h, and heard.h for what is kept.
 *
 * Samples are gathered until some windows of 10 s are complete. Their segmentation and Silero's probabilities are tasks
 * for the threads; then, in order, windows become frames (heard.c); then stretches of 1.5 s in which mostly one person
 * speaks are embedded, again by the threads. When the recording has ended, clustering says who there is (cluster.c), and
 * frames and people become turns (turns.c). No result of a task depends on another's, and what is put together is put
 * together in order: the same bits for any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/heard.h"
#include "util/pool.h"

#define WINDOW_SAMPLES (WH_WINDOW_STEP * WH_SEGMENT_STEP) /* from window to window */
#define MOST_GROUPS 8                                     /* groups of windows at once: 13 MB of samples */
#define STRETCHES 4                                       /* embedded by one task */
#define MOSTLY 0.55f /* of a stretch's frames in which one speaks: less and it is not embedded */
/* Every place for a stretch is used in the first two minutes, when little is known; then every other one, at half the
 * cost. */
#define DENSE (120 * WH_SPEAKERS_RATE / WH_STRETCH_STEP)

struct wh_diarizer {
    wh_diarizer_config config;
    wh_pool *pool;
    int threads;
    wh_segmentation **segmentations; /* [threads] */
    wh_embedder **embedders;         /* [threads] */
    wh_vad_net net;
    wh_heard heard;

    float *samples; /* [capacity] of which n are there; the first is the recording's sample number `first` */
    size_t n, capacity;
    int64_t first, total;       /* total: samples pushed */
    size_t group, windows_most; /* windows of a task, and of all tasks at once */
    float *log_probabilities;   /* [windows_most][589][7] */
    size_t windows;             /* that were heard */
    size_t n_windows;           /* to be heard now */
    float *speech;              /* [n_speech] Silero's probabilities */
    size_t n_speech, speech_capacity, more_speech;

    uint32_t next;    /* place that is looked at next */
    size_t *starts;   /* [n_planned] where the stretches begin in samples */
    uint32_t *places; /* [n_planned] */
    float *voices;    /* [n_planned][192] */
    size_t n_planned, starts_capacity, places_capacity, voices_capacity;
    size_t length;    /* samples of a stretch: less only where the whole recording is shorter */
    wh_stretch spare; /* as long as no stretch is good enough: the one that is best, its slots' sum in best */
    float best;
};

/* ---- tasks ---- */

static void run_speech(wh_diarizer *d)
{
    for (size_t i = 0; i < d->more_speech; i += WH_VAD_BATCH) {
        const int64_t at = (int64_t)(d->n_speech + i) * WH_VAD_CHUNK - d->first;
        const int n = (int)WH_MIN(d->more_speech - i, (size_t)WH_VAD_BATCH);
        wh_vad_net_run(d->config.vad, &d->net, d->samples + at, n, d->speech + d->n_speech + i);
    }
}

/* Task 0 is Silero's, the longest. */
static void hear_task(void *context, size_t task, int worker)
{
    wh_diarizer *d = context;
    if (task == 0) {
        run_speech(d);
        return;
    }
    const size_t begin = (task - 1) * d->group, n = WH_MIN(d->group, d->n_windows - begin);
    size_t starts[WH_SEGMENT_TOGETHER];
    for (size_t i = 0; i < n; i++)
        starts[i] = (size_t)((int64_t)(d->windows + begin + i) * WINDOW_SAMPLES - d->first);
    wh_segmentation_run(d->segmentations[worker], d->samples, starts, n,
                        d->log_probabilities + begin * WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES);
}

static void embed_task(void *context, size_t task, int worker)
{
    wh_diarizer *d = context;
    const size_t begin = task * STRETCHES, n = WH_MIN((size_t)STRETCHES, d->n_planned - begin);
    wh_embed(d->embedders[worker], d->samples, d->starts + begin, n, d->length, d->voices + begin * WH_VOICE_SIZE);
}

/* ---- stretches ---- */

static int plan(wh_diarizer *d, uint32_t place)
{
    int rc = wh_grow(&d->starts, &d->starts_capacity, d->n_planned + 1, sizeof *d->starts);
    if (!rc)
        rc = wh_grow(&d->places, &d->places_capacity, d->n_planned + 1, sizeof *d->places);
    if (rc)
        return rc;
    d->starts[d->n_planned] = (size_t)((int64_t)place * WH_STRETCH_STEP - d->first);
    d->places[d->n_planned++] = place;
    return WHISP_OK;
}

static float spoken(const wh_diarizer *d, uint32_t place, float *slots)
{
    wh_heard_slots(&d->heard, (int64_t)place * WH_STRETCH_STEP, (int64_t)d->length, slots);
    return slots[0] + slots[1] + slots[2];
}

/* Which stretches that end before sample `end` are to be embedded. As long as there is none: the best so far. */
static int plan_stretches(wh_diarizer *d, int64_t end)
{
    int rc = WHISP_OK;
    uint32_t best_place = UINT32_MAX;
    float slots[WH_SLOTS];
    d->n_planned = 0;
    for (; !rc && (int64_t)d->next * WH_STRETCH_STEP + (int64_t)d->length <= end; d->next += d->next < DENSE ? 1 : 2) {
        const float part = spoken(d, d->next, slots);
        if (part >= MOSTLY)
            rc = plan(d, d->next);
        else if (part > d->best) {
            d->best = part;
            best_place = d->next;
        }
    }
    if (!rc && d->n_planned == 0 && d->heard.n == 0 && best_place != UINT32_MAX)
        rc = plan(d, best_place);
    return rc;
}

static int keep_stretches(wh_diarizer *d)
{
    for (size_t i = 0; i < d->n_planned; i++) {
        wh_stretch s = {.at = d->places[i], .seconds = d->places[i] < DENSE ? 0.5f : 1};
        wh_stretch_store(&s, d->voices + i * WH_VOICE_SIZE);
        if (spoken(d, s.at, s.slots) < MOSTLY) {
            d->spare = s;
            continue;
        }
        int rc = wh_grow(&d->heard.stretches, &d->heard.capacity, d->heard.n + 1, sizeof s);
        if (rc)
            return rc;
        d->heard.stretches[d->heard.n++] = s;
    }
    return WHISP_OK;
}

static int embed_stretches(wh_diarizer *d, int64_t end)
{
    int rc = plan_stretches(d, end);
    if (!rc)
        rc = wh_grow(&d->voices, &d->voices_capacity, d->n_planned * WH_VOICE_SIZE, sizeof *d->voices);
    if (!rc)
        rc = d->config.options ? wh_check_cancel(d->config.options) : WHISP_OK;
    if (rc)
        return rc;
    wh_pool_run(d->pool, (d->n_planned + STRETCHES - 1) / STRETCHES, embed_task, d);
    return keep_stretches(d);
}

/* ---- windows ---- */

/* Samples that no window and no stretch to come begins before are not needed any more. */
static void drop(wh_diarizer *d)
{
    int64_t keep = WH_MIN((int64_t)d->windows * WINDOW_SAMPLES, (int64_t)d->next * WH_STRETCH_STEP);
    if (d->config.vad)
        keep = WH_MIN(keep, (int64_t)d->n_speech * WH_VAD_CHUNK);
    const size_t n = (size_t)WH_MIN(keep - d->first, (int64_t)d->n);
    memmove(d->samples, d->samples + n, (d->n - n) * sizeof *d->samples);
    d->n -= n;
    d->first += (int64_t)n;
}

/* n windows, all of whose samples are there. `chunks`: how many of Silero's are there. */
static int hear(wh_diarizer *d, size_t n, size_t chunks)
{
    int rc = d->config.options ? wh_check_cancel(d->config.options) : WHISP_OK;
    d->n_windows = n;
    d->more_speech = d->config.vad && chunks > d->n_speech ? chunks - d->n_speech : 0;
    if (!rc)
        rc = wh_grow(&d->speech, &d->speech_capacity, d->n_speech + d->more_speech, sizeof *d->speech);
    if (rc)
        return rc;
    wh_pool_run(d->pool, 1 + (n + d->group - 1) / d->group, hear_task, d);
    d->n_speech += d->more_speech;
    for (size_t i = 0; i < n && !rc; i++)
        rc = wh_heard_window(&d->heard, d->log_probabilities + i * WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES,
                             (wh_heard_speech){d->speech, d->n_speech});
    d->windows += n;
    return rc;
}

static int hear_block(wh_diarizer *d)
{
    int rc = hear(d, d->windows_most, (size_t)(d->first + (int64_t)d->n) / WH_VAD_CHUNK);
    if (!rc)
        rc = embed_stretches(d, WH_FRAME_START(d->heard.n_frames));
    drop(d);
    return rc;
}

/* ---- the stream ---- */

static int make_buffers(wh_diarizer *d)
{
    const size_t threads = (size_t)d->threads, groups = WH_MIN(threads, (size_t)MOST_GROUPS);
    d->group = WH_SEGMENT_TOGETHER;
    d->windows_most = groups * d->group;
    /* a block's windows, and what the last block left; at the end zeros behind the recording, Silero's last chunk too */
    d->capacity = d->windows_most * WINDOW_SAMPLES + 2 * WH_SEGMENT_SAMPLES;
    d->samples = wh_alloc_aligned(d->capacity, sizeof *d->samples);
    d->log_probabilities = wh_alloc_aligned(d->windows_most * WH_SEGMENT_FRAMES * WH_SEGMENT_CLASSES,
                                            sizeof *d->log_probabilities);
    d->segmentations = wh_calloc(threads, sizeof *d->segmentations);
    d->embedders = wh_calloc(threads, sizeof *d->embedders);
    if (!d->samples || !d->log_probabilities || !d->segmentations || !d->embedders)
        return wh_fail_memory();
    int rc = wh_heard_init(&d->heard);
    if (!rc && d->config.vad)
        rc = wh_vad_net_init(&d->net);
    for (size_t i = 0; i < threads && !rc; i++) {
        rc = wh_segmentation_new(d->config.speakers, &d->segmentations[i]);
        if (!rc)
            rc = wh_embedder_new(d->config.speakers, &d->embedders[i]);
    }
    if (!rc && d->config.vad)
        wh_vad_net_reset(&d->net);
    return rc;
}

int wh_diarizer_new(const wh_diarizer_config *config, wh_diarizer **diarizer)
{
    *diarizer = NULL;
    wh_diarizer *d = wh_calloc(1, sizeof *d);
    if (!d)
        return wh_fail_memory();
    d->config = *config;
    d->length = WH_STRETCH_SAMPLES;
    int rc = wh_pool_new(config->threads, &d->pool);
    if (!rc) {
        d->threads = wh_pool_threads(d->pool);
        rc = make_buffers(d);
    }
    if (rc)
        wh_diarizer_free(d);
    else
        *diarizer = d;
    return rc;
}

void wh_diarizer_free(wh_diarizer *d)
{
    if (!d)
        return;
    wh_pool_free(d->pool);
    for (int i = 0; i < d->threads; i++) {
        if (d->segmentations)
            wh_segmentation_free(d->segmentations[i]);
        if (d->embedders)
            wh_embedder_free(d->embedders[i]);
    }
    free(d->segmentations);
    free(d->embedders);
    wh_vad_net_free(&d->net);
    wh_heard_free(&d->heard);
    free(d->samples);
    free(d->log_probabilities);
    free(d->speech);
    free(d->starts);
    free(d->places);
    free(d->voices);
    free(d);
}

int wh_diarizer_push(wh_diarizer *d, const float *samples, size_t n)
{
    while (n > 0) {
        const int64_t end = (int64_t)(d->windows + d->windows_most - 1) * WINDOW_SAMPLES + WH_SEGMENT_SAMPLES;
        const size_t part = (size_t)WH_MIN((int64_t)n, end - d->total);
        for (size_t i = 0; i < part; i++)
            d->samples[d->n + i] = isfinite(samples[i]) ? fminf(fmaxf(samples[i], -1), 1) : 0;
        d->n += part;
        d->total += (int64_t)part;
        samples += part;
        n -= part;
        if (d->total == end) {
            const int rc = hear_block(d);
            if (rc)
                return rc;
        }
    }
    return WHISP_OK;
}

/* The windows at the end, the last of which is filled up with zeros, and all frames. */
static int hear_rest(wh_diarizer *d)
{
    /* whole windows, and one that reaches the end; the latter was heard already where the recording ends with it */
    const size_t need = d->total <= WH_SEGMENT_SAMPLES
                            ? 1
                            : 1 + (size_t)((d->total - WH_SEGMENT_SAMPLES + WINDOW_SAMPLES - 1) / WINDOW_SAMPLES);
    memset(d->samples + d->n, 0, (d->capacity - d->n) * sizeof *d->samples);
    int rc = hear(d, need > d->windows ? need - d->windows : 0, (size_t)((d->total + WH_VAD_CHUNK - 1) / WH_VAD_CHUNK));
    const size_t frames = d->total < 495 ? 1 : (size_t)((d->total - 495) / WH_SEGMENT_STEP + 1);
    if (!rc)
        rc = wh_heard_finish(&d->heard, frames, (wh_heard_speech){d->speech, d->n_speech});
    if (!rc && d->total < (int64_t)d->length)
        d->length = (size_t)WH_MAX(d->total, WH_EMBED_LEAST);
    if (!rc)
        rc = embed_stretches(d, WH_MAX(d->total, (int64_t)d->length));
    if (!rc && d->heard.n == 0 && d->best > 0) {
        rc = wh_grow(&d->heard.stretches, &d->heard.capacity, 1, sizeof d->spare);
        if (!rc)
            d->heard.stretches[d->heard.n++] = d->spare;
    }
    return rc;
}

int wh_diarizer_finish(wh_diarizer *d, wh_diarization *out)
{
    wh_people people = {0};
    *out = (wh_diarization){0};
    if (d->total == 0)
        return WHISP_OK;
    int rc = hear_rest(d);
    if (!rc)
        rc = wh_cluster(d->heard.stretches, d->heard.n, d->config.least, d->config.most, d->config.options, &people);
    if (!rc)
        rc = wh_turns(&d->heard, &people, (double)d->total / WH_SPEAKERS_RATE, out);
    free(people.centroids);
    return rc;
}
