/* test_read_back.c - transcripts read back from JSON: written again they are the same bytes in every format; and whatever
 * else the bytes are, there is an error that says where. */
#include "support/testing.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/result.h"
#include "support/calls.h"
#include "util/util.h"

/* ---- what was written is read ---- */

/* A document of `made` and of what its JSON gives back must be the same. */
static void expect_same_documents(const whisp_result *made)
{
    static const char *const formats[] = {"json", "srt", "vtt", "tsv", "txt", "rttm"};
    const whisp_writer_options layouts[] = {
        {.size = sizeof *layouts},
        {.size = sizeof *layouts, .highlight_words = 1},
        {.size = sizeof *layouts, .max_line_width = 20, .max_line_count = 2},
        {.size = sizeof *layouts, .max_words_per_line = 3},
    };
    char *json, *want, *got;
    size_t n;
    whisp_result *read;
    assert_int_equal(whisp_result_format(made, "json", NULL, &json, &n), WHISP_OK);
    if (whisp_result_read(json, n, &read))
        fail_msg("%s: %.300s", whisp_last_error(), json);
    for (size_t f = 0; f < WH_COUNT(formats); f++)
        for (size_t l = 0; l < WH_COUNT(layouts); l++) {
            assert_int_equal(whisp_result_format(made, formats[f], &layouts[l], &want, NULL), WHISP_OK);
            assert_int_equal(whisp_result_format(read, formats[f], &layouts[l], &got, NULL), WHISP_OK);
            assert_string_equal(got, want);
            whisp_string_free(want);
            whisp_string_free(got);
        }
    whisp_string_free(json);
    whisp_result_free(read);
}

static void add(whisp_result *result, const char *text, int n_words, int cleared, double start, int speaker)
{
    static const char *const texts[] = {" Träume", " \"quoted\\\"", "\n", " 😀", "", " end."};
    whisp_word words[6];
    const whisp_word *list[6];
    const whisp_token tokens[] = {{50364, -0.5f}, {7, -1}, {50400, -0.1f}};
    for (int i = 0; i < WH_MAX(n_words, 0); i++) {
        static const whisp_alternative others[] = {{" \"Räume", -0.1}, {"\n", -2}, {"", 1 / 3.0}};
        list[i] = &words[i];
        words[i] = (whisp_word){.text = texts[i],
                                .start = start + i / 3.0,
                                .end = start + (i + 1) / 3.0,
                                .probability = 1 / 3.0,
                                .confidence = i % 2 ? 0.1 : 0,
                                .alternatives = i % 3 ? others : NULL,
                                .n_alternatives = (size_t)(i % 3 ? i % 4 : 0)};
    }
    const whisp_segment segment = {.seek = 12345,
                                   .start = start,
                                   .end = start + 2.0000000000000004,
                                   .text = text,
                                   .tokens = tokens,
                                   .n_tokens = 3,
                                   .temperature = 0.2,
                                   .avg_logprob = -0.1 - 0.2,
                                   .compression_ratio = 1e22,
                                   .no_speech_prob = 5e-324,
                                   .words = n_words >= 0 ? list : NULL,
                                   .n_words = (size_t)WH_MAX(n_words, 0),
                                   .speaker = speaker};
    assert_int_equal(wh_result_add(result, &segment, cleared), WHISP_OK);
}

static void results_come_back(void **state)
{
    (void)state;
    static const struct {
        int n_words[4], cleared[4], speaker;
    } cases[] = {
        {{-1, -1, -1, -1}, {0, 0, 0, 0}, 0}, {{-1, -1, -1, -1}, {1, 0, 1, 0}, 0}, {{-1, -1, -1, -1}, {1, 1, 1, 1}, 0},
        {{6, 3, 0, 1}, {0, 0, 0, 0}, 0},     {{0, 6, 0, 1}, {1, 0, 1, 0}, 0},     {{0, 0, 0, 0}, {1, 1, 1, 1}, 0},
        {{0, 0, 0, 0}, {0, 0, 0, 0}, 0},     {{6, 3, 0, 1}, {0, 0, 0, 0}, 2},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++)
        for (int last = 0; last <= 4; last++) {
            whisp_result *result;
            assert_int_equal(wh_result_new(&result), WHISP_OK);
            for (int k = 0; k < last; k++)
                add(result, k == 2 ? " a --> b\t\x7f" : " Text\u2028 \u00e4", cases[i].n_words[k], cases[i].cleared[k],
                    1.1 * k, cases[i].speaker);
            assert_int_equal(wh_result_finish(result, " All\x01 of it", last == 3 ? NULL : "de", 9), WHISP_OK);
            if (last == 2)
                assert_int_equal(whisp_result_set_incomplete(result, "talk.wav: stopped"), WHISP_OK);
            expect_same_documents(result);
            whisp_result_free(result);
        }
}

