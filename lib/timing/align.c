/* align.c - a window's text against its sound: find_alignment() of openai-whisper's timing.py.
 *
 * The decoder reads the start sequence, <|notimestamps|>, the text and the end. What the alignment heads look at while
 * they read is a matrix of tokens against time. Row i of it stands where text token i is about to be said. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"
#include "util/pages.h"

#define CHUNK 64 /* tokens a decoder call: bounds the memory for logits */
#define MEDIAN_WIDTH 7

/* One pass and all its memory. */
typedef struct pass {
    const wh_alignment *a;
    int32_t *tokens; /* [n_tokens] start sequence, text, end */
    size_t n_tokens, n_start, n_text;
    size_t n_frames;       /* encoder positions that hold sound */
    float *weights;        /* [heads][n_tokens][n_frames] */
    float *scores;         /* [heads][CHUNK][n_audio_ctx] */
    float *logits;         /* [CHUNK][n_vocab] */
    wh_pages rooms[3];     /* of these */
    double *probabilities; /* [n_text] */
} pass;

/* Tokens beside the text: start of transcript, language, task, no timestamps, end. */
enum { MOST_SPECIALS = 5 };

size_t wh_align_limit(const whisp_model *model)
{
    return model->n_text_ctx > MOST_SPECIALS ? (size_t)(model->n_text_ctx - MOST_SPECIALS) : 0;
}

static void free_pass(pass *p)
{
    free(p->tokens);
    for (size_t i = 0; i < WH_COUNT(p->rooms); i++)
        wh_pages_give_back(&p->rooms[i]);
    free(p->probabilities);
}

/* Where a head's weights for a token begin; of the head behind the last one: how many there are. */
static size_t weights_at(const pass *p, size_t head, size_t token)
{
    return (head * p->n_tokens + token) * p->n_frames;
}

static int make_pass(pass *p, const int32_t *tokens, size_t n)
{
    const whisp_model *m = p->a->model;
    const wh_specials *sp = wh_tokenizer_specials(m->tokenizer);
    size_t heads = (size_t)m->n_alignment_heads, ctx = (size_t)m->n_audio_ctx;
    int64_t frames = p->a->frames / 2;
    p->n_frames = frames < 1 ? 1 : WH_MIN((size_t)frames, ctx);
    p->n_text = n;
    p->tokens = wh_calloc(n + MOST_SPECIALS, sizeof *p->tokens);
    p->probabilities = wh_calloc(n, sizeof *p->probabilities);
    if (!p->tokens || !p->probabilities)
        return wh_fail_memory();
    p->tokens[p->n_start++] = sp->sot;
    if (sp->multilingual) {
        p->tokens[p->n_start++] = sp->languages[p->a->language];
        p->tokens[p->n_start++] = p->a->translate ? sp->translate : sp->transcribe;
    }
    p->n_tokens = p->n_start;
    p->tokens[p->n_tokens++] = sp->no_timestamps;
    memcpy(p->tokens + p->n_tokens, tokens, n * sizeof *tokens);
    p->n_tokens += n;
    p->tokens[p->n_tokens++] = sp->eot;
    if (wh_pages_take(&p->rooms[0], weights_at(p, heads, 0), 1) || wh_pages_take(&p->rooms[1], heads * CHUNK, ctx) ||
        wh_pages_take(&p->rooms[2], CHUNK, (size_t)m->n_vocab))
        return WHISP_ERR_MEMORY;
    p->weights = p->rooms[0].at;
    p->scores = p->rooms[1].at;
    p->logits = p->rooms[2].at;
    return WHISP_OK;
}

/* softmax(logits[0 .. n))[id] */
static double probability(const float *logits, int n, int32_t id)
{
    float most = -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, logits[i]);
    for (int i = 0; i < n; i++)
        sum += (double)expf(logits[i] - most);
    double p = (double)expf(logits[id] - most) / sum;
    return isnan(p) ? 0 : (float)p;
}

/* row = softmax(scores[0 .. n)) */
static void softmax(const float *scores, float *row, size_t n)
{
    float most = -INFINITY;
    double sum = 0;
    for (size_t t = 0; t < n; t++)
        most = fmaxf(most, scores[t]);
    for (size_t t = 0; t < n; t++) {
        row[t] = expf(scores[t] - most);
        sum += (double)row[t];
    }
    float scale = (float)(1 / sum);
    for (size_t t = 0; t < n; t++)
        row[t] *= scale;
}

/* Where the heads look when the text tokens after these rows are about to be said. */
static void attend(const pass *p, size_t first, const int *rows, int n_rows)
{
    size_t heads = (size_t)p->a->model->n_alignment_heads;
    for (int r = 0; r < n_rows; r++)
        for (size_t h = 0; h < heads; h++) {
            size_t at = first + (size_t)rows[r];
            wh_evidence_attend(p->weights + weights_at(p, h, at), p->n_frames, heads, &p->a->evidence[at - p->n_start]);
        }
}

