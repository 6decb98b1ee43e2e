/* test_label.c - turns and words with times to labelled segments: whose a word is, where segments are parted and where not,
 * and that nothing of the transcript is lost on the way. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/label.h"
#include "util/util.h"

static const char *const names[] = {"SPEAKER_00", "Ann", "SPEAKER_02"};

/* Segments are written as their words, each with its times: " Yes.@0.5-0.9 Not@1.2-1.4 ..."; a line a segment. Text that
 * has no times belongs to no word. */
static whisp_result *transcript(const char *lines)
{
    whisp_result *result;
    assert_int_equal(wh_result_new(&result), WHISP_OK);
    while (*lines) {
        char text[600] = "", texts[60][40];
        whisp_word words[60];
        const whisp_word *list[60];
        whisp_token tokens[62] = {{50364, 0}};
        size_t n = 0;
        for (; *lines && *lines != '\n'; n++) {
            size_t length = strcspn(lines, "@");
            int used;
            snprintf(texts[n], sizeof texts[n], "%.*s", (int)length, lines);
            words[n] = (whisp_word){.text = texts[n],
                                    .first_token = n + 1,
                                    .n_tokens = 1,
                                    .confidence = 0.01 * (double)(n + 1)};
            tokens[n + 1].id = (int32_t)(100 + n);
            list[n] = &words[n];
            strcat(text, texts[n]);
            assert_int_equal(sscanf(lines + length, "@%lf-%lf%n", &words[n].start, &words[n].end, &used), 2);
            lines += length + (size_t)used;
        }
        tokens[n + 1].id = 50400;
        const whisp_segment segment = {.seek = 7,
                                       .start = words[0].start - 0.1,
                                       .end = words[n - 1].end + 0.1,
                                       .text = text,
                                       .tokens = tokens,
                                       .n_tokens = n + 2,
                                       .words = list,
                                       .n_words = n,
                                       .confidence = 0.5};
        assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
        lines += *lines == '\n';
    }
    assert_int_equal(wh_result_finish(result, "all", "en", 100), WHISP_OK);
    return result;
}

/* The turns are numbered: "1@0-2 2@1.5-4". */
static size_t read_turns(const char *text, whisp_turn *turns)
{
    size_t n = 0;
    int used;
    for (; *text; text += used, n++)
        assert_int_equal(sscanf(text, "%d@%lf-%lf %n", &turns[n].speaker, &turns[n].start, &turns[n].end, &used), 3);
    return n;
}

/* Label it, and see that what comes out is consistent with what went in and with itself; then "1: text|2: text". */
static void expect(const char *words, const char *turns_text, const char *want)
{
    whisp_turn turns[40];
    whisp_result *from = transcript(words), *to;
    const wh_label_turns who = {.turns = turns, .n = read_turns(turns_text, turns), .names = names, .n_speakers = 3};
    char got[1000] = "", before[1000] = "", after[1000] = "";
    size_t n_words = 0, n_tokens = 0, n_before = 0, tokens_before = 0;
    double last = -1;
    assert_int_equal(wh_label(from, &who, 1, &to), WHISP_OK);
    whisp_result_info about = wh_result_about(from), info = wh_result_about(to);
    for (size_t i = 0; i < about.n_segments; i++) {
        const whisp_segment *s = whisp_result_segment(from, i);
        strcat(before, s->text);
        n_before += s->n_words;
        tokens_before += s->n_tokens;
    }
    for (size_t i = 0; i < info.n_segments; i++) {
        const whisp_segment *s = whisp_result_segment(to, i);
        char joined[600] = "";
        assert_int_equal(s->id, i);
        assert_true(s->start >= last && s->end >= s->start);
        last = s->start;
        for (size_t k = 0; k < s->n_words; k++) {
            const whisp_word *w = s->words[k];
            assert_int_equal(w->speaker, s->speaker);
            assert_true(w->start >= s->start && w->end <= s->end);
            assert_int_equal(s->tokens[w->first_token].id % 100, lround(w->confidence * 100) - 1);
            strcat(joined, w->text);
        }
        assert_string_equal(joined, s->text);
        assert_string_equal(s->speaker_name, names[s->speaker - 1]);
        strcat(after, s->text);
        n_words += s->n_words;
        n_tokens += s->n_tokens;
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d:%s", i ? "|" : "", s->speaker, s->text);
    }
    assert_string_equal(got, want);
    assert_string_equal(after, before);
    assert_int_equal(n_words, n_before);
    assert_int_equal(n_tokens, tokens_before);
    assert_string_equal(info.text, "all");
    assert_true(info.duration == 100 && info.n_turns == who.n && info.n_speakers == 3);
    whisp_result_free(from);
    whisp_result_free(to);
}

