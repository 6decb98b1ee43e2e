/* fake.c - a library in place of libwhisp-cuda.so that computes nothing and answers at once, with an invented talk: what a
 * program takes with it is what the host takes, whatever the GPU. bench/cuda-host measures with it, gpu-kit is tried with it.
 *
 * The talk: 230 tokens a window, in segments of 21 tokens between two timestamps; 3 windows of 100 sound so improbable that
 * they are decoded again at a higher temperature. It is the same each time: a window's answers come of how many windows of its
 * own slot there were before.
 *
 * WHISP_FAKE_REAL=LIBRARY: that library does all the work of each call, and only then what it has chosen is replaced by the
 * talk. So invented weights of any size take the windows, prompts and steps that speech takes.
 *
 * WHISP_FAKE_REPORT=FILE: what was asked for and the processor time of these answers, as a line of JSON, when it is
 * closed. WHISP_FAKE_STEP, _PROMPT, _WINDOW=MICROSECONDS: what a call takes on the device that is played (it sleeps). */
#include "backend/cuda/engine.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SEGMENT = 23,  /* tokens, both timestamps included */
    SEGMENTS = 10, /* of a window */
    LENGTH = 144,  /* of one, in timestamps of 20 ms */
    MOST_ROWS = 256,
    FEW_ROWS = 64,
    MASKS = 64,
    FRAMES = 512,
    HARD_WINDOWS = 3, /* of 100 */
    WORDS = 20000     /* text tokens from 300 on are said */
};

typedef struct sequence {
    int at;      /* tokens of this window so far */
    int windows; /* begun in this slot */
    uint32_t random;
} sequence;

typedef struct counts {
    long steps, rows, prompts, prompt_tokens, windows, frames, copies;
    double seconds; /* of processor time, in these calls */
} counts;

struct wh_cuda_engine {
    wh_cuda_sizes sizes;
    pthread_mutex_t lock; /* of the counts: log-Mel is asked for by another thread */
    counts counted;
    sequence *slots; /* [n_slots] */
    long step_us, prompt_us, window_us;
    wh_cuda_engine *under; /* of the real library, or NULL */
    char about[200];
};

static const wh_cuda_api *real; /* WHISP_FAKE_REAL's, or NULL */

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void play(long microseconds)
{
    struct timespec t = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
    if (microseconds > 0)
        nanosleep(&t, NULL);
}

static void count(wh_cuda_engine *e, long *what, long n, double since)
{
    pthread_mutex_lock(&e->lock);
    *what += n;
    e->counted.seconds += cpu_now() - since;
    pthread_mutex_unlock(&e->lock);
}

static long setting(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void fake_close(wh_cuda_engine *e)
{
    if (!e)
        return;
    const counts *c = &e->counted;
    const char *path = getenv("WHISP_FAKE_REPORT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(
            file,
            "{\"steps\": %ld, \"rows\": %ld, \"prompts\": %ld, \"prompt_tokens\": %ld, \"windows\": %ld, \"frames\": %ld, "
            "\"copies\": %ld, \"seconds\": %.3f}\n",
            c->steps, c->rows, c->prompts, c->prompt_tokens, c->windows, c->frames, c->copies, c->seconds);
        fclose(file);
    }
    if (e->under)
        real->close(e->under);
    pthread_mutex_destroy(&e->lock);
    free(e->slots);
    free(e);
}

static int fake_open(const wh_cuda_sizes *sizes, int device, wh_cuda_engine **engine, char *message)
{
    wh_cuda_engine *e = device && !real ? NULL : calloc(1, sizeof *e);
    *engine = NULL;
    if (real) {
        int rc = e ? real->open(sizes, device, &e->under, message) : WH_CUDA_MEMORY;
        if (rc) {
            free(e);
            return rc;
        }
    }
    if (e && (e->slots = calloc((size_t)sizes->n_slots, sizeof *e->slots))) {
        e->sizes = *sizes;
        pthread_mutex_init(&e->lock, NULL);
        e->step_us = setting("WHISP_FAKE_STEP");
        e->prompt_us = setting("WHISP_FAKE_PROMPT");
        e->window_us = setting("WHISP_FAKE_WINDOW");
        *engine = e;
        return WH_CUDA_OK;
    }
    if (e && e->under)
        real->close(e->under);
    free(e);
    snprintf(message, WH_CUDA_MESSAGE, device ? "there is no CUDA device %d; there is 1" : "out of memory", device);
    return device ? WH_CUDA_ABSENT : WH_CUDA_MEMORY;
}

