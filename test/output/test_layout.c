/* test_layout.c - subtitles as a person would make them: where they end, and, for random transcripts in many scripts and
 * with any times, that no limit of the style is broken and that no text is lost; and the formats that show them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/layout/layout.h"
#include "support/testing.h"
#include "tokenizer/utf8.h"

static whisp_result *new_result(void)
{
    whisp_result *result;
    assert_int_equal(wh_result_new(&result), WHISP_OK);
    return result;
}

/* A segment of words with '|' between them, each `each` seconds long; " ~" is a second of silence. */
static double add_words(whisp_result *result, double start, double each, int speaker, const char *texts)
{
    char copy[2000];
    whisp_word words[200];
    const whisp_word *list[200];
    size_t n = 0;
    double at = start;
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|")) {
        if (strcmp(word, "~") == 0) {
            at += 1;
            continue;
        }
        words[n] = (whisp_word){.text = word, .start = at, .end = at + each, .probability = 0.5, .speaker = speaker};
        list[n] = &words[n];
        n++;
        at += each;
    }
    char whole[2000] = "";
    for (size_t i = 0; i < n; i++)
        strcat(whole, words[i].text);
    whisp_segment segment = {.start = start, .end = at, .text = whole, .words = list, .n_words = n, .speaker = speaker};
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    return at;
}

static void expect(const whisp_result *result, const char *format, const char *style, const char *want)
{
    whisp_writer_options layout = {.size = sizeof layout, .subtitles = 1, .subtitle_style = style};
    char *text;
    assert_int_equal(whisp_result_format(result, format, &layout, &text, NULL), WHISP_OK);
    assert_string_equal(text, want);
    whisp_string_free(text);
}

static whisp_result *finish(whisp_result *result, const char *language)
{
    assert_int_equal(wh_result_finish(result, "", language, 100), WHISP_OK);
    return result;
}

/* ---- where they end ---- */

static void test_sentences(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    double at = add_words(
        result, 1, 0.3, 0,
        " It| was| the| year| of| the| comet,| and| all| of| the| town| came| to| the| square.| Nobody| "
        "spoke| to| Mr.| Brown| of| New| York.");
    add_words(result, at, 0.3, 0, " Then| 25| thousand| people| went|~|~| home.");
    finish(result, "en");
    expect(
        result, "srt", NULL,
        "1\n00:00:01,000 --> 00:00:05,716\nIt was the year of the comet,\nand all of the town came to the square.\n\n"
        "2\n00:00:05,800 --> 00:00:08,116\nNobody spoke to Mr. Brown of New York.\n\n"
        "3\n00:00:08,200 --> 00:00:10,200\nThen 25 thousand people went\n\n"
        "4\n00:00:11,700 --> 00:00:12,534\nhome.\n\n");
    whisp_result_free(result);
}

