/* test_multiplex.c - one backend for several threads: what is refused to one of them is refused to it alone, one at a time
 * has reserved it, and slots that are forgotten are as new. */
#include "support/testing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/multiplex.h"
#include "support/models.h"

enum { VIEWS = 3 };

typedef struct asker {
    wh_multiplex *multiplex;
    wh_backend *view;
    int32_t token;
    int rc;
    char problem[256];
    float *logits; /* [n_vocab] */
} asker;

static atomic_int n_over; /* of the askers */

static float *mel; /* [3000][n_mels] */

/* A window, then one token. */
static int ask(wh_backend *backend, int32_t token, float *logits)
{
    static const int slot = 0, row = 0;
    wh_step step = {.n_tokens = 1, .tokens = &token, .n_rows = 1, .rows = &row, .logits = logits};
    const float *window = mel;
    int rc = wh_backend_encode(backend, 1, &window, &slot);
    return rc ? rc : wh_backend_decode(backend, 1, &step);
}

static void *run(void *user)
{
    asker *a = user;
    a->rc = ask(a->view, a->token, a->logits);
    snprintf(a->problem, sizeof a->problem, "%s", a->rc ? whisp_last_error() : "");
    wh_multiplex_leave(a->view);
    atomic_fetch_add(&n_over, 1);
    wh_multiplex_wake(a->multiplex);
    return NULL;
}

/* All of them in one call, unless the machine is so slow that the owner does not wait: each is counted among those who
 * run before it begins. */
static void ask_together(wh_backend *backend, asker *askers)
{
    wh_multiplex *m;
    pthread_t threads[VIEWS];
    atomic_store(&n_over, 0);
    assert_int_equal(wh_multiplex_new(backend, VIEWS, VIEWS, &m), WHISP_OK);
    for (int i = 0; i < VIEWS; i++) {
        assert_int_equal(wh_multiplex_view(m, 1, 0, NULL, &askers[i].view), WHISP_OK);
        askers[i].multiplex = m;
        askers[i].logits = calloc((size_t)model->n_vocab, sizeof(float));
        assert_non_null(askers[i].logits);
        wh_multiplex_enter(askers[i].view);
    }
    for (int i = 0; i < VIEWS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &askers[i]), 0);
    while (atomic_load(&n_over) < VIEWS)
        wh_multiplex_serve(m);
    for (int i = 0; i < VIEWS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < VIEWS; i++)
        wh_backend_free(askers[i].view);
    wh_multiplex_free(m);
}

static void only_the_culprit_is_refused(void **state)
{
    (void)state;
    size_t bytes = (size_t)model->n_vocab * sizeof(float);
    float *alone = calloc(1, bytes);
    wh_backend *backend;
    const wh_backend_config config = {.n_slots = VIEWS, .threads = 1, .compute = WH_COMPUTE_INT8};
    mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    assert_true(mel && alone);
    assert_int_equal(wh_backend_new("cpu", model, &config, &backend), WHISP_OK);
    assert_int_equal(ask(backend, 3, alone), WHISP_OK);
    for (int culprit = 0; culprit < VIEWS; culprit++) {
        asker askers[VIEWS] = {{.token = 3}, {.token = 3}, {.token = 3}};
        askers[culprit].token = model->n_vocab;
        ask_together(backend, askers);
        for (int i = 0; i < VIEWS; i++) {
            if (i == culprit) {
                assert_int_equal(askers[i].rc, WHISP_ERR_ARGUMENT);
                assert_non_null(strstr(askers[i].problem, "outside the vocabulary"));
            } else {
                assert_int_equal(askers[i].rc, WHISP_OK);
                assert_memory_equal(askers[i].logits, alone, bytes);
            }
            free(askers[i].logits);
        }
    }
    wh_backend_free(backend);
    free(alone);
    free(mel);
}

static atomic_int n_inside, n_most; /* who has reserved; the most of them at a time */