static const char *fake_describe(const wh_cuda_engine *e)
{
    if (!e->under)
        return "no GPU, an invented talk";
    char *about = ((wh_cuda_engine *)(uintptr_t)e)->about;
    snprintf(about, sizeof e->about, "%s, an invented talk", real->describe(e->under));
    return about;
}

static const char *fake_error(const wh_cuda_engine *e)
{
    return e->under ? real->error(e->under) : "nothing can fail";
}

static int fake_load(wh_cuda_engine *e, int layer, wh_cuda_tensor which, const wh_cuda_part *part)
{
    return e->under ? real->load(e->under, layer, which, part) : WH_CUDA_OK;
}

static int fake_room(wh_cuda_engine *e, size_t *left, size_t *slot)
{
    if (e->under)
        return real->room(e->under, left, slot);
    *left = (size_t)70 << 30;
    *slot = (size_t)72 << 20;
    return WH_CUDA_OK;
}

static int fake_take(wh_cuda_engine *e, int n, int *taken)
{
    if (e->under)
        return real->take(e->under, n, taken);
    *taken = n;
    return WH_CUDA_OK;
}

static int fake_can_choose(int n_vocab, int n_times)
{
    return n_vocab > WORDS && n_times > SEGMENTS * LENGTH;
}

static int fake_forbid(wh_cuda_engine *e, int mask, const uint32_t *bits)
{
    return e->under ? real->forbid(e->under, mask, bits) : WH_CUDA_OK;
}

static int fake_filters(wh_cuda_engine *e, const float *filters)
{
    return e->under ? real->load_filters(e->under, filters) : WH_CUDA_OK;
}

static int fake_log_mel(wh_cuda_engine *e, const float *samples, int frames, float *out)
{
    double since = cpu_now();
    int rc = e->under ? real->log_mel(e->under, samples, frames, out) : WH_CUDA_OK;
    for (int i = 0; !e->under && i < frames * e->sizes.n_mels; i++)
        out[i] = -3 + 0.3f * (float)(i % 7);
    count(e, &e->counted.frames, frames, e->under ? cpu_now() : since);
    return rc;
}

static int fake_encode(wh_cuda_engine *e, int n, const float *const *mel, const int *windows, float *block0, float *out)
{
    int rc = e->under ? real->encode(e->under, n, mel, windows, block0, out) : WH_CUDA_OK;
    play(n * e->window_us);
    count(e, &e->counted.windows, n, cpu_now());
    return rc;
}

/* ---- the talk ---- */

static uint32_t draw(sequence *s)
{
    return (s->random = s->random * 1664525u + 1013904223u) >> 8;
}

static void begin_window(sequence *s, int slot)
{
    s->at = 0;
    s->windows++;
    s->random = (uint32_t)(slot * 7919 + s->windows * 104729);
}

static int clamp(int id, int from, int to)
{
    return id < from ? from : id >= to ? to - 1 : id;
}

/* A segment's tokens: its beginning, 21 of text, its end; after the last one the window's end. */
static void say(const wh_cuda_engine *e, sequence *s, int slot, wh_choice *c)
{
    int segment = s->at / SEGMENT, at = s->at++ % SEGMENT, end_of_text = e->sizes.n_vocab < 51865 ? 50256 : 50257;
    int is_time = at == 0 || at == SEGMENT - 1, id = 300 + (int)(draw(s) % WORDS);
    if (segment >= SEGMENTS)
        id = end_of_text;
    else if (is_time && c->time_from < c->time_to)
        id = clamp(c->time_begin + (segment + (at > 0)) * LENGTH, c->time_from, c->time_to);
    int is_hard = (s->windows * 31 + slot * 17) % 100 < HARD_WINDOWS && c->temperature == 0;
    c->ids[0] = id;
    c->logprobs[0] = is_hard ? -1.6f : -0.2f;
    for (c->n = 1; c->n < c->most; c->n++) {
        c->ids[c->n] = 300 + (int)(draw(s) % WORDS);
        c->logprobs[c->n] = -3 - (float)c->n;
    }
}

