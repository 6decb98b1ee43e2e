/* test_beam.c - beam search on an invented model: against a plain one written here that keeps no caches and no short
 * lists; slots that are taken over and copied; threads, cancelling, and models that compute nonsense. */
#include "support/bounds.h"
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"
#include "support/calls.h"

static whisp_model *loaded, ending, *model = &ending;
static wh_tensor embedding;
static const wh_specials *sp;

/* The invented model, made to end its texts sooner: the first number of a token's embedding times 8 is how much the
 * model likes it beforehand (see invent.py). */
static int load(void **state)
{
    (void)state;
    if (whisp_model_load(invented_path("invented-multilingual"), NULL, &loaded))
        return -1;
    sp = wh_tokenizer_specials(loaded->tokenizer);
    ending = *loaded;
    embedding = *loaded->token_embedding;
    float *copy = malloc(embedding.bytes);
    if (!copy || embedding.type != WH_F32)
        return -1;
    memcpy(copy, embedding.data, embedding.bytes);
    copy[(size_t)sp->eot * (size_t)loaded->n_text_state] += 2.6f / 8;
    embedding.data = copy;
    ending.token_embedding = ending.output = &embedding;
    return 0;
}

static int unload(void **state)
{
    (void)state;
    free((void *)embedding.data);
    whisp_model_free(loaded);
    return 0;
}

struct fixture {
    whisp_options *options;
    wh_backend *backend;
    wh_search *search;
    whisp_timings timings;
};

/* A search over a window of noise, begun; options as name, value pairs up to NULL. */
static void open_search(struct fixture *f, const whisp_model *m, int threads, uint64_t noise, ...)
{
    *f = (struct fixture){.options = whisp_options_new()};
    va_list args;
    va_start(args, noise);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        if (whisp_options_set(f->options, name, va_arg(args, const char *)))
            fail_msg("%s", whisp_last_error());
    va_end(args);
    wh_backend_config config = {.n_slots = wh_search_slots(&f->options->values), .threads = threads};
    assert_int_equal(wh_backend_new("auto", m, &config, &f->backend), WHISP_OK);
    if (wh_search_new(m, f->options, f->backend, &f->timings, &f->search))
        fail_msg("%s", whisp_last_error());
    size_t n = (size_t)WH_WINDOW_FRAMES * (size_t)m->n_mels;
    float *mel = malloc(n * sizeof *mel);
    assert_non_null(mel);
    for (size_t i = 0; i < n; i++)
        mel[i] = (float)(2 * random_unit(&noise) - 1);
    const float *mels = mel;
    static const int slot = 0;
    assert_int_equal(wh_backend_encode(f->backend, 1, &mels, &slot), WHISP_OK);
    free(mel);
    int32_t prompt[20];
    for (int i = 0; i < 20; i++)
        prompt[i] = (int32_t)(noise >> i) & 63;
    assert_int_equal(wh_search_begin(f->search, prompt, noise % 3 * 10, 2), WHISP_OK);
}

static void close_search(struct fixture *f)
{
    wh_search_free(f->search);
    wh_backend_free(f->backend);
    whisp_options_free(f->options);
}

/* ---- the plain beam search ---- */

enum { MOST = 8, LONGEST = 40, ENDED = 64 };

struct sequence {
    whisp_token tokens[LONGEST + 1];
    size_t n;
    float sum;
};

/* A sequence's next log-probabilities, everything fed anew to slot 0. */
static void plain_logprobs(struct fixture *f, const struct sequence *q, double *logprobs)
{
    size_t n_start;
    const int32_t *start = wh_search_start(f->search, &n_start);
    int32_t tokens[448];
    int n = (int)(n_start + q->n), row = n - 1;
    memcpy(tokens, start, n_start * sizeof *tokens);
    for (size_t i = 0; i < q->n; i++)
        tokens[n_start + i] = q->tokens[i].id;
    float *logits = malloc((size_t)model->n_vocab * sizeof *logits);
    wh_step step = {.slot = 0, .n_tokens = n, .tokens = tokens, .n_rows = 1, .rows = &row, .logits = logits};
    assert_int_equal(wh_backend_truncate(f->backend, 0, 0), WHISP_OK);
    assert_int_equal(wh_backend_decode(f->backend, 1, &step), WHISP_OK);
    wh_search_filter(f->search, logits, q->tokens, q->n);
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < model->n_vocab; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int i = 0; i < model->n_vocab; i++)
        sum += exp(logits[i] - most);
    for (int i = 0; i < model->n_vocab; i++)
        logprobs[i] = logits[i] - most - log(sum);
    free(logits);
}

struct plain_extension {
    int from, token;
    float score;
};

static int better(const void *a, const void *b)
{
    const struct plain_extension *x = a, *y = b;
    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? 1 : -1;
    return x->from != y->from ? x->from - y->from : x->token - y->token;
}

