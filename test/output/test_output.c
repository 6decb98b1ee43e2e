/* test_output.c - results, the documents, numbers as Python writes them, and files that are whole or not there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/writers.h"
#include "support/testing.h"
#include "support/calls.h"

static void add(whisp_result *result, double start, double end, const char *text, int cleared)
{
    whisp_token tokens[] = {{50364, -0.5f}, {15947, -0.25f}, {50414, -1.0f}};
    whisp_segment segment = {.id = 77,
                             .seek = 3000,
                             .start = start,
                             .end = end,
                             .text = text,
                             .tokens = tokens,
                             .n_tokens = 3,
                             .temperature = 0.2,
                             .avg_logprob = -0.2708097398281097,
                             .compression_ratio = 1.5,
                             .no_speech_prob = 1e-05};
    assert_int_equal(wh_result_add(result, &segment, cleared), WHISP_OK);
    memset(tokens, 0, sizeof tokens); /* the result has its own */
}

static whisp_result *new_result(void)
{
    whisp_result *result;
    assert_int_equal(wh_result_new(&result), WHISP_OK);
    return result;
}

/* What transcribing leaves, with everything in it that a writer has to look out for. */
static whisp_result *tricky(void)
{
    whisp_result *result = new_result();
    add(result, 0.0, 1.0005, " Hello --> \"world\"\\\t\u2014 caf\u00e9 ", 0);
    add(result, 1.0005, 3599.9995, "\u3000\u65e5\u672c\u8a9e \U0001f600\x7f\n\x1f", 0);
    add(result, 3599.9995, 3661.5, " gone", 1);
    assert_int_equal(wh_result_finish(result, " Hello \U0001f600/", "en", 3661.5), WHISP_OK);
    return result;
}

static void expect_document(const whisp_result *result, const char *format, const char *want)
{
    char *text;
    size_t length;
    assert_int_equal(whisp_result_format(result, format, NULL, &text, &length), WHISP_OK);
    assert_string_equal(text, want);
    assert_int_equal(length, strlen(want));
    whisp_string_free(text);
}

static const char txt[] = "Hello --> \"world\"\\\t\u2014 caf\u00e9\n\u65e5\u672c\u8a9e \U0001f600\x7f\n\n";
static const char vtt[] = "WEBVTT\n\n"
                          "00:00.000 --> 00:01.000\nHello -> \"world\"\\\t\u2014 caf\u00e9\n\n"
                          "00:01.000 --> 01:00:00.000\n\u65e5\u672c\u8a9e \U0001f600\x7f\n\n"
                          "01:00:00.000 --> 01:01:01.500\n\n\n";
static const char srt[] = "1\n00:00:00,000 --> 00:00:01,000\nHello -> \"world\"\\\t\u2014 caf\u00e9\n\n"
                          "2\n00:00:01,000 --> 01:00:00,000\n\u65e5\u672c\u8a9e \U0001f600\x7f\n\n"
                          "3\n01:00:00,000 --> 01:01:01,500\n\n\n";
static const char tsv[] = "start\tend\ttext\n"
                          "0\t1000\tHello --> \"world\"\\ \u2014 caf\u00e9\n"
                          "1000\t3600000\t\u65e5\u672c\u8a9e \U0001f600\x7f\n"
                          "3600000\t3661500\t\n";
#define NUMBERS                                                                                                        \
    ", \"temperature\": 0.2, \"avg_logprob\": -0.2708097398281097, \"compression_ratio\": 1.5, "                       \
    "\"no_speech_prob\": 1e-05"
static const char json[] =
    "{\"text\": \" Hello \\ud83d\\ude00/\", \"segments\": ["
    "{\"id\": 0, \"seek\": 3000, \"start\": 0.0, \"end\": 1.0005, "
    "\"text\": \" Hello --> \\\"world\\\"\\\\\\t\\u2014 caf\\u00e9 \", \"tokens\": [50364, 15947, 50414]" NUMBERS "}, "
    "{\"id\": 1, \"seek\": 3000, \"start\": 1.0005, \"end\": 3599.9995, "
    "\"text\": \"\\u3000\\u65e5\\u672c\\u8a9e \\ud83d\\ude00\\u007f\\n\\u001f\", "
    "\"tokens\": [50364, 15947, 50414]" NUMBERS "}, "
    "{\"id\": 2, \"seek\": 3000, \"start\": 3599.9995, \"end\": 3661.5, \"text\": \"\", \"tokens\": []" NUMBERS
    ", \"words\": []}], \"language\": \"en\"}";

