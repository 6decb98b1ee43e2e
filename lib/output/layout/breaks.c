/* breaks.c - how a break behind each unit reads: cheap at the end of a sentence, a clause or a breath, dear where it parts
 * what belongs together. The costs are relative; WH_BREAK_PLAIN is a break between any two words. */
#include <string.h>

#include "output/layout/layout.h"
#include "tokenizer/utf8.h"
#include "util/text.h"

enum {
    CLAUSE = 12,         /* behind a comma, a colon, a dash */
    BREATH_MS = 300,     /* a pause that is heard */
    LEANS = 400,         /* behind an article, a preposition, a conjunction */
    NAME = 260,          /* within a name */
    NUMBER = 260,        /* within a number, or between it and what it counts */
    BEFORE_LEANING = 25, /* the good that it does to break before such a word */
    WITHIN_WORD = 400,   /* within a run of letters or katakana, which are a word */
    PARTICLE = 220,      /* between kanji and hiragana: an ending or a particle follows */
    KANJI = 240,         /* between two kanji of Japanese: a word, most often */
    KANA = 220,          /* between two hiragana: within a word, most often */
    NEW_WORD = 60,       /* from hiragana to kanji or katakana a word begins */
    SYLLABLE = 200       /* Thai and its kin, where only spaces tell phrases */
};

/* The two sides of a break. */
typedef struct place {
    const wh_unit *a, *b;
    const char *left, *right;
    int32_t last, first; /* characters at it */
} place;

static place place_at(const wh_units *units, size_t i)
{
    place p = {.a = &units->list[i], .b = &units->list[i + 1]};
    p.left = units->text.data + p.a->text;
    p.right = units->text.data + p.b->text;
    p.last = wh_script_last(p.left, p.a->length);
    p.first = wh_script_first(p.right, p.b->length);
    return p;
}

static int ends_with(const char *text, size_t n, const char *const *marks)
{
    for (; *marks; marks++) {
        size_t length = strlen(*marks);
        if (n >= length && memcmp(text + n - length, *marks, length) == 0)
            return 1;
    }
    return 0;
}

/* Quotation marks and brackets at the end of n bytes left out. */
static size_t without_quotes(const char *text, size_t n)
{
    static const char *const closing[] = {"\"", "'", ")", "]", "”", "’", "»", "」", "』", "）", "›", NULL};
    while (n > 0 && ends_with(text, n, closing)) {
        do
            n--;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80);
    }
    return n;
}

/* Is "3." the third there? */
static int counts_with_stops(const char *language)
{
    static const char *const codes[] = {"de", "da", "no", "nn", "fi", "cs", "sk",
                                        "pl", "hu", "sl", "hr", "et", "is", NULL};
    return language && strlen(language) == 2 && ends_with(language, 2, codes);
}

/* wh_is_sentence_end() and the stops of other scripts, which it need not know; a stop behind an abbreviation or an ordinal
 * number is none. */
static int ends_sentence(const place *p)
{
    static const char *const more[] = {"؟", "۔", "।", "॥", "։", "።", "။", "។", NULL};
    size_t n = without_quotes(p->left, p->a->length);
    if (ends_with(p->left, n, more))
        return 1;
    if (!wh_is_sentence_end(p->left, n) || wh_layout_is_abbreviation(p->a->language, p->left, n))
        return 0;
    if (p->left[n - 1] != '.')
        return 1;
    if (n > 1 && wh_script_is_digit((unsigned char)p->left[n - 2]))
        return wh_script_is_upper(p->first) && !(n <= 3 && counts_with_stops(p->a->language)); /* "am 3. Mai" */
    return p->b->spaced || !wh_script_is_letter(p->first);
}

static int ends_clause(const place *p)
{
    static const char *const marks[] = {",", ";", ":", "—", "–", "、", "，", "；", "：", "،", "؛", "…", "--", NULL};
    size_t n = without_quotes(p->left, p->a->length);
    return ends_with(p->left, n, marks) || (n == 1 && p->left[0] == '-');
}

/* "Anna Karenina", "New York": capitals on both sides, and neither is "I". In German, where every noun has one, the first
 * word of a sentence is no part of a name. */
