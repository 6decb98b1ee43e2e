/* test_timing.c - median filter and time warping against plain versions, words from tokens, punctuation, the limits of
 * durations, texts matched with what was heard; then whole sessions with words, clips and given texts. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"
#include "align/align_text.h"
#include "support/calls.h"

/* ---- the median filter ---- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* One value, by sorting what a reflected copy of the row holds around it. */
static float plain_median(const float *row, int n, int i, int width)
{
    float around[16];
    for (int k = 0; k < width; k++) {
        int at = i + k - width / 2;
        at = at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at;
        around[k] = row[at];
    }
    qsort(around, (size_t)width, sizeof *around, compare_floats);
    return around[width / 2];
}

static void the_median_filter_is_the_plain_one(void **state)
{
    (void)state;
    static const int widths[] = {1, 3, 5, 7, 13};
    uint64_t seed = 1;
    for (size_t w = 0; w < WH_COUNT(widths); w++)
        for (int rows = 1; rows <= 3; rows++)
            for (int n = 1; n <= 40; n++) {
                float x[3 * 40], before[3 * 40], scratch[40];
                for (int i = 0; i < rows * n; i++) /* few values, so that some are equal */
                    x[i] = before[i] = (float)floor(random_unit(&seed) * 9);
                wh_median_filter(x, (size_t)rows, (size_t)n, (size_t)widths[w], scratch);
                for (int i = 0; i < rows * n; i++) {
                    int kept = n <= widths[w] / 2; /* too short to be reflected */
                    float want = kept ? before[i] : plain_median(before + i / n * n, n, i % n, widths[w]);
                    assert_true(x[i] == want);
                }
            }
}

/* ---- time warping ---- */

/* Zeros along a random way from corner to corner, ones elsewhere: that way is found again, step by step. Where it would
 * turn at a right angle it goes straight across, or the diagonal would be as cheap. */
static void warping_follows_a_valley(void **state)
{
    (void)state;
    static const int sizes[][2] = {{10, 20}, {32, 16}, {123, 1500}, {234, 189}, {1, 1}, {1, 7}, {7, 1}};
    uint64_t seed = 42;
    for (size_t c = 0; c < WH_COUNT(sizes); c++) {
        int n = sizes[c][0], m = sizes[c][1], n_steps = n + m - 2, i = 0, j = 0;
        float *cost = malloc((size_t)(n * m) * sizeof *cost);
        int *down = calloc((size_t)n_steps + 1, sizeof *down), *got = malloc((size_t)(n + m) * 2 * sizeof *got);
        int *want = malloc((size_t)(n + m) * 2 * sizeof *want), length = 0;
        for (int k = 0; k < n * m; k++)
            cost[k] = 1;
        for (int left = n_steps, rows = n - 1; left > 0; left--) /* n - 1 steps down among m - 1 to the right */
            rows -= down[left - 1] = random_unit(&seed) * left < rows;
        for (int k = 0;;) {
            cost[i * m + j] = 0;
            want[2 * length] = i;
            want[2 * length++ + 1] = j;
            if (k == n_steps)
                break;
            int across = k + 1 < n_steps && down[k] != down[k + 1];
            i += across || down[k];
            j += across || !down[k];
            k += 1 + across;
        }
        size_t got_length;
        assert_int_equal(wh_dtw(cost, (size_t)n, (size_t)m, got, got + n + m, &got_length), WHISP_OK);
        assert_int_equal(got_length, length);
        for (int k = 0; k < length; k++) {
            assert_int_equal(got[k], want[2 * k]);
            assert_int_equal(got[n + m + k], want[2 * k + 1]);
        }
        free(cost);
        free(down);
        free(want);
        free(got);
    }
}