static void a_segment_is_parted_where_the_speaker_changes(void **state)
{
    (void)state;
    expect(" How@0-0.3 are@0.3-0.5 you?@0.5-0.9 Fine,@1.2-1.6 thanks.@1.6-2", "1@0-1 2@1.1-2.1",
           "1: How are you?|2: Fine, thanks.");
    expect(" Yes.@0-0.4 No.@0.5-0.8 Yes.@0.9-1.2", "1@0-0.45 2@0.45-0.85 3@0.85-1.3", "1: Yes.|2: No.|3: Yes.");
    /* two segments, one speaker: they stay two */
    expect(" One@0-0.3 two.@0.3-0.6\n Three.@0.7-1", "2@0-1", "2: One two.|2: Three.");
    /* inside a sentence, where somebody says much */
    expect(" I@0-0.2 think@0.2-0.6 we@0.6-0.8 should@0.8-1.2 no@1.3-1.6 we@1.6-1.8 should@1.8-2.2 not@2.2-2.6",
           "1@0-1.25 2@1.25-3", "1: I think we should|2: no we should not");
}

static void a_sentence_is_not_torn_for_the_edge_of_a_word(void **state)
{
    (void)state;
    /* the turn ends a little after the next sentence has begun, or before the last one's end */
    expect(" Are@0-0.3 you?@0.3-0.8 Fine,@0.8-1.2 thanks@1.2-1.6 you.@1.6-2", "1@0-1.05 2@1.05-2",
           "1: Are you?|2: Fine, thanks you.");
    expect(" Are@0-0.3 you?@0.3-0.8 Fine,@0.9-1.2 thanks@1.2-1.6 you.@1.6-2", "1@0-0.5 2@0.5-2",
           "1: Are you?|2: Fine, thanks you.");
    /* one short word of another's within a sentence */
    expect(" We@0-0.3 will@0.3-0.6 yes@0.6-0.9 have@0.9-1.3 it@1.3-1.5 done.@1.5-2", "1@0-0.6 2@0.6-0.9 1@0.9-2",
           "1: We will yes have it done.");
    /* but not a long one, nor a sentence of its own */
    expect(" We@0-0.3 will@0.3-0.6 certainly@0.6-1.4 have@1.4-1.7 it@1.7-1.9 done.@1.9-2.4",
           "1@0-0.6 2@0.6-1.4 1@1.4-3", "1: We will|2: certainly|1: have it done.");
    expect(" We@0-0.3 will.@0.3-0.6 Yes.@0.6-0.9 Have@0.9-1.3 it@1.3-1.5 done.@1.5-2", "1@0-0.6 2@0.6-0.9 1@0.9-2",
           "1: We will.|2: Yes.|1: Have it done.");
}

static void in_overlap_the_context_decides(void **state)
{
    (void)state;
    /* 2 hums while 1 goes on */
    expect(" So@0-0.4 we@0.4-0.8 went@0.8-1.2 there@1.2-1.6 then.@1.6-2", "1@0-2 2@0.8-1.6",
           "1: So we went there then.");
    /* both speak; who goes on afterwards has the words that both cover, his sentence's */
    expect(" So@0-0.4 there.@0.4-0.8 But@0.8-1.2 then@1.2-1.6 he@1.6-2 came.@2-2.4", "1@0-1.2 2@0.8-3",
           "1: So there.|2: But then he came.");
}

static void words_without_a_turn(void **state)
{
    (void)state;
    /* near one, and between two of one speaker */
    expect(" One@0-0.3 two@0.5-0.8", "2@1-2 1@5-6", "2: One two");
    expect(" One@0-0.3 two@3-3.4 three@6-6.3", "1@0-0.3 1@6-7", "1: One two three");
    /* far from all: the neighbour's */
    expect(" One.@0-0.3\n Two.@50-50.4\n Three.@90-90.5", "2@0-0.5 1@90-91", "2: One.|2: Two.|1: Three.");
    /* words that last no time */
    expect(" One@0-0 two.@0-0 Three@1-1 four@1-1 five.@1-1", "1@0-0.5 2@0.9-1.5", "1: One two.|2: Three four five.");
}