/* What a person left in a document is there when it is written again; what is no remark is read past. */
static void remarks_come_back(void **state)
{
    (void)state;
    static const char document[] =
        "{\"text\": \" a b\", \"segments\": [{\"id\": 0, \"seek\": 0, \"start\": 0.0, \"end\": 1.0, \"text\": \" a b\", "
        "\"tokens\": [], \"temperature\": 0.0, \"avg_logprob\": 0.0, \"compression_ratio\": 0.0, "
        "\"no_speech_prob\": 0.0, \"corrected\": true, \"note\": \"who\\n\\u00e4?\", \"words\": [{\"word\": \" a\", "
        "\"start\": 0.0, \"end\": 0.5, \"probability\": 1.0, \"corrected\": true}, {\"word\": \" b\", \"start\": 0.5, "
        "\"end\": 1.0, \"probability\": 1.0, \"confidence\": 1.0, \"heard\": true}]}], \"language\": \"en\", "
        "\"corrections\": [{\"from\": \"Share\\tJet\", \"to\": \"ShareChat\", \"count\": 3}, {\"from\": \"\", \"to\": "
        "\"e\", \"count\": 1}], \"note\": \"of all\"}";
    static const char others[] =
        "{\"segments\": [{\"start\": 0, \"end\": 1, \"text\": \"a\", \"note\": {\"x\": [1]}, \"corrected\": \"no\", \"words\": "
        "[{\"word\": \"a\", \"start\": 0, \"end\": 1, \"heard\": 1, \"corrected\": false}]}], \"note\": 7, \"corrections\": []}";
    whisp_result *read;
    char *json;
    size_t n;
    assert_int_equal(whisp_result_read(document, strlen(document), &read), WHISP_OK);
    assert_int_equal(whisp_result_format(read, "json", NULL, &json, &n), WHISP_OK);
    assert_string_equal(json, document);
    whisp_string_free(json);
    whisp_result_free(read);
    assert_int_equal(whisp_result_read(others, strlen(others), &read), WHISP_OK);
    assert_int_equal(whisp_result_format(read, "json", NULL, &json, &n), WHISP_OK);
    assert_null(strstr(json, "note"));
    assert_null(strstr(json, "heard"));
    assert_null(strstr(json, "correct"));
    whisp_string_free(json);
    whisp_result_free(read);
    static const char half[] = "{\"segments\": [], \"corrections\": [{\"from\": \"a\"}]}";
    assert_int_equal(whisp_result_read(half, strlen(half), &read), WHISP_ERR_ARGUMENT);
}