/* The whole tables, as the method is written down: costs in single precision, ties to the left. */
static size_t plain_dtw(const float *x, int n, int m, int *path)
{
    float *cost = malloc((size_t)((n + 1) * (m + 1)) * sizeof *cost);
    int *step = calloc((size_t)((n + 1) * (m + 1)), sizeof *step), w = m + 1;
    for (int k = 0; k < (n + 1) * (m + 1); k++)
        cost[k] = INFINITY;
    cost[0] = 0;
    for (int j = 1; j <= m; j++)
        for (int i = 1; i <= n; i++) {
            float c0 = cost[(i - 1) * w + j - 1], c1 = cost[(i - 1) * w + j], c2 = cost[i * w + j - 1];
            int t = c0 < c1 && c0 < c2 ? 0 : c1 < c0 && c1 < c2 ? 1 : 2;
            cost[i * w + j] = (float)((double)x[(i - 1) * m + j - 1] + (double)(t == 0 ? c0 : t == 1 ? c1 : c2));
            step[i * w + j] = t;
        }
    for (int j = 0; j <= m; j++)
        step[j] = 2;
    for (int i = 0; i <= n; i++)
        step[i * w] = 1;
    size_t length = 0;
    for (int i = n, j = m; i > 0 || j > 0;) {
        path[2 * length] = i - 1;
        path[2 * length++ + 1] = j - 1;
        int t = step[i * w + j];
        i -= t != 2;
        j -= t != 1;
    }
    free(cost);
    free(step);
    return length;
}

static void warping_is_the_plain_one(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 300; round++) {
        int n = 1 + (int)(random_unit(&seed) * 30), m = 1 + (int)(random_unit(&seed) * 60);
        float x[30 * 60];
        int rows[90], columns[90], path[2 * 90];
        int coarse = round % 2; /* many ties */
        for (int i = 0; i < n * m; i++)
            x[i] = (float)(coarse ? floor(random_unit(&seed) * 3) - 1 : random_unit(&seed) * 4 - 2);
        size_t length, want = plain_dtw(x, n, m, path);
        assert_int_equal(wh_dtw(x, (size_t)n, (size_t)m, rows, columns, &length), WHISP_OK);
        assert_int_equal(length, want);
        for (size_t k = 0; k < length; k++) {
            assert_int_equal(rows[k], path[2 * (length - 1 - k)]);
            assert_int_equal(columns[k], path[2 * (length - 1 - k) + 1]);
        }
    }
    float nothing[4] = {NAN, NAN, NAN, NAN}; /* ends all the same */
    int rows[4], columns[4];
    size_t length;
    assert_int_equal(wh_dtw(nothing, 2, 2, rows, columns, &length), WHISP_OK);
    assert_in_range(length, 1, 4);
}

/* ---- words ---- */

static whisp_model *model, *multilingual;

static int load_models(void **state)
{
    (void)state;
    if (whisp_model_load(invented_path("invented"), NULL, &model) ||
        whisp_model_load(invented_path("invented-multilingual"), NULL, &multilingual)) {
        fprintf(stderr, "%s\n", whisp_last_error());
        return -1;
    }
    return 0;
}

static int free_models(void **state)
{
    (void)state;
    whisp_model_free(model);
    whisp_model_free(multilingual);
    return 0;
}

/* The words with '|' between them; checks that their tokens follow one another. */
static char *words_text(const wh_words *words)
{
    wh_buf text = {0};
    size_t token = 0;
    wh_buf_puts(&text, "");
    for (size_t i = 0; i < words->n; i++) {
        const wh_word *word = &words->list[i];
        if (word->n_tokens) {
            assert_int_equal(word->first_token, token);
            token += word->n_tokens;
        }
        wh_buf_puts(&text, i ? "|" : "");
        wh_buf_append(&text, words->text.data + word->text, word->length);
    }
    assert_false(text.failed);
    return text.data;
}

static void expect_words(const char *language, const char *text, const char *want)
{
    int32_t *tokens = NULL;
    size_t n = 0, capacity = 0;
    wh_words words = {0};
    assert_int_equal(wh_tokenizer_encode(model->tokenizer, text, strlen(text), &tokens, &n, &capacity), WHISP_OK);
    assert_int_equal(wh_words_split(model->tokenizer, wh_language_find(language), tokens, n, &words), WHISP_OK);
    char *got = words_text(&words);
    assert_string_equal(got, want);
    free(got);
    free(tokens);
    wh_words_free(&words);
}

