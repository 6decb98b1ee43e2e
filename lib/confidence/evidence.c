/* evidence.c - what a row of logits, a row of attention and other samples say about a token. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "confidence/confidence.h"
#include "util/edit.h"

#define LEAST (-30.0f) /* log-probabilities below are as good as this */

void wh_evidence_read(const float *logits, int n, int32_t id, wh_evidence *evidence)
{
    float most = -INFINITY, other = -INFINITY;
    double sum = 0, weighted = 0;
    for (int i = 0; i < n; i++) {
        most = WH_MAX(most, logits[i]);
        if (i != id)
            other = WH_MAX(other, logits[i]);
    }
    for (int i = 0; i < n; i++) {
        float d = logits[i] - most;
        if (d > LEAST) {
            double e = (double)expf(d);
            sum += e;
            weighted += e * (double)d;
        }
    }
    float total = (float)log(sum), logprob = logits[id] - most - total, margin = logits[id] - other;
    float entropy = total - (float)(weighted / sum);
    /* a model that computes NaN says nothing */
    evidence->logprob = logprob > LEAST ? logprob : LEAST;
    evidence->margin = isnan(margin) ? LEAST : WH_MAX(LEAST, WH_MIN(margin, -LEAST));
    evidence->entropy = entropy >= 0 ? entropy : 0;
}

void wh_evidence_attend(const float *weights, size_t n, size_t heads, wh_evidence *evidence)
{
    float most = 0, entropy = 0;
    for (size_t i = 0; i < n; i++) {
        most = WH_MAX(most, weights[i]);
        if (weights[i] > 1e-6f)
            entropy -= weights[i] * logf(weights[i]);
    }
    evidence->peak += most / (float)heads;
    evidence->spread += entropy / (float)heads;
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
int wh_agree(const uint64_t *keys, size_t n, const uint64_t *other, size_t m, float *counts)
{
    size_t width = m + 1;
    const struct key_lists lists = {keys, other};
    unsigned *cost = wh_calloc((n + 1) * width, sizeof *cost);
    if (!cost)
        return wh_fail_memory();
    for (size_t i = 0; i <= n; i++)
        wh_edit_row(i, i ? cost + (i - 1) * width : NULL, cost + i * width, m, same_key, &lists);
    for (size_t i = n, j = m; i > 0 && j > 0;) {
        const unsigned *c = &cost[i * width + j];
        int same = keys[i - 1] == other[j - 1];
        if (c[0] == c[-(ptrdiff_t)width - 1] + !same) {
            i--, j--;
            counts[i] += (float)same;
        } else if (c[0] == c[-(ptrdiff_t)width] + 1) {
            i--;
        } else {
            j--;
        }
    }
    free(cost);
    return WHISP_OK;
}