static void test_accessors(void **state)
{
    (void)state;
    whisp_result *result = tricky();
    assert_string_equal(whisp_result_text(result), " Hello \U0001f600/");
    assert_string_equal(result_info(result).language, "en");
    assert_true(result_info(result).duration == 3661.5);
    assert_int_equal(result_info(result).n_segments, 3);
    const whisp_segment *second = whisp_result_segment(result, 1), *third = whisp_result_segment(result, 2);
    assert_int_equal(second->id, 1);
    assert_int_equal(second->seek, 3000);
    assert_int_equal(second->n_tokens, 3);
    assert_int_equal(second->tokens[1].id, 15947);
    assert_true(second->tokens[1].logprob == -0.25f);
    assert_string_equal(third->text, "");
    assert_int_equal(third->n_tokens, 0);
    assert_null(whisp_result_segment(result, 3));
    whisp_result_free(result);
    assert_string_equal(whisp_result_text(NULL), "");
    assert_null(whisp_result_segment(NULL, 0));
    whisp_result_free(NULL);
}

static void expect_all(const whisp_result *result)
{
    expect_document(result, "txt", txt);
    expect_document(result, "vtt", vtt);
    expect_document(result, "srt", srt);
    expect_document(result, "tsv", tsv);
    expect_document(result, "json", json);
}

static void test_documents(void **state)
{
    (void)state;
    whisp_result *result = tricky();
    expect_all(result);
    char *text = NULL;
    assert_int_equal(whisp_result_format(result, "pdf", NULL, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "pdf"));
    assert_int_equal(whisp_result_format(NULL, "txt", NULL, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_null(text);
    whisp_result_free(result);
}

/* A segment made of n words, each 0.4 s long and 0.5 s from the next. */
static void add_words(whisp_result *result, double start, const char *const *texts, size_t n)
{
    whisp_word words[16] = {{0}};
    const whisp_word *list[16];
    for (size_t i = 0; i < n; i++) {
        list[i] = &words[i];
        words[i] = (whisp_word){.text = texts[i],
                                .start = start + 0.5 * (double)i,
                                .end = start + 0.5 * (double)i + 0.4,
                                .probability = 0.75,
                                .first_token = i,
                                .n_tokens = 1};
    }
    whisp_segment segment = {
        .start = start, .end = start + 0.5 * (double)n, .text = "as written", .words = list, .n_words = n};
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    memset(words, 0, sizeof words); /* the result has its own */
}

/* Names that mean something else in a format, or would end there. */
static void test_speakers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *brackets, *voice, *column, *word;
    } cases[] = {
        {"SPEAKER_00", "[SPEAKER_00]: ", "<v SPEAKER_00>", "SPEAKER_00", "SPEAKER_00"},
        {"A]: [B", "[A): (B]: ", "<v A]: [B>", "A]: [B", "A]:_[B"},
        {"a <b> & --> c", "[a (b) & --) c]: ", "<v a &lt;b&gt; &amp; --&gt; c>", "a <b> & --> c", "a_<b>_&_-->_c"},
        {"two\nlines\tand \x1b[1m", "[two lines and  (1m]: ", "<v two lines and  [1m>", "two lines and  [1m",
         "two_lines_and__[1m"},
        {"Zo\u00eb", "[Zo\u00eb]: ", "<v Zo\u00eb>", "Zo\u00eb", "Zo\u00eb"},
        {"a\u3000b\u00a0c\u2028d", "[a\u3000b\u00a0c d]: ", "<v a\u3000b\u00a0c d>", "a\u3000b\u00a0c d", "a_b_c_d"},
        {"\xff\xe3\x80", "[\xff\xe3\x80]: ", "<v \xff\xe3\x80>", "\xff\xe3\x80", "\xff\xe3\x80"},
        {"", "[]: ", "<v >", "_", "_"},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        whisp_result *result = new_result();
        char want[400], line[200];
        const whisp_segment segments[] = {{.start = 0, .end = 1, .text = " a", .speaker = 1},
                                          {.start = 1, .end = 2.5, .text = " b"}};
        const whisp_turn turns[] = {{0.25, 1.125, 1}};
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(wh_result_add(result, &segments[k], 0), WHISP_OK);
        snprintf(want, sizeof want, "[00:00.000 --> 00:01.000]  a");
        assert_int_equal(whisp_segment_line(whisp_result_segment(result, 0), line, sizeof line), strlen(want));
        assert_string_equal(line, want);
        assert_int_equal(wh_result_set_speakers(result, &cases[i].name, 1, turns, 1), WHISP_OK);
        snprintf(want, sizeof want, "[00:00.000 --> 00:01.000] %sa", cases[i].brackets);
        assert_int_equal(whisp_segment_line(whisp_result_segment(result, 0), line, sizeof line), strlen(want));
        assert_string_equal(line, want);
        snprintf(want, sizeof want, "%sa\nb\n", cases[i].brackets);
        expect_document(result, "txt", want);
        snprintf(want, sizeof want, "WEBVTT\n\n00:00.000 --> 00:01.000\n%sa\n\n00:01.000 --> 00:02.500\nb\n\n",
                 cases[i].voice);
        expect_document(result, "vtt", want);
        snprintf(want, sizeof want, "1\n00:00:00,000 --> 00:00:01,000\n%sa\n\n2\n00:00:01,000 --> 00:00:02,500\nb\n\n",
                 cases[i].brackets);
        expect_document(result, "srt", want);
        snprintf(want, sizeof want, "start\tend\ttext\tspeaker\n0\t1000\ta\t%s\n1000\t2500\tb\t\n", cases[i].column);
        expect_document(result, "tsv", want);
        snprintf(want, sizeof want, "SPEAKER recording 1 0.250 0.875 <NA> <NA> %s <NA> <NA>\n", cases[i].word);
        expect_document(result, "rttm", want);
        whisp_result_free(result);
    }
}