/* All extensions of all beams in one list; the definition of the search. Returns how many sequences came out. */
static int plain_search(struct fixture *f, int size, double patience, size_t length, struct sequence *out)
{
    static struct sequence beams[MOST], next[MOST];
    int n_beams = 1, n_out = 0, wanted = (int)nearbyint(size * patience);
    size_t vocab = (size_t)model->n_vocab;
    struct plain_extension *all = malloc(MOST * vocab * sizeof *all);
    double *logprobs = malloc(vocab * sizeof *logprobs);
    memset(beams, 0, sizeof beams);
    for (size_t step = 0; step < length && n_out < wanted; step++) {
        size_t n = 0;
        for (int b = 0; b < n_beams; b++) {
            plain_logprobs(f, &beams[b], logprobs);
            for (size_t i = 0; i < vocab; i++)
                if (logprobs[i] > -INFINITY)
                    all[n++] = (struct plain_extension){b, (int)i, beams[b].sum + (float)logprobs[i]};
        }
        qsort(all, n, sizeof *all, better);
        int n_next = 0;
        for (size_t i = 0; i < n && n_next < size; i++) {
            struct sequence q = beams[all[i].from];
            q.sum = all[i].score;
            if (all[i].token == sp->eot) {
                if (n_out < wanted)
                    out[n_out++] = q;
            } else {
                q.tokens[q.n++] = (whisp_token){all[i].token, 0};
                next[n_next++] = q;
            }
        }
        memcpy(beams, next, sizeof beams);
        n_beams = n_next;
    }
    for (int i = 0; i < n_beams && n_out < size; i++) /* they are sorted */
        out[n_out++] = beams[i];
    free(all);
    free(logprobs);
    return n_out;
}

static const struct sequence *plain_best(const struct sequence *list, int n, double length_penalty)
{
    const struct sequence *best = NULL;
    double most = -INFINITY;
    for (int i = 0; i < n; i++) {
        double length = (double)list[i].n;
        double score = list[i].sum / (isnan(length_penalty) ? length : pow((5 + length) / 6, length_penalty));
        if (score > most) {
            most = score;
            best = &list[i];
        }
    }
    return best;
}

static void beams_find_what_a_plain_search_finds(void **state)
{
    (void)state;
    static const struct {
        const char *size, *patience, *penalty;
        const char *without_timestamps;
    } cases[] = {
        {"2", "None", "None", "False"}, {"3", "None", "0.6", "True"}, {"5", "2", "None", "False"},
        {"5", "0.5", "1", "True"},      {"8", "1.5", "0", "False"},   {"1", "3", "None", "True"},
    };
    static struct sequence out[ENDED];
    int lengths = 0, ended_early = 0;
    const uint64_t most = BOUNDS_SANITIZED ? 1 : 4;
    for (size_t i = 0; i < WH_COUNT(cases); i++)
        for (uint64_t noise = 1; noise <= most; noise++) {
            struct fixture f;
            wh_decoding d;
            open_search(&f, model, 1, noise * 77, "beam_size", cases[i].size, "patience", cases[i].patience,
                        "length_penalty", cases[i].penalty, "without_timestamps", cases[i].without_timestamps,
                        "sample_len", "40", NULL);
            const wh_values *v = &f.options->values;
            assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
            int n = plain_search(&f, v->beam_size, isnan(v->patience) ? 1 : v->patience, 40, out);
            const struct sequence *want = plain_best(out, n, v->length_penalty);
            assert_non_null(want);
            assert_int_equal(d.n, want->n);
            for (size_t k = 0; k < d.n; k++)
                assert_int_equal(d.tokens[k].id, want->tokens[k].id);
            assert_true(fabs(d.avg_logprob - want->sum / (double)(want->n + 1)) < 1e-4);
            lengths += (int)d.n;
            ended_early += d.n < 40;
            close_search(&f);
        }
    if (most == 4)
        assert_true(lengths > 200 && ended_early > 10 && ended_early < 24); /* some of each */
}

/* ---- options ---- */

static size_t decode_ids(uint64_t noise, const char *size, const char *patience, int32_t *ids, double *avg_logprob)
{
    struct fixture f;
    wh_decoding d;
    open_search(&f, model, 1, noise, "beam_size", size, "patience", patience, NULL);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    for (size_t i = 0; i < d.n; i++)
        ids[i] = d.tokens[i].id;
    *avg_logprob = d.avg_logprob;
    size_t n = d.n;
    close_search(&f);
    return n;
}

