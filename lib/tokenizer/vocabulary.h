/* vocabulary.h - the inside of wh_tokenizer: the ordinary tokens' bytes, and the token of given bytes.
 *
 * Made by vocabulary.c, used by encode.c, decode.c and tokenizer.c. */
#ifndef WH_VOCABULARY_H
#define WH_VOCABULARY_H

#include "tokenizer/tokenizer.h"

/* No real token is longer than a line; a limit keeps the search for merges linear with any vocabulary. */
#define WH_MAX_PIECE 1024

/* A token of the table, and the lower half of its hash, which spares a look at the bytes of most that are others. */
struct wh_place {
    int32_t id; /* -1: empty */
    uint32_t hash;
};

typedef struct wh_vocabulary {
    size_t n;
    char *bytes;     /* all tokens, one after the other */
    size_t *offsets; /* [n + 1]: token i is bytes[offsets[i] .. offsets[i + 1]) */
    size_t longest;
    struct wh_place *table;                 /* [mask + 1] open addressing by the bytes' hash */
    uint64_t factors[1 + WH_MAX_PIECE / 4]; /* of the table's hash */
    size_t mask;
    int32_t byte_ids[256]; /* the token of each single byte */
} wh_vocabulary;

struct wh_tokenizer {
    wh_specials specials;
    wh_vocabulary vocabulary;
    int32_t *non_speech; /* [n_non_speech], sorted */
    size_t n_non_speech;
    int32_t *unwritable; /* [n_unwritable], sorted */
    size_t n_unwritable;
};

/* Fill a zeroed vocabulary; release it with wh_vocabulary_clear(), also after a failure. */
int wh_vocabulary_fill(wh_vocabulary *vocabulary, const char *const *pieces, const size_t *lengths, size_t n);
void wh_vocabulary_clear(wh_vocabulary *vocabulary);

/* The token that stands for exactly these bytes (the lowest id if there are several), or -1. */
int32_t wh_vocabulary_find(const wh_vocabulary *vocabulary, const char *bytes, size_t n);

#endif
