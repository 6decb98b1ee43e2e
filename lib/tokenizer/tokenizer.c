/* tokenizer.c - a tokenizer from a model's vocabulary: the special tokens' places and the tokens that are not speech.
 *
 * Encoding and decoding are in encode.c and decode.c. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/vocabulary.h"

#define N_TIMESTAMPS 1501               /* 0.00 to 30.00 in steps of 0.02 */
#define N_NAMED 8                       /* eot, sot, and the six between languages and timestamps */
#define MAX_LANGUAGES 200
#define MAX_VOCABULARY ((size_t)1 << 20)

static void place_specials(wh_specials *s, size_t n_ordinary, size_t n_vocab, int multilingual)
{
    s->n_ordinary = (int)n_ordinary;
    s->n_vocab = (int)n_vocab;
    s->n_languages = (int)(n_vocab - n_ordinary) - N_NAMED - N_TIMESTAMPS;
    s->multilingual = multilingual != 0;
    s->eot = s->n_ordinary;
    s->sot = s->eot + 1;
    s->first_language = s->sot + 1;
    s->translate = s->first_language + s->n_languages;
    s->transcribe = s->translate + 1;
    s->sot_lm = s->transcribe + 1;
    s->sot_prev = s->sot_lm + 1;
    s->no_speech = s->sot_prev + 1;
    s->no_timestamps = s->no_speech + 1;
    s->timestamp_begin = s->no_timestamps + 1;
}

/* Add the first token of `text` to the list if it is the only one, or in any case with `even_first`. */
static int add_non_speech(wh_tokenizer *t, const char *text, int even_first, size_t *capacity)
{
    int32_t *tokens = NULL;
    size_t n = 0, room = 0;
    int rc = wh_tokenizer_encode(t, text, strlen(text), &tokens, &n, &room);
    if (rc == WHISP_OK && (n == 1 || (n > 1 && even_first))) {
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
    static const char *const symbols[] = {"「",  "」",  "『",  "』",  "<<", ">>", "<<<", ">>>", "--",
                                          "---", "-(",  "-[",  "('",  "(\"", "((", "))",  "(((", ")))",
                                          "[[",  "]]",  "{{",  "}}",  "♪♪", "♪♪♪"};
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

int wh_tokenizer_new(const char *const *pieces, const size_t *lengths, size_t n_ordinary, size_t n_vocab,
                     int multilingual, wh_tokenizer **tokenizer)
{
    *tokenizer = NULL;
    if (n_vocab > MAX_VOCABULARY || n_ordinary >= n_vocab || n_vocab - n_ordinary <= N_NAMED + N_TIMESTAMPS ||
        n_vocab - n_ordinary > N_NAMED + N_TIMESTAMPS + MAX_LANGUAGES)
        return wh_fail(WHISP_ERR_MODEL,
                       "a vocabulary of %zu tokens with %zu ordinary ones is not a Whisper model's: %d to %d special "
                       "tokens are expected", n_vocab, n_ordinary, N_NAMED + N_TIMESTAMPS + 1,
                       N_NAMED + N_TIMESTAMPS + MAX_LANGUAGES);
    wh_tokenizer *t = wh_calloc(1, sizeof *t);
    if (!t)
        return wh_fail_memory();
    place_specials(&t->specials, n_ordinary, n_vocab, multilingual);
    int rc = wh_vocabulary_fill(&t->vocabulary, pieces, lengths, n_ordinary);
    if (rc == WHISP_OK)
        rc = find_non_speech(t);
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
