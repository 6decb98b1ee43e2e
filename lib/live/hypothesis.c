/* hypothesis.c - words of passes and what has settled of them: lists, and where two of them agree. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "live/stream.h"
#include "util/edit.h"

void wh_hypothesis_clear(wh_hypothesis *s)
{
    s->n = s->n_tokens = 0;
    wh_buf_clear(&s->text);
    wh_buf_clear(&s->keys);
}

void wh_hypothesis_free(wh_hypothesis *s)
{
    free(s->list);
    free(s->tokens);
    wh_buf_free(&s->text);
    wh_buf_free(&s->keys);
    memset(s, 0, sizeof *s);
}

int wh_hypothesis_add(wh_hypothesis *s, const wh_said *times, const char *text, size_t length, const char *key,
                      size_t key_length, const int32_t *tokens, size_t n_tokens)
{
    if (wh_grow(&s->list, &s->capacity, s->n + 1, sizeof *s->list) ||
        wh_grow(&s->tokens, &s->tokens_capacity, s->n_tokens + n_tokens + 1, sizeof *s->tokens))
        return WHISP_ERR_MEMORY;
    wh_said word = *times;
    word.text = s->text.length;
    word.length = length;
    word.key = s->keys.length;
    word.key_length = key_length;
    word.first_token = s->n_tokens;
    word.n_tokens = n_tokens;
    wh_buf_append(&s->text, text, length);
    wh_buf_append(&s->text, "", 1);
    wh_buf_append(&s->keys, key, key_length);
    wh_buf_append(&s->keys, "", 1);
    if (s->text.failed || s->keys.failed)
        return wh_fail_memory();
    if (n_tokens)
        memcpy(s->tokens + s->n_tokens, tokens, n_tokens * sizeof *tokens);
    s->n_tokens += n_tokens;
    s->list[s->n++] = word;
    return WHISP_OK;
}

int wh_hypothesis_copy(wh_hypothesis *s, const wh_hypothesis *from, size_t i)
{
    const wh_said *w = &from->list[i];
    return wh_hypothesis_add(s, w, from->text.data + w->text, w->length, from->keys.data + w->key, w->key_length,
                             from->tokens + w->first_token, w->n_tokens);
}

static int same(const wh_hypothesis *a, size_t i, const wh_hypothesis *b, size_t k)
{
    return strcmp(a->keys.data + a->list[i].key, b->keys.data + b->list[k].key) == 0;
}

size_t wh_hypothesis_common(const wh_hypothesis *a, size_t i, const wh_hypothesis *b, size_t k)
{
    size_t n = 0;
    while (i + n < a->n && k + n < b->n && same(a, i + n, b, k + n))
        n++;
    return n;
}

/* Two lists of words, for wh_edit_row(). */
struct two {
    const wh_hypothesis *a, *b;
};

static int same_of_two(const void *user, size_t i, size_t k)
{
    const struct two *lists = user;
    return same(lists->a, i, lists->b, k);
}

int wh_hypothesis_skip(const wh_hypothesis *settled, const wh_hypothesis *heard, size_t *skip)
{
    const struct two lists = {settled, heard};
    *skip = 0;
    if (!settled->n || !heard->n)
        return WHISP_OK;
    /* cost[k]: edit distance between the settled words and the first k heard ones */
    unsigned *cost = wh_calloc(heard->n + 1, sizeof *cost);
    if (!cost)
        return wh_fail_memory();
    for (size_t i = 0; i <= settled->n; i++)
        wh_edit_row(i, i ? cost : NULL, cost, heard->n, same_of_two, &lists);
    double end = settled->list[settled->n - 1].end, nearest = INFINITY;
    unsigned least = UINT_MAX;
    for (size_t k = 0; k <= heard->n; k++) {
        double away = fabs((k ? heard->list[k - 1].end : heard->list[0].start) - end);
        if (cost[k] < least || (cost[k] == least && away < nearest)) {
            least = cost[k];
            nearest = away;
            *skip = k;
        }
    }
    free(cost);
    return WHISP_OK;
}
