/* vocabulary.c - from the vocabulary's printable spelling to bytes, and a hash table from bytes to token ids.
 *
 * GPT-2's vocab.json spells each byte as one printable character: bytes that are printable in Latin-1 as themselves,
 * the other 68 in their order as U+0100, U+0101, ... (so space is U+0120). */
#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "platform/platform.h"
#include "tokenizer/utf8.h"

/* The byte that a character of the spelling stands for, or -1. */
static int byte_of(int32_t code)
{
    if ((code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255))
        return code;
    int32_t i = code - 256; /* the i-th byte of those that are not printable: 0-32, 127-160, 173 */
    if (i < 0 || i > 67)
        return -1;
    return i < 33 ? i : i < 67 ? 127 + (i - 33) : 173;
}

/* The upper half of the sum of four bytes times a factor each: universal hashing (Dietzfelbinger, 1996), so that nobody
 * can make a vocabulary all of whose tokens have one place. */
static uint32_t hash_of(const wh_vocabulary *v, const char *bytes, size_t n)
{
    uint64_t h = v->factors[0] * (n + 1);
    for (size_t i = 0; i < n; i += 4) {
        uint32_t four = 0;
        memcpy(&four, bytes + i, WH_MIN(n - i, (size_t)4));
        h += v->factors[1 + i / 4] * four;
    }
    return (uint32_t)(h >> 32);
}

/* A random odd-looking number for each place of a text; splitmix64 (Steele, Lea and Flood: Fast Splittable Pseudorandom
 * Number Generators, 2014), from what the kernel has given the process. Where the system gives nothing: other ones each
 * time, at least. */
static void choose_factors(wh_vocabulary *v)
{
    uint64_t secret[2] = {(uint64_t)(uintptr_t)v, 0};
    unsigned char random[sizeof secret];
    if (wh_platform_random(random))
        memcpy(secret, random, sizeof secret);
    for (size_t i = 0; i < WH_COUNT(v->factors); i++) {
        uint64_t z = secret[0] + i * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        v->factors[i] = (z ^ z >> 31) ^ secret[1];
    }
}

/* The place in the table where these bytes, of this hash, are, or where they would be put. */
static struct wh_place *place_of(const wh_vocabulary *v, uint32_t hash, const char *bytes, size_t n)
{
    size_t at = hash & v->mask;
    for (; v->table[at].id >= 0; at = (at + 1) & v->mask) {
        if (v->table[at].hash != hash)
            continue;
        size_t begin = v->offsets[v->table[at].id], end = v->offsets[v->table[at].id + 1];
        if (end - begin == n && memcmp(v->bytes + begin, bytes, n) == 0)
            break;
    }
    return &v->table[at];
}

int32_t wh_vocabulary_find(const wh_vocabulary *v, const char *bytes, size_t n)
{
    return n == 0 || n > v->longest ? -1 : place_of(v, hash_of(v, bytes, n), bytes, n)->id;
}

/* Spell one piece as bytes at `out`, which has room for `length` of them. Returns how many, or -1. */
static int64_t unspell(const char *piece, size_t length, char *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < length;) {
        int32_t code;
        if (piece[i] >= '!' && piece[i] <= '~') { /* nearly all are */
            out[n++] = piece[i++];
            continue;
        }
        i += wh_utf8_next(piece + i, length - i, &code);
        int byte = byte_of(code);
        if (byte < 0)
            return -1;
        out[n++] = (char)byte;
    }
    return n;
}

static size_t length_of(const wh_vocabulary *v, size_t id)
{
    return v->offsets[id + 1] - v->offsets[id];
}

/* Put the tokens into the empty table. Each place is fetched while those before it are filled: the table is larger than
 * the first-level cache. */
static void fill_table(wh_vocabulary *v, const uint32_t *hashes)
{
    const size_t ahead = 16;
    for (size_t id = 0; id < v->n; id++) {
        if (id + ahead < v->n)
            __builtin_prefetch(&v->table[hashes[id + ahead] & v->mask], 1);
        if (length_of(v, id) == 0) /* the multilingual vocabulary has such a token, which nothing encodes to */
            continue;
        struct wh_place *place = place_of(v, hashes[id], v->bytes + v->offsets[id], length_of(v, id));
        if (place->id < 0)
            *place = (struct wh_place){(int32_t)id, hashes[id]};
    }
}

static int make_table(wh_vocabulary *v)
{
    size_t size = 16;
    while (size < v->n * 2)
        size *= 2;
    v->table = wh_calloc(size, sizeof *v->table);
    uint32_t *hashes = wh_calloc(v->n, sizeof *hashes);
    int rc = v->table && hashes ? WHISP_OK : wh_fail_memory();
    v->mask = size - 1;
    for (size_t i = 0; !rc && i < size; i++)
        v->table[i].id = -1;
    for (size_t id = 0; !rc && id < v->n; id++)
        hashes[id] = hash_of(v, v->bytes + v->offsets[id], length_of(v, id));
    if (!rc)
        fill_table(v, hashes);
    free(hashes);
    return rc;
}

int wh_vocabulary_fill(wh_vocabulary *v, const char *const *pieces, const size_t *lengths, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (lengths[i] > 2 * WH_MAX_PIECE) /* a byte's spelling takes up to two */
            return wh_fail(WHISP_ERR_MODEL,
                           "token %zu of the vocabulary has %zu bytes, more than the %d of any Whisper model: damaged?",
                           i, lengths[i], 2 * WH_MAX_PIECE);
        total += lengths[i];
    }
    choose_factors(v);
    v->n = n;
    v->bytes = wh_calloc(total, 1);
    v->offsets = wh_calloc(n + 1, sizeof *v->offsets);
    if (!v->bytes || !v->offsets)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++) {
        int64_t length = unspell(pieces[i], lengths[i], v->bytes + v->offsets[i]);
        if (length < 0)
            return wh_fail(WHISP_ERR_MODEL,
                           "token %zu of the vocabulary is not spelled in GPT-2's byte alphabet: damaged, or not a "
                           "Whisper vocabulary",
                           i);
        if (length > WH_MAX_PIECE)
            return wh_fail(
                WHISP_ERR_MODEL,
                "token %zu of the vocabulary has %lld bytes, more than the %d of any Whisper model: damaged?", i,
                (long long)length, WH_MAX_PIECE);
        v->offsets[i + 1] = v->offsets[i] + (size_t)length;
        v->longest = WH_MAX(v->longest, (size_t)length);
    }
    if (make_table(v) != WHISP_OK)
        return WHISP_ERR_MEMORY;
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;
        v->byte_ids[b] = wh_vocabulary_find(v, &byte, 1);
        if (v->byte_ids[b] < 0)
            return wh_fail(WHISP_ERR_MODEL,
                           "the vocabulary has no token for the byte 0x%02x: damaged, or not a Whisper vocabulary", b);
    }
    return WHISP_OK;
}

void wh_vocabulary_clear(wh_vocabulary *v)
{
    free(v->bytes);
    free(v->offsets);
    free(v->table);
    memset(v, 0, sizeof *v);
}