static void tokens_become_words(void **state)
{
    (void)state;
    expect_words("en", " the other day, he said: \"hello there\".",
                 " the| other| day|,| he| said|:| |\"hello| there|\"|.");
    expect_words("en", "hello", "hello");
    expect_words("en", " it's 9 o'clock", " it|'s| 9| o|'clock");
    expect_words("en", "", "");
    expect_words("en", " caf\u00e9 \u65e5\u672c", " caf\u00e9| \u65e5\u672c");
    expect_words("ja", "\u65e5\u672c\u8a9e", "\u65e5|\u672c|\u8a9e");
    expect_words("zh", "\u4e2dab\u3002", "\u4e2d|a|b|\u3002");
    expect_words("ja", "\u65e5\xE6\x9C", "\u65e5|\uFFFD"); /* ends within a character */
    expect_words("ja",
                 "\xE6\x9C\u65e5"
                 "a",
                 "\uFFFD|\uFFFD\u65e5|a"); /* damaged in the whole text, too */
    expect_words("en", " a\xFF\xFE b", " a\uFFFD\uFFFD| b");
}

/* Words from a text with '|' between them, a token and 0.1 s each. */
static wh_words make_words(const char *text)
{
    wh_words words = {0};
    size_t capacity = 0;
    for (const char *p = text; *p; p += *p == '|') {
        size_t n = strcspn(p, "|");
        assert_int_equal(wh_grow(&words.list, &capacity, words.n + 1, sizeof *words.list), WHISP_OK);
        words.list[words.n] = (wh_word){.text = words.text.length,
                                        .length = n,
                                        .first_token = words.n,
                                        .n_tokens = 1,
                                        .start = 0.1 * (double)words.n,
                                        .end = 0.1 * (double)(words.n + 1)};
        words.n++;
        wh_buf_append(&words.text, p, n);
        p += n;
    }
    words.capacity = capacity;
    return words;
}

static void expect_merged(const char *text, const char *want)
{
    wh_words words = make_words(text);
    wh_words_merge_punctuation(&words, "\"'\u201c\u00bf([{-", "\"'.\u3002,\uff0c!\uff01?\uff1f:\uff1a\u201d)]}\u3001");
    char *got = words_text(&words);
    assert_string_equal(got, want);
    free(got);
    wh_words_free(&words);
}

static void punctuation_joins_its_word(void **state)
{
    (void)state;
    expect_merged(" he| said|:| \"|hello| there|\"|.", " he| said:||| \"hello| there\".||");
    expect_merged(" a| (| [|b|]|)", " a||| ( [b])||");
    expect_merged(" \"", " \"");
    expect_merged(" no| -| yes", " no|| - yes");
    expect_merged(" no |.| yes", " no |.| yes"); /* a word that ends with a space takes nothing */
    expect_merged(".| a|!|?|.| b", ".| a!?.|||| b");
    expect_merged(" a| + b", " a| + b");
    expect_merged("", "");
    wh_words words = make_words(" \"|a|.| b");
    wh_words_merge_punctuation(&words, "\"", ".");
    assert_true(words.list[1].start == 0.1 && words.list[1].end == 0.2); /* the word's own times */
    assert_int_equal(words.list[1].n_tokens, 3);
    wh_words_free(&words);
}

