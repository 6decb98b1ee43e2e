/* test_tokenizer.c - splitting, merging, decoding, special tokens and languages: by hand on an invented vocabulary, and
 * against the reference's tokens with the models' vocabularies where they are there. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"
#include "support/testing.h"
#include "tokenizer/split.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

#define N_LANGUAGES 99
#define N_SPECIAL (1509 + N_LANGUAGES)

/* ---- an invented vocabulary: the bytes in order, so that byte b is token b, then these ---- */

enum { AA = 256, AB, ABC, HE, LL, HELLO, XYZ, EMPTY, G_A, ARROWS, N_ORDINARY };
static const char *const merged[] = {"aa", "ab", "abc", "he", "ll", "hello", "xyz", "", "\u0120a", ">>"};

typedef struct pieces {
    char spelling[N_ORDINARY][8];
    const char *text[N_ORDINARY];
    size_t length[N_ORDINARY];
} pieces;

/* GPT-2's spelling of a byte. */
static void spell(int byte, char *out)
{
    int printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    int code = printable ? byte : byte < 33 ? 256 + byte : byte < 161 ? 256 + 33 + byte - 127 : 256 + 67;
    if (code < 128) {
        out[0] = (char)code;
        out[1] = 0;
    } else {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        out[2] = 0;
    }
}

static void fill_pieces(pieces *p)
{
    for (int i = 0; i < N_ORDINARY; i++) {
        if (i < 256)
            spell(i, p->spelling[i]);
        p->text[i] = i < 256 ? p->spelling[i] : merged[i - 256];
        p->length[i] = strlen(p->text[i]);
    }
}

/* A tokenizer whose special tokens are in the published order. */
static int make(const pieces *p, size_t n_ordinary, size_t n_vocab, int multilingual, wh_tokenizer **tokenizer)
{
    wh_specials specials;
    *tokenizer = NULL;
    int rc = wh_specials_published(n_ordinary, n_vocab, multilingual, &specials);
    return rc ? rc : wh_tokenizer_new(p->text, p->length, &specials, tokenizer);
}

static wh_tokenizer *invented(void)
{
    pieces p;
    wh_tokenizer *tokenizer;
    fill_pieces(&p);
    assert_int_equal(make(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL, 1, &tokenizer), WHISP_OK);
    return tokenizer;
}

static int32_t *encode(const wh_tokenizer *tokenizer, const char *text, size_t length, size_t *n)
{
    int32_t *tokens = NULL;
    size_t capacity = 0;
    *n = 0;
    assert_int_equal(wh_tokenizer_encode(tokenizer, text, length, &tokens, n, &capacity), WHISP_OK);
    return tokens;
}