/* Words one after the other, over the window. */
static void point(const wh_cuda_engine *e, const wh_row *row)
{
    int ctx = e->sizes.audio_ctx, center = row->position % (SEGMENT * SEGMENTS) * ctx / (SEGMENT * SEGMENTS);
    for (int a = 0; a < e->sizes.n_alignment; a++) {
        float *scores = row->cross_scores + (size_t)a * row->cross_stride;
        memset(scores, 0, (size_t)ctx * sizeof *scores);
        for (int i = center - 8; i <= center + 8; i++)
            if (i >= 0 && i < ctx)
                scores[i] = 12 - (float)(i > center ? i - center : center - i);
    }
}

static int fake_decode(wh_cuda_engine *e, int n, const wh_row *rows)
{
    int rc = e->under ? real->decode(e->under, n, rows) : WH_CUDA_OK;
    double since = cpu_now();
    int is_step = rows[0].choice && !rows[0].logits && (n == 1 || rows[0].slot != rows[1].slot);
    for (int i = 0; i < n; i++) {
        sequence *s = &e->slots[rows[i].slot];
        if (rows[i].logits) {
            memset(rows[i].logits, 0, (size_t)e->sizes.n_vocab * sizeof(float));
            begin_window(s, rows[i].slot);
        }
        if (rows[i].cross_scores)
            point(e, &rows[i]);
        if (rows[i].choice)
            say(e, s, rows[i].slot, rows[i].choice);
    }
    if (is_step)
        e->counted.rows += n;
    else
        e->counted.prompt_tokens += n;
    count(e, is_step ? &e->counted.steps : &e->counted.prompts, 1, since);
    play(is_step ? e->step_us : e->prompt_us);
    return rc;
}

static int fake_copy(wh_cuda_engine *e, int to, int from, int first, int n)
{
    e->slots[to] = e->slots[from];
    count(e, &e->counted.copies, 1, cpu_now());
    return e->under ? real->copy(e->under, to, from, first, n) : WH_CUDA_OK;
}

static int fake_ceilings(wh_cuda_engine *e, double *operations, double *bytes)
{
    *operations = *bytes = 0;
    return e->under ? real->ceilings(e->under, operations, bytes) : WH_CUDA_OK;
}

/* What WHISP_FAKE_REAL names; NULL where it cannot be opened, which is said. */
static const wh_cuda_api *find_real(const char *path)
{
    const wh_cuda_api *(*entry)(void) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol = library ? dlsym(library, "wh_cuda_entry") : NULL;
    memcpy(&entry, &symbol, sizeof entry);
    if (!entry)
        fprintf(stderr, "WHISP_FAKE_REAL: %s\n", dlerror());
    return entry ? entry() : NULL;
}

__attribute__((visibility("default"))) const wh_cuda_api *wh_cuda_entry(void)
{
    static const wh_cuda_api api = {.abi = WH_CUDA_ABI,
                                    .row_bytes = sizeof(wh_row),
                                    .choice_bytes = sizeof(wh_choice),
                                    .most_rows = MOST_ROWS,
                                    .few_rows = FEW_ROWS,
                                    .most_masks = MASKS,
                                    .most_frames = FRAMES,
                                    .open = fake_open,
                                    .close = fake_close,
                                    .describe = fake_describe,
                                    .error = fake_error,
                                    .load = fake_load,
                                    .room = fake_room,
                                    .take = fake_take,
                                    .can_choose = fake_can_choose,
                                    .forbid = fake_forbid,
                                    .load_filters = fake_filters,
                                    .log_mel = fake_log_mel,
                                    .encode = fake_encode,
                                    .decode = fake_decode,
                                    .copy = fake_copy,
                                    .ceilings = fake_ceilings};
    const char *path = getenv("WHISP_FAKE_REAL");
    if (!path)
        return &api;
    real = find_real(path);
    return real ? &api : NULL;
}