/* rttm without turns has the segments; the recording's name is the caller's. */
static void test_rttm(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    const whisp_writer_options layout = {.size = sizeof layout, .recording = "my talk"};
    const whisp_segment segments[] = {{.start = 3599.9996, .end = 3661.5, .text = " a", .speaker = 3},
                                      {.start = 4000, .end = 4000, .text = " b", .speaker = 1},
                                      {.start = 4000, .end = 4001, .text = " c"}};
    char *text;
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(wh_result_add(result, &segments[k], 0), WHISP_OK);
    assert_int_equal(whisp_result_format(result, "rttm", &layout, &text, NULL), WHISP_OK);
    assert_string_equal(text, "SPEAKER my_talk 1 3600.000 61.500 <NA> <NA> SPEAKER_02 <NA> <NA>\n");
    whisp_string_free(text);
    whisp_result_free(result);
}

static void expect_layout(const whisp_result *result, whisp_writer_options layout, const char *format, const char *want)
{
    char *text;
    layout.size = sizeof layout;
    assert_int_equal(whisp_result_format(result, format, &layout, &text, NULL), WHISP_OK);
    assert_string_equal(text, want);
    whisp_string_free(text);
}

/* What SubtitlesWriter of openai-whisper writes for the same words. */
static void test_words(void **state)
{
    (void)state;
    static const char *const first[] = {" One", " two", " three"}, *const second[] = {" four", " f\u00fcnf"};
    whisp_result *result = new_result();
    add_words(result, 0, first, 3);
    add_words(result, 2, NULL, 0);
    add_words(result, 6, second, 2);
    expect_layout(result, (whisp_writer_options){0}, "srt",
                  "1\n00:00:00,000 --> 00:00:01,400\nOne two three\n\n"
                  "2\n00:00:06,000 --> 00:00:06,900\nfour f\u00fcnf\n\n");
    expect_layout(result, (whisp_writer_options){.max_words_per_line = 2}, "vtt",
                  "WEBVTT\n\n00:00.000 --> 00:00.900\nOne two\n\n00:01.000 --> 00:01.400\nthree\n\n"
                  "00:06.000 --> 00:06.900\nfour f\u00fcnf\n\n");
    expect_layout(result, (whisp_writer_options){.max_line_width = 8}, "vtt",
                  "WEBVTT\n\n00:00.000 --> 00:01.400\nOne two\nthree\n\n"
                  "00:06.000 --> 00:06.900\nfour\nf\u00fcnf\n\n");
    /* lines run on into the next segment, but not over a long pause */
    expect_layout(result, (whisp_writer_options){.max_line_width = 9, .max_line_count = 1}, "vtt",
                  "WEBVTT\n\n00:00.000 --> 00:00.900\nOne two\n\n00:01.000 --> 00:01.400\nthree\n\n"
                  "00:06.000 --> 00:06.900\nfour f\u00fcnf\n\n");
    expect_layout(result, (whisp_writer_options){.highlight_words = 1}, "srt",
                  "1\n00:00:00,000 --> 00:00:00,400\n<u>One</u> two three\n\n"
                  "2\n00:00:00,400 --> 00:00:00,500\nOne two three\n\n"
                  "3\n00:00:00,500 --> 00:00:00,900\nOne <u>two</u> three\n\n"
                  "4\n00:00:00,900 --> 00:00:01,000\nOne two three\n\n"
                  "5\n00:00:01,000 --> 00:00:01,400\nOne two <u>three</u>\n\n"
                  "6\n00:00:06,000 --> 00:00:06,400\n<u>four</u> f\u00fcnf\n\n"
                  "7\n00:00:06,400 --> 00:00:06,500\nfour f\u00fcnf\n\n"
                  "8\n00:00:06,500 --> 00:00:06,900\nfour <u>f\u00fcnf</u>\n\n");
    expect_layout(result, (whisp_writer_options){.max_line_width = 1}, "txt", "as written\nas written\nas written\n");
    char *text;
    assert_int_equal(whisp_result_format(result, "json", NULL, &text, NULL), WHISP_OK);
    assert_non_null(strstr(text, "\"no_speech_prob\": 0.0, \"words\": [{\"word\": \" One\", \"start\": 0.0, "
                                 "\"end\": 0.4, \"probability\": 0.75}, {\"word\": \" two\", "));
    assert_non_null(strstr(text, "\"words\": []}, "));
    whisp_string_free(text);
    whisp_writer_options wrong = {.size = sizeof wrong, .max_line_count = -1}, unsized = {0};
    text = NULL;
    assert_int_equal(whisp_result_format(result, "srt", &wrong, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_result_format(result, "srt", &unsized, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_null(text);
    whisp_result_free(result);
}

static void add_plain(whisp_result *result, double start, double end, const char *text)
{
    whisp_segment segment = {.start = start, .end = end, .text = text};
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
}

/* Segments that end where they begin, or before, get some time of their neighbours'. */
static void test_cues_last(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    add_plain(result, 1, 2, "a");
    add_plain(result, 2, 2, "b");
    add_plain(result, 2, 2, ""); /* nothing, for no time */
    add_plain(result, 2, 1.5, "c");
    add_plain(result, 2, 2.15, "d"); /* 150 ms for three */
    add_plain(result, 3, 3, "e");    /* room enough */
    add_plain(result, 5, 5, "f");
    expect_document(result, "vtt",
                    "WEBVTT\n\n00:01.000 --> 00:02.000\na\n\n00:02.000 --> 00:02.050\nb\n\n"
                    "00:02.050 --> 00:02.100\nc\n\n00:02.100 --> 00:02.150\nd\n\n00:03.000 --> 00:03.100\ne\n\n"
                    "00:05.000 --> 00:05.100\nf\n\n");
    whisp_result_free(result);
    result = new_result();
    whisp_word words[] = {{.text = " one", .start = 1, .end = 1},
                          {.text = " two", .start = 1, .end = 1.4},
                          {.text = " three", .start = 1.5, .end = 1.5}};
    const whisp_word *list[] = {&words[0], &words[1], &words[2]};
    whisp_segment segment = {.start = 1, .end = 1.5, .text = " one two three", .words = list, .n_words = 3};
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    expect_layout(result, (whisp_writer_options){.max_words_per_line = 1}, "srt",
                  "1\n00:00:01,000 --> 00:00:01,100\none\n\n2\n00:00:01,100 --> 00:00:01,400\ntwo\n\n"
                  "3\n00:00:01,500 --> 00:00:01,600\nthree\n\n");
    expect_layout(result, (whisp_writer_options){.highlight_words = 1}, "vtt",
                  "WEBVTT\n\n00:01.000 --> 00:01.100\n<u>one</u> two three\n\n"
                  "00:01.100 --> 00:01.400\none <u>two</u> three\n\n00:01.400 --> 00:01.500\none two three\n\n"
                  "00:01.500 --> 00:01.600\none two <u>three</u>\n\n");
    whisp_result_free(result);
}

/* However many come together, each cue ends after it starts, and none starts before the one that it follows. */
static void test_cues_in_order(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 200; round++) {
        whisp_result *result = new_result();
        char *text;
        double at = 0, last = 0;
        int n = 0;
        for (int i = 0; i < 40; i++) {
            at += random_unit(&seed) < 0.6 ? 0 : 0.06 * random_unit(&seed);
            add_plain(result, at, random_unit(&seed) < 0.7 ? at : at + 0.1 * random_unit(&seed), "x");
        }
        assert_int_equal(whisp_result_format(result, "vtt", NULL, &text, NULL), WHISP_OK);
        for (char *arrow = text; (arrow = strstr(arrow, " --> ")); arrow += 5, n++) {
            double start = atof(arrow - 6), end = atof(arrow + 8);
            assert_true(start < end && start >= last);
            last = start;
        }
        assert_int_equal(n, 40);
        whisp_string_free(text);
        whisp_result_free(result);
    }
}

static void test_empty(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    expect_document(result, "json", "{\"text\": \"\", \"segments\": [], \"language\": null}");
    assert_int_equal(wh_result_finish(result, "", "de", 0), WHISP_OK);
    expect_document(result, "txt", "");
    expect_document(result, "vtt", "WEBVTT\n\n");
    expect_document(result, "srt", "");
    expect_document(result, "tsv", "start\tend\ttext\n");
    expect_document(result, "json", "{\"text\": \"\", \"segments\": [], \"language\": \"de\"}");
    add(result, 1, 1, " x", 1); /* cleared segments alone make no subtitle */
    add(result, 2, 2, " y", 1);
    expect_document(result, "vtt", "WEBVTT\n\n");
    expect_document(result, "srt", "");
    expect_document(result, "txt", "\n\n");
    whisp_result_free(result);
}

/* A program may have chosen a language that writes 1,5. */
static void test_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "it_IT.UTF-8", "de_DE", "fr_FR", "pt_BR.UTF-8"};
    (void)state;
    size_t i = 0;
    while (i < WH_COUNT(names) && !setlocale(LC_ALL, names[i]))
        i++;
    if (i == WH_COUNT(names)) {
        printf("skipped: no locale with a decimal comma is installed\n");
        return;
    }
    whisp_result *result = tricky();
    expect_all(result);
    whisp_result_free(result);
    setlocale(LC_ALL, "C");
}

