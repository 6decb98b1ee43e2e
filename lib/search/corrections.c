/* corrections.c - what a person corrected in another transcript, as terms of the vocabulary: the json document that the
 * review page exports, with its list "corrections" of {"from", "to", "count"}.
 *
 * Names are taken, plain words are not: a plain word that was corrected in one place was heard rightly in others, and would
 * be put in wherever something sounds like it. A name is found by its sound, and by what was written in its place. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "output/json_in.h"
#include "search/vocabulary.h"
#include "util/text.h"

#define LONGEST 60 /* bytes of a name, and of what was written for it: beyond, it is a sentence */
#define MOST_WORDS 4
#define MOST 10000             /* corrections: nobody has made so many */
#define LOOKED_AT (256u << 10) /* bytes of the transcript that may tell a plain word: five hours of talk */
#define LOOKED_BACK 64         /* of its words that begin as the wanted one does */
#define RARE_LETTERS 5         /* bytes of a word in lower case */
#define FEWEST_LETTERS 3       /* bytes */

typedef struct reading {
    wh_corrections *to;
    size_t from, by; /* in the pool, of the one that is being read */
    int has_list;
} reading;

static int read_pooled(wh_json *j, reading *r, size_t *at)
{
    wh_buf *pool = &r->to->text;
    *at = pool->length;
    if (!wh_json_string(j, pool))
        return 0;
    wh_buf_append(pool, "", 1);
    j->failed |= pool->failed;
    return !pool->failed;
}

static int read_from(wh_json *j, void *to)
{
    return read_pooled(j, to, &((reading *)to)->from);
}

static int read_by(wh_json *j, void *to)
{
    return read_pooled(j, to, &((reading *)to)->by);
}

static int read_one(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"from", read_from, 1}, {"to", read_by, 1}};
    reading *r = to;
    wh_corrections *c = r->to;
    if (c->n == MOST)
        return wh_json_fail(j, "more than %d corrections", MOST);
    if (!wh_json_object(j, members, WH_COUNT(members), to))
        return 0;
    if (wh_grow(&c->list, &c->capacity, c->n + 1, sizeof *c->list)) {
        j->failed = 1;
        return 0;
    }
    c->list[c->n++] = (wh_correction){.from_at = r->from, .to_at = r->by};
    return 1;
}

static int read_list(wh_json *j, void *to)
{
    ((reading *)to)->has_list = 1;
    return wh_json_list(j, read_one, to);
}

static int read_text(wh_json *j, void *to)
{
    return wh_json_string(j, &((reading *)to)->to->transcript);
}

/* White space and punctuation at both ends taken off. */
static void trim(const char **text, size_t *n)
{
    wh_strip(text, n);
    while (*n && (unsigned char)**text < 128 && ispunct((unsigned char)**text)) {
        ++*text;
        --*n;
    }
    while (*n && (unsigned char)(*text)[*n - 1] < 128 && ispunct((unsigned char)(*text)[*n - 1]))
        --*n;
    wh_strip(text, n);
}

static int is_letter(char c)
{
    return (unsigned char)c >= 128 || isalnum((unsigned char)c);
}

static int by_text(const void *a, const void *b)
{
    return strncmp(*(const char *const *)a, *(const char *const *)b, LONGEST);
}

/* The places where words of the transcript begin, by what they and those behind them say. */
static int list_words(wh_corrections *c)
{
    size_t n = WH_MIN(c->transcript.length, LOOKED_AT);
    const char *text = c->transcript.data;
    if (!(c->words = wh_calloc(n + 1, sizeof *c->words)))
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++)
        if (is_letter(text[i]) && (i == 0 || !is_letter(text[i - 1])))
            c->words[c->n_words++] = text + i;
    if (c->n_words)
        qsort(c->words, c->n_words, sizeof *c->words, by_text);
    return WHISP_OK;
}

