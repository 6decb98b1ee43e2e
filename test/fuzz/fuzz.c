/* fuzz.c - choices taken from an input, and changes of inputs (see fuzz.h). */
#include "fuzz.h"

#include <string.h>

#include "util/util.h"

int fuzz_every_way;

void fuzz_say(int rc)
{
    if (getenv("FUZZ_SAY"))
        fprintf(stderr, "%s: %s\n", whisp_error_name(rc), rc < 0 ? whisp_last_error() : "");
}

/* ---- choices ---- */

unsigned fuzz_u8(fuzz_input *in)
{
    if (!in->n)
        return 0;
    in->n--;
    return *in->data++;
}

uint32_t fuzz_u32(fuzz_input *in)
{
    uint32_t x = 0;
    for (int i = 0; i < 4; i++)
        x |= (uint32_t)fuzz_u8(in) << 8 * i;
    return x;
}

unsigned fuzz_below(fuzz_input *in, unsigned n)
{
    unsigned x = fuzz_u8(in);
    if (n > 256)
        x |= fuzz_u8(in) << 8;
    return n ? x % n : 0;
}

static char *take(fuzz_input *in, size_t n)
{
    char *text = malloc(n + 1); /* exactly: what reads behind it is found */
    FUZZ_CHECK(text);
    if (n)
        memcpy(text, in->data, n);
    text[n] = 0;
    in->data += n;
    in->n -= n;
    return text;
}

char *fuzz_text(fuzz_input *in, size_t most)
{
    size_t n = fuzz_below(in, (unsigned)WH_MIN(most, 65535) + 1);
    return take(in, WH_MIN(n, in->n));
}

char *fuzz_rest(fuzz_input *in)
{
    return take(in, in->n);
}

/* ---- numbers ---- */

size_t fuzz_random(uint64_t *state, size_t n)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 (Steele, Lea, Flood 2014) */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return n ? (size_t)(x % n) : 0;
}

uint64_t fuzz_number(uint64_t *state, uint64_t old)
{
    static const uint64_t numbers[] = {0,          1,          2,          3,          4,
                                       5,          7,          8,          16,         24,
                                       30,         31,         32,         33,         63,
                                       64,         80,         127,        128,        255,
                                       256,        1500,       0x7fff,     0x8000,     0xffff,
                                       0x10000,    0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000,
                                       0xfffffff8, 0xffffffff, 1ull << 32, 1ull << 40, 1ull << 61,
                                       1ull << 62, INT64_MAX,  1ull << 63, UINT64_MAX, UINT64_MAX - 7};
    switch (fuzz_random(state, 5)) {
    case 0: return old + fuzz_random(state, 9) - 4;
    case 1: return old << 1 >> fuzz_random(state, 3);
    case 2: return fuzz_random(state, 300);
    default: return numbers[fuzz_random(state, WH_COUNT(numbers))];
    }
}

void fuzz_put(uint8_t *at, size_t n, uint64_t number, int is_big)
{
    for (size_t i = 0; i < n; i++)
        at[is_big ? n - 1 - i : i] = (uint8_t)(number >> 8 * i);
}

uint64_t fuzz_get(const uint8_t *at, size_t n, int is_big)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)at[is_big ? n - 1 - i : i] << 8 * i;
    return x;
}

int fuzz_splice(uint8_t *data, size_t *size, size_t max_size, size_t at, size_t n, const void *with, size_t n_with)
{
    if (at > *size || n > *size - at || *size - n + n_with > max_size)
        return 0;
    memmove(data + at + n_with, data + at + n, *size - at - n);
    if (n_with)
        memcpy(data + at, with, n_with);
    *size = *size - n + n_with;
    return 1;
}

unsigned fuzz_way(const uint8_t *data, size_t size)
{
    uint64_t sum = size;
    for (size_t i = 0; i < size && i < 64; i++)
        sum = sum * 31 + data[i] + data[size - 1 - i];
    return (unsigned)fuzz_random(&sum, 1u << 30);
}

size_t fuzz_mutate_number(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    size_t n = (size_t)1 << fuzz_random(seed, 4);
    if (size < n || fuzz_random(seed, 4) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    size_t near = WH_MIN(size - n + 1, fuzz_random(seed, 2) ? 64 : 1024);
    size_t at = fuzz_random(seed, 3) ? fuzz_random(seed, near) : fuzz_random(seed, size - n + 1);
    int is_big = fuzz_random(seed, 3) == 0;
    fuzz_put(data + at, n, fuzz_number(seed, fuzz_get(data + at, n, is_big)), is_big);
    return size;
}

/* ---- JSON ---- */

/* The n-th byte from a random one on that is one of `set`, or size. */
static size_t find_byte(const uint8_t *data, size_t size, const char *set, uint64_t *seed)
{
    size_t start = fuzz_random(seed, size);
    for (size_t i = start; i < size; i++)
        if (data[i] && strchr(set, data[i]))
            return i;
    for (size_t i = 0; i < start; i++)
        if (data[i] && strchr(set, data[i]))
            return i;
    return size;
}

static const char *const json_values[] = {"0",           "-1",          "1e999",      "-0.0",
                                          "NaN",         "null",        "true",       "{}",
                                          "[]",          "\"\"",        "2147483648", "9223372036854775807",
                                          "1.5",         "\"a\"",       "-Infinity",  "[[0,0]]",
                                          "\"\\ud800\"", "\"\\u0000\"", "1e-400",     "18446744073709551616"};

size_t fuzz_mutate_json(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    uint8_t piece[512];
    size_t at, n;
    if (!size)
        return LLVMFuzzerMutate(data, size, max_size);
    switch (fuzz_random(seed, 6)) {
    case 0: /* another value */
    case 1:
        at = find_byte(data, size, ":,[", seed);
        for (n = 0; at + 1 + n < size && !strchr(",]}:", data[at + 1 + n]); n++)
            continue;
        if (at < size) {
            const char *value = json_values[fuzz_random(seed, WH_COUNT(json_values))];
            fuzz_splice(data, &size, max_size, at + 1, n, value, strlen(value));
        }
        return size;
    case 2: /* a nest, shallow or too deep */
        n = fuzz_random(seed, 3) ? 3 : 80;
        memset(piece, fuzz_random(seed, 2) ? '[' : '{', n);
        at = find_byte(data, size, ":,[", seed);
        fuzz_splice(data, &size, max_size, WH_MIN(at + 1, size), 0, piece, n);
        return size;
    case 3: /* a part once more, or in another place */
        at = find_byte(data, size, ",{[", seed);
        n = WH_MIN(WH_MIN(size - at, 1 + fuzz_random(seed, 100)), sizeof piece);
        memcpy(piece, data + at, n);
        at = find_byte(data, size, ",}]", seed);
        fuzz_splice(data, &size, max_size, WH_MIN(at, size), 0, piece, n);
        return size;
    case 4: /* a part less */
        at = find_byte(data, size, ",:{}[]\"", seed);
        fuzz_splice(data, &size, max_size, at, WH_MIN(size - at, 1 + fuzz_random(seed, 60)), NULL, 0);
        return size;
    default: return LLVMFuzzerMutate(data, size, max_size);
    }
}
