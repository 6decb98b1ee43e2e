/* test_stopped.c - a computation that somebody wants to end: it is asked for within its products, ends with an error at
 * whichever question the answer is yes, and what is computed after that is what it would have been. */
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "support/slow_model.h"
#include "support/testing.h"

#define TOKENS 40
#define VOCABULARY 9000 /* enough for the product of a large one */

static const slow_sizes sizes = {.n_vocab = VOCABULARY,
                                 .n_mels = 20,
                                 .n_audio_ctx = 300,
                                 .n_text_ctx = 60,
                                 .d = 256,
                                 .heads = 4,
                                 .audio_layers = 2,
                                 .text_layers = 2};

static whisp_model *model;
static float *mel, *plain, *again; /* logits: [TOKENS + 1][VOCABULARY] */
static int32_t tokens[TOKENS + 1];

/* Which question is answered with yes, from 1; 0: none. */
static int yes_at, asked;

static int on_cancel(void *user)
{
    (void)user;
    return ++asked == yes_at;
}

static wh_backend *make(wh_compute compute, int threads)
{
    const wh_backend_config config = {
        .n_slots = 1, .threads = threads, .compute = compute, .cancel = on_cancel, .cancel_interval = 1e-9};
    wh_backend *b;
    if (wh_backend_new("cpu", model, &config, &b))
        fail_msg("%s", whisp_last_error());
    return b;
}

static int encode(wh_backend *b, int at)
{
    const int slot = 0;
    const float *const one = mel;
    yes_at = at;
    asked = 0;
    return wh_backend_encode(b, 1, &one, &slot);
}

/* Tokens first .. first + n - 1 behind those that are there, with the logits of all. */
static int decode(wh_backend *b, int at, int first, int n, float *logits)
{
    int rows[TOKENS];
    for (int i = 0; i < n; i++)
        rows[i] = i;
    const wh_step step = {.n_tokens = n,
                          .tokens = tokens + first,
                          .n_rows = n,
                          .rows = rows,
                          .logits = logits + (size_t)first * VOCABULARY};
    yes_at = at;
    asked = 0;
    return wh_backend_decode(b, 1, &step);
}

/* The window and the prompt are ended at each of so many questions, and begun anew. */
static void at_every_question(wh_compute compute, int threads)
{
    const size_t n = (TOKENS + 1) * (size_t)VOCABULARY;
    wh_backend *b = make(compute, threads);
    assert_int_equal(encode(b, 0), WHISP_OK);
    int in_window = asked;
    assert_int_equal(decode(b, 0, 0, TOKENS, plain), WHISP_OK);
    int in_prompt = asked;
    assert_int_equal(decode(b, 0, TOKENS, 1, plain), WHISP_OK);
    if (threads == 1) /* else it depends on how much of it falls to the thread that asks */
        assert_true(in_window >= 15 && in_prompt >= 4);
    for (int at = 1; at <= in_window; at++) {
        int rc = encode(b, at);
        assert_true(rc == (asked < at ? WHISP_OK : WHISP_ERR_CANCELLED));
        assert_int_equal(asked, rc ? at : asked); /* nobody is asked twice */
        if (rc)
            assert_int_equal(decode(b, 0, 0, 1, again), WHISP_ERR_STATE);
        if (rc && at % 4)
            continue;
        assert_int_equal(encode(b, 0), WHISP_OK);
        for (int k = 1; k <= in_prompt; k++) {
            rc = decode(b, k, 0, TOKENS, again);
            assert_true(rc == (asked < k ? WHISP_OK : WHISP_ERR_CANCELLED));
            if (!rc) /* it was over before that question: the tokens are there */
                assert_int_equal(wh_backend_truncate(b, 0, 0), WHISP_OK);
        }
        memset(again, 0, n * sizeof *again);
        assert_int_equal(decode(b, 0, 0, TOKENS, again), WHISP_OK);
        assert_int_equal(decode(b, 0, TOKENS, 1, again), WHISP_OK);
        assert_memory_equal(again, plain, n * sizeof *again);
    }
    wh_backend_free(b);
}

static void ended_and_begun_anew(void **state)
{
    (void)state;
    static const wh_compute all[] = {WH_COMPUTE_F32, WH_COMPUTE_INT8, WH_COMPUTE_BF16};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int threads = 1; threads <= 2; threads++)
            at_every_question(all[i], threads);
}

/* Whoever is asked may have to wait for a lock: not more often than the clock says. */
static void not_asked_too_often(void **state)
{
    (void)state;
    const wh_backend_config config = {
        .n_slots = 1, .threads = 1, .compute = WH_COMPUTE_INT8, .cancel = on_cancel, .cancel_interval = 3600};
    wh_backend *b;
    assert_int_equal(wh_backend_new("cpu", model, &config, &b), WHISP_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(encode(b, 2), WHISP_OK);
    assert_int_equal(asked, 0);
    wh_backend_free(b);
}

static int set_up(void **state)
{
    uint64_t seed = 5;
    (void)state;
    size_t n_mel = 2 * (size_t)sizes.n_audio_ctx * (size_t)sizes.n_mels, n = (TOKENS + 1) * (size_t)VOCABULARY;
    model = slow_model_new(&sizes, WH_F16, 3);
    mel = malloc(n_mel * sizeof *mel);
    plain = malloc(n * sizeof *plain);
    again = malloc(n * sizeof *again);
    if (!model || !mel || !plain || !again)
        return -1;
    for (size_t i = 0; i < n_mel; i++)
        mel[i] = (float)(2 * random_unit(&seed) - 1);
    for (int i = 0; i < TOKENS + 1; i++)
        tokens[i] = (int32_t)(random_unit(&seed) * VOCABULARY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    slow_model_free(model);
    free(mel);
    free(plain);
    free(again);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ended_and_begun_anew),
        cmocka_unit_test(not_asked_too_often),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
