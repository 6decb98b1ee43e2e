/* test_alternatives.c - what else a word may have been: variants of a text's tokens become other texts of its words; and
 * the same from a journal's bytes, which may be anything. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "support/calls.h"
#include "tokenizer/languages.h"
#include "window/alternatives.h"

/* A text with its tokens, words and alternatives. */
typedef struct heard {
    whisp_model *model;
    int32_t *tokens;
    size_t n, capacity, n_words;
    wh_words timed;
    whisp_word words[16];
    wh_alternatives others;
} heard;

static int encode(const whisp_model *model, const char *text, int32_t **tokens, size_t *n, size_t *capacity)
{
    *n = 0;
    return wh_tokenizer_encode(model->tokenizer, text, strlen(text), tokens, n, capacity);
}

static int hear(heard *h, const char *text)
{
    const char *path = invented_path("invented");
    *h = (heard){0};
    if (!path)
        return 0;
    assert_int_equal(whisp_model_load(path, NULL, &h->model), WHISP_OK);
    assert_int_equal(encode(h->model, text, &h->tokens, &h->n, &h->capacity), WHISP_OK);
    assert_int_equal(wh_words_split(h->model->tokenizer, wh_language_find("en"), h->tokens, h->n, &h->timed), WHISP_OK);
    for (size_t i = 0; i < h->timed.n; i++) {
        const wh_word *word = &h->timed.list[i];
        h->words[h->n_words++] = (whisp_word){.text = strndup(h->timed.text.data + word->text, word->length)};
    }
    return 1;
}

static void forget(heard *h)
{
    for (size_t i = 0; i < h->n_words; i++)
        free((void *)(uintptr_t)h->words[i].text);
    free(h->tokens);
    wh_words_free(&h->timed);
    wh_alternatives_free(&h->others);
    whisp_model_free(h->model);
}

/* A sample that says `text`, each of its tokens with log-probability -1; its first `same` tokens are those that were
 * heard, and so are its last `last`. */
