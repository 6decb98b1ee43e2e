/* recall.c - the model is asked only for what the journal does not know (lib/journal).
 *
 * There are three questions about a window: its language, its decoding, when its words are said. Each is told by all that
 * the answer depends on: what the encoder gets, where it is, what stands before it. What the options say, and which model
 * it is, the journal's identity says. Answers are the numbers as they are, bit for bit, so that everything after them
 * goes as it did; they are looked at before they are believed, for a file is what anybody may have written. */
#include <stdlib.h>
#include <string.h>

#include "window/state.h"

enum { LANGUAGE = 1, DECODING, WORDS };

void wh_recall_free(wh_recall *r)
{
    wh_buf_free(&r->answer);
    free(r->tokens);
}

void wh_window_set_journal(wh_window *w, wh_journal *journal, int channel)
{
    w->recall.journal = journal;
    w->recall.heard.channel = (int16_t)channel;
}

void wh_window_add_vocabulary(const wh_window *w, wh_key *key)
{
    wh_search_add_vocabulary(w->search, key);
}

void wh_recall_listen(wh_window *w, int64_t at, int64_t frames)
{
    wh_recall *r = &w->recall;
    r->is_begun = r->is_encoded = r->is_full = 0;
    if (!r->journal)
        return;
    wh_key sound = WH_KEY_EMPTY;
    wh_key_add(&sound, w->input, wh_window_input_size(w) * sizeof *w->input);
    r->heard.at = w->origin + at;
    r->heard.frames = (int32_t)frames;
    r->heard.sound = sound.a ^ sound.b;
    r->sound = sound;
    wh_key_add(&r->sound, &r->heard.at, sizeof r->heard.at);
    wh_key_add(&r->sound, &at, sizeof at);
    wh_key_add(&r->sound, &frames, sizeof frames);
    wh_key_add(&r->sound, &r->heard.channel, sizeof r->heard.channel);
}

/* ---- asking ---- */

/* A question about the window in w->input. */
static wh_key begin_question(wh_window *w, const wh_key *about, int16_t kind)
{
    wh_key key = *about;
    w->recall.heard.kind = kind;
    wh_key_add(&key, &kind, sizeof kind);
    return key;
}

/* 1: the answer is in w->recall.answer. */
static int find(wh_window *w, const wh_key *key)
{
    wh_recall *r = &w->recall;
    r->at = 0;
    r->answer.length = 0;
    r->answer.failed = 0;
    return wh_journal_find(r->journal, w->config.options, &r->heard, key, &r->answer);
}

/* The answer is in w->recall.answer: keep it. */
static int keep(wh_window *w, const wh_key *key)
{
    wh_recall *r = &w->recall;
    return wh_journal_keep(r->journal, w->config.options, &r->heard, key, &r->answer);
}

static void begin_answer(wh_recall *r)
{
    r->answer.length = 0;
    r->answer.failed = 0;
}

static void put(wh_recall *r, const void *bytes, size_t n)
{
    if (n)
        wh_buf_append(&r->answer, bytes, n);
}

/* The next n bytes of the answer; 0: there are not so many. */
static int take(wh_recall *r, void *bytes, size_t n)
{
    if (n > r->answer.length - r->at)
        return 0;
    if (n)
        memcpy(bytes, r->answer.data + r->at, n);
    r->at += n;
    return 1;
}

/* Could the model have said so? Not a number: no; nor one outside of what it stands for, but for rounding. */
static int is_number(double x, double most)
{
    return x >= 0 && x <= most;
}

#define MOST_PROBABLE 1.001

static int is_logprob(double x)
{
    return is_number(1 - x, 1e6);
}

static int are_probabilities(const float *x, size_t n)
{
    size_t i = 0;
    while (i < n && is_number((double)x[i], MOST_PROBABLE))
        i++;
    return i == n;
}

/* ---- the language ---- */

int wh_recall_language(wh_window *w, float *probabilities, double *silence, int *best)
{
    wh_recall *r = &w->recall;
    int32_t is_sound, index;
    size_t n = (size_t)w->specials->n_languages;
    if (!r->journal)
        return 0;
    r->question = begin_question(w, &r->sound, LANGUAGE);
    int rc = find(w, &r->question);
    if (rc <= 0)
        return rc;
    if (!take(r, &is_sound, sizeof is_sound) || !take(r, &index, sizeof index) || !take(r, silence, sizeof *silence) ||
        !take(r, probabilities, n * sizeof *probabilities) || index < 0 || (size_t)index >= n ||
        w->specials->languages[index] < 0 || !is_number(*silence, MOST_PROBABLE) ||
        !are_probabilities(probabilities, n))
        return 0;
    *best = index;
    wh_search_set_sound(w->search, is_sound);
    return 1;
}

int wh_recall_keep_language(wh_window *w, const float *probabilities, double silence, int best)
{
    wh_recall *r = &w->recall;
    int32_t is_sound = wh_search_is_sound(w->search), index = best;
    if (!r->journal)
        return WHISP_OK;
    begin_answer(r);
    put(r, &is_sound, sizeof is_sound);
    put(r, &index, sizeof index);
    put(r, &silence, sizeof silence);
    put(r, probabilities, (size_t)w->specials->n_languages * sizeof *probabilities);
    return keep(w, &r->question);
}

/* ---- the decoding ---- */

/* A decoding's head in the answer. */
typedef struct decoded {
    double temperature, avg_logprob, no_speech_prob, compression_ratio;
    uint32_t n, flags;
} decoded;

enum { IS_SOUND = 1, IS_FULL = 2 };