/* With each word's cost: what stays together. */
static void test_costs(void **state)
{
    (void)state;
    static const struct {
        const char *language, *words;
        int index, least, most; /* of the cost behind the word of this index */
    } cases[] = {
        {"en", " well| said.| Then", 1, 0, 0},
        {"en", " Mr.| Brown", 0, 200, 400},
        {"it", " Mr.| Brown", 0, 200, 400},
        {"en", " J.| Brown", 0, 200, 400},
        {"en", " the| house", 0, 200, 400},
        {"en", " house,| the", 0, 1, 20},
        {"en", " house| the", 0, 50, 90},
        {"en", " house| stands", 0, 100, 100},
        {"en", " New| York", 0, 200, 400},
        {"en", " 25| thousand", 0, 200, 400},
        {"en", " 25| 000", 0, 200, 400},
        {"en", " May| 25", 0, 200, 400},
        {"en", " said| I", 0, 60, 100},
        {"en", " \"house.\"| The", 0, 0, 0},
        {"de", " am| 3.| Mai", 1, 200, 400},
        {"de", " der| Hund", 0, 200, 400},
        {"it", " degli| amici", 0, 200, 400},
        {"ja", "本|を", 0, 150, 300},
        {"ja", "を|読", 0, 30, 80},
        {"ja", "カ|メ", 0, 300, 500},
        {"ja", "東|京", 0, 200, 300},
        {"zh", "东|京", 0, 100, 100},
        {"ja", "か|ら", 0, 200, 300},
        {"ja", "す。|本", 0, 0, 0},
        {"ja", "す|。", 0, WH_BREAK_NEVER, WH_BREAK_NEVER},
        {"ja", "「|本", 0, WH_BREAK_NEVER, WH_BREAK_NEVER},
        {"ja", "し|ょ", 0, WH_BREAK_NEVER, WH_BREAK_NEVER},
        {"zh", "我|在|家", 1, 200, 400},
        {"ar", " هل|؟| نعم", 1, 0, 0},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        whisp_result *result = new_result();
        wh_layout_style style;
        wh_units units;
        add_words(result, 0, 0.3, 0, cases[i].words);
        finish(result, cases[i].language);
        assert_true(wh_layout_find("netflix", cases[i].language, &style));
        wh_units_make(&units, result, &style, 0);
        assert_false(units.failed);
        wh_breaks_judge(&units);
        int cost = units.list[cases[i].index].cost;
        if (cost < cases[i].least || cost > cases[i].most)
            fail_msg("%s \"%s\": %d", cases[i].language, cases[i].words, cost);
        wh_units_free(&units);
        whisp_result_free(result);
    }
}

static void test_speakers(void **state)
{
    (void)state;
    const char *const names[] = {"SPEAKER_00", "Ann <3"};
    whisp_result *result = new_result();
    double at = add_words(result, 0, 0.5, 1, " Are| you| coming?");
    at = add_words(result, at, 0.5, 2, " In| a| minute.");
    add_words(result, at, 0.5, 1, " All| right.");
    assert_int_equal(wh_result_set_speakers(result, names, 2, NULL, 0), WHISP_OK);
    finish(result, "en");
    expect(
        result, "srt", "bbc",
        "1\n00:00:00,000 --> 00:00:01,500\nAre you coming?\n\n2\n00:00:01,500 --> 00:00:03,000\n[Ann (3]: In a minute.\n\n"
        "3\n00:00:03,000 --> 00:00:05,000\n- All right.\n\n");
    expect(
        result, "vtt", "bbc",
        "WEBVTT\n\n00:00.000 --> 00:01.500\n<v SPEAKER_00>Are you coming?\n\n"
        "00:01.500 --> 00:03.000\n<v Ann &lt;3>- In a minute.\n\n00:03.000 --> 00:05.000\n<v SPEAKER_00>- All right.\n\n");
    expect(result, "lrc", "bbc",
           "[00:00.00]Are you coming?\n[00:01.50][Ann (3]: In a minute.\n[00:03.00]- All right.\n[00:05.00]\n");
    whisp_result_free(result);
}

/* What two say at once stands in one cue, a line each, where there is room for it; else it comes one after another, each as
 * long as it takes to read it. */
static void test_at_once(void **state)
{
    (void)state;
    const char *const names[] = {"SPEAKER_00", "Ann"};
    whisp_result *result = new_result();
    add_words(result, 0, 0.5, 1, " Are| you| coming?");
    add_words(result, 0.2, 0.5, 2, " No.");
    assert_int_equal(wh_result_set_speakers(result, names, 2, NULL, 0), WHISP_OK);
    finish(result, "en");
    expect(result, "srt", NULL, "1\n00:00:00,000 --> 00:00:02,000\n- Are you coming?\n[Ann]: No.\n\n");
    expect(result, "vtt", NULL, "WEBVTT\n\n00:00.000 --> 00:02.000\n- Are you coming?\n- No.\n\n");
    expect(result, "lrc", NULL, "[00:00.00]Are you coming?\n[00:01.50][Ann]: No.\n[00:02.33]\n");
    whisp_result_free(result);
    result = new_result();
    add_words(result, 0, 0.3, 1, " Are| you| coming| with| us| to| the| old| town?");
    add_words(result, 2, 0.3, 2, " No,| I| am| not| coming| with| you| today,| thanks.");
    finish(result, "en");
    char *text;
    assert_int_equal(whisp_result_format(result, "srt",
                                         &(whisp_writer_options){.size = sizeof(whisp_writer_options), .subtitles = 1},
                                         &text, NULL),
                     WHISP_OK);
    assert_non_null(strstr(text, "to the old town?\n\n2\n"));
    whisp_string_free(text);
    whisp_result_free(result);
}

