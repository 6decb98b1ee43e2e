/* split.c - text tokens to words, as split_to_word_tokens() in openai-whisper's tokenizer.py. */
#include <stdlib.h>
#include <string.h>

#include "timing/timing.h"
#include "tokenizer/utf8.h"
#include "util/text.h"

#define REPLACEMENT 0xFFFD

void wh_words_clear(wh_words *words)
{
    words->n = 0;
    wh_buf_clear(&words->text);
    words->text.failed = 0;
}

void wh_words_free(wh_words *words)
{
    free(words->list);
    wh_buf_free(&words->text);
    memset(words, 0, sizeof *words);
}

/* Code points of some bytes, U+FFFD for what is not UTF-8. codes has room for n; returns how many there are. */
static size_t code_points(const char *bytes, size_t n, int32_t *codes)
{
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        int32_t code;
        i += wh_utf8_next(bytes + i, n - i, &code);
        codes[count++] = code < 0 ? REPLACEMENT : code;
    }
    return count;
}

static int add_word(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t first, size_t n, wh_words *words)
{
    int rc = wh_grow(&words->list, &words->capacity, words->n + 1, sizeof *words->list);
    if (rc)
        return rc;
    wh_word word = {.text = words->text.length, .first_token = first, .n_tokens = n};
    if ((rc = wh_tokenizer_decode(tokenizer, tokens + first, n, -1, &words->text)))
        return rc;
    word.length = words->text.length - word.text;
    words->list[words->n++] = word;
    return WHISP_OK;
}

/* What the tokens say together: their bytes, where each one's end, and the code points of it all. */
typedef struct whole {
    wh_buf bytes;
    size_t *ends;   /* [n] */
    int32_t *codes; /* [n_codes] */
    int32_t *some;  /* scratch of the same size */
    size_t n_codes;
} whole;

static void free_whole(whole *w)
{
    wh_buf_free(&w->bytes);
    free(w->ends);
    free(w->codes);
    free(w->some);
}

static int read_whole(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t n, whole *w)
{
    if (!(w->ends = wh_calloc(n, sizeof *w->ends)))
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++) {
        char scratch[32];
        size_t length;
        const char *bytes = wh_tokenizer_bytes(tokenizer, tokens[i], scratch, &length);
        if (!bytes)
            return wh_fail(WHISP_ERR_ARGUMENT, "token %ld is not in the vocabulary", (long)tokens[i]);
        wh_buf_append(&w->bytes, bytes, length);
        w->ends[i] = w->bytes.length;
    }
    w->codes = wh_calloc(w->bytes.length, sizeof *w->codes);
    w->some = wh_calloc(w->bytes.length, sizeof *w->some);
    if (w->bytes.failed || !w->codes || !w->some)
        return wh_fail_memory();
    w->n_codes = code_points(w->bytes.data ? w->bytes.data : "", w->bytes.length, w->codes);
    return WHISP_OK;
}

/* Do the bytes [from, to) stand for whole characters? They do if none is replaced, or if the first one that is
 * replaced is so in the whole text too, at the same place. (In damaged text the places can go apart; the next whole
 * character brings them together again, where the reference loses the rest of the text.) *done characters of the text
 * are before `from`, and before `to` in the end. */
static int ends_character(const whole *w, size_t from, size_t to, size_t *done)
{
    size_t n = code_points(w->bytes.data + from, to - from, w->some), i = 0;
    while (i < n && w->some[i] != REPLACEMENT)
        i++;
    if (i == n || (*done + i < w->n_codes && w->codes[*done + i] == REPLACEMENT)) {
        *done += n;
        return 1;
    }
    if (w->some[n - 1] == REPLACEMENT)
        return 0;
    *done = code_points(w->bytes.data, to, w->some);
    return 1;
}

/* A word wherever the tokens so far end with a whole character. */
static int split_characters(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t n, wh_words *words)
{
    whole w = {0};
    int rc = read_whole(tokenizer, tokens, n, &w);
    size_t first = 0, from = 0, done = 0; /* tokens, bytes and characters that are in words */
    for (size_t i = 0; i < n && !rc; i++) {
        if (w.ends[i] > from && !ends_character(&w, from, w.ends[i], &done))
            continue;
        rc = add_word(tokenizer, tokens, first, i + 1 - first, words);
        first = i + 1;
        from = w.ends[i];
    }
    free_whole(&w);
    return rc;
}

/* Join the parts of words: what begins with a space or is punctuation begins a word. */
static void join_parts(wh_words *words)
{
    static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    size_t kept = 0;
    for (size_t i = 0; i < words->n; i++) {
        const wh_word *part = &words->list[i];
        const char *text = words->text.data + part->text, *bare = text;
        size_t bare_length = part->length;
        wh_strip(&bare, &bare_length);
        int begins = (part->length > 0 && text[0] == ' ') || wh_is_part(bare, bare_length, punctuation);
        if (begins || kept == 0) {
            words->list[kept++] = *part;
        } else {
            words->list[kept - 1].length += part->length;
            words->list[kept - 1].n_tokens += part->n_tokens;
        }
    }
    words->n = kept;
}

static int is_without_spaces(int language)
{
    static const char *const codes[] = {"zh", "ja", "th", "lo", "my", "yue"};
    const char *code = wh_language_code(language);
    for (size_t i = 0; code && i < WH_COUNT(codes); i++)
        if (strcmp(code, codes[i]) == 0)
            return 1;
    return 0;
}

int wh_words_split(const wh_tokenizer *tokenizer, int language, const int32_t *tokens, size_t n, wh_words *words)
{
    wh_words_clear(words);
    wh_buf_puts(&words->text, "");
    int rc = split_characters(tokenizer, tokens, n, words);
    if (!rc && words->text.failed)
        rc = wh_fail_memory();
    if (!rc && !is_without_spaces(language))
        join_parts(words);
    return rc;
}
