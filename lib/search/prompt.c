/* prompt.c - what the decoder is started with: hotwords, text before, start sequence, prefix.
 *
 *   [start of prev, hotwords, text before] start of transcript [language, task] [no timestamps] [0.00, prefix]
 *
 * Stands before the search. Text before and start sequence are openai-whisper's (decoding.py, _get_initial_tokens);
 * hotwords and prefix are faster-whisper's (transcribe.py, get_prompt). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

/* Tokens of a prompt at most, without its start-of-prev. */
static size_t longest_prompt(const wh_search *s)
{
    return (size_t)s->model->n_text_ctx / 2 - 1;
}

/* Append the tokens of a space and the stripped text to *tokens; no text, no tokens. */
static int encode_text(const wh_search *s, const char *text, int32_t **tokens, size_t *n, size_t *capacity)
{
    if (!text || !*text)
        return WHISP_OK;
    return wh_tokenizer_encode_spaced(s->model->tokenizer, text, strlen(text), tokens, n, capacity);
}

/* Ids with commas between them, which the options have checked to be numbers. */
static int read_ids(const whisp_model *model, const char *text, int32_t **tokens, size_t *n, size_t *capacity)
{
    for (char *end; *text; text = *end ? end + 1 : end) {
        long id = strtol(text, &end, 10);
        end += strspn(end, " ");
        if (id < 0 || id >= model->n_vocab)
            return wh_fail(WHISP_ERR_ARGUMENT, "option initial_prompt_tokens: token %ld is not in the vocabulary of %d",
                           id, model->n_vocab);
        int rc = wh_grow(tokens, capacity, *n + 1, sizeof **tokens);
        if (rc)
            return rc;
        (*tokens)[(*n)++] = (int32_t)id;
    }
    return WHISP_OK;
}

int wh_prompt_initial(const whisp_model *model, const wh_values *v, int32_t **tokens, size_t *n, size_t *capacity)
{
    const char *text = v->initial_prompt; /* an empty one is a space, as in openai-whisper */
    if (text)
        return wh_tokenizer_encode_spaced(model->tokenizer, text, strlen(text), tokens, n, capacity);
    return v->initial_prompt_tokens ? read_ids(model, v->initial_prompt_tokens, tokens, n, capacity) : WHISP_OK;
}

static int encode_prefix(wh_search *s)
{
    const wh_values *v = &s->options->values;
    size_t capacity = 0;
    int rc;
    if (!v->prefix || !*v->prefix)
        return WHISP_OK;
    if (!v->without_timestamps) {
        if ((rc = wh_grow(&s->prefix, &capacity, 1, sizeof *s->prefix)))
            return rc;
        s->prefix[s->n_prefix++] = s->specials->timestamp_begin;
    }
    size_t opening = s->n_prefix;
    if ((rc = encode_text(s, v->prefix, &s->prefix, &s->n_prefix, &capacity)))
        return rc;
    s->n_prefix = WH_MIN(s->n_prefix, opening + longest_prompt(s));
    return WHISP_OK;
}

/* Tokens of the start sequence alone. */
static size_t start_length(const wh_search *s)
{
    return 1 + (s->specials->multilingual ? 2 : 0) + (s->options->values.without_timestamps ? 1 : 0);
}

/* Refuse a number of tokens for which there can be no room beside what the user wants in the prompt. */
static int check_room(const wh_search *s)
{
    const wh_values *v = &s->options->values;
    size_t wanted = (size_t)WH_MAX(v->max_new_tokens, v->sample_len), capacity = 0, n_initial = 0;
    int32_t *initial = NULL;
    if (!wanted)
        return WHISP_OK;
    int rc = wh_prompt_initial(s->model, v, &initial, &n_initial, &capacity);
    free(initial);
    if (rc)
        return rc;
    size_t prompt = WH_MIN(n_initial, longest_prompt(s)) + (s->n_prefix ? 0 : s->n_hotwords);
    size_t length = start_length(s) + s->n_prefix + (prompt ? prompt + 1 : 0), room = (size_t)s->model->n_text_ctx;
    if (length + wanted > room)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "option %s: %zu after a prompt of %zu tokens; the model has room for %zu in all. Ask for fewer, "
                       "or shorten initial_prompt, prefix or hotwords",
                       v->max_new_tokens ? "max_new_tokens" : "sample_len", wanted, length, room);
    return WHISP_OK;
}