static void long_words_at_sentence_ends_are_cut(void **state)
{
    (void)state;
    wh_words words = make_words(" a| b|.| c| d| e");
    words.list[2].end = 1.3; /* the full stop lasts 1.1 s */
    words.list[3].start = 1.3;
    words.list[3].end = 2.3; /* and so does nearly the word after it */
    words.list[4].start = 2.3;
    words.list[4].end = 2.4;
    words.list[5].start = 2.4;
    words.list[5].end = 3.4; /* long, but not beside a sentence's end */
    double median = wh_words_shorten(&words);
    assert_float_equal(median, (0.1 + 1.0) / 2, 1e-9); /* of 0.1 0.1 0.1 1.0 1.0 1.1 */
    assert_float_equal(words.list[2].end, 1.3, 1e-9);  /* 1.1 is just twice the median */
    wh_words_free(&words);

    words = make_words(" a| b|.| c| d");
    words.list[2].end = 1.3;
    words.list[3].start = 1.3;
    words.list[3].end = 2.3;
    words.list[4].start = words.list[4].end = 2.3; /* no duration: does not count */
    assert_float_equal(wh_words_shorten(&words), 0.55, 1e-9);
    wh_words_free(&words);

    words = make_words(" a| b| f|.| c");
    words.list[3].end = 1.3;
    words.list[4].start = 1.3;
    words.list[4].end = 2.3;
    assert_float_equal(wh_words_shorten(&words), 0.1, 1e-9);
    assert_float_equal(words.list[3].end, 0.5, 1e-9);
    assert_float_equal(words.list[4].start, 2.1, 1e-9);
    wh_words_free(&words);

    words = make_words("");
    assert_true(wh_words_shorten(&words) == 0);
    wh_words_free(&words);
}

static void segments_and_words_agree(void **state)
{
    (void)state;
    /* after a pause, two long words: the first one begins late, the boundary is moved */
    whisp_word words[3] = {{.start = 10, .end = 14}, {.start = 14, .end = 18}, {.start = 18, .end = 18.4}};
    double start = 10, end = 18.4;
    assert_float_equal(wh_words_fit_segment(words, 3, 0.5, 2, &start, &end), 18.4, 1e-9);
    assert_float_equal(words[0].start, 16, 1e-9);
    assert_float_equal(words[0].end, 17, 1e-9);
    assert_float_equal(words[1].start, 17, 1e-9);
    assert_float_equal(start, 16, 1e-9);

    /* the segment's own times win over a first and a last word that are far too long */
    whisp_word far[2] = {{.start = 1, .end = 3}, {.start = 3, .end = 9}};
    start = 2;
    end = 4;
    assert_float_equal(wh_words_fit_segment(far, 2, 0.7, 1, &start, &end), 4, 1e-9);
    assert_float_equal(far[0].start, 2, 1e-9);
    assert_float_equal(far[1].end, 4, 1e-9);
    assert_float_equal(start, 2, 1e-9);
    assert_float_equal(end, 4, 1e-9);

    /* otherwise the words' do */
    whisp_word near[1] = {{.start = 5.2, .end = 5.6}};
    start = 5;
    end = 6;
    assert_float_equal(wh_words_fit_segment(near, 1, 0.3, 5, &start, &end), 5.6, 1e-9);
    assert_float_equal(start, 5.2, 1e-9);
}

/* ---- texts and what was heard ---- */

static void expect_match(const char *heard, const char *given, size_t next, size_t first, size_t end)
{
    wh_words h = make_words(heard), g = make_words(given);
    wh_keys hk = {0}, gk = {0};
    size_t got_first, got_end;
    wh_buf_puts(&h.text, "");
    wh_buf_puts(&g.text, "");
    assert_int_equal(wh_keys_make(&h, &hk), WHISP_OK);
    assert_int_equal(wh_keys_make(&g, &gk), WHISP_OK);
    assert_int_equal(wh_match(&hk, &gk, next, &got_first, &got_end), WHISP_OK);
    if (got_first != first || got_end != end)
        fail_msg("\"%s\" in \"%s\": %zu to %zu", heard, given, got_first, got_end);
    wh_keys_free(&hk);
    wh_keys_free(&gk);
    wh_words_free(&h);
    wh_words_free(&g);
}

