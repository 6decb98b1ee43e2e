/* test_draft.c - what is expected of a window: a draft that is read ahead changes the time and not the tokens, and tokens that are given
 * begin the decoding. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

enum { MOST = 300 };

static whisp_timings timings;

typedef struct fixture {
    whisp_model *model;
    whisp_options *options;
    wh_backend *backend;
    wh_search *search;
    float *mel;
} fixture;

static fixture open_search(wh_compute compute)
{
    fixture f = {.options = whisp_options_new()};
    wh_backend_config config = {.n_slots = 5, .threads = 1, .compute = compute};
    uint64_t seed = 3;
    assert_int_equal(whisp_model_load(invented_path("invented-multilingual"), NULL, &f.model), WHISP_OK);
    assert_int_equal(wh_backend_new("cpu", f.model, &config, &f.backend), WHISP_OK);
    assert_int_equal(wh_search_new(f.model, f.options, f.backend, &timings, &f.search), WHISP_OK);
    size_t n = (size_t)WH_WINDOW_FRAMES * (size_t)f.model->n_mels;
    f.mel = malloc(n * sizeof *f.mel);
    for (size_t i = 0; i < n; i++)
        f.mel[i] = (float)random_unit(&seed);
    const float *mel = f.mel;
    static const int slot = 0;
    assert_int_equal(wh_backend_encode(f.backend, 1, &mel, &slot), WHISP_OK);
    return f;
}

static void close_search(fixture *f)
{
    wh_search_free(f->search);
    wh_backend_free(f->backend);
    whisp_options_free(f->options);
    whisp_model_free(f->model);
    free(f->mel);
}

/* Decode what is expected; how many decoder calls that took. */
static int decode(const fixture *f, const wh_expected *expected, wh_decoding *d)
{
    static const int32_t prompt[] = {40, 41, 42};
    assert_int_equal(wh_search_expect(f->search, expected), WHISP_OK);
    assert_int_equal(wh_search_begin(f->search, prompt, 3, 0), WHISP_OK);
    int before = (int)timings.n_decode_steps;
    assert_int_equal(wh_search_decode(f->search, 0, 0, d), WHISP_OK);
    return (int)timings.n_decode_steps - before;
}

static void check_same(const wh_decoding *want, const whisp_token *tokens, const wh_decoding *got)
{
    assert_int_equal(got->n, want->n);
    assert_memory_equal(got->tokens, tokens, want->n * sizeof *tokens);
    assert_true(got->avg_logprob == want->avg_logprob && got->no_speech_prob == want->no_speech_prob &&
                got->compression_ratio == want->compression_ratio);
}

/* Drafts: what it says itself; with a token that is another, one too many, one too few; its end; anything; of another length. */
static void tokens_are_the_same_with_any_draft(void **state)
{
    (void)state;
    static const wh_compute types[] = {WH_COMPUTE_F32, WH_COMPUTE_INT8};
    for (size_t t = 0; t < WH_COUNT(types); t++) {
        fixture f = open_search(types[t]);
        whisp_token want[MOST], draft[2 * MOST];
        wh_decoding plain, d;
        uint64_t seed = 11;
        int alone = decode(&f, NULL, &plain);
        size_t n = plain.n;
        assert_true(n > 20 && n < MOST);
        memcpy(want, plain.tokens, n * sizeof *want);
        const wh_expected itself = {.said = want, .n = n};
        int ahead = decode(&f, &itself, &d);
        check_same(&plain, want, &d);
        assert_true(ahead <= alone / 8);
        for (int k = 0; k < 24; k++) {
            size_t m = 0, at = (size_t)(random_unit(&seed) * (double)n);
            for (size_t i = k % 6 == 3 ? at : 0; i < n; i++) {
                int is_odd = i == at;
                if (k % 6 == 1 && is_odd)
                    draft[m++] = (whisp_token){77, 0};
                draft[m] = want[i];
                if ((k % 6 == 0 && is_odd) || k % 6 == 4)
                    draft[m].id = (int32_t)(random_unit(&seed) * 200);
                m += !(k % 6 == 2 && is_odd);
                if (k % 6 == 5 && is_odd)
                    break;
            }
            const wh_expected expected = {.said = draft, .n = m};
            decode(&f, &expected, &d);
            check_same(&plain, want, &d);
        }
        assert_int_equal(decode(&f, NULL, &d), alone);
        check_same(&plain, want, &d);
        close_search(&f);
    }
}

/* What is given stands at the beginning with its log-probabilities, and what follows follows it. Of its own beginning a decoding's
 * rest is what it was (in integers: sums do not depend on how they are made up). */
static void what_is_given_is_not_looked_for(void **state)
{
    (void)state;
    fixture f = open_search(WH_COMPUTE_INT8);
    whisp_token want[MOST];
    wh_decoding plain, d;
    decode(&f, NULL, &plain);
    size_t n = plain.n, given = 9;
    memcpy(want, plain.tokens, n * sizeof *want);
    const wh_expected expected = {.said = want, .n = n, .n_given = given};
    decode(&f, &expected, &d);
    assert_true(d.n >= given);
    assert_memory_equal(d.tokens, want, given * sizeof *want);
    whisp_token other = want[4];
    want[4].id = want[4].id == 50 ? 51 : 50;
    decode(&f, &expected, &d);
    assert_memory_equal(d.tokens, want, given * sizeof *want);
    /* given up, and begun again, it is what it was */
    want[4] = other;
    assert_int_equal(wh_search_give_nothing(f.search), given);
    assert_int_equal(wh_search_give_nothing(f.search), 0);
    assert_int_equal(wh_search_begin(f.search, (const int32_t[]){40, 41, 42}, 3, 0), WHISP_OK);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    check_same(&plain, want, &d);
    const wh_expected few = {.said = want, .n = n, .n_given = given, .most = 3};
    decode(&f, &few, &d);
    assert_true(d.n <= given + 3);
    close_search(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_same_with_any_draft),
        cmocka_unit_test(what_is_given_is_not_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
