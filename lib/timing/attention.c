/* attention.c - from the alignment heads' scores to times: the matrix of find_alignment() in openai-whisper's timing.py.
 *
 * Each head's scores of a token become weights (softmax over the sound); each frame's weights, over all tokens, get mean 0
 * and deviation 1; a median filter smoothes them; the mean over heads, negative, is what time warping goes through. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/registry.h"
#include "timing/attention.h"

#define LANES 16

size_t wh_align_start(const wh_alignment *a, int32_t *tokens)
{
    const wh_specials *sp = wh_tokenizer_specials(a->model->tokenizer);
    size_t n = 0;
    tokens[n++] = sp->sot;
    if (sp->multilingual) {
        tokens[n++] = sp->languages[a->language];
        tokens[n++] = a->translate ? sp->translate : sp->transcribe;
    }
    tokens[n++] = sp->no_timestamps;
    return n;
}

size_t wh_align_frames(const wh_alignment *a)
{
    int64_t frames = a->frames / 2;
    return frames < 1 ? 1 : WH_MIN((size_t)frames, (size_t)a->model->n_audio_ctx);
}

size_t wh_looks_at(const wh_looks *a, size_t head, size_t row)
{
    return (head * a->n_rows + row) * a->ctx;
}

void wh_looks_ask(const wh_looks *a, size_t row, wh_step *step)
{
    step->cross_scores = a->weights + wh_looks_at(a, 0, row);
    step->cross_stride = wh_looks_at(a, 1, 0);
}

/* A head's scores of one token become weights: row = softmax(row[0 .. n_frames)). */
static void weigh(const wh_looks *a, const wh_kernels *kernels, size_t head, size_t i, float *scratch)
{
    float *row = a->weights + wh_looks_at(a, head, i);
    int is_text = i >= a->first && i + 1 < a->first + a->n_wanted; /* is followed by a text token */
    if (is_text && a->evidence)
        memcpy(scratch, row, a->n_frames * sizeof *row);
    kernels->softmax(row, 1, a->n_frames);
    if (is_text && a->evidence)
        wh_evidence_attend(scratch, row, a->n_frames, a->heads, &a->evidence[i - a->first]);
}

/* What brings each frame's weights, over all tokens, to mean 0 and deviation 1: less `mean`, times `factor`. A frame that
 * no token tells apart says nothing. x: [n_rows] rows of n_frames, ctx apart. */
static void measure_frames(const wh_looks *a, const float *x, float *mean, float *factor)
{
    size_t n = a->n_frames;
    for (size_t t = 0; t < n; t++)
        mean[t] = factor[t] = 0;
    for (size_t i = 0; i < a->n_rows; i++)
        for (size_t t = 0; t < n; t++)
            mean[t] += x[i * a->ctx + t];
    for (size_t t = 0; t < n; t++)
        mean[t] /= (float)a->n_rows;
    for (size_t i = 0; i < a->n_rows; i++)
        for (size_t t = 0; t < n; t++) {
            float d = x[i * a->ctx + t] - mean[t];
            factor[t] += d * d;
        }
    for (size_t t = 0; t < n; t++) {
        float deviation = sqrtf(factor[t] / (float)a->n_rows);
        factor[t] = deviation > 0 ? 1 / deviation : 0;
    }
}

/* A head's weights are added to the costs, [n_wanted][n_frames], which begin where the first head's weights do: a row of
 * them is written behind the row that is read. */
static void add_head(const wh_looks *a, size_t head, int is_first, float *scratch)
{
    size_t n = a->n_frames;
    float *mean = scratch, *factor = scratch + n, *rest = scratch + 2 * n;
    measure_frames(a, a->weights + wh_looks_at(a, head, 0), mean, factor);
    for (size_t i = 0; i < a->n_wanted; i++) {
        float *x = a->weights + wh_looks_at(a, head, a->first + i), *cost = a->weights + i * n;
        for (size_t t = 0; t < n; t++)
            x[t] = (x[t] - mean[t]) * factor[t];
        if (!a->best)
            wh_median_filter(x, 1, n, a->width, rest);
        if (is_first)
            memmove(cost, x, n * sizeof *cost);
        else
            for (size_t t = 0; t < n; t++)
                cost[t] += x[t];
    }
}

