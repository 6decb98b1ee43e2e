/* logits.c - sums and the greatest over a row of logits, and what may not follow it: the bottom of lib/search. */
#include <math.h>

#include "search/internal.h"

double wh_log_sum_exp(const wh_search *s, const float *x, int n)
{
    double sum;
    float most = s->kernels->exp_sum(x, (size_t)n, &sum, NULL);
    return most == -INFINITY ? -INFINITY : most + log(sum);
}

int wh_most_probable(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

void wh_search_check(wh_search *s, const float *logits, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += logits[i] * 0; /* NaN from NaN and from infinity */
    s->unsound |= sum != 0;
}

void wh_forbid(wh_choice *c, int32_t id)
{
    int32_t *also = (int32_t *)c->also; /* the list that wh_search_rules() was given */
    also[c->n_also++] = id;
}
