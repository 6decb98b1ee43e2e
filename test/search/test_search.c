/* test_search.c - the rules of what may follow, one by one, on rows of logits made for the purpose. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

static whisp_model *model;
static const wh_specials *sp;

static int load(void **state)
{
    (void)state;
    if (whisp_model_load(invented_path("invented-multilingual"), NULL, &model))
        return -1;
    sp = wh_tokenizer_specials(model->tokenizer);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    whisp_model_free(model);
    return 0;
}

struct fixture {
    whisp_options *options;
    wh_backend *backend;
    wh_search *search;
    float *row;
};

static whisp_timings timings; /* outlives every search */

static struct fixture open_search(const char *name, const char *value)
{
    struct fixture f = {.options = whisp_options_new()};
    wh_backend_config config = {.n_slots = 5, .threads = 1};
    if (name)
        assert_int_equal(whisp_options_set(f.options, name, value), WHISP_OK);
    assert_int_equal(wh_backend_new("auto", model, &config, &f.backend), WHISP_OK);
    assert_int_equal(wh_search_new(model, f.options, f.backend, &timings, &f.search), WHISP_OK);
    f.row = malloc((size_t)model->n_vocab * sizeof *f.row);
    return f;
}

static void close_search(struct fixture *f)
{
    wh_search_free(f->search);
    wh_backend_free(f->backend);
    whisp_options_free(f->options);
    free(f->row);
}

/* A flat row of text logits with timestamps far below; then the filter. */
static void filter(struct fixture *f, float text, float time, const int *ids, size_t n)
{
    whisp_token sampled[8];
    for (size_t i = 0; i < n; i++)
        sampled[i] = (whisp_token){ids[i], 0};
    for (int i = 0; i < model->n_vocab; i++)
        f->row[i] = i < sp->timestamp_begin ? text : time;
    wh_search_filter(f->search, f->row, sampled, n);
}

static int forbidden(const struct fixture *f, int from, int to)
{
    int n = 0;
    for (int i = from; i < to; i++)
        n += f->row[i] == -INFINITY;
    return n;
}

#define TIME(i) (sp->timestamp_begin + (i))
#define ALL_TIMES TIME(0), TIME(1501)

static void the_first_token_is_a_time_of_at_most_one_second(void **state)
{
    (void)state;
    struct fixture f = open_search(NULL, NULL);
    filter(&f, 5, 0, NULL, 0);
    assert_int_equal(forbidden(&f, 0, TIME(0)), TIME(0));
    assert_int_equal(forbidden(&f, TIME(0), TIME(51)), 0);
    assert_int_equal(forbidden(&f, TIME(51), TIME(1501)), 1450);
    close_search(&f);
    f = open_search("max_initial_timestamp", "None");
    filter(&f, 5, 0, NULL, 0);
    assert_int_equal(forbidden(&f, ALL_TIMES), 0);
    close_search(&f);
}

static void after_the_first_time_comes_text(void **state)
{
    (void)state;
    struct fixture f = open_search(NULL, NULL);
    int first[] = {TIME(3)};
    filter(&f, 0, 50, first, 1); /* however probable times are */
    assert_int_equal(forbidden(&f, ALL_TIMES), 1501);
    assert_true(f.row['a'] == 0);
    close_search(&f);
}

static void times_come_in_pairs_and_do_not_decrease(void **state)
{
    (void)state;
    struct fixture f = open_search(NULL, NULL);
    int closing[] = {TIME(3), 40, 41, TIME(100)}; /* a time after text: a time at least as late, or the end */
    filter(&f, 0, -20, closing, 4);
    assert_int_equal(forbidden(&f, 0, sp->eot), sp->eot);
    assert_true(f.row[sp->eot] == 0);
    assert_int_equal(forbidden(&f, TIME(0), TIME(100)), 100);
    assert_int_equal(forbidden(&f, TIME(100), TIME(1501)), 0);
    int inside[] = {TIME(3), 40, 41}; /* inside text: later than the opening time */
    filter(&f, 0, -20, inside, 3);
    assert_int_equal(forbidden(&f, TIME(0), TIME(4)), 4);
    assert_int_equal(forbidden(&f, TIME(4), TIME(1501)), 0);
    assert_true(f.row[42] == 0);
    int opened[] = {TIME(3), 40, TIME(100), TIME(120)}; /* a pair is complete: text */
    filter(&f, 0, -20, opened, 4);
    assert_int_equal(forbidden(&f, ALL_TIMES), 1501);
    close_search(&f);
}

static void times_win_together(void **state)
{
    (void)state;
    struct fixture f = open_search(NULL, NULL);
    int inside[] = {TIME(0), 40, 41};
    /* 1500 times of logit t weigh t + ln 1500 = t + 7.31 together */
    filter(&f, 0, -7.4f, inside, 3);
    assert_true(f.row[42] == 0);
    filter(&f, 0, -7.2f, inside, 3);
    assert_int_equal(forbidden(&f, 0, TIME(0)), TIME(0));
    close_search(&f);
}