static void a_window_covers_a_part_of_the_text(void **state)
{
    (void)state;
    expect_match("a|b|c", "a|b|c|d|e", 0, 0, 3);
    expect_match(" A|,| B|.| c", "\"a|\"|B|.|C|!|d", 0, 0, 6); /* letters count, punctuation goes with them */
    expect_match("d|e", "a|b|c|d|e", 3, 3, 5);
    expect_match("a|x|c", "a|b|c|d", 0, 0, 3); /* misheard within, at the end, at the beginning */
    expect_match("a|b|x", "a|b|c|d", 0, 0, 3);
    expect_match("x|b|c", "a|b|c|d", 0, 0, 3);
    expect_match("d|e|f|g", "a|b|c|d|e|f|g|h", 0, 3, 7); /* a passage that nobody says */
    expect_match("u|v|w|x|y|z", "a|b|c|d|e|f", 0, 0, 0); /* speech that is not in the text */
    expect_match("u|v|w|x|a|b|c", "a|b|c|d|e|f", 0, 0, 3);
    expect_match("", "a|b", 0, 0, 0);
    expect_match("a", "a|b", 2, 2, 2); /* nothing is left */
    expect_match(".|,", "a|b", 0, 0, 0);
    expect_match("\u00c4pfel", "\u00e4pfel|!", 0, 0, 2);
}

/* ---- sessions ---- */

static float *make_noise(size_t n)
{
    float *samples = malloc(n * sizeof *samples);
    uint64_t seed = 7;
    for (size_t i = 0; i < n; i++)
        samples[i] = (float)((random_unit(&seed) - 0.5) * (0.1 + 0.4 * sin((double)i / 40000)));
    return samples;
}

/* A session at temperature 0; then name, value pairs up to NULL. */
static whisp_session *open_session(const whisp_model *m, const char *name, ...)
{
    whisp_options *o = whisp_options_new();
    whisp_session *s;
    assert_int_equal(whisp_options_set(o, "temperature_increment_on_fallback", "None"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"),
                     WHISP_OK); /* invented models hear words in noise */
    assert_int_equal(whisp_options_set(o, "temperature", "0"), WHISP_OK);
    assert_int_equal(whisp_options_set(o, "no_speech_threshold", "None"), WHISP_OK);
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *))
        assert_int_equal(whisp_options_set(o, name, va_arg(args, const char *)), WHISP_OK);
    va_end(args);
    if (whisp_session_new(m, o, &s))
        fail_msg("%s", whisp_last_error());
    whisp_options_free(o);
    return s;
}

/* Words in order, within the recording, and with their segment's text. Returns how many there are. */
static size_t check_words(const whisp_result *result)
{
    double last = 0;
    size_t count = 0;
    for (size_t i = 0; i < result_info(result).n_segments; i++) {
        const whisp_segment *segment = whisp_result_segment(result, i);
        wh_buf text = {0};
        wh_buf_puts(&text, "");
        assert_non_null(segment->words);
        for (size_t k = 0; k < segment->n_words; k++) {
            const whisp_word *word = segment->words[k];
            assert_true(word->start >= last && word->end >= word->start);
            assert_true(word->end <= result_info(result).duration + 0.02);
            assert_true(word->probability >= 0 && word->probability <= 1);
            assert_true(strlen(word->text) > 0);
            assert_true(word->first_token + word->n_tokens <= segment->n_tokens);
            wh_buf_puts(&text, word->text);
            last = word->end;
            count++;
        }
        if (segment->n_words)
            assert_int_equal(strncmp(text.data, segment->text, text.length), 0);
        wh_buf_free(&text);
    }
    return count;
}

static void segments_get_words(void **state)
{
    (void)state;
    size_t n = 16000 * 40;
    float *samples = make_noise(n);
    const whisp_model *models[] = {model, multilingual};
    static const char *const settings[][2] = {{"alignment_heads", "model"},
                                              {"alignment_heads", "upper_half"},
                                              {"hallucination_silence_threshold", "0.5"},
                                              {"without_timestamps", "True"}};
    for (size_t m = 0; m < WH_COUNT(models); m++)
        for (size_t k = 0; k < WH_COUNT(settings); k++) {
            whisp_session *s = open_session(models[m], "word_timestamps", "True", settings[k][0], settings[k][1],
                                            (char *)NULL);
            whisp_result *result;
            assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
            size_t words = check_words(result);
            if (k != 2)
                assert_true(words > 3);
            const whisp_timings timings = *session_info(s).timings;
            assert_true(timings.words > 0);
            assert_true(timings.n_windows < 400);
            whisp_result_free(result);
            whisp_session_free(s);
        }
    free(samples);
}

