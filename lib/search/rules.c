/* rules.c - what may follow: a row for each rule.
 *
 * Made of the options and a candidate's tokens so far. A rule says what it can in a wh_choice, which choose.c or the backend
 * carries out on a row of logits; a rule that changes the logits themselves makes backends give them back. The rules are
 * those of the LogitFilter classes in openai-whisper's decoding.py, and CTranslate2's (penalties.c). */
#include "search/internal.h"

static int has_blank_beginning(const wh_values *v)
{
    return v->suppress_blank;
}

/* SuppressBlank: a window does not begin with a space, nor end at once. Behind given words it has begun. */
static void begin_with_text(const wh_search *s, const whisp_token *sampled, size_t n, wh_choice *c)
{
    (void)sampled;
    if (n != s->n_forced || s->n_given)
        return;
    for (size_t i = 0; i < s->n_blank; i++)
        wh_forbid(c, s->blank[i]);
    wh_forbid(c, s->specials->eot);
}

static int has_times(const wh_values *v)
{
    return !v->without_timestamps;
}

/* Times come in pairs, do not decrease, and stand at the beginning; and when the times together are more probable than
 * any single text token, a time it is. */
static void keep_times(const wh_search *s, const whisp_token *sampled, size_t n, wh_choice *c)
{
    int begin = s->specials->timestamp_begin;
    int last_was = n >= 1 && sampled[n - 1].id >= begin;
    int before_was = n < 2 || sampled[n - 2].id >= begin;
    c->time_begin = c->time_from = begin;
    c->compare_times = 1;
    if (last_was && !before_was)
        c->text_from = s->specials->eot;
    for (size_t i = n; i-- > 0;)
        if (sampled[i].id >= begin) {
            c->time_from = sampled[i].id + (last_was && !before_was ? 0 : 1);
            break;
        }
    if (last_was && before_was)
        c->time_from = c->time_to;
    if (n == 0) {
        c->text_from = begin;
        if (s->max_initial >= 0)
            c->time_to = WH_MIN(begin + s->max_initial + 1, c->time_to);
    }
}

static const wh_rule rules[] = {
    {wh_is_penalizing, wh_penalize_seen, NULL}, /* the first: its tokens lie before the others' */
    {wh_is_without_ngrams, wh_forbid_ngrams, NULL},
    {has_blank_beginning, begin_with_text, NULL},
    {has_times, keep_times, NULL},
};

void wh_rules_init(wh_search *s)
{
    s->rules = rules;
    s->n_rules = WH_COUNT(rules);
}

void wh_search_rules(const wh_search *s, const whisp_token *sampled, size_t n, int32_t *list, wh_choice *c)
{
    int n_vocab = s->model->n_vocab;
    *c = (wh_choice){.forbidden = s->forbidden,
                     .penalized = list,
                     .also = list,
                     .time_begin = n_vocab,
                     .time_from = n_vocab,
                     .time_to = n_vocab,
                     .most = 1};
    for (size_t i = 0; i < s->n_rules; i++)
        if (s->rules[i].say && s->rules[i].is_on(&s->options->values))
            s->rules[i].say(s, sampled, n, c);
}

int wh_rules_need_logits(const wh_search *s)
{
    for (size_t i = 0; i < s->n_rules; i++)
        if (s->rules[i].change && s->rules[i].is_on(&s->options->values))
            return 1;
    return 0;
}

void wh_rules_change(const wh_search *s, const whisp_token *sampled, size_t n, float *logits)
{
    for (size_t i = 0; i < s->n_rules; i++)
        if (s->rules[i].change && s->rules[i].is_on(&s->options->values))
            s->rules[i].change(s, sampled, n, logits);
}