static void expect_number(double x, const char *want)
{
    wh_buf buf = {0};
    wh_put_double(&buf, x);
    assert_string_equal(buf.data, want);
    wh_buf_free(&buf);
}

static void test_numbers(void **state)
{
    (void)state;
    expect_number(0.0, "0.0");
    expect_number(-0.0, "-0.0");
    expect_number(1.0, "1.0");
    expect_number(0.1, "0.1");
    expect_number(-1.0 / 3, "-0.3333333333333333");
    expect_number(0.6000000000000001, "0.6000000000000001");
    expect_number(29.98, "29.98");
    expect_number(3.8599999999999994, "3.8599999999999994");
    expect_number(0.0001, "0.0001");
    expect_number(0.00001, "1e-05");
    expect_number(0.000012345, "1.2345e-05");
    expect_number(1e15, "1000000000000000.0");
    expect_number(9999999999999998.0, "9999999999999998.0");
    expect_number(1e16, "1e+16");
    expect_number(1.5e300, "1.5e+300");
    expect_number(123456789.0, "123456789.0");
    expect_number(ldexp(1, -24), "5.960464477539063e-08"); /* 17 digits by rounding alone */
    expect_number(ldexp(1, -44), "5.684341886080802e-14");
    expect_number((double)0.05567961186170578f, "0.05567961186170578");
    expect_number(DBL_MAX, "1.7976931348623157e+308");
    expect_number(DBL_TRUE_MIN, "5e-324");
    expect_number(INFINITY, "Infinity");
    expect_number(-INFINITY, "-Infinity");
    expect_number(NAN, "NaN");
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) { /* it reads back as the same number, and one digit fewer would not do */
        double x = ldexp(random_unit(&seed) - 0.5, (int)(random_unit(&seed) * 140) - 100);
        char fewer[64];
        int digits = 0;
        wh_buf buf = {0};
        wh_put_double(&buf, x);
        assert_true(strtod(buf.data, NULL) == x);
        for (const char *p = buf.data; *p && *p != 'e'; p++)
            digits += (*p >= '1' && *p <= '9') || (*p == '0' && digits > 0);
        assert_in_range(digits, 1, 17);
        if (digits > 1) {
            snprintf(fewer, sizeof fewer, "%.*e", digits - 2, x);
            assert_true(strtod(fewer, NULL) != x);
        }
        wh_buf_free(&buf);
    }
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(wh_milliseconds(0.0005), 0); /* halves to even */
    assert_int_equal(wh_milliseconds(0.0015), 2);
    assert_int_equal(wh_milliseconds(0.0025), 2);
    assert_int_equal(wh_milliseconds(7.6), 7600);
    assert_int_equal(wh_milliseconds(NAN), 0);
    assert_int_equal(wh_milliseconds(INFINITY), 1000000000000000);
    whisp_segment segment = {.start = 0.0, .end = 7.6, .text = " And so"};
    char line[64];
    assert_int_equal(whisp_segment_line(&segment, line, sizeof line), 33);
    assert_string_equal(line, "[00:00.000 --> 00:07.600]  And so");
    assert_int_equal(whisp_segment_line(&segment, line, 5), 33);
    assert_string_equal(line, "[00:");
    assert_int_equal(whisp_segment_line(&segment, NULL, 0), 33);
    segment.end = 360000 - 0.0001;
    whisp_segment_line(&segment, line, sizeof line);
    assert_string_equal(line, "[00:00.000 --> 100:00:00.000]  And so");
    assert_int_equal(whisp_segment_line(NULL, line, sizeof line), WHISP_ERR_ARGUMENT);
}

