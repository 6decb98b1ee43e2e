/* tokenizer.h - text to tokens and back, special tokens, languages.
 *
 * Byte-level BPE as in GPT-2 (Radford et al. 2019; openai/whisper's tokenizer.py through tiktoken). A token's id is its
 * merge rank. The vocabulary comes from the model file; the special tokens follow the ordinary ones in a fixed order:
 *   eot, sot, one per language, translate, transcribe, startoflm, startofprev, nospeech, notimestamps, 1501 times. */
#ifndef WH_TOKENIZER_H
#define WH_TOKENIZER_H

#include "util/util.h"

typedef struct wh_tokenizer wh_tokenizer;

/* The ids of the special tokens of a vocabulary. */
typedef struct wh_specials {
    int n_ordinary;     /* ordinary tokens: ids 0 .. n_ordinary-1 */
    int n_vocab;
    int n_languages;    /* n_vocab - n_ordinary - 1509 */
    int multilingual;
    int eot, sot, first_language, translate, transcribe, sot_lm, sot_prev, no_speech, no_timestamps, timestamp_begin;
} wh_specials;

/* Make a tokenizer. pieces[i] (lengths[i] bytes, may be 0) is ordinary token i written as GPT-2's vocab.json writes it:
 * each byte as one printable Unicode character, UTF-8 encoded (space is U+0120 and so on). They are copied.
 * WHISP_ERR_MODEL when a piece is not of that form, when the 256 single bytes are not all there, or when
 * n_vocab - n_ordinary leaves no room for the special tokens (1 to 200 languages). */
int wh_tokenizer_new(const char *const *pieces, const size_t *lengths, size_t n_ordinary, size_t n_vocab,
                     int multilingual, wh_tokenizer **tokenizer);
void wh_tokenizer_free(wh_tokenizer *tokenizer);

const wh_specials *wh_tokenizer_specials(const wh_tokenizer *tokenizer);

/* Encode n bytes of UTF-8 (invalid bytes are encoded as the bytes they are) and append the ids to *tokens, which grows
 * with wh_grow (*capacity) from *n_tokens on. WHISP_OK or WHISP_ERR_MEMORY. Linear in n even for one endless word, or
 * n log n. */
int wh_tokenizer_encode(const wh_tokenizer *tokenizer, const char *text, size_t n, int32_t **tokens, size_t *n_tokens,
                        size_t *capacity);

/* The raw bytes of one ordinary token; for a special token its name ("<|en|>", "<|0.02|>"), which is written to
 * scratch (at least 32 bytes). NULL for an id outside the vocabulary. Not NUL-terminated. */
const char *wh_tokenizer_bytes(const wh_tokenizer *tokenizer, int32_t id, char *scratch, size_t *length);

/* Append the tokens' text to buf: bytes joined first, then invalid UTF-8 replaced by U+FFFD the way Python's
 * bytes.decode("utf-8", errors="replace") does (one per maximal invalid prefix). With `skip_from` >= 0, tokens with ids
 * of at least skip_from are left out. */
int wh_tokenizer_decode(const wh_tokenizer *tokenizer, const int32_t *tokens, size_t n, int32_t skip_from, wh_buf *buf);

/* The tokens that openai-whisper's suppress_tokens "-1" stands for (tokenizer.non_speech_tokens), computed from the
 * vocabulary: sorted ids. Lives as long as the tokenizer. */
const int32_t *wh_tokenizer_non_speech(const wh_tokenizer *tokenizer, size_t *n);

#endif