/* Each line on its own is told to be read from right to left; one in Latin letters is not. */
static void test_rtl(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    add_words(result, 0, 0.5, 0, " שלום|,| עולם.|~|~| OK.");
    finish(result, "he");
    expect(result, "srt", NULL,
           "1\n00:00:00,000 --> 00:00:02,000\n\u202Bשלום, עולם.\u202C\n\n2\n00:00:03,500 --> 00:00:04,500\nOK.\n\n");
    whisp_result_free(result);
}

/* 16 characters of full width a line; punctuation begins none. Segments without words have their time spread. */
static void test_cjk(void **state)
{
    (void)state;
    whisp_segment segment = {.start = 0,
                             .end = 10,
                             .text = "今日はこの町の歴史と、ここで暮らす人々について、ゆっくりお話しします。"};
    whisp_result *result = new_result();
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    finish(result, "ja");
    expect(result, "srt", NULL,
           "1\n00:00:00,000 --> 00:00:06,773\n今日はこの町の歴史と、\nここで暮らす人々について、\n\n"
           "2\n00:00:06,857 --> 00:00:10,500\nゆっくりお話しします。\n\n");
    whisp_result_free(result);
    /* A short cue to the comma rather than a full one that ends within the clause, or a line within a word. */
    segment.end = 8;
    segment.text = "祖母は、子どものころに駅で東京からの列車を待っていたことを、よく話してくれました。";
    result = new_result();
    assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    finish(result, "ja");
    expect(result, "srt", NULL,
           "1\n00:00:00,000 --> 00:00:00,834\n祖母は、\n\n"
           "2\n00:00:00,918 --> 00:00:05,769\n子どものころに駅で東京からの\n列車を待っていたことを、\n\n"
           "3\n00:00:05,853 --> 00:00:08,500\nよく話してくれました。\n\n");
    whisp_result_free(result);
}

/* ---- random transcripts ---- */

static const char *const pieces[] = {
    " the",
    " a",
    " house",
    " New",
    " York",
    " comes,",
    " gone.",
    " Mr.",
    " 25",
    " thousand",
    " –",
    " -->",
    " <b>&",
    " \"yes\"",
    " e\u0301t\u00e9",
    " Straße",
    " Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselloch",
    " и",
    " дом.",
    " سلام",
    " שלום,",
    "。",
    "、",
    "「",
    "本",
    "日本",
    "を",
    "しょう",
    "カメラ",
    "ー",
    "你好",
    "，",
    "กรุงเทพ",
    "เป็น",
    " नमस्ते",
    "।",
    " 안녕하세요",
    "",
    " ",
    "\n",
    "\xff",
    " \xe2\x82",
    " 👩‍👩‍👧‍👦",
    " a\u0300\u0301\u0302",
    "+",
    ")",
    " (",
    "ーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーーー",
    " xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
};
static const char *const languages[] = {"en", "de", "ja", "zh", "ko", "ar", "th", NULL};
static const char *const speaker_names[] = {"SPEAKER_00", "Ann", "Someone whose name is longer than half a line",
                                            "SPEAKER_x"};

enum times { CALM, FAST, WILD, N_TIMES };

/* The words that were made, with their times, and what was read of the cues. */
typedef struct check {
    const wh_layout_style *style;
    enum times times;
    wh_buf want, got; /* text, its white space left out; a space where words are parted */
    int64_t last;     /* when the cue before ended */
    int n, speaker;
} check;

static double some(uint64_t *seed, double most)
{
    return most * random_unit(seed);
}