/* ---- files ---- */

static void expect_file(const char *path, const char *want)
{
    size_t n;
    char *text = read_file(path, &n);
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
    free(text);
}

/* No temporary file is left in the tests' folder. */
static void expect_clean(void)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", temp_path("x"));
    *strrchr(folder, '/') = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strstr(entry->d_name, ".tmp"))
            fail_msg("%s was left behind", entry->d_name);
    closedir(dir);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_files(void **state)
{
    (void)state;
    whisp_result *result = tricky();
    const char *path = temp_path("a.json"), *link = temp_path("link.srt"), *chain = temp_path("chain.srt");
    mode_t mask = umask(022);
    assert_int_equal(whisp_result_write(result, "json", NULL, path), WHISP_OK);
    expect_file(path, json);
    assert_int_equal(mode_of(path), 0644);

    put_file(path, "old and longer than any document here? no, but old", 0640);
    assert_int_equal(whisp_result_write(result, "tsv", NULL, path), WHISP_OK);
    expect_file(path, tsv);
    assert_int_equal(mode_of(path), 0640);

    /* links stay links, whether what they point to is there or not */
    assert_int_equal(symlink("target.srt", link), 0);
    assert_int_equal(symlink(link, chain), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(whisp_result_write(result, i ? "vtt" : "srt", NULL, chain), WHISP_OK);
        expect_file(temp_path("target.srt"), i ? vtt : srt);
        struct stat st;
        assert_int_equal(lstat(link, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(lstat(chain, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
    }
    umask(mask);
    expect_clean();
    whisp_result_free(result);
}

static void expect_io_error(const whisp_result *result, const char *path, int error)
{
    assert_int_equal(whisp_result_write(result, "txt", NULL, path), WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), path));
    assert_non_null(strstr(whisp_last_error(), strerror(error)));
}

static void test_unwritable(void **state)
{
    (void)state;
    whisp_result *result = tricky();
    const char *loop = temp_path("loop");
    expect_io_error(result, "/dev/full", ENOSPC);
    expect_io_error(result, temp_path("no/such/folder.txt"), ENOENT);
    expect_io_error(result, "/tmp", EISDIR);
    expect_io_error(result, "", ENOENT);
    put_file(temp_path("plain"), "", 0644);
    expect_io_error(result, temp_path("plain/x.txt"), ENOTDIR);
    assert_int_equal(symlink(loop, loop), 0);
    expect_io_error(result, loop, ELOOP);
    assert_int_equal(whisp_result_write(result, "txt", NULL, "/dev/null"), WHISP_OK);
    assert_int_equal(whisp_result_write(result, "txt", NULL, NULL), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_result_write(result, "doc", NULL, temp_path("none")), WHISP_ERR_ARGUMENT);
    assert_int_not_equal(access(temp_path("none"), F_OK), 0);
    if (geteuid() != 0) { /* root may write everything */
        put_file(temp_path("protected"), "mine", 0444);
        expect_io_error(result, temp_path("protected"), EACCES);
        expect_file(temp_path("protected"), "mine");
    }
    expect_clean();
    whisp_result_free(result);
}

static whisp_result *long_result(void)
{
    whisp_result *result = new_result();
    for (int i = 0; i < 20000; i++)
        add(result, i, i + 1, " a line that is not short", 0);
    return result;
}

/* A disk that fills up halfway leaves the old file as it was. */
static void test_full(void **state)
{
    (void)state;
    struct rlimit before, limited;
    whisp_result *result = long_result();
    const char *path = temp_path("kept.txt");
    put_file(path, "kept", 0644);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    limited.rlim_cur = 65536;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    int rc = whisp_result_write(result, "txt", NULL, path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), strerror(EFBIG)));
    expect_file(path, "kept");
    expect_clean();
    whisp_result_free(result);
}