/* Speakers, their names and turns: all there again, numbered as they were. */
static void speakers_come_back(void **state)
{
    (void)state;
    char longest[501], *json;
    memset(longest, 'n', 500);
    longest[500] = 0;
    const char *const names[] = {"SPEAKER_00", "Ann <b>\"]\n& Zo\u00eb", longest, "never heard"};
    const whisp_turn turns[] = {{0.1, 2.25, 2}, {1, 1.5, 1}, {3, 4, 3}};
    whisp_result *result, *read;
    size_t n;
    assert_int_equal(wh_result_new(&result), WHISP_OK);
    for (int k = 0; k < 4; k++)
        add(result, " Text", k, 0, 1.1 * k, (k + 2) % 4);
    assert_int_equal(wh_result_set_speakers(result, names, 4, turns, 3), WHISP_OK);
    assert_int_equal(wh_result_finish(result, " All", "de", 9), WHISP_OK);
    expect_same_documents(result);
    assert_int_equal(whisp_result_format(result, "json", NULL, &json, &n), WHISP_OK);
    assert_int_equal(whisp_result_read(json, n, &read), WHISP_OK);
    whisp_result_info info = result_info(read);
    assert_int_equal(info.n_speakers, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(info.speakers[i], names[i]);
    assert_int_equal(info.n_turns, 3);
    for (int i = 0; i < 3; i++)
        assert_true(info.turns[i].start == turns[i].start && info.turns[i].end == turns[i].end &&
                    info.turns[i].speaker == turns[i].speaker);
    for (int k = 0; k < 4; k++) {
        const whisp_segment *s = whisp_result_segment(read, (size_t)k);
        assert_int_equal(s->speaker, (k + 2) % 4);
        if (s->speaker)
            assert_string_equal(s->speaker_name, names[s->speaker - 1]);
        else
            assert_null(s->speaker_name);
        for (size_t i = 0; i < s->n_words; i++)
            assert_int_equal(s->words[i]->speaker, s->speaker);
    }
    whisp_string_free(json);
    whisp_result_free(read);
    whisp_result_free(result);
}

/* Turns in any order are put in order; and a list of none is not the same as no list. */
static void turns_are_put_in_order(void **state)
{
    (void)state;
    static const char many[] =
        "{\"segments\": [], \"turns\": [{\"start\": 5, \"end\": 6, \"speaker\": \"A\"}, {\"start\": 1, "
        "\"end\": 9, \"speaker\": \"B\"}, {\"start\": 1, \"end\": 2, \"speaker\": \"A\"}]}";
    static const char none[] = "{\"segments\": [], \"speakers\": [], \"turns\": []}", without[] = "{\"segments\": []}";
    whisp_result *result;
    assert_int_equal(whisp_result_read(many, sizeof many - 1, &result), WHISP_OK);
    whisp_result_info info = result_info(result);
    assert_int_equal(info.n_turns, 3);
    assert_true(info.turns[0].start == 1 && info.turns[0].end == 2 && info.turns[0].speaker == 1);
    assert_true(info.turns[1].start == 1 && info.turns[1].end == 9 && info.turns[1].speaker == 2);
    assert_true(info.turns[2].start == 5 && info.turns[2].end == 6 && info.turns[2].speaker == 1);
    expect_same_documents(result);
    whisp_result_free(result);
    assert_int_equal(whisp_result_read(none, sizeof none - 1, &result), WHISP_OK);
    assert_non_null(result_info(result).turns);
    expect_same_documents(result);
    whisp_result_free(result);
    assert_int_equal(whisp_result_read(without, sizeof without - 1, &result), WHISP_OK);
    assert_null(result_info(result).turns);
    expect_same_documents(result);
    whisp_result_free(result);
}

/* whisperX's documents, whose words may be another's than their segment, and ours of before, with numbers. */
static void other_speakers_are_read(void **state)
{
    (void)state;
    static const char json[] =
        "{\"segments\": [{\"start\": 0, \"end\": 2, \"text\": \"a b\", \"speaker\": \"B\", \"words\": [{\"word\": \"a\", "
        "\"start\": 0, \"end\": 1, \"speaker\": \"A\"}, {\"word\": \" b\", \"start\": 1, \"end\": 2}]}, {\"start\": 2, "
        "\"end\": 3, \"text\": \"c\", \"speaker\": 2}, {\"start\": 3, \"end\": 4, \"text\": \"d\", \"speaker\": null}]}";
    whisp_result *result;
    assert_int_equal(whisp_result_read(json, sizeof json - 1, &result), WHISP_OK);
    assert_string_equal(whisp_result_segment(result, 0)->speaker_name, "B");
    whisp_result_info info = result_info(result);
    assert_string_equal(info.speakers[whisp_result_segment(result, 0)->words[0]->speaker - 1], "A");
    assert_string_equal(info.speakers[whisp_result_segment(result, 0)->words[1]->speaker - 1], "B");
    assert_string_equal(whisp_result_segment(result, 1)->speaker_name, "SPEAKER_01");
    assert_int_equal(whisp_result_segment(result, 2)->speaker, 0);
    whisp_result_free(result);
}

/* Another speaker in each segment: as many as there may be, and one more. */
static void speakers_have_a_limit(void **state)
{
    (void)state;
    wh_buf json = {0};
    whisp_result *result;
    wh_buf_puts(&json, "{\"segments\": []");
    wh_buf_puts(&json, ", \"speakers\": [\"0\"");
    for (int i = 1; i < 256; i++)
        wh_buf_printf(&json, ", \"%d\"", i);
    wh_buf_puts(&json, "]}");
    assert_int_equal(whisp_result_read(json.data, json.length, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_speakers, 256);
    whisp_result_free(result);
    json.length -= 2;
    wh_buf_puts(&json, ", \"and one\"]}");
    assert_int_equal(whisp_result_read(json.data, json.length, &result), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "more than 256 speakers"));
    wh_buf_free(&json);
}

/* The answer of openai-whisper under one setting. */
static void reference_comes_back(const char *file, json_t *answer)
{
    whisp_result *result;
    char *json = json_dumps(answer, JSON_REAL_PRECISION(17) | JSON_ENSURE_ASCII);
    if (whisp_result_read(json, strlen(json), &result))
        fail_msg("%s: %s", file, whisp_last_error());
    assert_string_equal(whisp_result_text(result), json_string_value(json_object_get(answer, "text")));
    assert_int_equal(result_info(result).n_segments, json_array_size(json_object_get(answer, "segments")));
    expect_same_documents(result);
    whisp_result_free(result);
    free(json);
}

static void references_come_back(void **state)
{
    (void)state;
    static const char *const files[] = {"tiny.en/jfk.flac", "base/italian.ogg", "base/podcast13",
                                        "tiny.en/night_45s_dont_be_afraid_of_me.wav"};
    for (size_t i = 0; i < WH_COUNT(files); i++) {
        char name[128];
        const char *key;
        json_t *answer;
        snprintf(name, sizeof name, "reference/%s.transcribe.json", files[i]);
        const char *path = shared_path(name);
        json_t *all = path ? json_load_file(path, 0, NULL) : NULL;
        json_object_foreach(all, key, answer) if (json_object_get(answer, "segments"))
            reference_comes_back(name, answer);
        json_decref(all);
    }
}

/* Written by Python's json.dump() of openai-whisper's dictionary, in one line. */
static const char written[] =
    "{\"text\": \" \\u00c4 b.\", \"segments\": [{\"id\": 0, \"seek\": 0, \"start\": 0.0, \"end\": 2.56, \"text\": \" \\u00c4 "
    "b.\", \"tokens\": [50364, 7], \"temperature\": 0.0, \"avg_logprob\": NaN, \"compression_ratio\": 0.8, "
    "\"no_speech_prob\": 1e-05, \"words\": [{\"word\": \" \\ud83d\\ude00\", \"start\": 0.0, \"end\": 0.30000000000000004, "
    "\"probability\": 0.5}]}], \"language\": \"en\"}";

static void a_document_comes_back(void **state)
{
    (void)state;
    whisp_result *result;
    char *again;
    size_t n;
    assert_int_equal(whisp_result_read(written, sizeof written - 1, &result), WHISP_OK);
    const whisp_segment *s = whisp_result_segment(result, 0);
    assert_string_equal(s->text, " \u00c4 b.");
    assert_string_equal(s->language, "en");
    assert_string_equal(s->words[0]->text, " \U0001F600");
    assert_true(isnan(s->tokens[1].logprob) && s->tokens[1].id == 7 && isnan(s->avg_logprob));
    assert_true(result_info(result).duration == 2.56);
    assert_int_equal(whisp_result_format(result, "json", NULL, &again, &n), WHISP_OK);
    assert_string_equal(again, written);
    assert_int_equal(n, sizeof written - 1);
    whisp_string_free(again);
    whisp_result_free(result);
}

/* Spaces, another order, keys that nobody knows, no text of its own; strings in UTF-8. */
static void other_layouts_are_read(void **state)
{
    (void)state;
    static const char json[] = "\xEF\xBB\xBF\n{ \"duration\": [1, {\"a\": null}], \"segments\": [\n"
                               " {\"end\": 2, \"text\": \" \xc3\xa4 \\ud800x \xff\", \"start\":1e0, \"more\": true},"
                               " {\"start\": 2, \"end\": 3.50e+0, \"text\": \"\\/\\u0041\", \"id\": 7}]}\r\n";
    whisp_result *result;
    assert_int_equal(whisp_result_read(json, sizeof json - 1, &result), WHISP_OK);
    assert_string_equal(whisp_result_text(result), " \u00e4 \uFFFDx \uFFFD/A");
    assert_null(result_info(result).language);
    assert_int_equal(result_info(result).n_segments, 2);
    assert_int_equal(whisp_result_segment(result, 1)->id, 7);
    assert_true(whisp_result_segment(result, 1)->end == 3.5);
    assert_null(whisp_result_segment(result, 0)->words);
    whisp_result_free(result);
}

/* whisperX times no numbers, has "score" for the probability, and no spaces; faster-whisper's segments are a list. */
static void tools_around_it_are_read(void **state)
{
    (void)state;
    static const char x[] =
        "{\"segments\": [{\"start\": 1, \"end\": 5, \"text\": \" 7 in 2015 or 16 we 3\", \"words\": [{\"word\": \"7\"}, "
        "{\"word\": \"in\", \"start\": 2, \"end\": 2.5, \"speaker\": \"A\", \"score\": 0.25}, {\"word\": \"2015\"}, "
        "{\"word\": \"or\", \"start\": null, \"end\": null}, {\"word\": \"16\", \"end\": 3.75}, "
        "{\"word\": \"we\", \"start\": 4}, {\"word\": \"3\"}], \"speaker\": \"B\"}, {\"start\": 9, \"end\": 8, \"text\": \"x\", "
        "\"words\": [{\"word\": \"x\"}]}, {\"start\": 1, \"end\": 5, \"text\": \"a b\", \"words\": [{\"word\": \"a\", "
        "\"start\": 1, \"end\": 3}, {\"word\": \"b\", \"end\": 0.5}]}], \"word_segments\": [{\"word\": \"in\"}]}";
    static const double times[][2] = {{1, 2}, {2, 2.5}, {2.5, 3}, {3, 3.5}, {3.5, 3.75}, {4, 4}, {4, 5}};
    static const char list[] =
        " [{\"id\": 1, \"start\": 0.5, \"end\": 2, \"text\": \" hi\", \"words\": [{\"start\": 1, \"end\": 2, "
        "\"word\": \" hi\", \"probability\": 0.5}]}, {\"start\": 2, \"end\": 3, \"text\": \" you\", \"words\": null, \"tokens\": null}]\n";
    whisp_result *result;
    assert_int_equal(whisp_result_read(x, sizeof x - 1, &result), WHISP_OK);
    const whisp_segment *s = whisp_result_segment(result, 0);
    assert_int_equal(s->n_words, WH_COUNT(times));
    for (size_t i = 0; i < WH_COUNT(times); i++) {
        assert_true(s->words[i]->start == times[i][0]);
        assert_true(s->words[i]->end == times[i][1]);
    }
    assert_true(s->words[1]->probability == 0.25);
    assert_string_equal(s->words[0]->text, " 7");
    assert_string_equal(s->words[3]->text, " or");
    assert_int_equal(s->words[0]->speaker, 2); /* the segment's */
    assert_int_equal(s->words[1]->speaker, 1);
    s = whisp_result_segment(result, 1);
    assert_string_equal(s->words[0]->text, "x");
    assert_true(s->words[0]->start == 9 && s->words[0]->end == 9);
    s = whisp_result_segment(result, 2);
    assert_true(s->words[1]->start == 3 && s->words[1]->end == 3); /* no word ends before it starts */
    whisp_result_free(result);
    assert_int_equal(whisp_result_read(list, sizeof list - 1, &result), WHISP_OK);
    assert_string_equal(whisp_result_text(result), " hi you");
    assert_true(whisp_result_segment(result, 0)->words[0]->end == 2);
    assert_int_equal(whisp_result_segment(result, 1)->n_words, 0);
    whisp_result_free(result);
    assert_int_equal(whisp_result_read("[]", 2, &result), WHISP_OK);
    assert_int_equal(result_info(result).n_segments, 0);
    whisp_result_free(result);
}

/* ---- what is none ---- */

static void expect_refused(const char *json, size_t n, const char *why)
{
    whisp_result *result = (whisp_result *)(uintptr_t)1;
    if (whisp_result_read(json, n, &result) != WHISP_ERR_ARGUMENT)
        fail_msg("accepted, or another error (%s): %.200s", whisp_last_error(), json);
    assert_null(result);
    if (!strstr(whisp_last_error(), why))
        fail_msg("%.200s: %s, not %s", json, whisp_last_error(), why);
}

#define S(members) "{\"segments\": [{\"start\": 0, \"end\": 1, \"text\": \"a\"" members "}]}"

static void hostile_documents_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "at byte 0"},
        {"[1]", "an object is expected"},
        {"[] x", "something follows"},
        {"[{\"start\": 0, \"end\": 1}]", "no \"text\""},
        {"null", "an object is expected"},
        {"{}", "no \"segments\""},
        {"{\"segments\": {}}", "a list is expected"},
        {"{\"segments\": [1]}", "an object is expected"},
        {"{\"segments\": [{\"start\": 0, \"end\": 1}]}", "no \"text\""},
        {"{\"segments\": [{\"start\": 0, \"text\": \"\"}]}", "no \"end\""},
        {"{\"segments\": [], \"segments\": []}", "\"segments\" is there twice"},
        {S(", \"start\": 1"), "\"start\" is there twice"},
        {S(", \"text\": null"), "twice"},
        {"{\"segments\": [], \"text\": 5}", "a text is expected"},
        {"{\"segments\": [], \"language\": []}", "a text is expected"},
        {"{\"segments\": []} x", "something follows"},
        {"{\"segments\": [],}", "a text is expected"},
        {"{\"segments\": [,]}", "an object is expected"},
        {"{\"segments\" []}", "\":\" is missing"},
        {"{segments: []}", "a text is expected"},
        {S(", \"tokens\": [-1]"), "a whole number"},
        {S(", \"tokens\": [1.5]"), "a whole number"},
        {S(", \"tokens\": [4294967296]"), "a whole number"},
        {S(", \"tokens\": [\"7\"]"), "a number is expected"},
        {S(", \"tokens\": [NaN]"), "a whole number"},
        {S(", \"id\": 1e300"), "a whole number"},
        {S(", \"seek\": -5"), "a whole number"},
        {S(", \"speaker\": {}"), "a text is expected"},
        {S(", \"speaker\": -1"), "a whole number"},
        {S(", \"speaker\": 257"), "a whole number"},
        {"{\"segments\": [], \"speakers\": [null]}", "without a name"},
        {"{\"segments\": [], \"speakers\": [\"A\", \"A\"]}", "listed twice"},
        {"{\"segments\": [], \"turns\": [{\"start\": 0, \"end\": 1}]}", "no \"speaker\""},
        {"{\"segments\": [], \"turns\": [{\"start\": 0, \"end\": 1, \"speaker\": null}]}", "without a speaker"},
        {"{\"segments\": [], \"turns\": [{\"start\": NaN, \"end\": 1, \"speaker\": \"A\"}]}", "a time that"},
        {S(", \"words\": [{\"word\": \"a\", \"start\": NaN, \"end\": 1}]"), "a time that cannot be"},
        {S(", \"words\": [{\"word\": \"a\", \"start\": 1e10, \"end\": 1}]"), "a time that cannot be"},
        {S(", \"words\": [{\"word\": \"a\", \"start\": 0, \"end\": Infinity}]"), "a time that cannot be"},
        {S(", \"words\": [{\"start\": 0, \"end\": 1}]"), "no \"word\""},
        {S(", \"words\": {}"), "a list is expected"},
        {S(", \"temperature\": 01"), "a number is expected"},
        {S(", \"temperature\": +1"), "a number is expected"},
        {S(", \"temperature\": .5"), "a number is expected"},
        {S(", \"temperature\": 1."), "a number is expected"},
        {S(", \"temperature\": 1e"), "a number is expected"},
        {S(", \"temperature\": 0x10"), "is missing"},
        {S(", \"temperature\": -"), "a number is expected"},
        {S(", \"other\": \"a\nb\""), "a control character"},
        {S(", \"other\": \"\\x\""), "an unknown escape"},
        {S(", \"other\": \"\\u12g4\""), "hexadecimal"},
        {S(", \"other\": \"\\u12"), "hexadecimal"},
        {S(", \"other\": \"\\u00\x14\x11\""), "hexadecimal"},
        {S(", \"other\": \"\\u0000\""), "a NUL"},
        {S(", \"other\": tru"), "a number is expected"},
        {S(", \"other\": \"never closed"), "\"\"\" is missing"},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++)
        expect_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    expect_refused("{\"segments\0\": []}", 16, "a control character");
    whisp_result *result;
    assert_int_equal(whisp_result_read(NULL, 0, &result), WHISP_ERR_ARGUMENT);
    assert_int_equal(whisp_result_read("{}", 2, NULL), WHISP_ERR_ARGUMENT);
}

