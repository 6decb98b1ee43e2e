/* search.c - the decoding loop: feed the start sequence, choose token after token, rank the candidates.
 *
 * Greedy at temperature 0; above it, best_of samples in one batched step, as GreedyDecoder and
 * MaximumLikelihoodRanker in openai-whisper's decoding.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "search/internal.h"
#include "util/text.h"

int wh_search_slots(const wh_values *v)
{
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(v, temperatures);
    for (int i = 0; i < n; i++)
        if (temperatures[i] > 0)
            return v->best_of;
    return 1;
}

int wh_search_new(const whisp_model *model, const whisp_options *options, wh_backend *backend, whisp_timings *timings,
                  wh_search **search)
{
    *search = NULL;
    wh_search *s = wh_calloc(1, sizeof *s);
    if (!s)
        return wh_fail_memory();
    s->model = model;
    s->options = options;
    s->specials = wh_tokenizer_specials(model->tokenizer);
    s->backend = backend;
    s->timings = timings;
    s->n_candidates = wh_search_slots(&options->values);
    s->sample_len = (size_t)model->n_text_ctx / 2;
    s->candidates = wh_calloc((size_t)s->n_candidates, sizeof *s->candidates);
    s->logits = wh_alloc_aligned((size_t)s->n_candidates * (size_t)model->n_vocab, sizeof *s->logits);
    s->start_logits = wh_alloc_aligned(2 * (size_t)model->n_vocab, sizeof *s->start_logits);
    s->start = wh_calloc((size_t)model->n_text_ctx + 8, sizeof *s->start);
    int rc = s->candidates && s->logits && s->start_logits && s->start ? wh_filters_init(s) : wh_fail_memory();
    for (int i = 0; i < s->n_candidates && !rc; i++)
        if (!(s->candidates[i].tokens = wh_calloc(s->sample_len, sizeof(whisp_token))))
            rc = wh_fail_memory();
    if (rc) {
        wh_search_free(s);
        return rc;
    }
    *search = s;
    return WHISP_OK;
}

void wh_search_free(wh_search *s)
{
    if (!s)
        return;
    for (int i = 0; s->candidates && i < s->n_candidates; i++)
        free(s->candidates[i].tokens);
    free(s->candidates);
    free(s->suppressed);
    free(s->blank);
    free(s->logits);
    free(s->start_logits);
    free(s->start);
    free(s);
}

const float *wh_search_first_logits(const wh_search *s)
{
    return s->start_logits + s->model->n_vocab;
}

const int32_t *wh_search_start(const wh_search *s, size_t *n)
{
    *n = s->n_start;
    return s->start;
}

int wh_search_begin(wh_search *s, const int32_t *prompt, size_t n_prompt, int language)
{
    const wh_specials *sp = s->specials;
    const wh_values *v = &s->options->values;
    size_t longest = (size_t)s->model->n_text_ctx / 2 - 1;
    size_t n = 0;
    if (n_prompt) {
        if (n_prompt > longest) {
            prompt += n_prompt - longest;
            n_prompt = longest;
        }
        s->start[n++] = sp->sot_prev;
        memcpy(s->start + n, prompt, n_prompt * sizeof *prompt);
        n += n_prompt;
    }
    s->sot_index = n;
    s->start[n++] = sp->sot;
    if (sp->multilingual) {
        s->start[n++] = sp->first_language + language;
        s->start[n++] = v->translate ? sp->translate : sp->transcribe;
    }
    if (v->without_timestamps)
        s->start[n++] = sp->no_timestamps;
    s->n_start = n;

    double t0 = wh_now();
    int rows[2] = {(int)s->sot_index, (int)n - 1};
    int same = rows[0] == rows[1]; /* English-only without a prompt: one row serves both */
    wh_step step = {.slot = 0,
                    .n_tokens = (int)n,
                    .tokens = s->start,
                    .n_rows = same ? 1 : 2,
                    .rows = rows,
                    .logits = s->start_logits};
    int rc = wh_backend_truncate(s->backend, 0, 0);
    if (!rc)
        rc = wh_backend_decode(s->backend, 1, &step);
    if (!rc && same)
        memcpy(s->start_logits + s->model->n_vocab, s->start_logits, (size_t)s->model->n_vocab * sizeof(float));
    s->timings->prompt += wh_now() - t0;
    s->timings->n_prompt_tokens += (int64_t)n;
    return rc;
}