/* Any time, or none. */
static double wild_time(uint64_t *seed)
{
    double kind = random_unit(seed);
    return kind < 0.02 ? NAN : kind < 0.04 ? -1e18 : kind < 0.06 ? 1e18 : kind < 0.2 ? 5 : some(seed, 60);
}

static void put_wanted(check *c, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        int32_t code;
        size_t size = wh_utf8_next(text + i, n - i, &code);
        if (code < 0)
            wh_buf_puts(&c->want, WH_REPLACEMENT);
        else if (code > ' ')
            wh_buf_append(&c->want, text + i, size);
        i += size;
    }
}

static whisp_result *make_random(check *c, uint64_t *seed, int with_words)
{
    whisp_result *result = new_result();
    double at = some(seed, 3);
    int speaker = 0, n_segments = 1 + (int)some(seed, 6);
    for (int s = 0; s < n_segments; s++) {
        char whole[8000] = "";
        whisp_word words[60];
        const whisp_word *list[60];
        size_t n = (size_t)some(seed, 40);
        double start = at;
        if (random_unit(seed) < 0.3) {
            speaker = (int)some(seed, 5);
            at += c->times == CALM ? 2.5 : 0;
            start = at;
        }
        for (size_t i = 0; i < n; i++) {
            const char *text = pieces[(size_t)some(seed, (double)WH_COUNT(pieces))];
            if (c->times == CALM && wh_script_width(text, strlen(text)) > 30)
                text = " instead"; /* what is torn over several cues may have one of them too fast */
            double width = (double)wh_script_width(text, strlen(text)) + 1;
            double length = c->times == CALM ? width / (0.7 * c->style->rate) : some(seed, 0.2);
            words[i] = (whisp_word){.text = text, .start = at, .end = at + length, .speaker = speaker};
            if (c->times == WILD) {
                words[i].start = wild_time(seed);
                words[i].end = random_unit(seed) < 0.1 ? words[i].start + 30 : wild_time(seed);
            }
            at += length + (random_unit(seed) < 0.1 ? some(seed, 4) : 0);
            list[i] = &words[i];
            put_wanted(c, text);
            strcat(whole, text);
        }
        whisp_segment segment = {.start = start, .end = at, .text = whole, .speaker = speaker};
        if (with_words) {
            segment.words = list;
            segment.n_words = n;
        }
        assert_int_equal(wh_result_add(result, &segment, 0), WHISP_OK);
    }
    assert_int_equal(wh_result_set_speakers(result, speaker_names, WH_COUNT(speaker_names), NULL, 0), WHISP_OK);
    return result;
}

/* The line's cells, and its characters to `got`. */
static size_t read_line(check *c, const char *line, size_t n)
{
    size_t width = wh_script_width(line, n);
    for (size_t i = 0; i < n;) {
        int32_t code;
        size_t size = wh_utf8_next(line + i, n - i, &code);
        assert_true(code >= ' '); /* no control characters, no broken UTF-8 */
        if (code != ' ' && code != 0x202B && code != 0x202C)
            wh_buf_append(&c->got, line + i, size);
        i += size;
    }
    return width;
}

/* What tells a new speaker is none of the text. Below 0: two say it, and each is told. */
static size_t skip_lead(check *c, int speaker, const char *text)
{
    size_t n = strncmp(text, "- ", 2) == 0 ? 2 : strncmp(text, "[Ann]: ", 7) == 0 ? 7 : 0;
    n = !n && strncmp(text, "[SPEAKER_x]: ", 13) == 0 ? 13 : n;
    if (speaker < 0
            ? n == 0
            : c->n > 0 && c->speaker >= 0 &&
                  (speaker != c->speaker) != (n > 0)) /* the first is told by a name only, where there is room */
        fail_msg("speaker %d after %d: \"%s\"", speaker, c->speaker, text);
    return n;
}