/* Feed tokens first .. first + n - 1 and keep what the heads look at, and how probable the text is. */
static int feed_chunk(pass *p, size_t first, size_t n)
{
    const whisp_model *m = p->a->model;
    size_t ctx = (size_t)m->n_audio_ctx, vocab = (size_t)m->n_vocab;
    int rows[CHUNK], n_rows = 0, eot = wh_tokenizer_specials(m->tokenizer)->eot;
    for (size_t i = first; i < first + n; i++)
        if (i >= p->n_start && i < p->n_start + p->n_text) /* is followed by a text token */
            rows[n_rows++] = (int)(i - first);
    wh_step step = {.slot = p->a->slot,
                    .n_tokens = (int)n,
                    .tokens = p->tokens + first,
                    .n_rows = n_rows,
                    .rows = rows,
                    .logits = p->logits,
                    .cross_scores = p->scores};
    int rc = wh_backend_decode(p->a->backend, 1, &step);
    if (rc)
        return rc;
    for (int r = 0; r < n_rows; r++) {
        size_t at = first + (size_t)rows[r] + 1;
        p->probabilities[at - p->n_start - 1] = probability(p->logits + (size_t)r * vocab, eot, p->tokens[at]);
        if (p->a->evidence)
            wh_evidence_read(p->logits + (size_t)r * vocab, eot, p->tokens[at], &p->a->evidence[at - p->n_start - 1]);
    }
    for (size_t h = 0; h < (size_t)m->n_alignment_heads; h++)
        for (size_t i = 0; i < n; i++)
            softmax(p->scores + (h * n + i) * ctx, p->weights + weights_at(p, h, first + i), p->n_frames);
    if (p->a->evidence)
        attend(p, first, rows, n_rows);
    return WHISP_OK;
}

/* Each frame's weights, over all tokens, to mean 0 and deviation 1. A frame that no token tells apart says nothing. */
static void standardize(float *x, size_t n_tokens, size_t n_frames, float *mean, float *factor)
{
    for (size_t t = 0; t < n_frames; t++)
        mean[t] = factor[t] = 0;
    for (size_t i = 0; i < n_tokens; i++)
        for (size_t t = 0; t < n_frames; t++)
            mean[t] += x[i * n_frames + t];
    for (size_t t = 0; t < n_frames; t++)
        mean[t] /= (float)n_tokens;
    for (size_t i = 0; i < n_tokens; i++)
        for (size_t t = 0; t < n_frames; t++) {
            float d = x[i * n_frames + t] - mean[t];
            factor[t] += d * d;
        }
    for (size_t t = 0; t < n_frames; t++) {
        float deviation = sqrtf(factor[t] / (float)n_tokens);
        factor[t] = deviation > 0 ? 1 / deviation : 0;
    }
    for (size_t i = 0; i < n_tokens; i++)
        for (size_t t = 0; t < n_frames; t++)
            x[i * n_frames + t] = (x[i * n_frames + t] - mean[t]) * factor[t];
}

/* The heads' weights become one matrix of costs, [n_text + 1][n_frames], at the beginning of p->weights. */
static int make_costs(pass *p)
{
    size_t n = p->n_frames, rows = p->n_text + 1, heads = (size_t)p->a->model->n_alignment_heads;
    float *scratch = wh_calloc(3 * n, sizeof *scratch);
    if (!scratch)
        return wh_fail_memory();
    for (size_t h = 0; h < heads; h++) {
        float *x = p->weights + weights_at(p, h, 0), *wanted = p->weights + weights_at(p, h, p->n_start);
        standardize(x, p->n_tokens, n, scratch, scratch + n);
        wh_median_filter(wanted, rows, n, MEDIAN_WIDTH, scratch + 2 * n);
        for (size_t i = 0; i < rows * n; i++)
            p->weights[i] = h ? p->weights[i] + wanted[i] : wanted[i];
    }
    for (size_t i = 0; i < rows * n; i++)
        p->weights[i] = -(p->weights[i] / (float)heads);
    free(scratch);
    return WHISP_OK;
}

/* The path's first step into each row says when that token begins: times[0 .. n_text], seconds. */
static int find_times(const pass *p, double *times)
{
    size_t rows = p->n_text + 1, length;
    int *path = wh_calloc(2 * (rows + p->n_frames), sizeof *path);
    if (!path)
        return wh_fail_memory();
    int *columns = path + rows + p->n_frames;
    int rc = wh_dtw(p->weights, rows, p->n_frames, path, columns, &length);
    for (size_t k = 0; !rc && k < length; k++)
        if (k == 0 || path[k] != path[k - 1])
            times[path[k]] = columns[k] / WH_PER_SECOND;
    free(path);
    return rc;
}

static void set_times(const pass *p, const double *times, wh_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        wh_word *word = &words->list[i];
        word->start = times[word->first_token];
        word->end = times[word->first_token + word->n_tokens];
        double sum = 0;
        for (size_t k = 0; k < word->n_tokens; k++)
            sum += p->probabilities[word->first_token + k];
        word->probability = word->n_tokens ? sum / (double)word->n_tokens : 0;
    }
}

int wh_align(const wh_alignment *a, const int32_t *tokens, size_t n, whisp_cancel_fn cancel, void *user,
             wh_words *words)
{
    wh_words_clear(words);
    if (n == 0)
        return WHISP_OK;
    if (n > wh_align_limit(a->model))
        return wh_fail(WHISP_ERR_ARGUMENT, "a text of %zu tokens cannot be aligned with one window; %zu fit", n,
                       wh_align_limit(a->model));
    pass p = {.a = a};
    double *times = wh_calloc(n + 1, sizeof *times);
    int rc = times ? wh_words_split(a->model->tokenizer, a->language, tokens, n, words) : wh_fail_memory();
    if (!rc)
        rc = make_pass(&p, tokens, n);
    if (!rc)
        rc = wh_backend_truncate(a->backend, a->slot, 0);
    for (size_t first = 0; first < p.n_tokens && !rc; first += CHUNK) {
        if (cancel && cancel(user))
            rc = wh_fail(WHISP_ERR_CANCELLED, "cancelled");
        else
            rc = feed_chunk(&p, first, WH_MIN((size_t)CHUNK, p.n_tokens - first));
    }
    if (!rc)
        rc = make_costs(&p);
    if (!rc)
        rc = find_times(&p, times);
    if (!rc)
        set_times(&p, times, words);
    free(times);
    free_pass(&p);
    return rc;
}
