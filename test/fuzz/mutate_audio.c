/* mutate_audio.c - changes of recordings that leave the rest of the container what it is (see fuzz.h). */
#include <string.h>

#include "fuzz.h"

#include "util/util.h"

/* ---- checksums ---- */

/* Ogg's: the polynomial 0x04c11db7, most significant bit first, from 0, over the page with zeros in its place. */
static uint32_t crc(uint32_t polynomial, int bits, const uint8_t *data, size_t n)
{
    uint32_t sum = 0, top = 1u << (bits - 1), mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
    for (size_t i = 0; i < n; i++) {
        sum ^= (uint32_t)data[i] << (bits - 8);
        for (int k = 0; k < 8; k++)
            sum = sum & top ? sum << 1 ^ polynomial : sum << 1;
        sum &= mask;
    }
    return sum;
}

static void mend_ogg(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 27 < size; at++) {
        size_t n = 27 + (size_t)data[at + 26];
        if (memcmp(data + at, "OggS", 4) != 0 || at + n > size)
            continue;
        for (size_t i = 27, segments = n; i < segments; i++)
            n += data[at + i];
        if (at + n > size)
            continue;
        fuzz_put(data + at + 22, 4, 0, 0);
        fuzz_put(data + at + 22, 4, crc(0x04c11db7, 32, data + at, n), 0);
        at += n - 1;
    }
}

/* A FLAC frame's header: how long it is without its checksum; 0: there is none. */
static size_t flac_header(const uint8_t *p, size_t n)
{
    size_t length = 4;
    if (n < 16 || p[0] != 0xff || (p[1] & 0xfe) != 0xf8)
        return 0;
    for (int ones = 0x80; p[4] & ones && ones > 1; ones >>= 1)
        length += ones != 0x80 || !(p[4] & 0x40);
    length += 1 + ((p[2] >> 4) == 6) + 2 * ((p[2] >> 4) == 7);
    length += ((p[2] & 15) == 12) + 2 * ((p[2] & 15) == 13 || (p[2] & 15) == 14);
    return length < n ? length : 0;
}

/* Frames end where the next one's header begins. */
static void mend_flac(uint8_t *data, size_t size)
{
    size_t frame = 0;
    for (size_t at = 4; at <= size; at++) {
        size_t n = at < size ? flac_header(data + at, size - at) : 0;
        if (!n && at < size)
            continue;
        if (frame && at >= frame + 12)
            fuzz_put(data + at - 2, 2, crc(0x8005, 16, data + frame, at - 2 - frame), 1);
        if (n) {
            data[at + n] = (uint8_t)crc(0x07, 8, data + at, n);
            frame = at;
        }
    }
}

/* ---- chunks ---- */

typedef struct chunks {
    size_t at[64], whole[64]; /* where each begins, and its bytes with its head */
    size_t n, size_at, size_bytes;
    int is_big;
} chunks;

/* RIFF and its like (ids and sizes of 4 bytes), W64 (16 and 8, the size counts the head), CAF (4 and 8). */
static void find_chunks(const uint8_t *data, size_t size, chunks *c)
{
    int is_w64 = size > 40 && memcmp(data, "riff", 4) == 0, is_caf = size > 8 && memcmp(data, "caff", 4) == 0;
    size_t id = is_w64 ? 16 : 4, at = is_w64 ? 40 : is_caf ? 8 : 12;
    *c = (chunks){.size_at = id, .size_bytes = is_w64 || is_caf ? 8 : 4};
    c->is_big = is_caf || (size > 4 && (memcmp(data, "FORM", 4) == 0 || memcmp(data, "RIFX", 4) == 0));
    size_t head = id + c->size_bytes;
    while (at + head <= size && c->n < WH_COUNT(c->at)) {
        uint64_t body = fuzz_get(data + at + id, c->size_bytes, c->is_big);
        body = is_w64 && body >= head ? body - head : body;
        body = WH_MIN(body, size - at - head);
        c->at[c->n] = at;
        c->whole[c->n] = head + (size_t)body + (!is_caf && body & 1 && at + head + body < size);
        at += c->whole[c->n++];
    }
}