static void one_beam_is_the_most_probable_token(void **state)
{
    (void)state;
    int32_t greedy[450], one[450], five[450];
    double a, b, c;
    int better_found = 0;
    for (uint64_t noise = 5; noise < 9; noise++) {
        size_t n = decode_ids(noise, "None", "None", greedy, &a);
        assert_int_equal(decode_ids(noise, "1", "None", one, &b), n);
        assert_memory_equal(one, greedy, n * sizeof *one);
        assert_true(a == b);
        size_t n_five = decode_ids(noise, "5", "None", five, &c);
        better_found += n_five != n || memcmp(five, greedy, n * sizeof *five) != 0;
    }
    assert_true(better_found > 0); /* five beams do find something else */
}

static void patience_waits_for_more_sequences(void **state)
{
    (void)state;
    int64_t steps[3];
    static const char *const patience[] = {"0.4", "1", "4"};
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        wh_decoding d;
        open_search(&f, model, 1, 11, "beam_size", "5", "patience", patience[i], NULL);
        assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
        steps[i] = f.timings.n_decode_steps;
        close_search(&f);
    }
    assert_true(steps[0] < steps[1] && steps[1] < steps[2]);
}

static void beams_are_for_temperature_0_and_samples_above(void **state)
{
    (void)state;
    struct fixture f;
    wh_decoding d;
    open_search(&f, model, 1, 3, "beam_size", "4", "best_of", "2", "sample_len", "9", NULL);
    assert_int_equal(wh_search_slots(&f.options->values), 4);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    int32_t before[16];
    size_t n = d.n;
    for (size_t i = 0; i < n; i++)
        before[i] = d.tokens[i].id;
    f.timings = (whisp_timings){0};
    assert_int_equal(wh_search_decode(f.search, 0.7, 0, &d), WHISP_OK);
    assert_true(f.timings.n_decode_tokens <= 2 * f.timings.n_decode_steps);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK); /* and again the same */
    assert_int_equal(d.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(d.tokens[i].id, before[i]);
    close_search(&f);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    whisp_token first[450];
    size_t n = 0;
    double avg_logprob = 0;
    for (int threads = 1; threads <= 4; threads++) {
        struct fixture f;
        wh_decoding d;
        open_search(&f, model, threads, 21, "beam_size", "5", "patience", "1.6", NULL);
        assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
        if (threads == 1) {
            n = d.n;
            avg_logprob = d.avg_logprob;
            memcpy(first, d.tokens, n * sizeof *first);
        }
        assert_int_equal(d.n, n);
        assert_memory_equal(d.tokens, first, n * sizeof *first);
        assert_true(d.avg_logprob == avg_logprob);
        close_search(&f);
    }
}

static int calls_left;

static int cancel(void *user)
{
    (void)user;
    return calls_left-- == 0;
}