/* Reads a little from a pipe and goes away. */
static void *impatient(void *path)
{
    char text[100];
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof text);
        close(fd);
        return n > 0 ? path : NULL;
    }
    return NULL;
}

static void test_pipes(void **state)
{
    (void)state;
    whisp_result *small = tricky(), *large = long_result();
    const char *path = temp_path("pipe");
    char text[1024];
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(whisp_result_write(small, "txt", NULL, path), WHISP_OK);
    ssize_t n = read(fd, text, sizeof text);
    assert_int_equal(n, sizeof txt - 1);
    assert_memory_equal(text, txt, sizeof txt - 1);
    close(fd);

    pthread_t reader;
    void *got = NULL;
    assert_int_equal(pthread_create(&reader, NULL, impatient, (void *)(uintptr_t)path), 0);
    int rc = whisp_result_write(large, "txt", NULL, path); /* SIGPIPE would end this program */
    assert_int_equal(pthread_join(reader, &got), 0);
    assert_non_null(got);
    assert_int_equal(rc, WHISP_ERR_IO);
    assert_non_null(strstr(whisp_last_error(), strerror(EPIPE)));
    sigset_t pending;
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    whisp_result_free(small);
    whisp_result_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accessors), cmocka_unit_test(test_documents),     cmocka_unit_test(test_words),
        cmocka_unit_test(test_cues_last), cmocka_unit_test(test_cues_in_order), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_locale),    cmocka_unit_test(test_numbers),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_unwritable),    cmocka_unit_test(test_full),
        cmocka_unit_test(test_pipes),     cmocka_unit_test(test_speakers),      cmocka_unit_test(test_rttm),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