static void expect_tokens(const wh_tokenizer *tokenizer, const char *text, const int32_t *want, size_t n_want)
{
    size_t n;
    int32_t *tokens = encode(tokenizer, text, strlen(text), &n);
    int same = n == n_want;
    for (size_t i = 0; same && i < n; i++)
        same = tokens[i] == want[i];
    if (!same)
        fail_msg("\"%s\" is encoded differently: %zu tokens, %zu expected, first %d", text, n, n_want,
                 n ? (int)tokens[0] : -1);
    free(tokens);
}
#define EXPECT(tokenizer, text, ...)                                                                                   \
    expect_tokens(tokenizer, text, (const int32_t[]){__VA_ARGS__},                                                     \
                  sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void expect_decoded(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t n, int32_t skip_from,
                           const char *want, size_t n_want)
{
    wh_buf buf = {0};
    assert_int_equal(wh_tokenizer_decode(tokenizer, tokens, n, skip_from, &buf), WHISP_OK);
    assert_int_equal(buf.length, n_want);
    if (n_want)
        assert_memory_equal(buf.data, want, n_want);
    wh_buf_free(&buf);
}

/* ---- tests without any file ---- */

/* Each line: a text with bars between its words. */
static void test_split(void **state)
{
    static const char *const lines[] = {
        "Hello|,| world|!",
        "don|'t| I|'ll| we|'ve| he|'s|'|S",
        "a|1|b|22| 333|.",
        " | two|  | spaces",
        "a|  |\t|b",
        "a| \n| b",
        "end|  ",
        " ",
        "\t\n",
        "x|\u00a0|y",
        "x|\u3000\u3000|\u3000|y",
        "\u200b| zero",
        "it|''|s",
        "'|r|''|re|'re|l",
        " '|s",
        "na\u00efve| caf\u00e9|\u2014| \u201c|q",
        "\u0663\u0664\u2163\u00bd|a",
        "\u65e5\u672c\u8a9e|\u3002",
        "e|\u0301|a",
        /* bytes that are not UTF-8 */
        "a|\xff\xfe|b",
        "a| \xe6\x97|b",
        "1|\xc3",
        "a|.\xe3\x80",
        "\xe3\x80| \xc2",
    };
    (void)state;
    for (size_t i = 0; i < WH_COUNT(lines); i++) {
        char text[64], got[128];
        size_t n = 0, at = 0;
        const char *p = lines[i];
        for (; *p; p++)
            if (*p != '|')
                text[n++] = *p;
        for (size_t done = 0; done < n;) {
            size_t length = wh_word_length(text + done, n - done);
            assert_in_range(length, 1, n - done);
            if (done > 0)
                got[at++] = '|';
            memcpy(got + at, text + done, length);
            at += length;
            done += length;
        }
        got[at] = 0;
        assert_string_equal(got, lines[i]);
    }
}

static void test_merge(void **state)
{
    (void)state;
    wh_tokenizer *t = invented();
    expect_tokens(t, "", NULL, 0);
    EXPECT(t, "aa", AA);
    EXPECT(t, "aaa", AA, 'a'); /* the leftmost of equals */
    EXPECT(t, "aaaa", AA, AA);
    EXPECT(t, "aab", AA, 'b'); /* the lower rank first */
    EXPECT(t, "cabc", 'c', ABC);
    EXPECT(t, "hello", HELLO); /* a word that is a token, though no merge leads there */
    EXPECT(t, "hellohello", HE, LL, 'o', HE, LL, 'o');
    EXPECT(t, "xyz", XYZ);
    EXPECT(t, "wxyz", 'w', 'x', 'y', 'z');
    EXPECT(t, "ab ab a", AB, ' ', AB, G_A);
    wh_tokenizer_free(t);
}

static void test_long_words(void **state)
{
    (void)state;
    wh_tokenizer *t = invented();
    size_t length = 1 << 20, n;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'a', length);
    int32_t *tokens = encode(t, text, length, &n);
    assert_int_equal(n, length / 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tokens[i], AA);
    free(tokens);
    free(text);
    wh_tokenizer_free(t);
}

/* Whatever bytes go in come out again, and decoding is Python's bytes.decode(errors="replace"). */
static void test_random_bytes(void **state)
{
    (void)state;
    wh_tokenizer *t = invented();
    uint64_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        char text[64], joined[64];
        size_t length = (size_t)(random_unit(&seed) * 64), n, total = 0;
        for (size_t i = 0; i < length; i++) {
            static const unsigned char frequent[] = {'a', 'b', 'c', ' ', '\'', 's', 0xE2, 0x80, 0x83, 0xF0, 0x9F, 0};
            double x = random_unit(&seed);
            int any = (int)(random_unit(&seed) * 256);
            text[i] = x < 0.7 ? (char)frequent[(int)(x / 0.7 * sizeof frequent)] : (char)any;
        }
        int32_t *tokens = encode(t, text, length, &n);
        for (size_t i = 0; i < n; i++) {
            char scratch[32];
            size_t size;
            const char *bytes = wh_tokenizer_bytes(t, tokens[i], scratch, &size);
            assert_non_null(bytes);
            assert_true(total + size <= length);
            memcpy(joined + total, bytes, size);
            total += size;
        }
        assert_int_equal(total, length);
        assert_memory_equal(joined, text, length);
        wh_buf buf = {0};
        assert_int_equal(wh_tokenizer_decode(t, tokens, n, -1, &buf), WHISP_OK);
        for (size_t i = 0; i < buf.length;) {
            int32_t code;
            i += wh_utf8_next(buf.data + i, buf.length - i, &code);
            assert_true(code >= 0);
        }
        wh_buf_free(&buf);
        free(tokens);
    }
    wh_tokenizer_free(t);
}