/* How sharply a head looks: the norms of its frames and of its tokens, added up. A head that looks everywhere, or always
 * at the same place, has little of it. */
static double sharpness(const wh_looks *a, size_t head, float *scratch)
{
    size_t n = a->n_frames;
    double sum = 0;
    memset(scratch, 0, n * sizeof *scratch);
    for (size_t i = 0; i < a->n_rows; i++) {
        const float *row = a->weights + wh_looks_at(a, head, i);
        float lanes[LANES] = {0}, squares = 0;
        for (size_t t = 0; t < n; t++)
            scratch[t] += row[t] * row[t];
        for (size_t t = 0; t < n; t++)
            lanes[t % LANES] += row[t] * row[t];
        for (size_t k = 0; k < LANES; k++)
            squares += lanes[k];
        sum += (double)sqrtf(squares);
    }
    for (size_t t = 0; t < n; t++)
        sum += (double)sqrtf(scratch[t]);
    return sum;
}

/* The `best` sharpest heads get 1 in `taken`, the first of equals first. */
static void choose_heads(const wh_looks *a, double *sharp, unsigned char *taken, float *scratch)
{
    for (size_t h = 0; h < a->heads; h++)
        sharp[h] = sharpness(a, h, scratch);
    for (size_t k = 0; k < WH_MIN(a->best, a->heads); k++) {
        size_t best = a->heads;
        for (size_t h = 0; h < a->heads; h++)
            if (!taken[h] && (best == a->heads || sharp[h] > sharp[best]))
                best = h;
        taken[best] = 1;
    }
}

/* The heads' scores become one matrix of costs, [n_wanted][n_frames], at the beginning of weights. Where the best heads
 * are wanted, it is their scores that are smoothed, so that a head is judged by what is used of it. */
static int make_costs(wh_looks *a)
{
    const wh_kernels *kernels = wh_cpu_best().kernels;
    float *scratch = wh_calloc(3 * a->n_frames + a->width, sizeof *scratch);
    double *sharp = wh_calloc(a->heads, sizeof *sharp);
    unsigned char *taken = wh_calloc(a->heads, 1);
    size_t n_taken = 0;
    int rc = scratch && sharp && taken ? WHISP_OK : wh_fail_memory();
    for (size_t h = 0; h < a->heads && !rc; h++)
        for (size_t i = 0; i < a->n_rows; i++) {
            if (a->best)
                wh_median_filter(a->weights + wh_looks_at(a, h, i), 1, a->n_frames, a->width, scratch);
            weigh(a, kernels, h, i, scratch);
        }
    if (!rc && a->best)
        choose_heads(a, sharp, taken, scratch);
    for (size_t h = 0; h < a->heads && !rc; h++)
        if (!a->best || taken[h])
            add_head(a, h, n_taken++ == 0, scratch);
    for (size_t i = 0; i < a->n_wanted * a->n_frames && !rc; i++)
        a->weights[i] = -(a->weights[i] / (float)n_taken);
    free(scratch);
    free(sharp);
    free(taken);
    return rc;
}

int wh_looks_times(wh_looks *a, double *times)
{
    size_t length, most = a->n_wanted + a->n_frames;
    int rc = make_costs(a), *path = rc ? NULL : wh_calloc(2 * most, sizeof *path);
    if (!path)
        return rc ? rc : wh_fail_memory();
    int *columns = path + most;
    rc = wh_dtw(a->weights, a->n_wanted, a->n_frames, path, columns, &length);
    for (size_t k = 0; !rc && k < length; k++) /* the path's first step into each row */
        if (k == 0 || path[k] != path[k - 1])
            times[path[k]] = columns[k] / WH_PER_SECOND;
    free(path);
    return rc;
}