int wh_corrections_read(const char *path, const char *json, size_t n, wh_corrections *c)
{
    static const wh_json_member members[] = {{"text", read_text, 0}, {"corrections", read_list, 0}};
    reading r = {.to = c};
    wh_json j;
    memset(c, 0, sizeof *c);
    int rc = wh_json_begin(&j, json, n);
    if (rc)
        return rc;
    if (!wh_json_object(&j, members, WH_COUNT(members), &r) || !wh_json_end(&j))
        rc = j.why[0] ? wh_fail(WHISP_ERR_ARGUMENT, "option vocabulary: %s: not a transcript in JSON: %s", path, j.why)
                      : wh_fail_memory();
    else if (!r.has_list)
        rc = wh_fail(WHISP_ERR_ARGUMENT,
                     "option vocabulary: %s: a transcript without \"corrections\"; a list of terms, one a line, or the "
                     "corrected json of a review page is expected",
                     path);
    wh_buf_puts(&c->transcript, "");
    if (!rc)
        rc = c->transcript.failed ? wh_fail_memory() : list_words(c);
    wh_json_free(&j);
    for (size_t i = 0; i < c->n && !rc; i++) {
        wh_correction *one = &c->list[i];
        one->from = c->text.data + one->from_at;
        one->to = c->text.data + one->to_at;
        one->n_from = strlen(one->from);
        one->n_to = strlen(one->to);
        trim(&one->from, &one->n_from);
        trim(&one->to, &one->n_to);
    }
    return rc;
}

void wh_corrections_free(wh_corrections *c)
{
    free(c->list);
    free((void *)(uintptr_t)c->words);
    wh_buf_free(&c->text);
    wh_buf_free(&c->transcript);
}

/* Do n bytes of text, LONGEST at most, stand in the transcript as words of their own? `first` takes the place of the first
 * byte. */
static int is_said(const wh_corrections *c, const char *text, size_t n, char first)
{
    char wanted[LONGEST];
    size_t lo = 0, hi = c->n_words;
    if (n == 0 || n > LONGEST)
        return 0;
    memcpy(wanted, text, n);
    wanted[0] = first;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strncmp(c->words[mid], wanted, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = lo; i < c->n_words && i < lo + LOOKED_BACK && strncmp(c->words[i], wanted, n) == 0; i++)
        if (!is_letter(c->words[i][n]))
            return 1;
    return 0;
}

enum { PLAIN, RARE, NAME };

/* What kind of word: written as names are, or none that the model knows as a whole ("recsys"), or a plain one? What follows
 * an apostrophe tells nothing. */
static int kind_of(const wh_corrections *c, const whisp_model *m, const char *word, size_t n)
{
    int32_t *tokens = NULL;
    size_t n_tokens = 0, capacity = 0;
    for (size_t i = 1; i < n; i++)
        if (word[i] == '\'' || memcmp(word + i, "\xE2\x80\x99", WH_MIN(n - i, (size_t)3)) == 0)
            n = i;
    for (size_t i = 1; i < n; i++)
        if (isupper((unsigned char)word[i]))
            return NAME;
    if (isupper((unsigned char)word[0]) && !is_said(c, word, n, (char)tolower((unsigned char)word[0])))
        return NAME;
    if (n < RARE_LETTERS)
        return PLAIN;
    int rc = wh_tokenizer_encode_spaced(m->tokenizer, word, n, &tokens, &n_tokens, &capacity);
    free(tokens);
    return rc ? rc : n_tokens > 1 ? RARE : PLAIN;
}

/* Are both the same but for letter case, spaces and punctuation? Then there is nothing to learn. */
static int is_same(const wh_correction *one)
{
    const char *a = one->from, *b = one->to, *a_end = a + one->n_from, *b_end = b + one->n_to;
    for (;; a++, b++) {
        while (a < a_end && !is_letter(*a))
            a++;
        while (b < b_end && !is_letter(*b))
            b++;
        if (a == a_end || b == b_end)
            return a == a_end && b == b_end;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return 0;
    }
}

int wh_corrections_teach(const wh_corrections *c, const whisp_model *m, size_t i)
{
    const wh_correction *one = &c->list[i];
    size_t words = 0;
    int kind = PLAIN;
    if (one->n_to < FEWEST_LETTERS || one->n_to > LONGEST || is_same(one))
        return 0;
    for (size_t at = 0; at < one->n_to && kind >= 0; words++) {
        const char *word = one->to + at, *space = memchr(word, ' ', one->n_to - at);
        size_t n = space ? (size_t)(space - word) : one->n_to - at;
        int more = n ? kind_of(c, m, word, n) : PLAIN;
        kind = more < 0 ? more : WH_MAX(kind, more);
        at += n + 1;
    }
    if (kind < 0)
        return kind;
    return words <= MOST_WORDS && (kind == NAME || (kind == RARE && wh_corrections_is_sign(c, i)));
}

int wh_corrections_is_sign(const wh_corrections *c, size_t i)
{
    const wh_correction *one = &c->list[i];
    return one->n_from > FEWEST_LETTERS && one->n_from <= LONGEST && !is_said(c, one->from, one->n_from, *one->from);
}
