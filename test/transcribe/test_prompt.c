/* test_prompt.c - prefix, hotwords, repetition penalty, n-grams, regular expressions, limits on tokens, a language for
 * each window: on an invented model, and on real ones against what CTranslate2 4.8.5 and faster-whisper give. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/session.h"
#include "support/bounds.h"
#include "support/calls.h"

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

/* Options from name, value pairs; temperature 0 without fallback. */
static whisp_options *options_from(va_list args)
{
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_options_set(o, "temperature", "0"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        if (whisp_options_set(o, name, va_arg(args, const char *)))
            fail_msg("%s", whisp_last_error());
    return o;
}

struct fixture {
    const whisp_model *model;
    whisp_options *options;
    wh_backend *backend;
    wh_search *search;
    whisp_timings timings;
};

/* The window's log-Mel, [3000][n_mels], or NULL for silence. */
static void open_search(struct fixture *f, const whisp_model *m, const float *mel, ...)
{
    va_list args;
    va_start(args, mel);
    *f = (struct fixture){.model = m, .options = options_from(args)};
    va_end(args);
    wh_backend_config config = {.n_slots = wh_search_slots(&f->options->values), .threads = 2};
    assert_int_equal(wh_backend_new("auto", m, &config, &f->backend), WHISP_OK);
    if (wh_search_new(m, f->options, f->backend, &f->timings, &f->search))
        fail_msg("%s", whisp_last_error());
    float *silence = calloc((size_t)WH_WINDOW_FRAMES * (size_t)m->n_mels, sizeof *silence);
    const float *mels = mel ? mel : silence;
    static const int slot = 0;
    assert_int_equal(wh_backend_encode(f->backend, 1, &mels, &slot), WHISP_OK);
    free(silence);
}

static void close_search(struct fixture *f)
{
    wh_search_free(f->search);
    wh_backend_free(f->backend);
    whisp_options_free(f->options);
}

static size_t tokens_of(const char *text, int32_t *tokens, size_t capacity)
{
    int64_t n = whisp_tokenize(model, text, tokens, capacity);
    assert_true(n > 0);
    return (size_t)n;
}

/* ---- the start sequence ---- */

static const int32_t *begin(struct fixture *f, int first, size_t n_prompt, size_t *n)
{
    int32_t prompt[300];
    for (int i = 0; i < 300; i++)
        prompt[i] = i % 200;
    wh_search_first_window(f->search, first);
    assert_int_equal(wh_search_begin(f->search, prompt, n_prompt, 0), WHISP_OK);
    return wh_search_start(f->search, n);
}

static void hotwords_stand_before_the_text(void **state)
{
    (void)state;
    struct fixture f;
    int32_t words[64];
    size_t n, n_words = tokens_of(" qua Zed", words, 64);
    open_search(&f, model, NULL, "hotwords", "  qua Zed ", NULL);
    const int32_t *start = begin(&f, 1, 0, &n); /* without text before they still have their start-of-prev */
    assert_int_equal(n, 1 + n_words + 3);
    assert_int_equal(start[0], sp->sot_prev);
    assert_memory_equal(start + 1, words, n_words * sizeof *words);
    assert_int_equal(start[1 + n_words], sp->sot);
    start = begin(&f, 0, 300, &n);
    assert_int_equal(n, 1 + n_words + 223 + 3);
    assert_memory_equal(start + 1, words, n_words * sizeof *words);
    assert_int_equal(start[1 + n_words], 77); /* the text's last 223 tokens */
    close_search(&f);

    char many[3001];
    memset(many, 'q', 3000);
    many[3000] = 0;
    open_search(&f, model, NULL, "hotwords", many, NULL);
    start = begin(&f, 1, 300, &n);
    assert_int_equal(start[0], sp->sot_prev);
    for (int i = 2; i <= 223; i++) /* cut to half the context less one */
        assert_int_equal(start[i], start[223]);
    assert_int_not_equal(start[224], start[223]);
    assert_int_equal(n, 448 - 448 / 4); /* and the text before so that a quarter is free */
    close_search(&f);
}

static void a_prefix_begins_the_first_window_only(void **state)
{
    (void)state;
    struct fixture f;
    int32_t words[64], hot[64];
    wh_decoding d;
    size_t n, n_words = tokens_of(" And so", words, 64), n_hot = tokens_of(" qua", hot, 64);
    open_search(&f, model, NULL, "prefix", "And so", "hotwords", "qua", "sample_len", "10", NULL);
    const int32_t *start = begin(&f, 1, 0, &n);
    assert_int_equal(n, 3 + 1 + n_words); /* no hotwords beside a prefix */
    assert_int_equal(start[3], sp->timestamp_begin);
    assert_memory_equal(start + 4, words, n_words * sizeof *words);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    assert_true(d.n > n_words + 1 && d.n <= n_words + 1 + 10); /* it is part of what is heard */
    assert_int_equal(d.tokens[0].id, sp->timestamp_begin);
    for (size_t i = 0; i < n_words; i++)
        assert_int_equal(d.tokens[1 + i].id, words[i]);
    assert_int_equal(wh_search_decode(f.search, 0.6, 0, &d), WHISP_OK);
    assert_int_equal(d.tokens[1].id, words[0]);
    start = begin(&f, 0, 0, &n);
    assert_int_equal(n, 1 + n_hot + 3);
    assert_int_equal(start[1], hot[0]);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    assert_true(d.n == 0 || d.tokens[0].id >= sp->timestamp_begin);
    close_search(&f);

    open_search(&f, model, NULL, "prefix", "And so", "without_timestamps", "True", "beam_size", "3", "sample_len", "5",
                NULL);
    start = begin(&f, 1, 5, &n);
    assert_int_equal(n, 1 + 5 + 4 + n_words);
    assert_int_equal(start[9], sp->no_timestamps);
    assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
    assert_int_equal(d.tokens[0].id, words[0]);
    assert_true(d.n > n_words); /* suppress_blank: something must follow */
    close_search(&f);
}

/* ---- penalties ---- */

static void filter(struct fixture *f, float *row, float value, const int *ids, size_t n)
{
    whisp_token sampled[16];
    for (size_t i = 0; i < n; i++)
        sampled[i] = (whisp_token){ids[i], 0};
    for (int i = 0; i < f->model->n_vocab; i++)
        row[i] = value;
    wh_search_filter(f->search, row, sampled, n);
}

static void repeated_tokens_are_penalized_once(void **state)
{
    (void)state;
    struct fixture f;
    float *row = malloc((size_t)model->n_vocab * sizeof *row);
    const int ids[] = {70, 71, 70, 70};
    open_search(&f, model, NULL, "repetition_penalty", "2", "without_timestamps", "True", "suppress_tokens", "", NULL);
    filter(&f, row, 3, ids, 4);
    assert_true(row[70] == 1.5f && row[71] == 1.5f && row[72] == 3);
    filter(&f, row, -3, ids, 4);
    assert_true(row[70] == -6 && row[71] == -6 && row[72] == -3);
    filter(&f, row, -INFINITY, ids, 4);
    assert_true(row[70] == -INFINITY);
    close_search(&f);
    free(row);
}

static void ngrams_do_not_come_twice(void **state)
{
    (void)state;
    struct fixture f;
    float *row = malloc((size_t)model->n_vocab * sizeof *row);
    const int ids[] = {70, 71, 72, 70, 71, 73, 70, 71};
    open_search(&f, model, NULL, "no_repeat_ngram_size", "3", "without_timestamps", "True", "suppress_tokens", "",
                NULL);
    filter(&f, row, 0, ids, 8);
    assert_true(row[72] == -INFINITY && row[73] == -INFINITY && row[70] == 0 && row[71] == 0);
    filter(&f, row, 0, ids, 4); /* "71 70" has no past */
    for (int i = 70; i < 74; i++)
        assert_true(row[i] == 0);
    close_search(&f);
    open_search(&f, model, NULL, "no_repeat_ngram_size", "1", "without_timestamps", "True", "suppress_tokens", "",
                NULL);
    filter(&f, row, 0, ids, 2);
    assert_true(row[70] == -INFINITY && row[71] == -INFINITY && row[72] == 0);
    close_search(&f);
    free(row);
}

static void tokens_whose_whole_text_matches_are_suppressed(void **state)
{
    (void)state;
    struct fixture f;
    float *row = malloc((size_t)model->n_vocab * sizeof *row);
    int32_t the[4], t[4], a[4], dot[4];
    assert_int_equal(tokens_of(" the", the, 4), 1);
    assert_int_equal(tokens_of(" t", t, 4), 1);
    assert_int_equal(tokens_of("a", a, 4), 1);
    assert_int_equal(tokens_of(".", dot, 4), 1);
    const int ids[] = {40};
    open_search(&f, model, NULL, "suppress_regex", " ?the?|[[:punct:]]", "suppress_tokens", "", "without_timestamps",
                "True", NULL);
    filter(&f, row, 0, ids, 1);
    assert_true(row[the[0]] == -INFINITY && row[dot[0]] == -INFINITY);
    assert_true(row[t[0]] == 0 && row[a[0]] == 0 && row[sp->eot] == 0 && row[sp->timestamp_begin] == 0);
    close_search(&f);
    free(row);
}

/* ---- what is refused ---- */

static void contradictions_are_refused(void **state)
{
    (void)state;
    char long_text[1200], many[400] = "";
    memset(long_text, 'q', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    memset(many, '(', 150);
    memset(many + 150, ')', 150);
    const struct {
        const char *options[5];
        const char *why;
    } cases[] = {
        {{"patience", "2"}, "beam_size"},
        {{"patience", "0.1", "beam_size", "2"}, "patience"},
        {{"sample_len", "5", "max_new_tokens", "6"}, "contradict"},
        {{"max_new_tokens", "446"}, "room for 448"},
        {{"max_new_tokens", "224", "initial_prompt", long_text}, "initial_prompt"},
        {{"max_new_tokens", "224", "hotwords", long_text}, "hotwords"},
        {{"sample_len", "448"}, "sample_len"},
        {{"suppress_regex", "(a"}, "regular expression"},
        {{"suppress_regex", "[z-a]"}, "regular expression"},
        {{"suppress_regex", long_text}, "too large"},
        {{"suppress_regex", many}, "too large"},
        {{"suppress_regex", "((a{1,255}){1,255}){1,255}"}, "too large"},
        {{"suppress_regex", "[[:alpha:]]{1,500}"}, "too large"},
        {{"suppress_regex", "\\d+"}, "write [0-9]"},
        {{"suppress_regex", "(a*)\\1"}, "references to groups"},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        whisp_options *o = whisp_options_new();
        whisp_session *s;
        for (int k = 0; cases[i].options[k]; k += 2)
            assert_int_equal(whisp_options_set(o, cases[i].options[k], cases[i].options[k + 1]), WHISP_OK);
        assert_int_equal(whisp_session_new(model, o, &s), WHISP_ERR_ARGUMENT);
        if (!strstr(whisp_last_error(), cases[i].why) || strchr(whisp_last_error(), '\n'))
            fail_msg("%s: %s", cases[i].options[0], whisp_last_error());
        assert_null(s);
        whisp_options_free(o);
    }
}

/* ---- sessions ---- */

static whisp_result *transcribe(const whisp_model *m, const float *samples, size_t n_samples, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    whisp_options *o = options_from(args);
    va_end(args);
    /* invented models hear words in noise */
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"), WHISP_OK);
    whisp_session *s;
    whisp_result *result = NULL;
    if (whisp_session_new(m, o, &s) ||
        (path ? transcribe_file(s, path, &result) : transcribe_samples(s, samples, n_samples, &result)))
        fail_msg("%s", whisp_last_error());
    whisp_session_free(s);
    whisp_options_free(o);
    return result;
}

static float *make_noise(size_t n)
{
    float *samples = malloc(n * sizeof *samples);
    uint64_t seed = 3;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)(0.4 * (random_unit(&seed) - 0.5));
    return samples;
}

static void sessions_obey_prefix_and_limits(void **state)
{
    (void)state;
    size_t n = 16000 * 62;
    float *samples = make_noise(n);
    static const char *const beams[] = {"None", "3"};
    for (int i = 0; i < 2; i++) {
        whisp_result *r = transcribe(model, samples, n, NULL, "prefix", "And so", "max_new_tokens", "7", "language",
                                     "en", "no_speech_threshold", "None", "beam_size", beams[i], "without_timestamps",
                                     "True", "condition_on_previous_text", "False", NULL);
        int32_t words[16];
        size_t n_words = tokens_of(" And so", words, 16);
        assert_int_equal(result_info(r).n_segments, 3);
        assert_memory_equal(whisp_result_text(r), " And so", 7);
        assert_null(strstr(whisp_result_text(r) + 1, " And so"));
        for (size_t k = 0; k < 3; k++) {
            size_t most = 7 + (k == 0 ? n_words : 0);
            assert_true(whisp_result_segment(r, k)->n_tokens <= most);
        }
        whisp_result_free(r);
    }
    free(samples);
}

static void count_languages(void *user, int level, const char *text)
{
    int *count = user;
    count[0] += level == WHISP_LOG_DEBUG && strncmp(text, "language at ", 12) == 0;
    count[1] += level == WHISP_LOG_WARNING && strstr(text, "multilingual") != NULL;
}

static void each_window_has_its_language(void **state)
{
    (void)state;
    size_t n = 16000 * 62;
    float *samples = make_noise(n);
    int count[2] = {0, 0};
    whisp_options *o = whisp_options_new();
    whisp_session *s;
    whisp_result *r;
    assert_int_equal(whisp_options_set(o, "multilingual", "True"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    set_callbacks(o, count_languages, NULL, NULL, NULL, count);
    assert_int_equal(whisp_session_new(model, o, &s), WHISP_OK);
    assert_int_equal(transcribe_samples(s, samples, n, &r), WHISP_OK);
    const whisp_timings t = *session_info(s).timings;
    assert_true(t.n_windows >= 3);
    assert_int_equal(count[0], t.n_windows);
    assert_int_equal(count[1], 0);
    whisp_result_free(r);
    whisp_session_free(s);
    whisp_model *english;
    assert_int_equal(whisp_model_load(invented_path("invented"), NULL, &english), WHISP_OK);
    assert_int_equal(whisp_session_new(english, o, &s), WHISP_OK); /* ignored, with a warning */
    assert_int_equal(count[1], 1);
    whisp_session_free(s);
    whisp_model_free(english);
    whisp_options_free(o);
    free(samples);
}

/* ---- real models ---- */

/* What CTranslate2 4.8.5 (float32) makes of reference/jfk.mel_80x3000.f32 with tiny.en, by options. Timestamps are
 * written negative: -1 is 0.00 s, -2 is 0.02 s, ... */
static const struct {
    const char *options[7];
    int tokens[40];
} ctranslate2[] = {
    {{"without_timestamps", "True", "repetition_penalty", "1.3"},
     {843, 523, 616,  5891, 3399, 1265,  407,  644,  534,   1499,  460,   466, 329,
      345, 11,  7893, 326,  7013, 15628, 8410, 7473, 16592, 31404, 40405, 13}},
    {{"repetition_penalty", "1.3"}, {-1,  843,  523,  616,   5891, 3399, 1265, 407,  644,  534,  1499, 460,   466, 329,
                                     345, -401, -406, 16981, 11,   1867, 921,  1680, 2141, 1114, 3406, 12946, -551}},
    {{"without_timestamps", "True", "no_repeat_ngram_size", "2"},
     {843, 523, 616, 5891, 3399, 1265, 407, 644, 534, 1499, 460, 466,
      329, 345, 11,  1265, 644,  345,  460, 329, 534, 2678, 13}},
    {{"no_repeat_ngram_size", "2"}, {-1,  843, 523,  616,  5891, 3399, 1265, 407, 644, 534, 1499, 460, 466,
                                     329, 345, -401, -401, 1265, 644,  345,  460, 329, 534, 2678, 13,  -551}},
    {{"no_repeat_ngram_size", "1"}, {-1,  843,  523,  616,   5891, 3399, 1265, 407,  644,  534,  1499, 460,   466, 329,
                                     345, -401, -406, 16981, 11,   1867, 921,  1680, 2141, 1114, 3406, 12946, -551}},
    {{"prefix", "And so, my fellow"}, {-1,  843, 523,  11,   616,  5891, 3399, 1265, 407, 644, 534, 1499, 460, 466,
                                       329, 345, -401, -401, 1265, 644,  345,  460,  466, 329, 534, 1499, 13,  -551}},
    {{"prefix", "And so, my fellow", "without_timestamps", "True"},
     {843, 523, 11, 616,  5891, 3399, 1265, 407, 644, 534, 1499, 460, 466,
      329, 345, 11, 1265, 644,  345,  460,  466, 329, 534, 1499, 13}},
    {{"prefix", "Hello", "no_repeat_ngram_size", "1"},
     {-1,   18435, 11,   2253, 13,   16981, 407,  644,  534,   1499,  460,   466, 329, 345,
      -401, -406,  1265, 326,  7013, 15628, 8410, 7473, 16592, 31404, 40405, 0,   -551}},
    {{"beam_size", "5", "no_repeat_ngram_size", "2"},
     {-1,  843, 523,  11,   616,  5891, 3399, 1265, 407, 644, 534,  1499, 460, 466,
      329, 345, -401, -401, 1265, 644,  345,  460,  329, 534, 2678, 13,   -551}},
    {{"beam_size", "5", "repetition_penalty", "1.3"},
     {-1,  843, 523,  11,   616,   5891, 3399, 1265,  407,  644,  534,   1499,  460,   466,
      329, 345, -401, -406, 16981, 644,  7013, 15628, 8410, 7473, 16592, 31404, 40405, -541}},
};

static void penalties_and_prefix_are_those_of_ctranslate2(void **state)
{
    (void)state;
    const char *path = model_path("tiny.en"), *mel_path = shared_path("reference/jfk.mel_80x3000.f32");
    whisp_model *tiny;
    size_t n;
    if (!path || !mel_path)
        return;
    assert_int_equal(whisp_model_load(path, NULL, &tiny), WHISP_OK);
    int begins = wh_tokenizer_specials(tiny->tokenizer)->timestamp_begin;
    float *bands = read_floats(mel_path, &n), *mel = malloc(n * sizeof *mel);
    for (size_t i = 0; i < n; i++)
        mel[i % 3000 * 80 + i / 3000] = bands[i];
    for (size_t i = 0; i < WH_COUNT(ctranslate2); i += BOUNDS_SANITIZED ? 4 : 1) {
        struct fixture f;
        wh_decoding d;
        const char *const *o = ctranslate2[i].options;
        open_search(&f, tiny, mel, o[0], o[1], o[2], o[3], NULL);
        assert_int_equal(wh_search_begin(f.search, NULL, 0, 0), WHISP_OK);
        assert_int_equal(wh_search_decode(f.search, 0, 0, &d), WHISP_OK);
        for (size_t k = 0; k < d.n; k++) {
            int want = ctranslate2[i].tokens[k];
            if (want < 0)
                want = begins - 1 - want;
            if (d.tokens[k].id != want)
                fail_msg("%s=%s: token %zu is %d, not %d", o[0], o[1], k, (int)d.tokens[k].id, want);
        }
        assert_true(ctranslate2[i].tokens[d.n - 1] != 0);
        assert_int_equal(ctranslate2[i].tokens[d.n], 0);
        close_search(&f);
    }
    free(bands);
    free(mel);
    whisp_model_free(tiny);
}

/* The meaning of faster-whisper's tests, with base where they use tiny. */
static void recordings_are_heard_as_in_faster_whispers_tests(void **state)
{
    (void)state;
    const char *path = model_path("base");
    whisp_model *base;
    if (!path || !shared_path("audio"))
        return;
    assert_int_equal(whisp_model_load(path, NULL, &base), WHISP_OK);
    whisp_result *r;
    if (!BOUNDS_SANITIZED) { /* minutes, for words that are the same there */
        r = transcribe(base, NULL, 0, shared_path("audio/hotwords.mp3"), NULL);
        assert_null(strstr(whisp_result_text(r), "ComfyUI"));
        whisp_result_free(r);
        r = transcribe(base, NULL, 0, shared_path("audio/hotwords.mp3"), "hotwords", "ComfyUI", NULL);
        assert_non_null(strstr(whisp_result_text(r), "ComfyUI"));
        whisp_result_free(r);
    }
    r = transcribe(base, NULL, 0, shared_path("audio/jfk.flac"), "prefix", "And so my fellow Americans", NULL);
    assert_memory_equal(whisp_result_text(r), " And so my fellow Americans", 27);
    assert_non_null(strstr(whisp_result_text(r), " ask not what your country can do for you, ask what you can do"));
    assert_true(whisp_result_segment(r, 0)->start == 0);
    double end = whisp_result_segment(r, result_info(r).n_segments - 1)->end;
    assert_true(end > 10 && end <= 11);
    whisp_result_free(r);

    if (!BOUNDS_SANITIZED) {
        r = transcribe(base, NULL, 0, shared_path("audio/multilingual.mp3"), "multilingual", "True",
                       "without_timestamps", "True", "condition_on_previous_text", "False", NULL);
        assert_int_equal(result_info(r).n_segments, 2);
        assert_non_null(strstr(whisp_result_segment(r, 0)->text, "Permission is hereby granted, free of charge"));
        assert_non_null(strstr(whisp_result_segment(r, 1)->text, "die Software zu verwenden"));
        assert_string_equal(result_info(r).language, "en"); /* the first window's */
        whisp_result_free(r);
    } else {
        printf("skipped: hotwords.mp3 and multilingual.mp3 where sanitizers make minutes of them\n");
    }
    whisp_model_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hotwords_stand_before_the_text),
        cmocka_unit_test(a_prefix_begins_the_first_window_only),
        cmocka_unit_test(repeated_tokens_are_penalized_once),
        cmocka_unit_test(ngrams_do_not_come_twice),
        cmocka_unit_test(tokens_whose_whole_text_matches_are_suppressed),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(sessions_obey_prefix_and_limits),
        cmocka_unit_test(each_window_has_its_language),
        cmocka_unit_test(penalties_and_prefix_are_those_of_ctranslate2),
        cmocka_unit_test(recordings_are_heard_as_in_faster_whispers_tests),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