static void special_tokens_and_symbols_are_suppressed(void **state)
{
    (void)state;
    const int specials[] = {sp->sot,      sp->translate, sp->transcribe,   sp->sot_lm,
                            sp->sot_prev, sp->no_speech, sp->no_timestamps};
    int inside[] = {TIME(0), 40};
    struct fixture f = open_search(NULL, NULL);
    filter(&f, 0, -20, inside, 2);
    for (size_t i = 0; i < WH_COUNT(specials); i++)
        assert_true(f.row[specials[i]] == -INFINITY);
    int32_t bracket[4];
    assert_int_equal(whisp_tokenize(model, "[", bracket, 4), 1);
    assert_true(f.row[bracket[0]] == -INFINITY);
    assert_true(f.row[sp->eot] == 0);
    close_search(&f);

    f = open_search("suppress_tokens", "40,7"); /* a list of one's own: symbols are allowed, special tokens are not */
    filter(&f, 0, -20, inside, 2);
    assert_true(f.row[40] == -INFINITY && f.row[7] == -INFINITY && f.row[bracket[0]] == 0);
    assert_true(f.row[sp->sot] == -INFINITY);
    close_search(&f);

    f = open_search("suppress_tokens", "None");
    filter(&f, 0, -20, inside, 2);
    assert_true(f.row[bracket[0]] == 0 && f.row[sp->sot] == 0);
    assert_true(f.row[sp->no_timestamps] == -INFINITY); /* a timestamp rule */
    close_search(&f);
}

static void without_timestamps_only_the_beginning_is_special(void **state)
{
    (void)state;
    struct fixture f = open_search("without_timestamps", "True");
    filter(&f, 0, 0, NULL, 0);
    int32_t blank[4];
    assert_int_equal(whisp_tokenize(model, " ", blank, 4), 1);
    assert_true(f.row[blank[0]] == -INFINITY && f.row[sp->eot] == -INFINITY);
    assert_int_equal(forbidden(&f, ALL_TIMES), 0);
    int one[] = {40};
    filter(&f, 0, 0, one, 1);
    assert_true(f.row[sp->eot] == 0);
    close_search(&f);
}