#define R WH_REPLACEMENT
static void test_decode(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"plain", "plain"},
        {"\xe6\x97\xa5", "\u65e5"}, /* one character, three tokens */
        {"\xe6\x97", R},            /* cut at the end: one replacement for the prefix */
        {"\xe6\x97x", R "x"},
        {"\xf0\x9f\x98\x80", "\U0001f600"},
        {"\xf0\x9f\x98", R},
        {"\x80\xbf", R R},
        {"\xc0\xaf", R R}, /* overlong */
        {"\xe0\x80\x80", R R R},
        {"\xed\xa0\x80", R R R},       /* a surrogate */
        {"\xf4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
        {"\xf5", R},
        {"a\xffz", "a" R "z"},
        {"\xe2\x82\xe2\x82\xac", R "\u20ac"},
    };
    (void)state;
    wh_tokenizer *t = invented();
    const wh_specials *s = wh_tokenizer_specials(t);
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        int32_t tokens[16];
        size_t n = strlen(cases[i].bytes);
        for (size_t k = 0; k < n; k++)
            tokens[k] = (unsigned char)cases[i].bytes[k];
        expect_decoded(t, tokens, n, -1, cases[i].text, strlen(cases[i].text));
    }
    int32_t mixed[] = {s->sot, s->languages[2],         s->timestamp_begin,        HELLO, EMPTY,
                       G_A,    s->timestamp_begin + 74, s->timestamp_begin + 1500, s->eot};
    const char *all = "<|startoftranscript|><|de|><|0.00|>hello a<|1.48|><|30.00|><|endoftext|>";
    expect_decoded(t, mixed, WH_COUNT(mixed), -1, all, strlen(all));
    expect_decoded(t, mixed, WH_COUNT(mixed), s->eot, "hello a", 7);
    all = "<|startoftranscript|><|de|>hello a<|endoftext|>";
    expect_decoded(t, mixed, WH_COUNT(mixed), s->timestamp_begin, all, strlen(all));
    expect_decoded(t, NULL, 0, -1, "", 0);
    wh_buf buf = {0};
    int32_t outside = s->n_vocab, negative = -1;
    assert_int_equal(wh_tokenizer_decode(t, &outside, 1, -1, &buf), WHISP_ERR_ARGUMENT);
    assert_int_equal(wh_tokenizer_decode(t, &negative, 1, -1, &buf), WHISP_ERR_ARGUMENT);
    wh_buf_free(&buf);
    wh_tokenizer_free(t);
}

static void test_specials(void **state)
{
    static const char *const last_named[] = {"<|translate|>", "<|transcribe|>",   "<|startoflm|>", "<|startofprev|>",
                                             "<|nospeech|>",  "<|notimestamps|>", "<|0.00|>"};
    (void)state;
    wh_tokenizer *t = invented();
    const wh_specials *s = wh_tokenizer_specials(t);
    assert_int_equal(s->n_vocab, N_ORDINARY + N_SPECIAL);
    assert_int_equal(s->n_languages, N_LANGUAGES);
    assert_int_equal(s->multilingual, 1);
    assert_int_equal(s->eot, N_ORDINARY);
    assert_int_equal(s->languages[0], N_ORDINARY + 2);
    assert_int_equal(s->translate, s->languages[N_LANGUAGES - 1] + 1);
    assert_int_equal(s->timestamp_begin, s->n_vocab - 1501);
    assert_int_equal(s->no_timestamps, s->timestamp_begin - 1);
    for (size_t i = 0; i < WH_COUNT(last_named); i++) {
        char scratch[32];
        size_t length;
        const char *name = wh_tokenizer_bytes(t, s->translate + (int)i, scratch, &length);
        assert_int_equal(length, strlen(last_named[i]));
        assert_memory_equal(name, last_named[i], length);
    }
    size_t length;
    char scratch[32];
    assert_null(wh_tokenizer_bytes(t, s->n_vocab, scratch, &length));
    assert_null(wh_tokenizer_bytes(t, -1, scratch, &length));
    EXPECT(t, "<|en|>", '<', '|', 'e', 'n', '|', '>'); /* a name in the text is text */
    wh_tokenizer_free(t);
}

/* A vocabulary with tokens of its own: one before the special ones' end, a language and one more behind the times. Ids
 * that are not ordinary get a name here, the ordinary ones their spelling. */