static void a_cancelled_search_can_start_again(void **state)
{
    (void)state;
    struct fixture f;
    wh_decoding d, again;
    open_search(&f, model, 1, 31, "beam_size", "5", NULL);
    calls_left = 1 << 30;
    set_callbacks(f.options, NULL, NULL, NULL, cancel, NULL);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    int32_t want[450];
    size_t n = d.n;
    for (size_t i = 0; i < n; i++)
        want[i] = d.tokens[i].id;
    assert_true(n > 3);
    for (int after = 0; after < 4; after++) {
        calls_left = after;
        assert_int_equal(wh_search_decode(f.search, 0, 0, &again), WHISP_ERR_CANCELLED);
    }
    calls_left = 1 << 30;
    assert_int_equal(wh_search_decode(f.search, 0, 0, &again), WHISP_OK);
    assert_int_equal(again.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(again.tokens[i].id, want[i]);
    close_search(&f);
}

/* ---- slots ---- */

static void feed(wh_backend *b, int slot, int32_t token, float *logits)
{
    static const int row = 0;
    wh_step step = {.slot = slot, .n_tokens = 1, .tokens = &token, .n_rows = 1, .rows = &row, .logits = logits};
    assert_int_equal(wh_backend_decode(b, 1, &step), WHISP_OK);
}

/* Take slots over at random as beams do, each time copying only what differs; every row of logits must be that of the
 * same tokens fed one by one to a slot of their own. */
static void slots_taken_over_compute_what_fresh_ones_do(void **state)
{
    (void)state;
    enum { SLOTS = 4, STEPS = 12 };
    struct fixture f;
    open_search(&f, model, 2, 41, "beam_size", "5", NULL);
    wh_backend *b = f.backend;
    size_t bytes = (size_t)model->n_vocab * sizeof(float);
    float *got = malloc(bytes), *want = malloc(bytes);
    int32_t tokens[SLOTS][STEPS + 1];
    uint64_t seed = 9;
    assert_int_equal(wh_backend_truncate(b, 0, 0), WHISP_OK);
    for (int i = 1; i < SLOTS; i++)
        assert_int_equal(wh_backend_fork(b, i, 0), WHISP_OK);
    for (int n = 0; n < STEPS; n++) {
        if (n > 1) { /* one slot becomes a copy of another */
            int dst = (int)(random_unit(&seed) * SLOTS), src = (int)(random_unit(&seed) * SLOTS), same = 0;
            while (same < n && tokens[dst][same] == tokens[src][same])
                same++;
            assert_int_equal(wh_backend_fork_tail(b, dst, src, same), WHISP_OK);
            memcpy(tokens[dst], tokens[src], sizeof tokens[dst]);
        }
        for (int i = 0; i < SLOTS; i++) {
            tokens[i][n] = (int32_t)(random_unit(&seed) * 200);
            feed(b, i, tokens[i][n], got);
            assert_int_equal(wh_backend_fork(b, SLOTS, 0), WHISP_OK); /* for the window */
            assert_int_equal(wh_backend_truncate(b, SLOTS, 0), WHISP_OK);
            for (int k = 0; k <= n; k++)
                feed(b, SLOTS, tokens[i][k], want);
            assert_memory_equal(got, want, bytes);
        }
    }
    assert_int_equal(wh_backend_fork_tail(b, 1, 2, STEPS + 1), WHISP_ERR_ARGUMENT); /* more than there is */
    assert_int_equal(wh_backend_fork_tail(b, 1, 2, -1), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_backend_fork_tail(b, 1, 9, 0), WHISP_ERR_ARGUMENT);
    free(got);
    free(want);
    close_search(&f);
}

/* ---- models and rules that leave nothing ---- */

/* Decode with every kind of search; whatever comes out, it comes out. */
static void must_survive(const whisp_model *m, const char *name, const char *value)
{
    static const char *const sizes[] = {"None", "2", "5"};
    for (size_t i = 0; i < WH_COUNT(sizes); i++) {
        struct fixture f;
        wh_decoding d;
        float probabilities[200];
        open_search(&f, m, 1, 51, "beam_size", sizes[i], "best_of", "3", "sample_len", "12", name, value, NULL);
        for (int t = 0; t < 2; t++) {
            assert_int_equal(wh_search_decode(f.search, t * 0.8, 0, &d), WHISP_OK);
            assert_in_range(d.n, 0, 12);
            for (size_t k = 0; k < d.n; k++)
                assert_in_range(d.tokens[k].id, 0, m->n_vocab - 1);
            assert_false(d.avg_logprob > 0);
        }
        assert_in_range(wh_search_languages(f.search, probabilities, NULL), 0, sp->n_languages - 1);
        close_search(&f);
    }
}

static void models_that_compute_nonsense_do_no_harm(void **state)
{
    (void)state;
    static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-44f, 0};
    size_t d = (size_t)model->n_text_state;
    float *gain = malloc(d * sizeof *gain), *bias = malloc(d * sizeof *bias);
    for (size_t v = 0; v < WH_COUNT(values); v++)
        for (int all = BOUNDS_SANITIZED ? (int)v % 2 : 0; all < 2; all += BOUNDS_SANITIZED + 1) {
            whisp_model broken = *model;
            memcpy(gain, model->text_ln.gain, d * sizeof *gain);
            memcpy(bias, model->text_ln.bias, d * sizeof *bias);
            for (size_t i = 0; i < d; i++)
                if (all || i == 3)
                    gain[i] = values[v], bias[i] = v % 2 ? values[v] : bias[i];
            broken.text_ln = (wh_norm){gain, bias};
            must_survive(&broken, "suppress_blank", "True");
        }
    free(gain);
    free(bias);
}

static void where_nothing_may_follow_the_text_ends(void **state)
{
    (void)state;
    wh_buf list = {0};
    for (int i = 0; i < model->n_vocab; i++)
        wh_buf_printf(&list, "%s%d", i ? "," : "", i);
    must_survive(model, "suppress_tokens", list.data);
    must_survive(model, "suppress_regex", "(.|[[:space:]]|[[:cntrl:]])+");
    must_survive(model, "no_repeat_ngram_size", "1");
    must_survive(model, "repetition_penalty", "100");
    must_survive(model, "repetition_penalty", "0.01");
    struct fixture f;
    wh_decoding d;
    open_search(&f, model, 1, 51, "beam_size", "3", "suppress_tokens", list.data, NULL);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    assert_int_equal(d.n, 0);
    assert_true(d.avg_logprob == -INFINITY); /* no threshold takes it for a success */
    close_search(&f);
    wh_buf_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beams_find_what_a_plain_search_finds),
        cmocka_unit_test(one_beam_is_the_most_probable_token),
        cmocka_unit_test(patience_waits_for_more_sequences),
        cmocka_unit_test(beams_are_for_temperature_0_and_samples_above),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_cancelled_search_can_start_again),
        cmocka_unit_test(slots_taken_over_compute_what_fresh_ones_do),
        cmocka_unit_test(models_that_compute_nonsense_do_no_harm),
        cmocka_unit_test(where_nothing_may_follow_the_text_ends),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