/* log(sum(exp(x))) over n values, in double. */
static double log_sum_exp(const float *x, int n)
{
    float most = -INFINITY;
    for (int i = 0; i < n; i++)
        most = WH_MAX(most, x[i]);
    if (most == -INFINITY)
        return -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)expf(x[i] - most);
    return most + log(sum);
}

/* A random number in [0, 1) that depends on its place alone: splitmix64's finalizer (Steele, Lea, Flood 2014) over a
 * chain of keys. */
static double random_at(int64_t seed, int64_t seek, double temperature, int candidate, size_t step)
{
    uint64_t keys[5] = {(uint64_t)seed, (uint64_t)seek, 0, (uint64_t)candidate, (uint64_t)step}, h = 0;
    memcpy(&keys[2], &temperature, sizeof temperature);
    for (int i = 0; i < 5; i++) {
        h += keys[i] + 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        h ^= h >> 31;
    }
    return (double)(h >> 11) / 9007199254740992.0;
}

static int most_probable(const float *logits, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
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

/* Choose the next token of a candidate from its row of logits (which is filtered in place). */
static void choose(wh_search *s, int i, float *logits, double temperature, int64_t seek)
{
    wh_candidate *c = &s->candidates[i];
    int n_vocab = s->model->n_vocab;
    wh_search_filter(s, logits, c->tokens, c->n);
    int id = temperature > 0 ? draw(logits, n_vocab, temperature,
                                    random_at(s->options->values.seed, seek, temperature, i, c->n))
                             : most_probable(logits, n_vocab);
    float logprob = (float)(logits[id] - log_sum_exp(logits, n_vocab));
    if (!(logprob <= 0)) /* every token forbidden, or a model that computes NaN: end the sequence */
        id = s->specials->eot, logprob = logprob > 0 ? 0 : -INFINITY;
    c->sum_logprob += logprob;
    if (id == s->specials->eot)
        c->ended = 1;
    else
        c->tokens[c->n++] = (whisp_token){id, logprob};
}

/* Feed the last token of every living candidate, one batched step. */
static int step_all(wh_search *s, int n_candidates)
{
    wh_step steps[WH_MAX_CANDIDATES];
    static const int row = 0;
    int n = 0;
    int32_t last[WH_MAX_CANDIDATES];
    for (int i = 0; i < n_candidates; i++) {
        const wh_candidate *c = &s->candidates[i];
        if (c->ended)
            continue;
        last[n] = c->tokens[c->n - 1].id;
        steps[n] = (wh_step){.slot = i,
                             .n_tokens = 1,
                             .tokens = &last[n],
                             .n_rows = 1,
                             .rows = &row,
                             .logits = s->logits + (size_t)i * (size_t)s->model->n_vocab};
        n++;
    }
    double t0 = wh_now();
    int rc = wh_backend_decode(s->backend, n, steps);
    s->timings->decode += wh_now() - t0;
    s->timings->n_decode_steps++;
    s->timings->n_decode_tokens += n;
    return rc;
}

/* The candidate that MaximumLikelihoodRanker picks. */
static const wh_candidate *rank(const wh_search *s, int n_candidates)
{
    double penalty = s->options->values.length_penalty, most = -INFINITY;
    const wh_candidate *best = &s->candidates[0];
    for (int i = 0; i < n_candidates; i++) {
        const wh_candidate *c = &s->candidates[i];
        double length = WH_MAX((double)c->n, 1);
        double score = c->sum_logprob / (isnan(penalty) ? length : pow((5 + length) / 6, penalty));
        if (score > most) {
            most = score;
            best = c;
        }
    }
    return best;
}

double wh_compression_ratio(const char *text, size_t n)
{
    uLongf packed = compressBound((uLong)n);
    Bytef *out = malloc(packed);
    double ratio = 0;
    if (out && compress(out, &packed, (const Bytef *)text, (uLong)n) == Z_OK && packed)
        ratio = (double)n / (double)packed;
    free(out);
    return ratio;
}

static int measure_text(wh_search *s, const wh_candidate *c, double *ratio)
{
    wh_buf buf = {0};
    int32_t *ids = wh_calloc(c->n, sizeof *ids);
    int rc = ids ? WHISP_OK : wh_fail_memory();
    if (!rc) {
        for (size_t i = 0; i < c->n; i++)
            ids[i] = c->tokens[i].id;
        rc = wh_tokenizer_decode(s->model->tokenizer, ids, c->n, s->specials->timestamp_begin, &buf);
    }
    if (!rc && buf.failed)
        rc = wh_fail_memory();
    if (!rc) {
        const char *text = buf.data ? buf.data : "";
        size_t n = buf.length;
        wh_strip(&text, &n);
        *ratio = wh_compression_ratio(text, n);
    }
    free(ids);
    wh_buf_free(&buf);
    return rc;
}

int wh_search_decode(wh_search *s, double temperature, int64_t seek, wh_decoding *decoding)
{
    size_t n_vocab = (size_t)s->model->n_vocab;
    int n_candidates = temperature > 0 ? s->n_candidates : 1, rc;
    if ((rc = wh_backend_truncate(s->backend, 0, (int)s->n_start)))
        return rc;
    for (int i = 0; i < n_candidates; i++) {
        if (i && (rc = wh_backend_fork(s->backend, i, 0)))
            return rc;
        s->candidates[i].n = 0;
        s->candidates[i].sum_logprob = 0;
        s->candidates[i].ended = 0;
        memcpy(s->logits + (size_t)i * n_vocab, s->start_logits + n_vocab, n_vocab * sizeof(float));
    }
    for (size_t step = 0;; step++) {
        if ((rc = wh_check_cancel(s->options)))
            return rc;
        double t0 = wh_now();
        int living = 0;
        for (int i = 0; i < n_candidates; i++) {
            if (!s->candidates[i].ended)
                choose(s, i, s->logits + (size_t)i * n_vocab, temperature, seek);
            living += !s->candidates[i].ended;
        }
        s->timings->search += wh_now() - t0;
        /* as long as the reference goes: sample_len tokens, and not past the decoder's context */
        if (!living || step + 1 >= s->sample_len || s->n_start + step + 1 > (size_t)s->model->n_text_ctx)
            break;
        if ((rc = step_all(s, n_candidates)))
            return rc;
    }
    const wh_candidate *best = rank(s, n_candidates);
    decoding->tokens = best->tokens;
    decoding->n = best->n;
    decoding->temperature = temperature;
    decoding->avg_logprob = (double)best->sum_logprob / (double)(best->n + 1);
    decoding->no_speech_prob =
        exp((double)s->start_logits[s->specials->no_speech] - log_sum_exp(s->start_logits, (int)n_vocab));
    return measure_text(s, best, &decoding->compression_ratio);
}

int wh_search_languages(wh_search *s, float *probabilities)
{
    const wh_specials *sp = s->specials;
    static const int row = 0;
    int32_t sot = sp->sot;
    wh_step step = {.slot = 0, .n_tokens = 1, .tokens = &sot, .n_rows = 1, .rows = &row, .logits = s->start_logits};
    double t0 = wh_now();
    int rc = wh_backend_truncate(s->backend, 0, 0);
    if (!rc)
        rc = wh_backend_decode(s->backend, 1, &step);
    s->timings->prompt += wh_now() - t0;
    s->timings->n_prompt_tokens++;
    if (rc)
        return rc;
    const float *logits = s->start_logits + sp->first_language;
    double total = log_sum_exp(logits, sp->n_languages);
    for (int i = 0; i < sp->n_languages; i++)
        probabilities[i] = (float)exp(logits[i] - total);
    return most_probable(logits, sp->n_languages);
}
