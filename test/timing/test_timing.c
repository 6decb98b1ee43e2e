/* test_timing.c - median filter and time warping against plain versions, words from tokens, punctuation, the limits of
 * durations. */
#include "support/testing.h"
#include "support/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"
#include "support/words.h"

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
                float x[3 * 40], before[3 * 40], scratch[40 + 13];
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
    double median = -1;
    assert_int_equal(wh_words_shorten(&words, &median), WHISP_OK);
    assert_float_equal(median, (0.1 + 1.0) / 2, 1e-9); /* of 0.1 0.1 0.1 1.0 1.0 1.1 */
    assert_float_equal(words.list[2].end, 1.3, 1e-9);  /* 1.1 is just twice the median */
    wh_words_free(&words);

    words = make_words(" a| b|.| c| d");
    words.list[2].end = 1.3;
    words.list[3].start = 1.3;
    words.list[3].end = 2.3;
    words.list[4].start = words.list[4].end = 2.3; /* no duration: does not count */
    assert_int_equal(wh_words_shorten(&words, &median), WHISP_OK);
    assert_float_equal(median, 0.55, 1e-9);
    wh_words_free(&words);

    words = make_words(" a| b| f|.| c");
    words.list[3].end = 1.3;
    words.list[4].start = 1.3;
    words.list[4].end = 2.3;
    assert_int_equal(wh_words_shorten(&words, &median), WHISP_OK);
    assert_float_equal(median, 0.1, 1e-9);
    assert_float_equal(words.list[3].end, 0.5, 1e-9);
    assert_float_equal(words.list[4].start, 2.1, 1e-9);
    wh_words_free(&words);

    words = make_words("");
    assert_int_equal(wh_words_shorten(&words, &median), WHISP_OK);
    assert_true(median == 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_filter_is_the_plain_one), cmocka_unit_test(warping_follows_a_valley),
        cmocka_unit_test(warping_is_the_plain_one),           cmocka_unit_test(tokens_become_words),
        cmocka_unit_test(punctuation_joins_its_word),         cmocka_unit_test(long_words_at_sentence_ends_are_cut),
        cmocka_unit_test(segments_and_words_agree),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