static void on_cue(void *user, int64_t start, int64_t end, int speaker, const char *text, size_t length)
{
    check *c = user;
    const wh_layout_style *style = c->style;
    size_t marks = strncmp(text, "\u202B", 3) == 0 ? 3 : 0, cells = 0, lines = 1;
    size_t lead = skip_lead(c, speaker, text + marks);
    assert_int_equal(strlen(text), length);
    cells = wh_script_width(text, marks + lead);
    size_t first = cells;
    const char *line = text + marks + lead;
    for (const char *end_of_line; (end_of_line = strchr(line, '\n')); line = end_of_line + 1, lines++) {
        size_t width = first + read_line(c, line, (size_t)(end_of_line - line));
        assert_in_range(width, 0, (size_t)style->width);
        cells += width - first + 1;
        first = 0;
        if (speaker < 0) {
            size_t skipped = strncmp(end_of_line + 1, "\u202B", 3) == 0 ? 3 : 0;
            skipped += skip_lead(c, speaker, end_of_line + 1 + skipped);
            first = wh_script_width(end_of_line + 1, skipped);
            cells += first;
            end_of_line += skipped;
        }
    }
    size_t width = read_line(c, line, strlen(line));
    assert_in_range(width + first, 1, (size_t)style->width);
    cells += width;
    assert_in_range(lines, 1, (size_t)style->lines);
    assert_true(start >= 0 && end > start && end - start <= style->most);
    if (c->n > 0) {
        assert_true(start - c->last >= style->gap);
        if (start - c->last > style->gap && start - c->last < style->close)
            fail_msg("%d ms apart", (int)(start - c->last));
    }
    if (c->times == CALM && end - start < wh_layout_needs(style, (int)cells))
        fail_msg("%d ms for \"%s\"", (int)(end - start), text);
    c->last = end;
    c->speaker = speaker;
    c->n++;
}

static void check_random(const char *name, const char *language, enum times times, int with_words, uint64_t *seed)
{
    wh_layout_style style;
    assert_true(wh_layout_find(name, language, &style));
    check c = {.style = &style, .times = times};
    wh_buf failed = {0};
    wh_buf_puts(&c.want, "");
    wh_buf_puts(&c.got, "");
    whisp_result *result = finish(make_random(&c, seed, with_words), language);
    wh_layout_make(result, name, 0, 1, on_cue, &c, &failed);
    assert_false(failed.failed);
    assert_string_equal(c.got.data, c.want.data);
    wh_buf_free(&c.want);
    wh_buf_free(&c.got);
    whisp_result_free(result);
}

static void test_random(void **state)
{
    (void)state;
    static const char *const names[] = {"netflix", "bbc", "ebu"};
    uint64_t seed = 11;
    for (int round = 0; round < 2000; round++)
        check_random(names[round % 3], languages[(size_t)some(&seed, (double)WH_COUNT(languages))],
                     (enum times)(round / 3 % N_TIMES), round % 5 != 0, &seed);
}

/* A word of 30 s is shown for as long as a cue may be, silence behind it is silence; and none at all is no cue. */
static void test_long_and_empty(void **state)
{
    (void)state;
    whisp_result *result = new_result();
    add_words(result, 2, 30, 0, " Aaaah");
    finish(result, "en");
    expect(result, "srt", NULL, "1\n00:00:02,000 --> 00:00:05,500\nAaaah\n\n");
    whisp_result_free(result);
    result = finish(new_result(), "en");
    expect(result, "srt", NULL, "");
    expect(result, "lrc", NULL, "");
    whisp_result_free(result);
    result = new_result();
    add_words(result, 2, 1, 0, " | |\n");
    finish(result, NULL);
    expect(result, "vtt", NULL, "WEBVTT\n\n");
    whisp_result_free(result);
}

/* Marks that have no width still end a cue: a crafted document would cost the square of its size. */
static void test_no_width(void **state)
{
    (void)state;
    char words[1000] = "", *text;
    size_t n_cues = 0;
    whisp_result *result = new_result();
    whisp_writer_options layout = {.size = sizeof layout, .subtitles = 1};
    for (int i = 0; i < 190; i++)
        strcat(words, "\u0301|");
    add_words(result, 0, 0, 0, words);
    finish(result, "en");
    assert_int_equal(whisp_result_format(result, "srt", &layout, &text, NULL), WHISP_OK);
    for (const char *at = text; (at = strstr(at, " --> ")); at++)
        n_cues++;
    assert_in_range(n_cues, 3, 190); /* of 84 at most */
    whisp_string_free(text);
    whisp_result_free(result);
}