/* The seeks and starts of all segments, from pushes of some size. */
static char *stream(whisp_session *s, const float *samples, size_t n, size_t block)
{
    wh_buf text = {0};
    const whisp_segment *segment;
    size_t done = 0;
    int rc;
    wh_buf_puts(&text, "");
    assert_int_equal(whisp_session_reset(s), WHISP_OK);
    while ((rc = whisp_session_pull(s, &segment)) != WHISP_END) {
        assert_true(rc >= 0);
        if (rc == 1) {
            wh_buf_printf(&text, "%d@%.2f(%zu) ", (int)segment->seek, segment->start, segment->n_words);
        } else if (done < n) {
            int64_t taken = whisp_session_push(s, samples + done, WH_MIN(block, n - done));
            assert_true(taken > 0);
            done += (size_t)taken;
        } else {
            assert_int_equal(whisp_session_finish(s), WHISP_OK);
        }
    }
    return text.data;
}

static void only_the_clips_are_heard(void **state)
{
    (void)state;
    size_t n = 16000 * 95;
    float *samples = make_noise(n);
    for (int with_words = 0; with_words < 2; with_words++)
        for (int m = 0; m < 2; m++) {
            whisp_session *s = open_session(m ? multilingual : model, "clip_timestamps", "2,6.5,70,78,90",
                                            "word_timestamps", with_words ? "True" : "False", (char *)NULL);
            whisp_result *result;
            assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
            int seen[3] = {0};
            for (size_t i = 0; i < result_info(result).n_segments; i++) {
                const whisp_segment *segment = whisp_result_segment(result, i);
                int64_t seek = segment->seek;
                int clip = seek >= 200 && seek < 650 ? 0 : seek >= 7000 && seek < 7800 ? 1 : seek >= 9000 ? 2 : 3;
                assert_in_range(clip, 0, 2);
                seen[clip]++;
            }
            assert_true(seen[0] && seen[1] && seen[2]);
            whisp_result_free(result);
            char *first = stream(s, samples, n, 1 << 20), *second = stream(s, samples, n, 12345);
            assert_true(strlen(first) > 10);
            assert_string_equal(first, second);
            free(first);
            free(second);
            whisp_session_free(s);
        }
    whisp_session *s = open_session(model, "clip_timestamps", "200,210", (char *)NULL); /* past the end */
    whisp_result *result;
    assert_int_equal(transcribe_samples(s, samples, n, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 0);
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

static void a_given_text_is_aligned(void **state)
{
    (void)state;
    size_t n = 16000 * 65;
    float *samples = make_noise(n);
    whisp_session *s = open_session(model, (char *)NULL, (char *)NULL);
    whisp_result *result;
    static const size_t lengths[] = {16000 * 5, 16000 * 30, 16000 * 65, 1000, 0};
    for (size_t k = 0; k < WH_COUNT(lengths); k++) {
        assert_int_equal(align_samples(s, samples, lengths[k],
                                       "The hour is on it. \"And\" the tea!\n"
                                       "\n In the house...",
                                       &result),
                         WHISP_OK);
        assert_string_equal(whisp_result_text(result), " The hour is on it. \"And\" the tea! In the house...");
        assert_int_equal(result_info(result).n_segments, 2); /* a line each */
        assert_int_equal(check_words(result), 11);
        whisp_result_free(result);
    }
    assert_int_equal(align_samples(s, samples, 16000, "One. Two! Three", &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 3); /* a sentence each */
    assert_string_equal(whisp_result_segment(result, 1)->text, " Two!");
    whisp_result_free(result);

    wh_buf text = {0}; /* more than a pass takes */
    for (int i = 0; i < 1000; i++)
        wh_buf_puts(&text, "and the other ");
    assert_int_equal(align_samples(s, samples, 16000 * 3, text.data, &result), WHISP_OK);
    assert_int_equal(check_words(result), 3000);
    whisp_result_free(result);
    wh_buf_free(&text);

    result = (whisp_result *)(void *)&text;
    assert_int_equal(align_samples(s, samples, n, " \n. ", &result), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "no words"));
    assert_null(result);
    assert_int_equal(align_file(s, "no-such-file.wav", "a", &result), WHISP_ERR_IO);
    assert_int_equal(transcribe_samples(s, samples, 16000, &result), WHISP_OK); /* as if never */
    assert_null(whisp_result_segment(result, 0) ? whisp_result_segment(result, 0)->words : NULL);
    whisp_result_free(result);
    whisp_session_free(s);
    free(samples);
}

static int stop(void *user)
{
    return ++*(int *)user > 3;
}

static void finding_words_can_be_cancelled(void **state)
{
    (void)state;
    float *samples = make_noise(16000 * 3);
    whisp_options *o = whisp_options_new();
    whisp_session *s;
    whisp_result *result;
    int calls = 0;
    set_callbacks(o, NULL, NULL, NULL, stop, &calls);
    assert_int_equal(whisp_session_new(model, o, &s), WHISP_OK);
    wh_buf text = {0};
    for (int i = 0; i < 100; i++)
        wh_buf_puts(&text, "and the other ");
    assert_int_equal(align_samples(s, samples, 48000, text.data, &result), WHISP_ERR_CANCELLED);
    assert_null(result);
    wh_buf_free(&text);
    whisp_session_free(s);
    whisp_options_free(o);
    free(samples);
}

static void count_warnings(void *user, int level, const char *text)
{
    *(int *)user += level == WHISP_LOG_WARNING && strstr(text, "does not seem to be what is said") != NULL;
}

/* The real thing: the words of jfk.mp3 from their text, and from another text. */
static void a_real_text_is_found(void **state)
{
    (void)state;
    const char *path = model_path("tiny.en"), *audio = shared_path("audio/jfk.mp3");
    if (!path || !audio)
        return;
    whisp_model *real;
    whisp_session *s;
    whisp_result *result, *aligned;
    int warnings = 0;
    whisp_options *o = whisp_options_new();
    assert_int_equal(whisp_model_load(path, NULL, &real), WHISP_OK);
    whisp_options_set(o, "word_timestamps", "True");
    set_callbacks(o, count_warnings, NULL, NULL, NULL, &warnings);
    assert_int_equal(whisp_session_new(real, o, &s), WHISP_OK);
    assert_int_equal(transcribe_file(s, audio, &result), WHISP_OK);
    assert_int_equal(check_words(result), 22);
    assert_int_equal(align_file(s, audio, whisp_result_text(result), &aligned), WHISP_OK);
    assert_int_equal(check_words(aligned), 22);
    assert_int_equal(warnings, 0);
    const whisp_segment *first = whisp_result_segment(result, 0), *given = whisp_result_segment(aligned, 0);
    for (size_t i = 0; i < first->n_words && i < given->n_words; i++) {
        assert_string_equal(first->words[i]->text, given->words[i]->text);
        assert_true(fabs(first->words[i]->start - given->words[i]->start) < 0.3);
    }
    whisp_result_free(aligned);
    assert_int_equal(align_file(s, audio, "Seven small boats came home before the evening storm.", &aligned), WHISP_OK);
    assert_int_equal(warnings, 1);
    whisp_result_free(aligned);
    whisp_result_free(result);
    whisp_session_free(s);
    whisp_options_free(o);
    whisp_model_free(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_filter_is_the_plain_one),
        cmocka_unit_test(warping_follows_a_valley),
        cmocka_unit_test(warping_is_the_plain_one),
        cmocka_unit_test(tokens_become_words),
        cmocka_unit_test(punctuation_joins_its_word),
        cmocka_unit_test(long_words_at_sentence_ends_are_cut),
        cmocka_unit_test(segments_and_words_agree),
        cmocka_unit_test(a_window_covers_a_part_of_the_text),
        cmocka_unit_test(segments_get_words),
        cmocka_unit_test(only_the_clips_are_heard),
        cmocka_unit_test(a_given_text_is_aligned),
        cmocka_unit_test(finding_words_can_be_cancelled),
        cmocka_unit_test(a_real_text_is_found),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