static int is_name(const wh_units *units, size_t i, const place *p)
{
    int32_t capital = wh_script_first(p->left, p->a->length);
    if (!wh_script_is_upper(capital) || !wh_script_is_upper(p->first) || !wh_script_is_letter(p->last))
        return 0;
    if (p->a->language && strcmp(p->a->language, "de") == 0 && i > 0) {
        place before = place_at(units, i - 1);
        if (ends_sentence(&before))
            return 0;
    }
    return !(p->a->length == 1 && p->left[0] == 'I') && !(p->b->length <= 4 && memcmp(p->right, "I'", 2) == 0) &&
           !(p->b->length == 1 && p->right[0] == 'I');
}

static int is_number(const place *p)
{
    int32_t head = wh_script_first(p->left, p->a->length);
    if (wh_script_is_digit(p->last) || (wh_script_is_digit(head) && p->last == '.'))
        return 1; /* "5 million", "10 000", "3. Mai" */
    return wh_script_is_digit(p->first) && wh_script_is_letter(p->last) && wh_script_is_upper(head); /* "May 5" */
}

/* Between characters that are written without spaces, or those and others. */
static int cost_unspaced(const place *p, enum wh_script_class left, enum wh_script_class right)
{
    if (left == WH_SCRIPT_SOUTHEAST || right == WH_SCRIPT_SOUTHEAST)
        return left == right ? SYLLABLE : NEW_WORD;
    if (wh_layout_is_bad_end(p->a->language, p->left, p->a->length))
        return LEANS;
    if (left == WH_SCRIPT_KATAKANA && right == left)
        return WITHIN_WORD;
    if (left == WH_SCRIPT_HAN && right == left)
        return p->a->language && strcmp(p->a->language, "ja") == 0 ? KANJI : WH_BREAK_PLAIN;
    if (right == WH_SCRIPT_HIRAGANA)
        return left == right ? KANA : PARTICLE;
    if (left == WH_SCRIPT_HIRAGANA)
        return NEW_WORD;
    return WH_BREAK_PLAIN;
}

static int is_cjk(enum wh_script_class class)
{
    return class == WH_SCRIPT_HAN || class == WH_SCRIPT_HIRAGANA || class == WH_SCRIPT_KATAKANA ||
           class == WH_SCRIPT_SOUTHEAST;
}

static int cost_of_words(const wh_units *units, size_t i, const place *p)
{
    enum wh_script_class left = wh_script_class(p->last), right = wh_script_class(p->first);
    if (!p->b->spaced && (right == WH_SCRIPT_CLOSES || left == WH_SCRIPT_OPENS))
        return WH_BREAK_NEVER;
    if (!p->b->spaced && !is_cjk(left) && !is_cjk(right) && left != WH_SCRIPT_CLOSES)
        return wh_script_is_letter(p->last) && wh_script_is_letter(p->first) ? WITHIN_WORD : NUMBER;
    if (is_number(p))
        return NUMBER;
    if (!p->b->spaced)
        return cost_unspaced(p, left, right);
    if (is_cjk(left) && is_cjk(right))
        return CLAUSE; /* a space where none need be */
    if (wh_layout_is_bad_end(p->a->language, p->left, p->a->length) ||
        wh_layout_is_abbreviation(p->a->language, p->left, p->a->length))
        return LEANS;
    if (is_name(units, i, p))
        return NAME;
    return WH_BREAK_PLAIN - (wh_layout_is_bad_end(p->b->language, p->right, p->b->length) ? BEFORE_LEANING : 0);
}

static int cost_at(const wh_units *units, size_t i)
{
    place p = place_at(units, i);
    int64_t pause = p.b->start - p.a->end;
    if (p.b->torn)
        return WH_BREAK_NEVER;
    if (ends_sentence(&p))
        return 0;
    if (ends_clause(&p))
        return CLAUSE;
    int cost = cost_of_words(units, i, &p);
    if (pause < BREATH_MS)
        return cost;
    return cost <= WH_BREAK_PLAIN ? WH_BREAK_BREATH : cost - 60; /* who stops behind "the" still has no clause there */
}

void wh_breaks_judge(wh_units *units)
{
    for (size_t i = 0; i + 1 < units->n; i++)
        units->list[i].cost = cost_at(units, i);
}
