/* search.c - a window's decoding: beam search, the most probable tokens or samples, then the best of what they found.
 *
 * Stands between the start sequence (prompt.c) and lib/window. Ranking as MaximumLikelihoodRanker in
 * openai-whisper's decoding.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "search/internal.h"
#include "util/text.h"
#include "cpu/registry.h"

int wh_search_slots(const wh_values *v)
{
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(v, temperatures), slots = v->confidence ? WH_CONFIDENCE_SAMPLES + 1 : 1;
    for (int i = 0; i < n; i++)
        slots = WH_MAX(slots, temperatures[i] > 0 ? v->best_of : v->beam_size);
    return slots;
}

/* Memory, the options' tokens and rules. */
static int init(wh_search *s)
{
    const wh_values *v = &s->options->values;
    const whisp_model *m = s->model;
    int rc = wh_options_check(v);
    if (rc)
        return rc;
    s->first_window = 1;
    wh_rules_init(s);
    s->n_candidates = wh_search_slots(v);
    s->sample_len = v->sample_len ? (size_t)v->sample_len : (size_t)m->n_text_ctx / 2;
    if (v->max_new_tokens)
        s->sample_len = (size_t)v->max_new_tokens;
    s->max_tokens = (size_t)m->n_text_ctx + 2; /* the loop's last token is not fed any more */
    s->logits = wh_alloc_aligned((size_t)s->n_candidates * (size_t)m->n_vocab, sizeof *s->logits);
    s->start_logits = wh_alloc_aligned(2 * (size_t)m->n_vocab, sizeof *s->start_logits);
    s->start = wh_calloc((size_t)m->n_text_ctx + 8, sizeof *s->start);
    if (!s->logits || !s->start_logits || !s->start)
        return wh_fail_memory();
    if ((rc = wh_candidates_new(s, s->n_candidates, &s->candidates)) || (rc = wh_prompt_init(s)) ||
        (rc = wh_filters_init(s)))
        return rc;
    s->list_size = 2 * s->max_tokens + s->n_blank + 2;
    s->lists = wh_calloc((size_t)s->n_candidates * s->list_size, sizeof *s->lists);
    s->choices = wh_calloc((size_t)s->n_candidates, sizeof *s->choices);
    if (!s->lists || !s->choices)
        return wh_fail_memory();
    if ((rc = wh_corrector_init(s)))
        return rc;
    return wh_beams_init(s, &s->beams);
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
    s->kernels = wh_cpu_best().kernels;
    int rc = init(s);
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
    wh_candidates_free(s->candidates, s->n_candidates);
    wh_beams_free(s->beams);
    wh_branches_free(s->branches);
    wh_corrector_free(s->corrector);
    wh_draft_free(s->draft);
    free(s->suppressed);
    free(s->blank);
    free(s->logits);
    free(s->choices);
    free(s->lists);
    free(s->start_logits);
    free(s->prefix);
    free(s->hotwords);
    free(s->start);
    free(s->said);
    free(s);
}

void wh_search_watch(wh_search *s, wh_watch_fn fn, void *user)
{
    s->watch = fn;
    s->watcher = user;
}

int wh_search_has_read(const wh_search *s)
{
    return s->has_read;
}

size_t wh_search_forced(const wh_search *s)
{
    return s->n_forced;
}

const float *wh_search_first_logits(const wh_search *s)
{
    return s->start_logits + s->model->n_vocab;
}

/* The candidate that MaximumLikelihoodRanker picks. */
static const wh_candidate *rank(const wh_search *s, const wh_candidate *candidates, int n)
{
    double penalty = s->options->values.length_penalty, most = -INFINITY;
    const wh_candidate *best = &candidates[0];
    for (int i = 0; i < n; i++) {
        const wh_candidate *c = &candidates[i];
        double length = WH_MAX((double)c->n, 1);
        double score = c->sum_logprob / (isnan(penalty) ? length : pow((5 + length) / 6, penalty));
        if (score > most) {
            most = score;
            best = c;
        }
    }
    return best;
}

