/* align.c - a window's text against its sound: find_alignment() of openai-whisper's timing.py.
 *
 * The decoder reads the start sequence, <|notimestamps|>, the text and the end. What the alignment heads look at while
 * they read is a matrix of tokens against time. Row i of it stands where text token i is about to be said. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/registry.h"
#include "timing/attention.h"

#define CHUNK 48 /* tokens a decoder call: bounds the memory for logits */
#define MEDIAN_WIDTH 7

/* One pass and all its memory. */
typedef struct pass {
    const wh_alignment *a;
    int32_t *tokens; /* [n_tokens] start sequence, text, end */
    size_t n_tokens, n_start, n_text;
    wh_looks looks; /* [n_tokens] rows; without memory where only probabilities are wanted */
    float *logits;  /* [CHUNK][n_vocab] */
    const wh_kernels *kernels;
    double *probabilities; /* [n_text] */
} pass;

/* Tokens beside the text: those before it, and the end. */
enum { MOST_SPECIALS = WH_ALIGN_START + 1 };

size_t wh_align_limit(const whisp_model *model)
{
    return model->n_text_ctx > MOST_SPECIALS ? (size_t)(model->n_text_ctx - MOST_SPECIALS) : 0;
}

static void free_pass(pass *p)
{
    free(p->tokens);
    free(p->probabilities);
}

static int make_pass(pass *p, int want_times, const int32_t *tokens, size_t n)
{
    const whisp_model *m = p->a->model;
    p->kernels = wh_cpu_best().kernels;
    p->n_text = n;
    p->tokens = wh_calloc(n + MOST_SPECIALS, sizeof *p->tokens);
    p->probabilities = wh_calloc(n, sizeof *p->probabilities);
    if (!p->tokens || !p->probabilities)
        return wh_fail_memory();
    p->n_tokens = wh_align_start(p->a, p->tokens);
    p->n_start = p->n_tokens - 1;
    memcpy(p->tokens + p->n_tokens, tokens, n * sizeof *tokens);
    p->n_tokens += n;
    p->tokens[p->n_tokens++] = wh_tokenizer_specials(m->tokenizer)->eot;
    p->looks = (wh_looks){.heads = (size_t)m->n_alignment_heads,
                          .n_rows = p->n_tokens,
                          .ctx = (size_t)m->n_audio_ctx,
                          .n_frames = wh_align_frames(p->a),
                          .first = p->n_start,
                          .n_wanted = n + 1,
                          .width = MEDIAN_WIDTH,
                          .evidence = p->a->evidence};
    size_t n_logits = (WH_MIN(CHUNK, p->n_tokens) * (size_t)m->n_vocab + 15) / 16 * 16; /* weights begin with a line */
    size_t n_weights = want_times ? wh_looks_at(&p->looks, p->looks.heads, 0) : 0;
    p->logits = wh_backend_room(p->a->backend, n_logits + n_weights, 1);
    p->looks.weights = p->logits && want_times ? p->logits + n_logits : NULL;
    return p->logits ? WHISP_OK : WHISP_ERR_MEMORY;
}

/* softmax(logits[0 .. n))[id] */
static double probability(const pass *p, const float *logits, int n, int32_t id)
{
    double sum;
    float most = p->kernels->exp_sum(logits, (size_t)n, &sum, NULL);
    double x = (double)expf(logits[id] - most) / sum;
    return isnan(x) ? 0 : (float)x;
}

/* Feed tokens first .. first + n - 1 and keep how the heads score the sound, and how probable the text is. */
static int feed_chunk(pass *p, size_t first, size_t n)
{
    const whisp_model *m = p->a->model;
    size_t vocab = (size_t)m->n_vocab;
    int rows[CHUNK], n_rows = 0, eot = wh_tokenizer_specials(m->tokenizer)->eot;
    for (size_t i = first; i < first + n; i++)
        if (i >= p->n_start && i < p->n_start + p->n_text) /* is followed by a text token */
            rows[n_rows++] = (int)(i - first);
    wh_step step = {.slot = p->a->slot,
                    .n_tokens = (int)n,
                    .tokens = p->tokens + first,
                    .n_rows = n_rows,
                    .rows = rows,
                    .logits = p->logits};
    if (p->looks.weights)
        wh_looks_ask(&p->looks, first, &step);
    int rc = wh_backend_decode(p->a->backend, 1, &step);
    if (rc)
        return rc;
    for (int r = 0; r < n_rows; r++) {
        size_t at = first + (size_t)rows[r] + 1;
        p->probabilities[at - p->n_start - 1] = probability(p, p->logits + (size_t)r * vocab, eot, p->tokens[at]);
        if (p->a->evidence)
            wh_evidence_read(p->kernels, p->logits + (size_t)r * vocab, eot, p->tokens[at],
                             &p->a->evidence[at - p->n_start - 1]);
    }
    return WHISP_OK;
}

static void set_times(const pass *p, const double *times, wh_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        wh_word *word = &words->list[i];
        word->start = times[word->first_token];
        word->end = times[word->first_token + word->n_tokens];
        double sum = 0;
        for (size_t k = 0; k < word->n_tokens; k++)
            sum += p->probabilities[word->first_token + k];
        word->probability = word->n_tokens ? sum / (double)word->n_tokens : 0;
    }
}

/* Times by tokens and probabilities; only these where no times are wanted. */
static int align_tokens(const wh_alignment *a, int want_times, const int32_t *tokens, size_t n, whisp_cancel_fn cancel,
                        void *user, wh_words *words)
{
    pass p = {.a = a};
    double *times = wh_calloc(n + 1, sizeof *times);
    int rc = times ? make_pass(&p, want_times, tokens, n) : wh_fail_memory();
    if (!rc)
        rc = wh_backend_truncate(a->backend, a->slot, 0);
    for (size_t first = 0; first < p.n_tokens && !rc; first += CHUNK) {
        if (cancel && cancel(user))
            rc = wh_fail(WHISP_ERR_CANCELLED, "cancelled");
        else
            rc = feed_chunk(&p, first, WH_MIN((size_t)CHUNK, p.n_tokens - first));
    }
    if (!rc && want_times)
        rc = wh_looks_times(&p.looks, times);
    if (!rc)
        set_times(&p, times, words);
    free(times);
    free_pass(&p);
    return rc;
}

static int align_words(const wh_alignment *a, const int32_t *tokens, size_t n, whisp_cancel_fn cancel, void *user,
                       wh_words *words)
{
    /* evidence is of the tokens, and what is seen of them comes with their times */
    int by_tokens = !a->by_characters || a->evidence, done = 0;
    int rc = align_tokens(a, by_tokens, tokens, n, cancel, user, words);
    if (!rc && a->by_characters)
        rc = wh_align_characters(a, tokens, cancel, user, words, &done);
    if (!rc && !by_tokens && !done)
        rc = align_tokens(a, 1, tokens, n, cancel, user, words);
    return rc;
}

int wh_align(const wh_alignment *a, const int32_t *tokens, size_t n, whisp_cancel_fn cancel, void *user,
             wh_words *words)
{
    wh_words_clear(words);
    if (n == 0)
        return WHISP_OK;
    if (n > wh_align_limit(a->model))
        return wh_fail(WHISP_ERR_ARGUMENT, "a text of %zu tokens cannot be aligned with one window; %zu fit", n,
                       wh_align_limit(a->model));
    int rc = wh_words_split(a->model->tokenizer, a->language, tokens, n, words);
    if (rc || (rc = wh_backend_reserve(a->backend)))
        return rc;
    rc = align_words(a, tokens, n, cancel, user, words);
    wh_backend_release(a->backend);
    return rc;
}