int wh_prompt_init(wh_search *s)
{
    const wh_values *v = &s->options->values;
    size_t capacity = 0;
    int rc = encode_prefix(s);
    if (!rc)
        rc = encode_text(s, v->hotwords, &s->hotwords, &s->n_hotwords, &capacity);
    s->n_hotwords = WH_MIN(s->n_hotwords, longest_prompt(s));
    return rc ? rc : check_room(s);
}

static void append(wh_search *s, const int32_t *tokens, size_t n)
{
    if (n)
        memcpy(s->start + s->n_start, tokens, n * sizeof *tokens);
    s->n_start += n;
}

/* How much text before fits: half the context less one token, and less where hotwords, a prefix or max_new_tokens take
 * so much that less than they ask for, or than a quarter of the context, would be left for what is heard. */
static size_t room_before(const wh_search *s, size_t n_hotwords)
{
    const wh_values *v = &s->options->values;
    size_t ctx = (size_t)s->model->n_text_ctx, words = (size_t)WH_MAX(v->max_new_tokens, v->sample_len);
    size_t taken = 1 + n_hotwords + start_length(s) + s->n_forced + (words ? words : ctx / 4);
    return WH_MIN(longest_prompt(s), taken < ctx ? ctx - taken : 0);
}

static void make_start(wh_search *s, const int32_t *prompt, size_t n_prompt, int language)
{
    const wh_specials *sp = s->specials;
    const wh_values *v = &s->options->values;
    s->n_start = 0;
    s->n_forced = s->first_window ? s->n_prefix : 0;
    size_t n_hotwords = s->n_forced ? 0 : s->n_hotwords;
    size_t ctx = (size_t)s->model->n_text_ctx;
    if (s->n_given + 1 + n_hotwords + start_length(s) + ctx / 4 > ctx) /* no room to go on in */
        s->n_given = 0;
    if (s->n_given)
        s->n_forced = s->n_given;
    size_t room = room_before(s, n_hotwords);
    if (n_prompt > room) {
        prompt += n_prompt - room;
        n_prompt = room;
    }
    if (n_prompt + n_hotwords) {
        s->start[s->n_start++] = sp->sot_prev;
        append(s, s->hotwords, n_hotwords);
        append(s, prompt, n_prompt);
    }
    s->sot_index = s->n_start;
    s->start[s->n_start++] = sp->sot;
    if (sp->multilingual) {
        s->start[s->n_start++] = sp->languages[language];
        s->start[s->n_start++] = v->translate ? sp->translate : sp->transcribe;
    }
    if (v->without_timestamps)
        s->start[s->n_start++] = sp->no_timestamps;
    for (size_t i = 0; i < s->n_given; i++)
        s->start[s->n_start++] = s->said[i].id;
    if (!s->n_given)
        append(s, s->prefix, s->n_forced);
}

void wh_search_first_window(wh_search *s, int first)
{
    s->first_window = first;
}

const int32_t *wh_search_start(const wh_search *s, size_t *n)
{
    *n = s->n_start;
    return s->start;
}

/* What is never written takes no part in probabilities either: a model with rows that only fill its vocabulary up says
 * what it says without them. */
static void forget_unwritable(wh_search *s)
{
    size_t n;
    const int32_t *ids = wh_tokenizer_unwritable(s->model->tokenizer, &n);
    for (size_t i = 0; i < n; i++)
        s->start_logits[ids[i]] = s->start_logits[s->model->n_vocab + ids[i]] = -INFINITY;
}

int wh_search_begin(wh_search *s, const int32_t *prompt, size_t n_prompt, int language)
{
    make_start(s, prompt, n_prompt, language);
    double t0 = wh_now();
    int rows[2] = {(int)s->sot_index, (int)s->n_start - 1};
    int same = rows[0] == rows[1]; /* English-only without a prompt: one row serves both */
    wh_step step = {.slot = 0,
                    .n_tokens = (int)s->n_start,
                    .tokens = s->start,
                    .n_rows = same ? 1 : 2,
                    .rows = rows,
                    .logits = s->start_logits};
    s->has_read = 0;
    int rc = wh_backend_truncate(s->backend, 0, 0);
    if (!rc)
        rc = wh_backend_decode(s->backend, 1, &step);
    if (!rc && same)
        memcpy(s->start_logits + s->model->n_vocab, s->start_logits, (size_t)s->model->n_vocab * sizeof(float));
    s->unsound = 0;
    if (!rc) {
        wh_search_check(s, s->start_logits, 2 * (size_t)s->model->n_vocab);
        forget_unwritable(s);
    }
    s->timings->prompt += wh_now() - t0;
    s->timings->n_prompt_tokens += (int64_t)s->n_start;
    return rc;
}