static size_t own_names(const pieces *p, const char **names, size_t *lengths, char (*room)[32])
{
    static const char *const order[] = {"<|endoftext|>", "<|startoftranscript|>", "<|de|>",          "<|en|>",
                                        "<|mine|>",      "<|translate|>",         "<|transcribe|>",  "<|startofprev|>",
                                        "<|startoflm|>", "<|nocaptions|>",        "<|notimestamps|>"};
    size_t n = 0;
    for (; n < N_ORDINARY; n++) {
        names[n] = p->text[n];
        lengths[n] = p->length[n];
    }
    for (size_t i = 0; i < WH_COUNT(order); i++)
        names[n++] = order[i];
    for (int i = 0; i < WH_N_TIMESTAMPS; i++, n++) {
        snprintf(room[i], sizeof room[i], "<|%d.%02d|>", i / 50, i % 50 * 2);
        names[n] = room[i];
    }
    names[n++] = "<|yue|>";
    names[n++] = "<|30.02|>";
    for (size_t i = N_ORDINARY; i < n; i++)
        lengths[i] = strlen(names[i]);
    return n;
}

static void test_own_specials(void **state)
{
    (void)state;
    static char room[WH_N_TIMESTAMPS][32];
    static const char *names[N_ORDINARY + 1600];
    static size_t lengths[N_ORDINARY + 1600];
    pieces p;
    wh_specials s;
    wh_tokenizer *t;
    fill_pieces(&p);
    p.length[AA] = 0; /* an id without a text */
    size_t n = own_names(&p, names, lengths, room);
    const int first = N_ORDINARY;
    assert_int_equal(wh_specials_named(names, lengths, N_ORDINARY, n, 1, &s), WHISP_OK);
    assert_true(s.eot == first && s.sot == first + 1 && s.translate == first + 5 && s.transcribe == first + 6);
    assert_true(s.sot_prev == first + 7 && s.sot_lm == first + 8 && s.no_speech == first + 9);
    assert_true(s.no_timestamps == first + 10 && s.timestamp_begin == first + 11);
    int yue = wh_language_find("yue"), zh = wh_language_find("zh");
    assert_true(s.languages[0] == first + 3 && s.languages[2] == first + 2 && s.languages[zh] == -1);
    assert_true(s.languages[yue] == (int32_t)n - 2 && s.n_languages == yue + 1);
    assert_int_equal(wh_tokenizer_new(names, lengths, &s, &t), WHISP_OK);
    size_t n_ids, length;
    const int32_t want[] = {AA, EMPTY, first + 4, (int32_t)n - 2, (int32_t)n - 1};
    const int32_t *ids = wh_tokenizer_unwritable(t, &n_ids);
    assert_int_equal(n_ids, WH_COUNT(want));
    assert_memory_equal(ids, want, sizeof want);
    char scratch[32];
    const char *name = wh_tokenizer_bytes(t, first + 4, scratch, &length);
    assert_true(length > 10 && memcmp(name, "<|extra ", 8) == 0);
    name = wh_tokenizer_bytes(t, (int32_t)n - 2, scratch, &length);
    assert_true(length == 7 && memcmp(name, "<|yue|>", 7) == 0);
    wh_tokenizer_free(t);
    /* twice, none, times with a hole, other ordinary tokens than there are */
    const struct {
        int id;
        const char *name;
    } wrong[] = {{first + 4, "<|de|>"}, {first + 4, "<|translate|>"}, {first + 1, "<|start|>"},
                 {first + 9, "<|no|>"}, {first + 100, "<|mine|>"},    {(int)n - 1, "<|0.00|>"}};
    for (size_t i = 0; i < WH_COUNT(wrong); i++) {
        const char *right = names[wrong[i].id];
        names[wrong[i].id] = wrong[i].name;
        lengths[wrong[i].id] = strlen(wrong[i].name);
        assert_int_equal(wh_specials_named(names, lengths, N_ORDINARY, n, 1, &s), WHISP_ERR_MODEL);
        names[wrong[i].id] = right;
        lengths[wrong[i].id] = strlen(right);
    }
    assert_int_equal(wh_specials_named(names, lengths, N_ORDINARY - 1, n, 1, &s), WHISP_ERR_MODEL);
    assert_int_equal(wh_specials_named(names, lengths, N_ORDINARY + 1, n, 1, &s), WHISP_ERR_MODEL);
}