static void sample(heard *h, const char *text, size_t same, size_t last)
{
    int32_t *tokens = NULL, *partners = calloc(h->n + 1, sizeof *partners);
    size_t n, capacity = 0;
    assert_int_equal(encode(h->model, text, &tokens, &n, &capacity), WHISP_OK);
    whisp_token *list = calloc(n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = (whisp_token){tokens[i], -1};
    for (size_t i = 0; i < h->n; i++)
        partners[i] = i < same ? (int32_t)i : i >= h->n - last ? (int32_t)(n - (h->n - i)) : -1;
    assert_int_equal(wh_alternatives_compare(&h->others, partners, h->n, list, n), WHISP_OK);
    free(list);
    free(tokens);
    free(partners);
}

static void give(heard *h)
{
    assert_int_equal(wh_alternatives_give(&h->others, h->model->tokenizer, h->tokens, &h->timed, h->words, h->n_words),
                     WHISP_OK);
}

/* How many tokens the beginning of a text has. */
static size_t tokens_of(const heard *h, const char *text)
{
    int32_t *tokens = NULL;
    size_t n, capacity = 0;
    assert_int_equal(encode(h->model, text, &tokens, &n, &capacity), WHISP_OK);
    free(tokens);
    return n;
}

static void expect(const heard *h, size_t word, size_t n, const char *first)
{
    const whisp_word *w = &h->words[word];
    assert_int_equal(w->n_alternatives, n);
    assert_true(!w->alternatives == (n == 0));
    if (n)
        assert_string_equal(w->alternatives[0].text, first);
}

static void a_sample_that_differs_is_an_alternative(void **state)
{
    heard h;
    (void)state;
    if (!hear(&h, " the cat sat, down"))
        return;
    size_t same = tokens_of(&h, " the"), last = h.n - tokens_of(&h, " the cat");
    sample(&h, " the dog sat, down", same, last);
    sample(&h, " the dog sat, down", same, last); /* the same once more */
    sample(&h, " the Cat sat, down", same, last); /* letter case alone is no other word */
    give(&h);
    assert_int_equal(h.n_words, 5); /* the comma is a word of its own as long as nobody merges it */
    expect(&h, 0, 0, NULL);
    expect(&h, 1, 1, " dog");
    expect(&h, 2, 0, NULL);
    forget(&h);
}

static void as_many_words_are_paired_and_others_stand_with_the_first(void **state)
{
    heard h;
    (void)state;
    if (!hear(&h, " we use shirech at home"))
        return;
    size_t same = tokens_of(&h, " we use"), last = h.n - tokens_of(&h, " we use shirech at");
    sample(&h, " we use share chat home", same, last);
    give(&h);
    expect(&h, 2, 1, " share");
    expect(&h, 3, 1, " chat");
    sample(&h, " we use sharechat home", same, last);
    give(&h);
    expect(&h, 3, 1, " chat");
    assert_int_equal(h.words[2].n_alternatives, 2);
    assert_true(strcmp(h.words[2].alternatives[0].text, " sharechat") == 0 ||
                strcmp(h.words[2].alternatives[1].text, " sharechat") == 0);
    expect(&h, 1, 0, NULL);
    expect(&h, 4, 0, NULL);
    forget(&h);
}

static void nearly_as_probable_tokens_are_ranked(void **state)
{
    heard h;
    int32_t *cat = NULL;
    size_t n, capacity = 0;
    (void)state;
    if (!hear(&h, " a"))
        return;
    assert_int_equal(h.n, 1);
    int vocab = wh_tokenizer_specials(h.model->tokenizer)->eot;
    float *logits = calloc((size_t)vocab, sizeof *logits);
    for (int i = 0; i < vocab; i++)
        logits[i] = -20;
    assert_int_equal(encode(h.model, "b", &cat, &n, &capacity), WHISP_OK);
    assert_int_equal(n, 1);
    logits[h.tokens[0]] = 1;
    logits[cat[0]] = 0.5f;
    whisp_token near[WH_NEAR_TOKENS], heard_token = {h.tokens[0], -0.25f};
    n = wh_alternatives_near(heard_token, logits, vocab, near);
    assert_int_equal(wh_alternatives_add_near(&h.others, 0, near, n), WHISP_OK);
    give(&h);
    expect(&h, 0, 1, "b");
    assert_true(fabs(h.words[0].alternatives[0].logprob + 0.75) < 1e-6);
    logits[h.tokens[0]] = NAN; /* a model that computes NaN says nothing */
    wh_alternatives_clear(&h.others);
    n = wh_alternatives_near(heard_token, logits, vocab, near);
    assert_int_equal(wh_alternatives_add_near(&h.others, 0, near, n), WHISP_OK);
    give(&h);
    expect(&h, 0, 0, NULL);
    free(cat);
    free(logits);
    forget(&h);
}

/* One token in another's place, which nearly was it. */
static void nearly(heard *h, size_t at, const char *text)
{
    int32_t *tokens = NULL;
    size_t n, capacity = 0;
    assert_int_equal(encode(h->model, text, &tokens, &n, &capacity), WHISP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(wh_alternatives_add(&h->others, WH_VARIANT_TOKEN, at, 1, &(whisp_token){tokens[0], -1}, 1),
                     WHISP_OK);
    free(tokens);
}

/* " shirech" has several tokens. One in the place of its first is a word without the others, which glued to it make none;
 * one within it is no word at all. */
static void tokens_become_whole_words(void **state)
{
    heard h;
    (void)state;
    if (!hear(&h, " use shirech, now"))
        return;
    size_t at = tokens_of(&h, " use");
    assert_true(tokens_of(&h, " use shirech") > at + 1);
    nearly(&h, at, " a");
    nearly(&h, at + 1, "b");
    give(&h);
    expect(&h, 1, 1, " a");
    wh_alternatives_clear(&h.others);
    nearly(&h, at, "b"); /* is joined to the word before it */
    give(&h);
    for (size_t i = 0; i < h.n_words; i++)
        expect(&h, i, 0, NULL); /* within a word that goes on: no word */
    forget(&h);
    if (!hear(&h, " use a now"))
        return;
    nearly(&h, tokens_of(&h, " use"), "b");
    give(&h);
    expect(&h, 0, 1, " useb");
    expect(&h, 1, 0, NULL);
    forget(&h);
}

/* `text` in the place of token `at`, each of its tokens with this log-probability. */
static void instead(heard *h, enum wh_variant_kind kind, size_t at, const char *text, float logprob)
{
    int32_t *ids = NULL;
    size_t n, capacity = 0;
    whisp_token tokens[12];
    assert_int_equal(encode(h->model, text, &ids, &n, &capacity), WHISP_OK);
    assert_true(n <= 12);
    for (size_t i = 0; i < n; i++)
        tokens[i] = (whisp_token){ids[i], logprob};
    assert_int_equal(wh_alternatives_add(&h->others, kind, at, 1, tokens, n), WHISP_OK);
    free(ids);
}

static void terms_are_offered_where_a_word_is_in_doubt(void **state)
{
    static const char *const others[] = {" b", " c", " d", " e", " f", " g"};
    heard h;
    (void)state;
    if (!hear(&h, " use a now"))
        return;
    size_t at = tokens_of(&h, " use");
    instead(&h, WH_VARIANT_TERM, at, " Chatty", 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        instead(&h, WH_VARIANT_SAMPLE, at, others[i], -0.1f - 0.1f * (float)i);
    h.words[1].confidence = 0.95;
    give(&h);
    expect(&h, 1, 5, " b");
    assert_string_equal(h.words[1].alternatives[4].text, " f");
    h.words[1].confidence = 0.5;
    give(&h);
    expect(&h, 1, 5, " b");
    assert_string_equal(h.words[1].alternatives[3].text, " e");
    assert_string_equal(h.words[1].alternatives[4].text, " Chatty");
    forget(&h);
}

static void what_is_saved_comes_back_and_nothing_else(void **state)
{
    heard h;
    wh_buf bytes = {0};
    unsigned seed = 1;
    (void)state;
    if (!hear(&h, " the cat sat"))
        return;
    int32_t vocab = wh_tokenizer_specials(h.model->tokenizer)->eot;
    sample(&h, " the dog sat", tokens_of(&h, " the"), h.n - tokens_of(&h, " the cat"));
    wh_alternatives_save(&h.others, &bytes);
    wh_alternatives_clear(&h.others);
    assert_int_equal(wh_alternatives_restore(&h.others, h.n, vocab, bytes.data, bytes.length), 1);
    give(&h);
    expect(&h, 1, 1, " dog");
    for (size_t n = 0; n < bytes.length; n++)
        assert_int_equal(wh_alternatives_restore(&h.others, h.n, vocab, bytes.data, n), 0);
    for (int k = 0; k < 20000; k++) { /* whatever is taken for good can be given */
        char *other = malloc(bytes.length);
        memcpy(other, bytes.data, bytes.length);
        for (int c = 0; c < 3; c++) {
            seed = seed * 1664525u + 1013904223u;
            other[(seed >> 8) % bytes.length] = (char)(seed >> 24);
        }
        if (wh_alternatives_restore(&h.others, h.n, vocab, other, bytes.length) == 1)
            give(&h);
        free(other);
    }
    wh_buf_free(&bytes);
    forget(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_that_differs_is_an_alternative),
        cmocka_unit_test(as_many_words_are_paired_and_others_stand_with_the_first),
        cmocka_unit_test(nearly_as_probable_tokens_are_ranked),
        cmocka_unit_test(tokens_become_whole_words),
        cmocka_unit_test(terms_are_offered_where_a_word_is_in_doubt),
        cmocka_unit_test(what_is_saved_comes_back_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