/* What has no words, or others than its text, is labelled as a whole; what was emptied is nobody's. */
static void segments_without_words_are_labelled(void **state)
{
    (void)state;
    whisp_result *from, *to;
    const whisp_turn turns[] = {{0, 1, 1}, {0.5, 3, 2}, {10, 11, 3}};
    const wh_label_turns who = {.turns = turns, .n = 3, .names = names, .n_speakers = 3};
    const whisp_word a = {.text = " a", .start = 0, .end = 0.2}, b = {.text = " b", .start = 1, .end = 2};
    const whisp_word *const list[] = {&a, &b};
    const whisp_segment segments[] = {{.start = 0, .end = 2, .text = " No words."},
                                      {.start = 0, .end = 2, .text = " a, b", .words = list, .n_words = 2},
                                      {.start = 2, .end = 2, .text = " gone"},
                                      {.start = 5, .end = 6, .text = " Nobody near."},
                                      {.start = 11.2, .end = 12, .text = " Near."}};
    static const int want[] = {2, 2, 0, 0, 3};
    assert_int_equal(wh_result_new(&from), WHISP_OK);
    for (size_t i = 0; i < WH_COUNT(segments); i++)
        assert_int_equal(wh_result_add(from, &segments[i], i == 2), WHISP_OK);
    assert_int_equal(wh_result_finish(from, "t", NULL, 12), WHISP_OK);
    assert_int_equal(wh_result_set_incomplete(from, "damaged"), WHISP_OK);
    for (int keeps = 0; keeps < 2; keeps++) {
        assert_int_equal(wh_label(from, &who, keeps, &to), WHISP_OK);
        assert_int_equal(wh_result_about(to).n_segments, WH_COUNT(segments));
        for (size_t i = 0; i < WH_COUNT(segments); i++) {
            const whisp_segment *s = whisp_result_segment(to, i);
            assert_int_equal(s->speaker, want[i]);
            assert_string_equal(s->text, i == 2 ? "" : segments[i].text);
            assert_int_equal(s->n_words, keeps && i == 1 ? 2 : 0);
        }
        assert_int_equal(wh_result_is_cleared(to, 2), 1);
        assert_string_equal(wh_result_about(to).incomplete, "damaged");
        assert_null(wh_result_about(to).language);
        whisp_result_free(to);
    }
    /* nobody spoke */
    const wh_label_turns none = {.n = 0};
    assert_int_equal(wh_label(from, &none, 1, &to), WHISP_OK);
    assert_int_equal(whisp_result_segment(to, 1)->speaker, 0);
    assert_int_equal(wh_result_about(to).n_speakers, 0);
    whisp_result_free(to);
    whisp_result_free(from);
}

/* Ten hours of words: time and memory stay proportional (this takes seconds if they do not). */
static void long_recordings_are_labelled(void **state)
{
    (void)state;
    enum { SEGMENTS = 12000, WORDS = 10, TURNS = 20000 };
    whisp_result *from, *to;
    whisp_turn *turns = calloc(TURNS, sizeof *turns);
    const wh_label_turns who = {.turns = turns, .n = TURNS, .names = names, .n_speakers = 3};
    for (int i = 0; i < TURNS; i++)
        turns[i] = (whisp_turn){1.8 * i, 1.8 * i + 1.8, i % 3 + 1};
    turns[0].end = 36000; /* and one speaks all the time */
    assert_int_equal(wh_result_new(&from), WHISP_OK);
    for (int i = 0; i < SEGMENTS; i++) {
        whisp_word words[WORDS];
        const whisp_word *list[WORDS];
        for (int k = 0; k < WORDS; k++) {
            words[k] = (whisp_word){.text = " a", .start = 3.0 * i + 0.3 * k, .end = 3.0 * i + 0.3 * k + 0.3};
            list[k] = &words[k];
        }
        const whisp_segment s = {
            .start = 3.0 * i, .end = 3.0 * i + 3, .text = " a a a a a a a a a a", .words = list, .n_words = WORDS};
        assert_int_equal(wh_result_add(from, &s, 0), WHISP_OK);
    }
    assert_int_equal(wh_result_finish(from, "t", NULL, 36000), WHISP_OK);
    assert_int_equal(wh_label(from, &who, 0, &to), WHISP_OK);
    assert_true(wh_result_about(to).n_segments >= SEGMENTS);
    whisp_result_free(to);
    whisp_result_free(from);
    free(turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_parted_where_the_speaker_changes),
        cmocka_unit_test(a_sentence_is_not_torn_for_the_edge_of_a_word),
        cmocka_unit_test(in_overlap_the_context_decides),
        cmocka_unit_test(words_without_a_turn),
        cmocka_unit_test(segments_without_words_are_labelled),
        cmocka_unit_test(long_recordings_are_labelled),
    };
    return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