static void depth_and_numbers_have_limits(void **state)
{
    (void)state;
    const char *const head = "{\"segments\": [], \"x\": ";
    size_t most = 3000000, at = strlen(head);
    char *deep = malloc(most + 1);
    memcpy(deep, head, at);
    for (size_t i = at; i < most; i++)
        deep[i] = i % 2 ? '[' : '\n';
    expect_refused(deep, most, "within each other");
    for (size_t i = at; i + 8 < most; i += 8)
        memcpy(deep + i, "{\"a\": [ ", 8);
    expect_refused(deep, most, "within each other");
    memset(deep + at, '7', most - at);
    expect_refused(deep, most, "a number of more than");
    memset(deep + at, '[', 60);
    memset(deep + at + 60, ']', 60);
    memcpy(deep + at + 120, "}", 2);
    whisp_result *result;
    assert_int_equal(whisp_result_read(deep, strlen(deep), &result), WHISP_OK);
    whisp_result_free(result);
    free(deep);
}

/* Cut off anywhere; and with bytes changed: refused, or a transcript that can be written in every format and comes back. */
static void damaged_documents_do_no_harm(void **state)
{
    (void)state;
    size_t n = sizeof written - 1;
    uint64_t seed = 5;
    for (size_t i = 0; i < n; i++) {
        char *part = malloc(i + 1); /* exactly as many bytes, so that a step beyond is seen */
        memcpy(part, written, i);
        expect_refused(part, i, "at byte");
        free(part);
    }
    for (int round = 0; round < 20000; round++) {
        whisp_result *result;
        char *damaged = malloc(n);
        memcpy(damaged, written, n);
        for (int k = 0; k < 1 + round % 3; k++) {
            static const char marks[] = "{}[]\",:\\u-+.eE019 \n\xc3\xff";
            damaged[(size_t)(random_unit(&seed) * (double)n)] =
                round % 2 ? marks[(size_t)(random_unit(&seed) * (sizeof marks - 1))]
                          : (char)(int)(random_unit(&seed) * 256);
        }
        int rc = whisp_result_read(damaged, n, &result);
        assert_true(rc == WHISP_OK || rc == WHISP_ERR_ARGUMENT);
        if (rc == WHISP_OK)
            expect_same_documents(result);
        whisp_result_free(result);
        free(damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back),
        cmocka_unit_test(remarks_come_back),
        cmocka_unit_test(speakers_come_back),
        cmocka_unit_test(turns_are_put_in_order),
        cmocka_unit_test(other_speakers_are_read),
        cmocka_unit_test(speakers_have_a_limit),
        cmocka_unit_test(references_come_back),
        cmocka_unit_test(a_document_comes_back),
        cmocka_unit_test(other_layouts_are_read),
        cmocka_unit_test(tools_around_it_are_read),
        cmocka_unit_test(hostile_documents_are_refused),
        cmocka_unit_test(depth_and_numbers_have_limits),
        cmocka_unit_test(damaged_documents_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