/* ---- the formats ---- */

static void test_formats(void **state)
{
    (void)state;
    const char *const names[] = {"Ann, \"A\""};
    whisp_segment first = {.start = 0, .end = 2.5, .text = " - {One} \\N *two*, \"three\".", .speaker = 1},
                  second = {.start = 2.5, .end = 4, .text = " 4. #five"},
                  late = {.start = 3661.5, .end = 3662, .text = " Late."};
    whisp_result *result = new_result();
    whisp_writer_options layout = {.size = sizeof layout, .recording = "a_b"};
    char *text;
    assert_int_equal(wh_result_add(result, &first, 0), WHISP_OK);
    assert_int_equal(wh_result_add(result, &second, 0), WHISP_OK);
    assert_int_equal(wh_result_add(result, &late, 0), WHISP_OK);
    assert_int_equal(wh_result_set_speakers(result, names, 1, NULL, 0), WHISP_OK);
    finish(result, "en");
    assert_int_equal(whisp_result_format(result, "ass", NULL, &text, NULL), WHISP_OK);
    assert_non_null(strstr(text,
                           "\nDialogue: 0,0:00:00.00,0:00:02.50,Default,Ann; \"A\",0,0,0,,- \\{One} \\\u2060N *two*, "
                           "\"three\".\nDialogue: 0,0:00:02.50,0:00:04.00,Default,,0,0,0,,4. #five\n"
                           "Dialogue: 0,1:01:01.50,1:01:02.00,Default,,0,0,0,,Late.\n"));
    whisp_string_free(text);
    assert_int_equal(whisp_result_format(result, "lrc", NULL, &text, NULL), WHISP_OK);
    assert_string_equal(text, "[00:00.00][Ann, \"A\"]: - {One} \\N *two*, \"three\".\n[00:02.50]4. #five\n[00:04.00]\n"
                              "[61:01.50]Late.\n[61:02.00]\n");
    whisp_string_free(text);
    assert_int_equal(whisp_result_format(result, "csv", NULL, &text, NULL), WHISP_OK);
    assert_string_equal(text,
                        "start,end,speaker,text\r\n0,2500,\"Ann, \"\"A\"\"\",\"'- {One} \\N *two*, \"\"three\"\".\"\r\n"
                        "2500,4000,,\"4. #five\"\r\n3661500,3662000,,\"Late.\"\r\n");
    whisp_string_free(text);
    assert_int_equal(whisp_result_format(result, "md", &layout, &text, NULL), WHISP_OK);
    assert_string_equal(text,
                        "# a\\_b\n\n## 00:00:00\n\n**Ann, \"A\"** (00:00:00): - {One} \\\\N \\*two\\*, \"three\".\n\n"
                        "4\\. \\#five\n\n## 01:00:00\n\nLate.\n");
    whisp_string_free(text);
    whisp_result_free(result);
}

static void test_options(void **state)
{
    (void)state;
    whisp_result *result = finish(new_result(), "en");
    whisp_writer_options unknown = {.size = sizeof unknown, .subtitles = 1, .subtitle_style = "disney"},
                         both = {.size = sizeof both, .subtitles = 1, .max_line_width = 20};
    char *text = NULL;
    assert_int_equal(whisp_result_format(result, "srt", &unknown, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_non_null(strstr(whisp_last_error(), "netflix, bbc or ebu"));
    assert_int_equal(whisp_result_format(result, "srt", &both, &text, NULL), WHISP_ERR_ARGUMENT);
    assert_null(text);
    whisp_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences), cmocka_unit_test(test_costs),
        cmocka_unit_test(test_speakers),  cmocka_unit_test(test_rtl),
        cmocka_unit_test(test_at_once),   cmocka_unit_test(test_cjk),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_formats),
        cmocka_unit_test(test_options),   cmocka_unit_test(test_long_and_empty),
        cmocka_unit_test(test_no_width),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