static size_t change_chunks(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    chunks c;
    find_chunks(data, size, &c);
    if (!c.n)
        return fuzz_mutate_number(data, size, max_size, seed);
    size_t i = fuzz_random(seed, c.n), k = fuzz_random(seed, c.n), head = c.size_at + c.size_bytes;
    uint8_t *copy;
    switch (fuzz_random(seed, 8)) {
    case 0: fuzz_splice(data, &size, max_size, c.at[i], c.whole[i], NULL, 0); return size;
    case 1: /* once more, elsewhere */
        copy = malloc(c.whole[i]);
        FUZZ_CHECK(copy);
        memcpy(copy, data + c.at[i], c.whole[i]);
        fuzz_splice(data, &size, max_size, c.at[k], 0, copy, c.whole[i]);
        free(copy);
        return size;
    case 2: /* one's name for the other */ memmove(data + c.at[k], data + c.at[i], c.size_at); return size;
    case 3: {
        uint8_t *at = data + c.at[i] + c.size_at;
        fuzz_put(at, c.size_bytes, fuzz_number(seed, fuzz_get(at, c.size_bytes, c.is_big)), c.is_big);
        return size;
    }
    default: /* a number in it */
        if (c.whole[i] > head + 2) {
            size_t n = (size_t)1 << fuzz_random(seed, 4), at = fuzz_random(seed, WH_MIN(c.whole[i] - head, 64));
            n = WH_MIN(n, c.whole[i] - head - at);
            uint8_t *p = data + c.at[i] + head + at;
            fuzz_put(p, n, fuzz_number(seed, fuzz_get(p, n, c.is_big)), c.is_big);
        }
        return size;
    }
}

/* ---- streams of pages or frames ---- */

/* Where one begins, by its first bytes; size: nowhere. */
static size_t find_start(const uint8_t *data, size_t size, const char *start, size_t n, uint64_t *seed)
{
    size_t from = size > n ? fuzz_random(seed, size - n) : 0;
    const uint8_t *found = memmem(data + from, size - from, start, n);
    if (!found)
        found = memmem(data, size, start, n);
    return found ? (size_t)(found - data) : size;
}

static size_t change_stream(uint8_t *data, size_t size, size_t max_size, const char *start, size_t n, size_t head,
                            uint64_t *seed)
{
    size_t at = find_start(data, size, start, n, seed), next = find_start(data, size, start, n, seed);
    uint8_t *copy;
    if (at == size)
        return fuzz_mutate_number(data, size, max_size, seed);
    size_t length = WH_MIN(next > at ? next - at : head + fuzz_random(seed, 300), size - at);
    switch (fuzz_random(seed, 6)) {
    case 0: fuzz_splice(data, &size, max_size, at, length, NULL, 0); return size;
    case 1:
        copy = malloc(length);
        FUZZ_CHECK(copy);
        memcpy(copy, data + at, length);
        fuzz_splice(data, &size, max_size, next, 0, copy, length);
        free(copy);
        return size;
    case 2:
    case 3: { /* a number of its head */
        size_t place = at + fuzz_random(seed, head), bytes = (size_t)1 << fuzz_random(seed, 4);
        if (place + bytes <= size)
            fuzz_put(data + place, bytes, fuzz_number(seed, fuzz_get(data + place, bytes, 0)), 0);
        return size;
    }
    case 4: return fuzz_mutate_number(data, size, max_size, seed);
    default: return LLVMFuzzerMutate(data, size, max_size);
    }
}

size_t fuzz_mutate_audio(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    static const char *const with_chunks[] = {"RIFF", "RIFX", "RF64", "BW64", "riff", "FORM", "caff"};
    if (size < 16 || fuzz_random(seed, 16) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    if (fuzz_random(seed, 16) == 0)
        return size - 1 - fuzz_random(seed, size - 1);
    for (size_t i = 0; i < WH_COUNT(with_chunks); i++)
        if (memcmp(data, with_chunks[i], 4) == 0)
            return fuzz_random(seed, 4) ? change_chunks(data, size, max_size, seed)
                                        : fuzz_mutate_number(data, size, max_size, seed);
    if (memcmp(data, "OggS", 4) == 0) {
        size = change_stream(data, size, max_size, "OggS", 4, 32, seed);
        if (fuzz_random(seed, 10))
            mend_ogg(data, size);
        return size;
    }
    if (memcmp(data, "fLaC", 4) == 0) {
        size = change_stream(data, size, max_size, fuzz_random(seed, 4) ? "\xff\xf8" : "fLaC", 2, 12, seed);
        if (fuzz_random(seed, 4))
            mend_flac(data, size);
        return size;
    }
    if (data[0] == 0xff || memcmp(data, "ID3", 3) == 0)
        return change_stream(data, size, max_size, (const char[]){(char)0xff, (char)data[1]}, 2, 6, seed);
    return fuzz_mutate_number(data, size, max_size, seed);
}