int wh_compression_ratio(const char *text, size_t n, double *ratio)
{
    uLongf packed = compressBound((uLong)n);
    Bytef *out = malloc(packed);
    int compressed = out && compress(out, &packed, (const Bytef *)text, (uLong)n) == Z_OK;
    free(out);
    if (!compressed) /* zlib has no other reason: there is room, and it needs memory of its own */
        return wh_fail_memory();
    *ratio = (double)n / (double)packed;
    return WHISP_OK;
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
        rc = wh_compression_ratio(text, n, ratio);
    }
    free(ids);
    wh_buf_free(&buf);
    return rc;
}

int wh_search_is_sound(const wh_search *s)
{
    return !s->unsound;
}

void wh_search_set_sound(wh_search *s, int is_sound)
{
    s->unsound = !is_sound;
}

static double no_speech_prob(const wh_search *s)
{
    return exp((double)s->start_logits[s->specials->no_speech] - wh_log_sum_exp(s, s->start_logits, s->model->n_vocab));
}

int wh_search_decode(wh_search *s, double temperature, int64_t seek, wh_decoding *decoding)
{
    int rc = wh_backend_truncate(s->backend, 0, (int)s->n_start);
    const wh_candidate *best;
    s->has_read = 0;
    if (!rc && s->watch)
        rc = s->watch(s->watcher, NULL, 0, NULL);
    if (rc)
        return rc;
    if (s->beams && !(temperature > 0)) {
        if ((rc = wh_beam_search(s, s->beams)))
            return rc;
        best = rank(s, s->beams->finished, s->beams->n_finished);
    } else {
        int n = temperature > 0 ? WH_MIN(s->options->values.best_of, s->n_candidates) : 1;
        if ((rc = wh_sample(s, n, temperature, seek)))
            return rc;
        best = rank(s, s->candidates, n);
    }
    decoding->tokens = best->tokens;
    decoding->n = best->n;
    decoding->temperature = temperature;
    decoding->avg_logprob = (double)best->sum_logprob / (double)(best->n + 1);
    decoding->no_speech_prob = no_speech_prob(s);
    return measure_text(s, best, &decoding->compression_ratio);
}

int wh_search_languages(wh_search *s, float *probabilities, double *no_speech)
{
    const wh_specials *sp = s->specials;
    const wh_values *v = &s->options->values;
    static const int row = 0;
    int32_t sot = sp->sot;
    wh_step step = {.slot = 0, .n_tokens = 1, .tokens = &sot, .n_rows = 1, .rows = &row, .logits = s->start_logits};
    double t0 = wh_now();
    s->has_read = 0;
    int rc = wh_backend_truncate(s->backend, 0, 0);
    if (!rc)
        rc = wh_backend_decode(s->backend, 1, &step);
    s->timings->prompt += wh_now() - t0;
    s->timings->n_prompt_tokens++;
    if (rc)
        return rc;
    s->unsound = 0;
    wh_search_check(s, s->start_logits, (size_t)s->model->n_vocab);
    if (no_speech)
        *no_speech = no_speech_prob(s);
    for (int i = 0; i < sp->n_languages; i++)
        probabilities[i] = sp->languages[i] < 0 || (v->languages && !wh_options_has_language(v, i))
                               ? -INFINITY
                               : s->start_logits[sp->languages[i]];
    double total = wh_log_sum_exp(s, probabilities, sp->n_languages);
    int best = wh_most_probable(probabilities, sp->n_languages);
    for (int i = 0; s->unsound && i < sp->n_languages; i++) /* none of them: one that there is and that may be */
        if (sp->languages[i] >= 0 && (!v->languages || wh_options_has_language(v, i))) {
            best = i;
            break;
        }
    for (int i = 0; i < sp->n_languages; i++)
        probabilities[i] = (float)exp(probabilities[i] - total);
    return best;
}
