/* evidence.c - what a row of logits, a row of attention and other samples say about a token. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "confidence/confidence.h"
#include "util/edit.h"

#define LEAST (-30.0f) /* log-probabilities below are as good as this */
#define LANES 16

/* The greatest of n values, sixteen at a time. */
static float greatest(const float *x, size_t n)
{
    float lanes[LANES], most = -INFINITY;
    for (size_t k = 0; k < LANES; k++)
        lanes[k] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
    for (; i < n; i++)
        most = WH_MAX(most, x[i]);
    for (size_t k = 0; k < LANES; k++)
        most = WH_MAX(most, lanes[k]);
    return most;
}

/* Sum of p[i] (x[i] - most), what is below LEAST counted as that. */
static double weighted_sum(const float *p, const float *x, float most, size_t n)
{
    float lanes[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            float d = x[i + k] - most;
            lanes[k] += p[i + k] * (d > LEAST ? d : LEAST);
        }
    for (; i < n; i++)
        sum += (double)(p[i] * WH_MAX(x[i] - most, LEAST));
    for (size_t k = 0; k < LANES; k++)
        sum += (double)lanes[k];
    return sum;
}

void wh_evidence_read(const wh_kernels *kernels, const float *logits, int n, int32_t id, wh_evidence *evidence)
{
    size_t behind = (size_t)id + 1, all = (size_t)n;
    float other = WH_MAX(greatest(logits, (size_t)id), greatest(logits + behind, all - behind));
    double sum, weighted;
    float most = kernels->exp_sum(logits, all, &sum, &weighted);
    float total = (float)log(sum), logprob = logits[id] - most - total, margin = logits[id] - other;
    float entropy = total - (float)(weighted / sum);
    /* a model that computes NaN says nothing */
    evidence->logprob = logprob > LEAST && isfinite(logprob) ? logprob : LEAST;
    evidence->margin = isnan(margin) ? LEAST : WH_MAX(LEAST, WH_MIN(margin, -LEAST));
    evidence->entropy = entropy >= 0 && isfinite(entropy) ? entropy : 0;
}

void wh_evidence_attend(const float *scores, const float *weights, size_t n, size_t heads, wh_evidence *evidence)
{
    float most = greatest(weights, n), highest = greatest(scores, n);
    double entropy = -log((double)most) - weighted_sum(weights, scores, highest, n); /* `most` is 1 / sum of exp */
    evidence->peak += most / (float)heads;
    evidence->spread += (entropy > 0 ? (float)entropy : 0) / (float)heads;
}

struct key_lists {
    const uint64_t *keys, *other;
};

static int same_key(const void *user, size_t i, size_t j)
{
    const struct key_lists *lists = user;
    return lists->keys[i] == lists->other[j];
}

/* The table of edit distances, [n + 1][m + 1], then the way back through it. */
int wh_agree(const uint64_t *keys, size_t n, const uint64_t *other, size_t m, float *counts, int32_t *partners)
{
    size_t width = m + 1;
    const struct key_lists lists = {keys, other};
    unsigned *cost = wh_calloc((n + 1) * width, sizeof *cost);
    if (!cost)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++)
        partners[i] = -1;
    for (size_t i = 0; i <= n; i++)
        wh_edit_row(i, i ? cost + (i - 1) * width : NULL, cost + i * width, m, same_key, &lists);
    for (size_t i = n, j = m; i > 0 && j > 0;) {
        const unsigned *c = &cost[i * width + j];
        int same = keys[i - 1] == other[j - 1];
        if (c[0] == c[-(ptrdiff_t)width - 1] + !same) {
            i--, j--;
            counts[i] += (float)same;
            partners[i] = same ? (int32_t)j : -1;
        } else if (c[0] == c[-(ptrdiff_t)width] + 1) {
            i--;
        } else {
            j--;
        }
    }
    free(cost);
    return WHISP_OK;
}
