/* choose.c - a row of logits and the rules for it -> the tokens that are chosen.
 *
 * The definition of what backend.h's wh_choice says, and how it is done for backends that return logits. The rules come
 * from rules.c, the row from the backend; what is chosen goes to sampling.c or beam.c. */
#include <math.h>

#include "search/internal.h"

static void forbid(float *logits, int from, int to)
{
    for (int i = from; i < to; i++)
        logits[i] = -INFINITY;
}

/* Forbid all text where the times together are more probable than each text token. */
static void compare_times(float *logits, int begin, int n_vocab)
{
    float most_text = -INFINITY, most_time = -INFINITY;
    for (int i = 0; i < begin; i++)
        most_text = WH_MAX(most_text, logits[i]);
    for (int i = begin; i < n_vocab; i++)
        most_time = WH_MAX(most_time, logits[i]);
    if (most_time == -INFINITY)
        return;
    double sum = 0;
    for (int i = begin; i < n_vocab; i++)
        if (logits[i] != -INFINITY)
            sum += exp((double)logits[i] - most_time);
    if (most_time + log(sum) > most_text)
        forbid(logits, 0, begin);
}

static void apply(const wh_search *s, const wh_choice *c, float *logits)
{
    int n_vocab = s->model->n_vocab;
    for (int i = 0; i < c->n_penalized; i++) {
        float *x = &logits[c->penalized[i]];
        *x = *x < 0 ? *x * c->penalty : *x / c->penalty;
    }
    for (int i = 0; i < c->n_also; i++)
        logits[c->also[i]] = -INFINITY;
    for (size_t i = 0; i < s->n_suppressed; i++)
        logits[s->suppressed[i]] = -INFINITY;
    forbid(logits, 0, c->text_from);
    forbid(logits, c->time_begin, WH_MIN(c->time_from, n_vocab));
    forbid(logits, c->time_to, n_vocab);
    if (c->compare_times)
        compare_times(logits, c->time_begin, n_vocab);
}

/* Draw from softmax(logits / temperature) by running down the cumulative distribution to u. */
static int draw(const float *logits, int n, double temperature, double u)
{
    float most = -INFINITY;
    for (int i = 0; i < n; i++)
        most = WH_MAX(most, logits[i]);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(((double)logits[i] - most) / temperature);
    double left = u * sum;
    int last = 0;
    for (int i = 0; i < n; i++) {
        double p = exp(((double)logits[i] - most) / temperature);
        if (p <= 0)
            continue;
        last = i;
        left -= p;
        if (left < 0)
            break;
    }
    return last;
}

/* The indices of the `most` greatest values above -infinity, greatest first, the first of equals first. How many. */
static int greatest(const float *x, int n, int most, int32_t *indices)
{
    int found = 0;
    float least = -INFINITY; /* what a value must exceed */
    for (int i = 0; i < n; i++) {
        if (!(x[i] > least))
            continue;
        int at = found < most ? found++ : most - 1;
        for (; at > 0 && x[indices[at - 1]] < x[i]; at--)
            indices[at] = indices[at - 1];
        indices[at] = i;
        if (found == most)
            least = x[indices[most - 1]];
    }
    return found;
}

void wh_choose(const wh_search *s, wh_choice *c, float *logits)
{
    int n_vocab = s->model->n_vocab;
    apply(s, c, logits);
    if (c->temperature > 0) {
        c->n = 1;
        c->ids[0] = draw(logits, n_vocab, c->temperature, c->u);
    } else if (c->most == 1) {
        c->ids[0] = wh_most_probable(logits, n_vocab);
        c->n = logits[c->ids[0]] > -INFINITY;
    } else {
        c->n = greatest(logits, n_vocab, WH_MIN(c->most, WH_MOST_CHOICES), c->ids);
    }
    double total = wh_log_sum_exp(s, logits, n_vocab);
    for (int i = 0; i < c->n; i++)
        c->logprobs[i] = (float)((double)logits[c->ids[i]] - total);
}

void wh_search_filter(const wh_search *s, float *logits, const whisp_token *sampled, size_t n)
{
    wh_choice choice;
    wh_search_rules(s, sampled, n, s->lists, &choice);
    wh_rules_change(s, sampled, n, logits);
    apply(s, &choice, logits);
}
