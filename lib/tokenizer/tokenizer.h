/* tokenizer.h - text to tokens and back, special tokens, languages.
 *
 * Byte-level BPE as in GPT-2 (Radford et al. 2019; openai/whisper's tokenizer.py through tiktoken). A token's id is its
 * merge rank. The vocabulary comes from the model file. In the published models the special tokens follow the ordinary
 * ones in a fixed order:
 *   eot, sot, one per language, translate, transcribe, startoflm, startofprev, nospeech, notimestamps, 1501 times.
 * Elsewhere there may be fewer or more languages, and tokens that only that model has: "extra" ones. */
#ifndef WH_TOKENIZER_H
#define WH_TOKENIZER_H

#include "tokenizer/languages.h"
#include "util/util.h"

typedef struct wh_tokenizer wh_tokenizer;

#define WH_MAX_VOCABULARY ((size_t)1 << 20)
#define WH_MAX_LANGUAGES 200
#define WH_N_TIMESTAMPS 1501 /* 0.00 to 30.00 in steps of 0.02 */

/* The ids of the special tokens of a vocabulary. */
typedef struct wh_specials {
    int n_vocab;
    int multilingual;
    int32_t eot; /* also the number of ordinary tokens: they are ids 0 .. eot - 1 */
    int32_t sot, translate, transcribe, sot_lm, sot_prev, no_speech, no_timestamps;
    int32_t timestamp_begin;             /* of <|0.00|>; the 1500 others follow */
    int n_languages;                     /* the greatest i with a token, plus one */
    int32_t languages[WH_MAX_LANGUAGES]; /* token of the language wh_language_code(i); -1: the model lacks it */
} wh_specials;

/* What a token's name says it is. */
typedef enum wh_role {
    WH_ROLE_NONE,
    WH_ROLE_LANGUAGE,
    WH_ROLE_TIME,
    WH_ROLE_EOT,
    WH_ROLE_SOT,
    WH_ROLE_TRANSLATE,
    WH_ROLE_TRANSCRIBE,
    WH_ROLE_SOT_LM,
    WH_ROLE_SOT_PREV,
    WH_ROLE_NO_SPEECH,
    WH_ROLE_NO_TIMESTAMPS,
    WH_SPECIAL_ROLES
} wh_role;

/* The role of a name like "<|en|>", "<|0.02|>", "<|startoflm|>"; *index is the language's or the time's number. */
wh_role wh_special_role(const char *name, size_t length, int *index);

/* Nothing is known; one place gets known (0: it is known to be elsewhere); a place, -1 if it is not known. The last for
 * roles from WH_ROLE_EOT on only. */
void wh_specials_clear(wh_specials *specials, int n_vocab);
int wh_specials_set(wh_specials *specials, wh_role role, int index, int32_t id);
int32_t wh_specials_get(const wh_specials *specials, wh_role role);

/* Everything is known and nothing is in the place of something else. WHISP_ERR_MODEL with a text about "it". */
int wh_specials_check(const wh_specials *specials);

/* All places in the published order: what is not one of the 8 named ones or a time is a language (1 to 200). */
int wh_specials_published(size_t n_ordinary, size_t n_vocab, int multilingual, wh_specials *specials);

/* All places by the names of the tokens from n_ordinary on: names[n_vocab], of lengths[]. */
int wh_specials_named(const char *const *names, const size_t *lengths, size_t n_ordinary, size_t n_vocab,
                      int multilingual, wh_specials *specials);

/* Write a special token's name, "<|extra 51865|>" for one that no published model has; how long it is. */
int wh_special_name(const wh_specials *specials, int32_t id, char *name, size_t capacity);
int wh_special_is_extra(const wh_specials *specials, int32_t id);

/* Make a tokenizer. pieces[i] (lengths[i] bytes, may be 0) is ordinary token i written as GPT-2's vocab.json writes it:
 * each byte as one printable Unicode character, UTF-8 encoded (space is U+0120 and so on). They are copied, and so is
 * *specials. WHISP_ERR_MODEL when a piece is not of that form, or when the 256 single bytes are not all there. */
int wh_tokenizer_new(const char *const *pieces, const size_t *lengths, const wh_specials *specials,
                     wh_tokenizer **tokenizer);
void wh_tokenizer_free(wh_tokenizer *tokenizer);

const wh_specials *wh_tokenizer_specials(const wh_tokenizer *tokenizer);

/* Encode n bytes of UTF-8 (invalid bytes are encoded as the bytes they are) and append the ids to *tokens, which grows
 * with wh_grow (*capacity) from *n_tokens on. WHISP_OK or WHISP_ERR_MEMORY. Linear in n even for one endless word, or
 * n log n. */
int wh_tokenizer_encode(const wh_tokenizer *tokenizer, const char *text, size_t n, int32_t **tokens, size_t *n_tokens,
                        size_t *capacity);
/* The same for text as it stands in the middle of a transcript: stripped of white space, with a space before it. */
int wh_tokenizer_encode_spaced(const wh_tokenizer *tokenizer, const char *text, size_t n, int32_t **tokens,
                               size_t *n_tokens, size_t *capacity);

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

/* Tokens that are never written, whatever the options say: extra ones, ids without a text among the ordinary ones (but
 * not the last, which is empty in the published vocabularies), and what is behind the times. Sorted; none in the
 * published models. Lives as long as the tokenizer. */
const int32_t *wh_tokenizer_unwritable(const wh_tokenizer *tokenizer, size_t *n);

#endif