static int take_tokens(wh_window *w, size_t n)
{
    wh_recall *r = &w->recall;
    int rc = wh_grow(&r->tokens, &r->tokens_capacity, n + 1, sizeof *r->tokens);
    if (rc)
        return rc;
    rc = take(r, r->tokens, n * sizeof *r->tokens);
    for (size_t i = 0; i < n && rc; i++)
        rc = r->tokens[i].id >= 0 && r->tokens[i].id < w->model->n_vocab && is_logprob((double)r->tokens[i].logprob);
    return rc;
}

static int is_decoded(const decoded *head)
{
    return is_number(head->temperature, 1e6) && is_logprob(head->avg_logprob) &&
           is_number(head->no_speech_prob, MOST_PROBABLE) && is_number(head->compression_ratio, 1e6) &&
           head->flags <= (IS_SOUND | IS_FULL);
}

int wh_recall_decoding(wh_window *w, const int32_t *prompt, size_t n_prompt)
{
    wh_recall *r = &w->recall;
    int32_t language = w->language.window;
    decoded head;
    r->prompt = prompt;
    r->n_prompt = n_prompt;
    r->is_begun = 0;
    if (!r->journal)
        return 0;
    r->decoding = begin_question(w, &r->sound, DECODING);
    wh_key_add(&r->decoding, &language, sizeof language);
    wh_key_add(&r->decoding, prompt, n_prompt * sizeof *prompt);
    wh_search_add_known(w->search, &r->decoding);
    int rc = find(w, &r->decoding);
    if (rc <= 0)
        return rc;
    if (!take(r, &head, sizeof head) || head.n > (uint32_t)w->model->n_text_ctx + 2 || !is_decoded(&head))
        return 0;
    if ((rc = take_tokens(w, head.n)) <= 0)
        return rc;
    if ((rc = wh_search_restore(w->search, (head.flags & IS_SOUND) != 0, head.n, r->answer.data + r->at,
                                r->answer.length - r->at)))
        return rc == WHISP_ERR_MEMORY ? rc : 0;
    w->decoding = (wh_decoding){.tokens = r->tokens,
                                .n = head.n,
                                .temperature = head.temperature,
                                .avg_logprob = head.avg_logprob,
                                .no_speech_prob = head.no_speech_prob,
                                .compression_ratio = head.compression_ratio};
    r->is_full = (head.flags & IS_FULL) != 0;
    wh_log(w->config.options, WHISP_LOG_DEBUG, "window at %.2f s: from the journal", WH_SECONDS(r->heard.at));
    return 1;
}

int wh_recall_keep_decoding(wh_window *w)
{
    wh_recall *r = &w->recall;
    const wh_decoding *d = &w->decoding;
    const decoded head = {.temperature = d->temperature,
                          .avg_logprob = d->avg_logprob,
                          .no_speech_prob = d->no_speech_prob,
                          .compression_ratio = d->compression_ratio,
                          .n = (uint32_t)d->n,
                          .flags = (wh_search_is_sound(w->search) ? IS_SOUND : 0) | (r->is_full ? IS_FULL : 0)};
    if (!r->journal)
        return WHISP_OK;
    begin_answer(r);
    put(r, &head, sizeof head);
    put(r, d->tokens, d->n * sizeof *d->tokens);
    wh_search_save(w->search, &r->answer);
    return keep(w, &r->decoding);
}

/* ---- the words ---- */

/* A word's numbers in the answer; which words there are follows from the tokens. */
typedef struct timed {
    double start, end, probability;
} timed;

static int take_words(wh_window *w)
{
    wh_recall *r = &w->recall;
    wh_heard_words *h = &w->words;
    uint32_t n;
    timed word;
    int rc = wh_words_split(w->model->tokenizer, w->language.window, h->tokens, h->n_tokens, &h->timed);
    if (rc)
        return rc;
    if (!take(r, &n, sizeof n) || n != h->timed.n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!take(r, &word, sizeof word) || !is_number(word.start, WH_SECONDS(WH_WINDOW_FRAMES)) ||
            !is_number(word.end, WH_SECONDS(WH_WINDOW_FRAMES)) || !is_number(word.probability, 1))
            return 0;
        h->timed.list[i].start = word.start;
        h->timed.list[i].end = word.end;
        h->timed.list[i].probability = word.probability;
    }
    return 1;
}

int wh_recall_words(wh_window *w, int with_evidence)
{
    wh_recall *r = &w->recall;
    const wh_heard_words *h = &w->words;
    int32_t about[] = {w->language.window, with_evidence};
    if (!r->journal || h->n_tokens == 0)
        return 0;
    r->question = begin_question(w, &r->decoding, WORDS);
    wh_key_add(&r->question, about, sizeof about);
    wh_key_add(&r->question, h->tokens, h->n_tokens * sizeof *h->tokens);
    wh_key_add(&r->question, h->index, h->n_tokens * sizeof *h->index);
    int rc = find(w, &r->question);
    if (rc <= 0 || (rc = take_words(w)) <= 0 || !with_evidence)
        return rc;
    size_t n = r->answer.length - r->at;
    return wh_doubts_restore(w, n ? r->answer.data + r->at : "", n);
}

int wh_recall_keep_words(wh_window *w, int with_evidence)
{
    wh_recall *r = &w->recall;
    const wh_words *words = &w->words.timed;
    uint32_t n = (uint32_t)words->n;
    if (!r->journal || w->words.n_tokens == 0)
        return WHISP_OK;
    begin_answer(r);
    put(r, &n, sizeof n);
    for (size_t i = 0; i < n; i++) {
        const timed word = {words->list[i].start, words->list[i].end, words->list[i].probability};
        put(r, &word, sizeof word);
    }
    if (with_evidence)
        wh_doubts_save(w, &r->answer);
    return keep(w, &r->question);
}