static void test_roles(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        wh_role role;
        int index;
    } list[] = {
        {"<|0.00|>", WH_ROLE_TIME, 0},          {"<|30.00|>", WH_ROLE_TIME, 1500}, {"<|29.98|>", WH_ROLE_TIME, 1499},
        {"<|30.02|>", WH_ROLE_NONE, 0},         {"<|0.01|>", WH_ROLE_NONE, 0},     {"<|01.00|>", WH_ROLE_NONE, 0},
        {"<|1,00|>", WH_ROLE_NONE, 0},          {"<|.00|>", WH_ROLE_NONE, 0},      {"<|en|>", WH_ROLE_LANGUAGE, 0},
        {"<|haw|>", WH_ROLE_LANGUAGE, 93},      {"<|ug|>", WH_ROLE_NONE, 0},       {"<||>", WH_ROLE_NONE, 0},
        {"<|nospeech|>", WH_ROLE_NO_SPEECH, 0}, {"<|>", WH_ROLE_NONE, 0},          {"en", WH_ROLE_NONE, 0}};
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        int index = 0;
        if (wh_special_role(list[i].name, strlen(list[i].name), &index) != list[i].role)
            fail_msg("%s", list[i].name);
        if (list[i].role != WH_ROLE_NONE)
            assert_int_equal(index, list[i].index);
    }
}

/* By hand: single ASCII symbols; ">>"; what the signs around U+2640 begin with. " >" and the like take two tokens here.
 * So do " -" and " '", and some of the signs: what these begin with, a space and the first byte of much of Unicode,
 * must be free to be written in a vocabulary that is so small. */
static void test_non_speech(void **state)
{
    static const int32_t want[] = {'"', '#', '(',  ')', '*', '+', '/', ':', ';', '<', '=', '>',
                                   '@', '[', '\\', ']', '^', '_', '`', '{', '|', '}', '~', ARROWS};
    (void)state;
    wh_tokenizer *t = invented();
    size_t n;
    const int32_t *ids = wh_tokenizer_non_speech(t, &n);
    assert_int_equal(n, WH_COUNT(want));
    assert_memory_equal(ids, want, sizeof want);
    wh_tokenizer_free(t);
}

static void expect_refused(const pieces *p, size_t n_ordinary, size_t n_vocab)
{
    wh_tokenizer *t = (wh_tokenizer *)(void *)&n_vocab;
    assert_int_equal(make(p, n_ordinary, n_vocab, 0, &t), WHISP_ERR_MODEL);
    assert_null(t);
    assert_true(strlen(whisp_last_error()) > 20);
}

static void test_bad_vocabularies(void **state)
{
    static char huge[5000];
    pieces p;
    (void)state;
    fill_pieces(&p);
    expect_refused(&p, N_ORDINARY, N_ORDINARY);
    expect_refused(&p, N_ORDINARY, N_ORDINARY + 1509);
    expect_refused(&p, N_ORDINARY, N_ORDINARY + 1509 + 201);
    expect_refused(&p, N_ORDINARY, N_ORDINARY - 1);
    expect_refused(&p, 0, N_SPECIAL);
    expect_refused(&p, 255, 255 + N_SPECIAL); /* a byte is missing */
    p.text[AA] = "a b";                       /* a space is spelled U+0120 */
    p.length[AA] = 3;
    expect_refused(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL);
    p.text[AA] = "\u0144"; /* the alphabet ends at U+0143 */
    p.length[AA] = 2;
    expect_refused(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL);
    p.text[AA] = "a\xc4"; /* not UTF-8 */
    expect_refused(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL);
    memset(huge, 'a', sizeof huge);
    p.text[AA] = huge;
    const size_t too_long[] = {sizeof huge, 2048,
                               1025}; /* 1024 bytes are the most, their spelling may be twice as long */
    for (size_t i = 0; i < WH_COUNT(too_long); i++) {
        p.length[AA] = too_long[i];
        expect_refused(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL);
    }
    p.text[AA] = "a"; /* twice the same token: odd, but the first one counts */
    p.length[AA] = 1;
    wh_tokenizer *t;
    assert_int_equal(make(&p, N_ORDINARY, N_ORDINARY + N_SPECIAL, 0, &t), WHISP_OK);
    EXPECT(t, "aa", 'a', 'a');
    wh_tokenizer_free(t);
    wh_tokenizer_free(NULL);
}

static void test_languages(void **state)
{
    (void)state;
    assert_string_equal(wh_language_code(0), "en");
    assert_string_equal(wh_language_name(2), "German");
    assert_string_equal(wh_language_code(98), "su");
    assert_string_equal(wh_language_code(99), "yue");
    assert_null(wh_language_code(100));
    assert_null(wh_language_name(-1));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wh_language_find(wh_language_code(i)), i);
        assert_int_equal(wh_language_find(wh_language_name(i)), i);
    }
    assert_int_equal(wh_language_find("CASTILIAN"), wh_language_find("es"));
    assert_int_equal(wh_language_find("burmese"), wh_language_find("my"));
    assert_int_equal(wh_language_find("haitian creole"), wh_language_find("Haitian"));
    assert_int_equal(wh_language_find("d"), -1);
    assert_int_equal(wh_language_find("germ"), -1);
    assert_int_equal(wh_language_find(""), -1);
    assert_int_equal(wh_language_find(NULL), -1);
}

