/* suppressed.c - the tokens that never follow: listed ones, those that a regular expression names, those that are no text.
 *
 * Made once from the options and given to the backend by number; rules.c and choose.c use the list. As SuppressTokens in
 * openai-whisper's decoding.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int add_token(wh_search *s, size_t *capacity, int64_t id)
{
    int rc = wh_grow(&s->suppressed, capacity, s->n_suppressed + 1, sizeof *s->suppressed);
    if (!rc)
        s->suppressed[s->n_suppressed++] = (int32_t)id;
    return rc;
}

/* "-1" or a list of ids -> s->suppressed. Like the reference, an empty list suppresses nothing at all, and any other
 * list suppresses the special tokens that are not text, too. */
static int add_listed(wh_search *s, size_t *capacity)
{
    const char *text = s->options->values.suppress_tokens;
    const wh_specials *specials = s->specials;
    int rc = 0;
    if (!text || !*text)
        return WHISP_OK;
    for (const char *p = text; !rc;) {
        char *end;
        long id = strtol(p, &end, 10);
        if (id == -1) {
            size_t n;
            const int32_t *ids = wh_tokenizer_non_speech(s->model->tokenizer, &n);
            for (size_t i = 0; i < n && !rc; i++)
                rc = add_token(s, capacity, ids[i]);
        } else if (id >= s->model->n_vocab) {
            return wh_fail(WHISP_ERR_ARGUMENT, "option suppress_tokens: token %ld is not in the vocabulary of %d", id,
                           s->model->n_vocab);
        } else {
            rc = add_token(s, capacity, id);
        }
        while (*end == ' ')
            end++;
        if (*end != ',')
            break;
        p = end + 1;
    }
    const int others[] = {specials->transcribe, specials->translate, specials->sot,
                          specials->sot_prev,   specials->sot_lm,    specials->no_speech};
    for (size_t i = 0; i < WH_COUNT(others) && !rc; i++)
        rc = add_token(s, capacity, others[i]);
    return rc;
}

/* s->suppressed, sorted and unique, from the list, the regular expression and what is never written. */
static int make_suppressed(wh_search *s)
{
    size_t capacity = 0, n_unwritable;
    const int32_t *unwritable = wh_tokenizer_unwritable(s->model->tokenizer, &n_unwritable);
    int rc = add_listed(s, &capacity);
    for (size_t i = 0; i < n_unwritable && !rc; i++)
        rc = add_token(s, &capacity, unwritable[i]);
    if (!rc && !s->options->values.without_timestamps)
        rc = add_token(s, &capacity, s->specials->no_timestamps);
    if (!rc)
        rc = wh_regex_suppress(s, &capacity);
    if (rc || !s->n_suppressed)
        return rc;
    qsort(s->suppressed, s->n_suppressed, sizeof *s->suppressed, by_id);
    size_t kept = 0;
    for (size_t i = 0; i < s->n_suppressed; i++)
        if (!i || s->suppressed[i] != s->suppressed[i - 1])
            s->suppressed[kept++] = s->suppressed[i];
    s->n_suppressed = kept;
    return WHISP_OK;
}

int wh_filters_init(wh_search *s)
{
    size_t capacity = 0;
    int rc = wh_tokenizer_encode(s->model->tokenizer, " ", 1, &s->blank, &s->n_blank, &capacity);
    if (rc)
        return rc;
    double limit = s->options->values.max_initial_timestamp;
    s->max_initial = -1;
    if (!isnan(limit) && limit > 0) /* 0 counts as None there */
        s->max_initial = (int)nearbyint(limit / (30.0 / s->model->n_audio_ctx));
    rc = make_suppressed(s);
    return rc ? rc : wh_backend_forbid(s->backend, s->suppressed, s->n_suppressed, &s->forbidden);
}
