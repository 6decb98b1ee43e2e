/* fuzz_tokenizer.c - text to tokens and back, by the public calls; names of special tokens; vocabularies of any pieces. */
#include <string.h>

#include "fuzz.h"

#include "model/model.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

/* Bytes that are UTF-8 come back as they were; any others as what Python's decoding makes of them. */
static void there_and_back(const whisp_model *m, const char *text)
{
    int64_t n = whisp_tokenize(m, text, NULL, 0), length;
    size_t bytes = strlen(text), at = 0;
    FUZZ_CHECK(n >= 0 && (size_t)n <= bytes);
    int32_t *tokens = malloc((size_t)n * sizeof *tokens + 1);
    FUZZ_CHECK(tokens && whisp_tokenize(m, text, tokens, (size_t)n) == n);
    FUZZ_CHECK((length = whisp_detokenize(m, tokens, (size_t)n, NULL, 0)) >= 0);
    char *back = malloc((size_t)length + 1);
    FUZZ_CHECK(back && whisp_detokenize(m, tokens, (size_t)n, back, (size_t)length + 1) == length);
    FUZZ_CHECK(strlen(back) == (size_t)length);
    int32_t code = 0;
    while (at < bytes && code >= 0)
        at += wh_utf8_next(text + at, bytes - at, &code);
    if (code >= 0)
        FUZZ_CHECK(strcmp(back, text) == 0);
    whisp_detokenize(m, tokens, (size_t)n, back, (size_t)length / 2 + 1);
    free(tokens);
    free(back);
}

static void any_tokens(const whisp_model *m, fuzz_input *in)
{
    int32_t tokens[64];
    char text[256];
    size_t n = fuzz_below(in, 64);
    int is_inside = 1;
    for (size_t i = 0; i < n; i++) {
        tokens[i] = (int32_t)(fuzz_below(in, 8) ? fuzz_below(in, 1766) : fuzz_u32(in));
        is_inside &= tokens[i] >= 0 && tokens[i] < m->n_vocab;
    }
    int64_t length = whisp_detokenize(m, tokens, n, text, sizeof text);
    FUZZ_CHECK(is_inside ? length >= 0 : length == WHISP_ERR_ARGUMENT);
}

/* A tokenizer of the input's own pieces behind the 256 single bytes, which are the small model's. */
static void own_pieces(const whisp_model *m, fuzz_input *in)
{
    enum { MOST = 40 };
    const char *pieces[256 + MOST];
    char *own[MOST], letters[256][4], *text;
    size_t lengths[256 + MOST], n = 0;
    wh_specials specials = *wh_tokenizer_specials(m->tokenizer);
    wh_tokenizer *t = NULL;
    for (int i = 0; i < 256; i++) {
        int code = i <= 32 ? 256 + i : i >= 127 && i <= 160 ? 256 + 33 + i - 127 : i == 173 ? 256 + 67 : i;
        snprintf(letters[i], 4, code < 128 ? "%c" : "%c%c", code < 128 ? code : 0xc0 | code >> 6, 0x80 | (code & 63));
        pieces[i] = letters[i];
        lengths[i] = strlen(letters[i]);
    }
    for (size_t most = fuzz_below(in, MOST); n < most; n++) {
        own[n] = fuzz_text(in, 9);
        pieces[256 + n] = own[n];
        lengths[256 + n] = strlen(own[n]);
    }
    FUZZ_CHECK(wh_specials_published(256 + n, 256 + n + 1510, 1, &specials) == WHISP_OK);
    text = fuzz_rest(in);
    if (wh_tokenizer_new(pieces, lengths, &specials, &t) == WHISP_OK) {
        int32_t *ids = NULL;
        size_t n_ids = 0, capacity = 0;
        wh_buf back = {0};
        FUZZ_CHECK(wh_tokenizer_encode(t, text, strlen(text), &ids, &n_ids, &capacity) == WHISP_OK);
        FUZZ_CHECK(wh_tokenizer_decode(t, ids, n_ids, -1, &back) == WHISP_OK && !back.failed);
        wh_tokenizer_non_speech(t, &n_ids);
        wh_tokenizer_unwritable(t, &n_ids);
        free(ids);
        wh_buf_free(&back);
    }
    wh_tokenizer_free(t);
    free(text);
    while (n)
        free(own[--n]);
}

static void names(const char *text)
{
    int index = -1;
    wh_specials specials;
    wh_role role = wh_special_role(text, strlen(text), &index);
    FUZZ_CHECK(role != WH_ROLE_LANGUAGE || (index >= 0 && index < WH_MAX_LANGUAGES));
    FUZZ_CHECK(role != WH_ROLE_TIME || (index >= 0 && index < WH_N_TIMESTAMPS));
    wh_specials_clear(&specials, 2000);
    wh_specials_set(&specials, role, index, 1000);
    wh_language_find(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    const whisp_model *m = fuzz_small_model();
    char *text;
    switch (fuzz_below(&in, 8)) {
    case 0: any_tokens(m, &in); break;
    case 1: own_pieces(m, &in); break;
    case 2:
        names(text = fuzz_rest(&in));
        free(text);
        break;
    default: there_and_back(m, text = fuzz_rest(&in)); free(text);
    }
    return 0;
}
