/* changes.c - changes that the formats of checkpoints understand: pickles, JSON in safetensors, protocol buffers, GGUF
 * (see fuzz.h). Which one a file gets, its name says. */
#include <string.h>

#include "fuzz.h"

#include "util/util.h"

/* ---- pickles ---- */

/* What pickles of tensors are made of. */
static const char *const pieces[] = {"(",
                                     ")",
                                     "t",
                                     "}",
                                     "]",
                                     "N",
                                     "\x88",
                                     "\x89",
                                     "R",
                                     "Q",
                                     "b",
                                     "e",
                                     "u",
                                     "s",
                                     "0",
                                     "1",
                                     "2",
                                     "h\x01",
                                     "q\x01",
                                     "\x85",
                                     "\x86",
                                     "\x87",
                                     "\x93",
                                     "\x94",
                                     "\x81",
                                     "\x80\x04",
                                     "K\x07",
                                     "J\xff\xff\xff\x7f",
                                     "M\xff\xff",
                                     "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
                                     "\x8a\x01\xff",
                                     "U\x05"
                                     "state",
                                     "\x8c\x04"
                                     "dims",
                                     "X\x05",
                                     "ctorch._utils\n_rebuild_tensor_v2\n",
                                     "ctorch._utils\n_rebuild_parameter\n",
                                     "ctorch._tensor\n_rebuild_from_type_v2\n",
                                     "ctorch\nFloatStorage\n",
                                     "ctorch\nBFloat16Storage\n",
                                     "ccollections\nOrderedDict\n",
                                     "cos\nsystem\n"};

static size_t change_pickle(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    size_t at = fuzz_random(seed, size + 1);
    const char *piece = pieces[fuzz_random(seed, WH_COUNT(pieces))];
    switch (fuzz_random(seed, 5)) {
    case 0: fuzz_splice(data, &size, max_size, at, 0, piece, strlen(piece)); return size;
    case 1: fuzz_splice(data, &size, max_size, at, WH_MIN(strlen(piece), size - at), piece, strlen(piece)); return size;
    case 2:
    case 3: { /* one of its numbers */
        uint8_t *found = memchr(data + at, 'J', size - at);
        if (found && data + size - found >= 5)
            fuzz_put(found + 1, 4, fuzz_number(seed, fuzz_get(found + 1, 4, 0)), 0);
        return size;
    }
    default: return LLVMFuzzerMutate(data, size, max_size);
    }
}

/* ---- safetensors ---- */

/* The JSON at its beginning changes, and the length before it follows. */
static size_t change_safetensors(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    uint64_t length = size < 8 ? 0 : fuzz_get(data, 8, 0);
    if (length == 0 || length > size - 8 || fuzz_random(seed, 10) == 0)
        return fuzz_mutate_number(data, size, max_size, seed);
    uint8_t *head = malloc(max_size);
    FUZZ_CHECK(head);
    memcpy(head, data + 8, (size_t)length);
    size_t n = fuzz_mutate_json(head, (size_t)length, (size_t)length + (max_size - size), seed);
    if (fuzz_splice(data, &size, max_size, 8, (size_t)length, head, n))
        fuzz_put(data, 8, n, 0);
    free(head);
    return size;
}

/* ---- protocol buffers ---- */

/* At `at` a field of bytes: where they begin, and how many. 0: it is none. */
static int read_field(const uint8_t *data, size_t size, size_t at, size_t *begin, size_t *n)
{
    uint64_t length = 0;
    if (at >= size || (data[at] & 7) != 2 || data[at] > 127)
        return 0;
    for (unsigned shift = 0; ++at < size && shift < 28; shift += 7) {
        length |= (uint64_t)(data[at] & 127) << shift;
        if (data[at] < 128) {
            *begin = at + 1;
            *n = (size_t)length;
            return length <= size - *begin;
        }
    }
    return 0;
}

/* A number somewhere; or a byte of a length, a type, a field's number. */
static size_t change_protobuf(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    size_t begin, n, at = fuzz_random(seed, size + 1);
    for (size_t tries = 0; tries < 200 && !read_field(data, size, at, &begin, &n); tries++)
        at = fuzz_random(seed, size + 1);
    if (!read_field(data, size, at, &begin, &n) || fuzz_random(seed, 4) == 0)
        return fuzz_mutate_number(data, size, max_size, seed);
    switch (fuzz_random(seed, 4)) {
    case 0: data[at] = (uint8_t)fuzz_random(seed, 128); return size;
    case 1: data[begin - 1] = (uint8_t)fuzz_number(seed, data[begin - 1]); return size;
    case 2: fuzz_splice(data, &size, max_size, at, begin + n - at, NULL, 0); return size;
    default: {
        uint8_t *copy = malloc(begin + n - at + 1);
        FUZZ_CHECK(copy);
        memcpy(copy, data + at, begin + n - at);
        fuzz_splice(data, &size, max_size, at, 0, copy, begin + n - at);
        free(copy);
        return size;
    }
    }
}

/* ---- which ---- */

static int ends(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

size_t fuzz_change_file(const char *name, uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    static const struct {
        const char *end;
        size_t (*change)(uint8_t *data, size_t size, size_t max_size, uint64_t *seed);
    } kinds[] = {{".json", fuzz_mutate_json},
                 {"data.pkl", change_pickle},
                 {".safetensors", change_safetensors},
                 {".onnx", change_protobuf},
                 {".gguf", fuzz_mutate_gguf}};
    if (size && fuzz_random(seed, 12) == 0) /* the commonest damage: it was cut off */
        return size - 1 - fuzz_random(seed, fuzz_random(seed, 2) ? WH_MIN(size, 64) : size);
    for (size_t i = 0; i < WH_COUNT(kinds); i++)
        if (ends(name, kinds[i].end))
            return kinds[i].change(data, size, max_size, seed);
    return fuzz_mutate_number(data, size, max_size, seed);
}