/* ---- tests with the models' vocabularies ---- */

static wh_tokenizer *from_model(const char *name)
{
    const char *path = model_path(name);
    if (!path)
        return NULL;
    wh_gguf *gguf;
    int64_t n_ordinary;
    int multilingual;
    assert_int_equal(wh_gguf_open(path, &gguf), WHISP_OK);
    int64_t n = wh_gguf_array_length(gguf, "tokenizer.ggml.tokens");
    assert_true(n > 50000);
    const char **texts = calloc((size_t)n, sizeof *texts);
    size_t *lengths = calloc((size_t)n, sizeof *lengths);
    assert_true(wh_gguf_array_strings(gguf, "tokenizer.ggml.tokens", texts, lengths));
    assert_true(wh_gguf_int(gguf, "whisper.vocab.ordinary", &n_ordinary));
    assert_true(wh_gguf_bool(gguf, "whisper.multilingual", &multilingual));
    wh_tokenizer *t;
    wh_specials specials;
    int rc = wh_specials_named(texts, lengths, (size_t)n_ordinary, (size_t)n, multilingual, &specials);
    assert_int_equal(rc, WHISP_OK);
    assert_int_equal(wh_tokenizer_new(texts, lengths, &specials, &t), WHISP_OK);
    free(texts);
    free(lengths);
    wh_gguf_close(gguf);
    return t;
}

static void check_reference(const wh_tokenizer *t, const char *name)
{
    char relative[64];
    snprintf(relative, sizeof relative, "reference/%s/tokenizer.json", name);
    const char *path = shared_path(relative);
    if (!path)
        return;
    json_error_t error;
    json_t *cases = json_load_file(path, 0, &error), *one;
    assert_non_null(cases);
    size_t i;
    json_array_foreach(cases, i, one)
    {
        const char *text = json_string_value(json_object_get(one, "text"));
        json_t *list = json_object_get(one, "tokens");
        int32_t want[256];
        size_t n = json_array_size(list);
        assert_in_range(n, 0, 256);
        for (size_t k = 0; k < n; k++)
            want[k] = (int32_t)json_integer_value(json_array_get(list, k));
        expect_tokens(t, text, want, n);
        expect_decoded(t, want, n, -1, text, strlen(text));
    }
    assert_true(i > 10);
    json_decref(cases);
}

static void check_ends(const wh_tokenizer *t, size_t n_want, int32_t third, int32_t last)
{
    size_t n;
    const int32_t *ids = wh_tokenizer_non_speech(t, &n);
    assert_int_equal(n, n_want);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[2], third);
    assert_int_equal(ids[n - 1], last);
}

static void test_english(void **state)
{
    (void)state;
    wh_tokenizer *t = from_model("tiny.en");
    if (!t)
        return;
    check_reference(t, "tiny.en");
    check_ends(t, 84, 7, 49146);
    assert_int_equal(wh_tokenizer_specials(t)->eot, 50256);
    assert_int_equal(wh_tokenizer_specials(t)->timestamp_begin, 50363);
    assert_int_equal(wh_tokenizer_specials(t)->multilingual, 0);
    wh_tokenizer_free(t);
}

static void test_multilingual(void **state)
{
    (void)state;
    wh_tokenizer *t = from_model("base");
    if (!t)
        return;
    check_reference(t, "base");
    check_ends(t, 82, 7, 50254);
    assert_int_equal(wh_tokenizer_specials(t)->eot, 50257);
    assert_int_equal(wh_tokenizer_specials(t)->timestamp_begin, 50364);
    expect_decoded(t, (const int32_t[]){50256}, 1, -1, "", 0); /* the empty token */
    wh_tokenizer_free(t);
}

/* Hebrew's name in the first tokenizers, tiny.en's among them. */
static void test_old_names(void **state)
{
    int index = -1;
    (void)state;
    assert_int_equal(wh_special_role("<|iw|>", 6, &index), WH_ROLE_LANGUAGE);
    assert_string_equal(wh_language_code(index), "he");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_names),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_own_specials),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_non_speech),
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_english),
        cmocka_unit_test(test_multilingual),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