/* Again and again, and it computes while it has: then its turn is another's, who may want the same. */
static void *reserve(void *user)
{
    asker *a = user;
    wh_multiplex_enter(a->view);
    for (int i = 0; i < 20 && !(a->rc = wh_backend_reserve(a->view)); i++) {
        int n = atomic_fetch_add(&n_inside, 1) + 1;
        if (n > atomic_load(&n_most))
            atomic_store(&n_most, n);
        a->rc = ask(a->view, a->token, a->logits);
        atomic_fetch_sub(&n_inside, 1);
        wh_backend_release(a->view);
        if (a->rc)
            break;
    }
    wh_multiplex_leave(a->view);
    atomic_fetch_add(&n_over, 1);
    wh_multiplex_wake(a->multiplex);
    return NULL;
}

static void one_at_a_time_has_reserved(void **state)
{
    (void)state;
    wh_backend *backend;
    wh_multiplex *m;
    pthread_t threads[VIEWS];
    asker askers[VIEWS] = {{.token = 3}, {.token = 3}, {.token = 3}};
    const wh_backend_config config = {.n_slots = VIEWS, .threads = 1, .compute = WH_COMPUTE_INT8};
    assert_int_equal(wh_backend_new("cpu", model, &config, &backend), WHISP_OK);
    assert_int_equal(wh_multiplex_new(backend, VIEWS, 1, &m), WHISP_OK); /* one turn for all */
    mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    assert_non_null(mel);
    atomic_store(&n_over, 0);
    for (int i = 0; i < VIEWS; i++) {
        assert_int_equal(wh_multiplex_view(m, 1, 0, NULL, &askers[i].view), WHISP_OK);
        askers[i].multiplex = m;
        askers[i].logits = calloc((size_t)model->n_vocab, sizeof(float));
        assert_non_null(askers[i].logits);
    }
    for (int i = 0; i < VIEWS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve, &askers[i]), 0);
    while (atomic_load(&n_over) < VIEWS)
        wh_multiplex_serve(m);
    for (int i = 0; i < VIEWS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].rc, WHISP_OK);
        wh_backend_free(askers[i].view);
        free(askers[i].logits);
    }
    assert_int_equal(atomic_load(&n_most), 1);
    free(mel);
    wh_multiplex_free(m);
    assert_int_equal(wh_backend_reserve(backend), WHISP_OK); /* nobody shares it */
    wh_backend_release(backend);
    wh_backend_free(backend);
}

static void a_forgotten_slot_is_as_new(void **state)
{
    (void)state;
    wh_backend *backend;
    float *logits = calloc((size_t)model->n_vocab, sizeof *logits);
    static const int32_t token = 3;
    static const int row = 0;
    wh_step step = {.slot = 1, .n_tokens = 1, .tokens = &token, .n_rows = 1, .rows = &row, .logits = logits};
    const wh_backend_config config = {.n_slots = 2, .threads = 1, .compute = WH_COMPUTE_INT8};
    mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    assert_true(mel && logits);
    assert_int_equal(wh_backend_new("cpu", model, &config, &backend), WHISP_OK);
    assert_int_equal(ask(backend, token, logits), WHISP_OK);
    assert_int_equal(wh_backend_fork(backend, 1, 0), WHISP_OK);
    assert_int_equal(wh_backend_decode(backend, 1, &step), WHISP_OK);
    wh_backend_rest(backend, 1);
    assert_int_equal(wh_backend_decode(backend, 1, &step), WHISP_ERR_STATE);
    assert_int_equal(wh_backend_fork(backend, 1, 0), WHISP_OK);
    assert_int_equal(wh_backend_decode(backend, 1, &step), WHISP_OK);
    wh_backend_free(backend);
    free(logits);
    free(mel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_has_reserved),
        cmocka_unit_test(a_forgotten_slot_is_as_new),
        cmocka_unit_test(only_the_culprit_is_refused),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