static void start_sequences_hold_the_prompts_end(void **state)
{
    (void)state;
    struct fixture f = open_search(NULL, NULL);
    size_t n_mel = (size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, n;
    float *mel = calloc(n_mel, sizeof *mel);
    const float *mels = mel;
    static const int slot = 0;
    assert_int_equal(wh_backend_encode(f.backend, 1, &mels, &slot), WHISP_OK);
    int32_t prompt[300];
    for (int i = 0; i < 300; i++)
        prompt[i] = i % 200;
    assert_int_equal(wh_search_begin(f.search, prompt, 300, 4), WHISP_OK);
    const int32_t *start = wh_search_start(f.search, &n);
    assert_int_equal(n, 1 + 223 + 3);
    assert_int_equal(start[0], sp->sot_prev);
    assert_int_equal(start[1], 77);
    assert_int_equal(start[224], sp->sot);
    assert_int_equal(start[225], sp->languages[4]);
    assert_int_equal(start[226], sp->transcribe);
    assert_int_equal(wh_search_begin(f.search, prompt, 0, 0), WHISP_OK);
    start = wh_search_start(f.search, &n);
    assert_int_equal(n, 3);
    assert_int_equal(start[0], sp->sot);
    free(mel);
    close_search(&f);
}

static void samples_follow_the_distribution(void **state)
{
    (void)state;
    /* Decode the same silent window from many places: the first token is drawn from 51 times. Compare how often each
     * was drawn with the probability that the model gave it (chi-squared). */
    struct fixture f = open_search("best_of", "1");
    float *mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    const float *mels = mel;
    static const int slot = 0;
    double temperature = 1.0, p[51], sum = 0, chi = 0;
    enum { DRAWS = 160 };
    int counts[51] = {0};
    assert_int_equal(wh_backend_encode(f.backend, 1, &mels, &slot), WHISP_OK);
    assert_int_equal(wh_search_begin(f.search, NULL, 0, 0), WHISP_OK);
    const float *logits = wh_search_first_logits(f.search);
    for (int i = 0; i < 51; i++)
        sum += p[i] = exp((double)logits[TIME(i)] / temperature);
    for (int64_t seek = 0; seek < DRAWS; seek++) {
        wh_decoding d;
        assert_int_equal(wh_search_decode(f.search, temperature, seek, &d), WHISP_OK);
        assert_true(d.n > 0 && d.tokens[0].id >= TIME(0) && d.tokens[0].id <= TIME(50));
        assert_true(fabs(d.tokens[0].logprob - log(p[d.tokens[0].id - TIME(0)] / sum)) < 1e-3);
        counts[d.tokens[0].id - TIME(0)]++;
    }
    for (int i = 0; i < 51; i++) {
        double want = DRAWS * p[i] / sum;
        chi += (counts[i] - want) * (counts[i] - want) / want;
    }
    assert_true(chi < 100); /* 50 degrees of freedom: 99.99% of the time below 97 */
    free(mel);
    close_search(&f);
}

/* Rows that leave no doubt give samples that are the decoding; a row that says something else, samples that have it there
 * and go on. */
static void samples_leave_the_decoding_where_rows_say_so(void **state)
{
    (void)state;
    struct fixture f = open_search("confidence", "True");
    size_t n_vocab = (size_t)model->n_vocab, n_start, odd = 3;
    float *mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    float *row = malloc(n_vocab * sizeof *row);
    const float *mels = mel;
    static const int slot = 0;
    wh_decoding d;
    assert_int_equal(wh_backend_encode(f.backend, 1, &mels, &slot), WHISP_OK);
    assert_int_equal(wh_search_begin(f.search, NULL, 0, 0), WHISP_OK);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    size_t n = d.n;
    assert_true(n > odd + 1);
    whisp_token *tokens = malloc(n * sizeof *tokens);
    int32_t *ids = malloc(n * sizeof *ids);
    memcpy(tokens, d.tokens, n * sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        ids[i] = tokens[i].id;
    wh_search_start(f.search, &n_start);
    for (int is_odd = 0; is_odd <= 1; is_odd++) {
        int32_t other = tokens[odd].id == 20 ? 21 : 20;
        assert_int_equal(wh_backend_truncate(f.backend, 0, (int)n_start), WHISP_OK);
        wh_step step = {.slot = 0, .n_tokens = (int)n - 1, .tokens = ids};
        assert_int_equal(wh_backend_decode(f.backend, 1, &step), WHISP_OK);
        assert_int_equal(wh_search_branches_begin(f.search, 0), WHISP_OK);
        for (size_t i = 0; i < n; i++) {
            for (size_t t = 0; t < n_vocab; t++)
                row[t] = -100;
            row[is_odd && i == odd ? other : tokens[i].id] = 0;
            wh_search_branches_read(f.search, tokens, i, row);
        }
        assert_int_equal(wh_search_branches_follow(f.search, tokens, n), WHISP_OK);
        for (int k = 0; k < WH_CONFIDENCE_SAMPLES; k++) {
            size_t m, same = is_odd ? odd : n;
            const whisp_token *sample = wh_search_sampled(f.search, k, &m);
            assert_true(m <= n + 8 && (is_odd ? m > odd : m == n));
            for (size_t i = 0; i < same; i++)
                assert_int_equal(sample[i].id, tokens[i].id);
            if (is_odd)
                assert_int_equal(sample[odd].id, other);
            size_t m_first;
            const whisp_token *first = wh_search_sampled(f.search, 0,
                                                         &m_first); /* who goes the same way says the same */
            assert_int_equal(m, m_first);
            assert_memory_equal(sample, first, m * sizeof *sample);
        }
    }
    free(ids);
    free(tokens);
    free(row);
    free(mel);
    close_search(&f);
}

struct watched {
    int32_t ids[512];
    float *rows; /* [512][n_vocab] */
    size_t n, begun;
};

static int watch(void *user, const whisp_token *tokens, size_t i, const float *logits)
{
    struct watched *w = user;
    size_t n_vocab = (size_t)model->n_vocab;
    if (!tokens) {
        w->n = 0;
        w->begun++;
        return WHISP_OK;
    }
    assert_true(i < 512);
    w->ids[w->n] = (int32_t)i;
    memcpy(w->rows + w->n++ * n_vocab, logits, n_vocab * sizeof *logits);
    return WHISP_OK;
}

/* What is shown while a window is decoded is what the decoder says when it reads the tokens again, bit for bit; and only
 * text at temperature 0 is shown, whose tokens slot 0 then holds. */
static void the_rows_shown_are_those_of_reading_again(void **state)
{
    (void)state;
    struct fixture f = open_search("confidence", "True");
    size_t n_vocab = (size_t)model->n_vocab, n_start, n_text = 0;
    float *mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *mel);
    struct watched seen = {.rows = malloc(512 * n_vocab * sizeof(float))};
    float *again = malloc(512 * n_vocab * sizeof *again);
    const float *mels = mel;
    static const int slot = 0;
    int32_t ids[512];
    int rows[512];
    wh_decoding d;
    wh_search_watch(f.search, watch, &seen);
    assert_int_equal(wh_backend_encode(f.backend, 1, &mels, &slot), WHISP_OK);
    assert_int_equal(wh_search_begin(f.search, NULL, 0, 0), WHISP_OK);
    assert_false(wh_search_has_read(f.search));
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    assert_true(wh_search_has_read(f.search));
    assert_true(d.n > 4 && d.n < 512 && seen.begun == 1);
    wh_search_start(f.search, &n_start);
    assert_int_equal(wh_backend_truncate(f.backend, 0, (int)n_start), WHISP_OK);
    for (size_t i = 0; i < d.n; i++) {
        ids[i] = d.tokens[i].id;
        rows[i] = (int)i;
    }
    wh_step step = {
        .slot = 0, .n_tokens = (int)d.n - 1, .tokens = ids, .n_rows = (int)d.n - 1, .rows = rows, .logits = again};
    assert_int_equal(wh_backend_decode(f.backend, 1, &step), WHISP_OK);
    for (size_t i = 0; i < d.n; i++)
        if (d.tokens[i].id < wh_tokenizer_specials(model->tokenizer)->eot) {
            const float *row = i ? again + (i - 1) * n_vocab : wh_search_first_logits(f.search);
            assert_int_equal(seen.ids[n_text], i);
            assert_memory_equal(seen.rows + n_text * n_vocab, row, n_vocab * sizeof *row);
            n_text++;
        }
    assert_true(n_text > 3 && n_text == seen.n);
    assert_int_equal(wh_search_decode(f.search, 0.5, 0, &d), WHISP_OK);
    assert_int_equal(seen.n, 0);
    assert_int_equal(seen.begun, 2);
    assert_false(wh_search_has_read(f.search));
    free(again);
    free(seen.rows);
    free(mel);
    close_search(&f);
}

static void compression_ratio_is_zlibs(void **state)
{
    (void)state;
    /* values of Python's len(b) / len(zlib.compress(b)) */
    double ratio = -1;
    assert_int_equal(wh_compression_ratio("", 0, &ratio), WHISP_OK);
    assert_true(ratio == 0);
    assert_int_equal(wh_compression_ratio("hello", 5, &ratio), WHISP_OK);
    assert_true(fabs(ratio - 5.0 / 13) < 1e-12);
    char loop[1000];
    for (int i = 0; i < 1000; i++)
        loop[i] = "you "[i % 4];
    assert_int_equal(wh_compression_ratio(loop, 1000, &ratio), WHISP_OK);
    assert_true(ratio > 40);
}

static int32_t boosted; /* the token that the rule below makes the most probable */

static int always(const wh_values *values)
{
    (void)values;
    return 1;
}

static void boost(const wh_search *search, const whisp_token *sampled, size_t n, float *logits)
{
    (void)sampled;
    logits[boosted] = n < search->n_forced + 3 ? 1000 : logits[boosted];
}

/* A row whose rule changes logits: the tokens follow it, and the backend is asked for logits. */
static void a_rule_may_change_logits(void **state)
{
    (void)state;
    static const wh_rule rules[] = {{always, NULL, boost}};
    struct fixture f = open_search("without_timestamps", "True");
    float *mel = calloc(3000 * (size_t)model->n_mels, sizeof *mel);
    wh_decoding decoding;
    const float *window = mel;
    static const int slot = 0;
    assert_int_equal(wh_backend_encode(f.backend, 1, &window, &slot), WHISP_OK);
    assert_int_equal(wh_search_begin(f.search, NULL, 0, 0), WHISP_OK);
    assert_int_equal(wh_rules_need_logits(f.search), 0);
    f.search->rules = rules;
    f.search->n_rules = WH_COUNT(rules);
    assert_int_equal(wh_rules_need_logits(f.search), 1);
    for (boosted = 65; boosted < 67; boosted++) {
        assert_int_equal(wh_search_decode(f.search, 0, 0, &decoding), WHISP_OK);
        assert_true(decoding.n >= 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(decoding.tokens[i].id, boosted);
    }
    free(mel);
    close_search(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_token_is_a_time_of_at_most_one_second),
        cmocka_unit_test(after_the_first_time_comes_text),
        cmocka_unit_test(times_come_in_pairs_and_do_not_decrease),
        cmocka_unit_test(times_win_together),
        cmocka_unit_test(special_tokens_and_symbols_are_suppressed),
        cmocka_unit_test(without_timestamps_only_the_beginning_is_special),
        cmocka_unit_test(start_sequences_hold_the_prompts_end),
        cmocka_unit_test(samples_follow_the_distribution),
        cmocka_unit_test(samples_leave_the_decoding_where_rows_say_so),
        cmocka_unit_test(the_rows_shown_are_those_of_reading_again),
        cmocka_unit_test(compression_ratio_is_zlibs),
        cmocka_unit_test(a_rule_may_change_logits),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
