/* decode.c - tokens to bytes and to text. */
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"

const char *wh_tokenizer_bytes(const wh_tokenizer *tokenizer, int32_t id, char *scratch, size_t *length)
{
    const wh_vocabulary *v = &tokenizer->vocabulary;
    if (id < 0 || id >= tokenizer->specials.n_vocab)
        return NULL;
    if (id < tokenizer->specials.eot) {
        *length = v->offsets[id + 1] - v->offsets[id];
        return v->bytes + v->offsets[id];
    }
    *length = (size_t)wh_special_name(&tokenizer->specials, id, scratch, 32);
    return scratch;
}

/* Append bytes as UTF-8, each invalid sequence as one U+FFFD. */
static void append_valid(wh_buf *buf, const char *bytes, size_t n)
{
    size_t done = 0; /* bytes[done .. i) are valid and not yet appended */
    for (size_t i = 0; i < n;) {
        int32_t code;
        size_t size = wh_utf8_next(bytes + i, n - i, &code);
        if (code < 0) {
            wh_buf_append(buf, bytes + done, i - done);
            wh_buf_puts(buf, WH_REPLACEMENT);
            done = i + size;
        }
        i += size;
    }
    wh_buf_append(buf, bytes + done, n - done);
}

int wh_tokenizer_decode(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t n, int32_t skip_from, wh_buf *buf)
{
    wh_buf raw = {0};
    for (size_t i = 0; i < n; i++) {
        char scratch[32];
        size_t length;
        if (skip_from >= 0 && tokens[i] >= skip_from)
            continue;
        const char *bytes = wh_tokenizer_bytes(tokenizer, tokens[i], scratch, &length);
        if (!bytes) {
            wh_buf_free(&raw);
            return wh_fail(WHISP_ERR_ARGUMENT, "token %ld is not in the vocabulary: its tokens are 0 to %d",
                           (long)tokens[i], tokenizer->specials.n_vocab - 1);
        }
        wh_buf_append(&raw, bytes, length);
    }
    if (!raw.failed)
        append_valid(buf, raw.data ? raw.data : "", raw.length);
    int failed = raw.failed || buf->failed;
    wh_buf_free(&raw);
    return failed ? wh_fail_memory() : WHISP_OK;
}
