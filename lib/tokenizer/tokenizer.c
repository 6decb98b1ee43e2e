/* tokenizer.c - a tokenizer from a model's vocabulary: which tokens are not speech, and which are never written.
 *
 * Encoding and decoding are in encode.c and decode.c, the special tokens' places in specials.c. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/vocabulary.h"

/* Whether a token can stand for what begins with it: more than blanks and the first byte of a character. */
static int says_something(const wh_vocabulary *v, int32_t id)
{
    size_t at = v->offsets[id], n = 0;
    for (; at < v->offsets[id + 1]; at++)
        n += v->bytes[at] != ' ';
    return n > 1;
}

/* Add the first token of `text` to the list if it is the only one, or, with `even_first`, if it is not something that
 * much else begins with, too: vocabularies that are not the published ones may spell signs byte by byte. */
static int add_non_speech(wh_tokenizer *t, const char *text, int even_first, size_t *capacity)
{
    int32_t *tokens = NULL;
    size_t n = 0, room = 0;
    int rc = wh_tokenizer_encode(t, text, strlen(text), &tokens, &n, &room);
    if (rc == WHISP_OK && (n == 1 || (n > 1 && even_first && says_something(&t->vocabulary, tokens[0])))) {
        rc = wh_grow(&t->non_speech, capacity, t->n_non_speech + 1, sizeof *t->non_speech);
        if (rc == WHISP_OK)
            t->non_speech[t->n_non_speech++] = tokens[0];
    }
    free(tokens);
    return rc;
}

/* The same with and without a space before it. */
static int add_both(wh_tokenizer *t, const char *symbol, int even_first, size_t *capacity)
{
    char spaced[16] = " ";
    strncat(spaced, symbol, sizeof spaced - 2);
    int rc = add_non_speech(t, symbol, even_first, capacity);
    return rc == WHISP_OK ? add_non_speech(t, spaced, even_first, capacity) : rc;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* What openai-whisper suppresses by default, so that it writes down speech rather than speaker names, brackets with
 * remarks and notes for music (tokenizer.py, non_speech_tokens). A dash and an apostrophe are only unwanted where they
 * begin a word. */
static int find_non_speech(wh_tokenizer *t)
{
    static const char ascii[] = "\"#()*+/:;<=>@[\\]^_`{|}~";
    static const char *const symbols[] = {"「",  "」",  "『", "』", "<<", ">>",  "<<<", ">>>",
                                          "--",  "---", "-(", "-[", "('", "(\"", "((",  "))",
                                          "(((", ")))", "[[", "]]", "{{", "}}",  "♪♪",  "♪♪♪"};
    /* some vocabularies need several tokens for these; the first then stands for all signs around U+2640 */
    static const char *const music[] = {"♩", "♪", "♫", "♬", "♭", "♮", "♯"};
    size_t capacity = 0;
    int rc = add_non_speech(t, " -", 1, &capacity);
    if (rc == WHISP_OK)
        rc = add_non_speech(t, " '", 1, &capacity);
    for (size_t i = 0; rc == WHISP_OK && ascii[i]; i++)
        rc = add_both(t, (char[]){ascii[i], 0}, 0, &capacity);
    for (size_t i = 0; rc == WHISP_OK && i < WH_COUNT(symbols); i++)
        rc = add_both(t, symbols[i], 0, &capacity);
    for (size_t i = 0; rc == WHISP_OK && i < WH_COUNT(music); i++)
        rc = add_both(t, music[i], 1, &capacity);
    if (rc != WHISP_OK)
        return rc;
    qsort(t->non_speech, t->n_non_speech, sizeof *t->non_speech, compare_ids);
    size_t kept = 0;
    for (size_t i = 0; i < t->n_non_speech; i++)
        if (kept == 0 || t->non_speech[i] != t->non_speech[kept - 1])
            t->non_speech[kept++] = t->non_speech[i];
    t->n_non_speech = kept;
    return WHISP_OK;
}

static int add_unwritable(wh_tokenizer *t, size_t *capacity, int32_t id)
{
    int rc = wh_grow(&t->unwritable, capacity, t->n_unwritable + 1, sizeof *t->unwritable);
    if (!rc)
        t->unwritable[t->n_unwritable++] = id;
    return rc;
}

static int find_unwritable(wh_tokenizer *t)
{
    const wh_specials *s = &t->specials;
    const size_t *offsets = t->vocabulary.offsets;
    size_t capacity = 0;
    int rc = WHISP_OK;
    for (int32_t id = 0; id + 1 < s->eot && !rc; id++)
        if (offsets[id] == offsets[id + 1])
            rc = add_unwritable(t, &capacity, id);
    for (int32_t id = s->eot; id < s->n_vocab && !rc; id++)
        if (id >= s->timestamp_begin + WH_N_TIMESTAMPS || wh_special_is_extra(s, id))
            rc = add_unwritable(t, &capacity, id);
    return rc;
}

int wh_tokenizer_new(const char *const *pieces, const size_t *lengths, const wh_specials *specials,
                     wh_tokenizer **tokenizer)
{
    *tokenizer = NULL;
    wh_tokenizer *t = wh_calloc(1, sizeof *t);
    if (!t)
        return wh_fail_memory();
    t->specials = *specials;
    int rc = wh_vocabulary_fill(&t->vocabulary, pieces, lengths, (size_t)specials->eot);
    if (rc == WHISP_OK)
        rc = find_non_speech(t);
    if (rc == WHISP_OK)
        rc = find_unwritable(t);
    if (rc != WHISP_OK) {
        wh_tokenizer_free(t);
        return rc;
    }
    *tokenizer = t;
    return WHISP_OK;
}

void wh_tokenizer_free(wh_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    wh_vocabulary_clear(&tokenizer->vocabulary);
    free(tokenizer->non_speech);
    free(tokenizer->unwritable);
    free(tokenizer);
}

const wh_specials *wh_tokenizer_specials(const wh_tokenizer *tokenizer)
{
    return &tokenizer->specials;
}

const int32_t *wh_tokenizer_non_speech(const wh_tokenizer *tokenizer, size_t *n)
{
    *n = tokenizer->n_non_speech;
    return tokenizer->non_speech;
}

const int32_t *wh_tokenizer_unwritable(const wh_tokenizer *tokenizer, size_t *n)
{
    *n = tokenizer->n_unwritable;
    return tokenizer->unwritable;
}
