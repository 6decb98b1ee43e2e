/* mutate_gguf.c - changes of GGUF files that leave the rest of the file what it is (see fuzz.h). */
#include <string.h>

#include "fuzz.h"

#include "util/util.h"

/* The places of a file's numbers: where, and how many bytes. */
typedef struct place {
    size_t at, n;
} place;

typedef struct walk {
    const uint8_t *data;
    size_t size, at;
    place places[512];
    size_t n;
    size_t values_end, tensors_end; /* 0: not reached */
} walk;

static uint64_t take(walk *w, size_t n)
{
    uint64_t x = w->size - w->at >= n ? fuzz_get(w->data + w->at, n, 0) : 0;
    if (w->n < WH_COUNT(w->places))
        w->places[w->n++] = (place){w->at, n};
    w->at = WH_MIN(w->size, w->at + n);
    return x;
}

static void pass(walk *w, uint64_t n)
{
    w->at += (size_t)WH_MIN(n, w->size - w->at);
}

static void take_value(walk *w, uint64_t type)
{
    static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8)
        pass(w, take(w, 8));
    else if (type < WH_COUNT(sizes) && sizes[type])
        take(w, sizes[type]);
}

static void walk_file(walk *w)
{
    pass(w, 4);
    take(w, 4);
    uint64_t tensors = take(w, 8), values = take(w, 8);
    for (uint64_t i = 0; i < values && w->at < w->size; i++) {
        pass(w, take(w, 8));
        uint64_t type = take(w, 4), inner, n;
        if (type != 9) {
            take_value(w, type);
            continue;
        }
        inner = take(w, 4);
        n = take(w, 8);
        for (uint64_t k = 0; k < n && w->at < w->size; k++) {
            size_t known = w->n, before = w->at;
            take_value(w, inner);
            if (w->at == before)
                break;
            if (k > 3)
                w->n = known; /* a vocabulary's many strings are like the first ones */
        }
    }
    w->values_end = w->at;
    for (uint64_t i = 0; i < tensors && w->at < w->size; i++) {
        pass(w, take(w, 8));
        uint64_t dims = take(w, 4);
        for (uint64_t k = 0; k < dims && k < 8; k++)
            take(w, 8);
        take(w, 4);
        take(w, 8);
    }
    w->tensors_end = w->at;
}

size_t fuzz_mutate_gguf(uint8_t *data, size_t size, size_t max_size, uint64_t *seed)
{
    static walk w; /* large; a mutator runs in one thread */
    w.data = data;
    w.size = size;
    w.at = w.n = 0;
    if (size > 24)
        walk_file(&w);
    if (w.n < 4 || fuzz_random(seed, 6) == 0)
        return fuzz_mutate_number(data, size, max_size, seed);
    place p = w.places[fuzz_random(seed, w.n)];
    if (p.n > size - WH_MIN(p.at, size))
        return fuzz_mutate_number(data, size, max_size, seed);
    uint8_t piece[64];
    size_t n = 1 + fuzz_random(seed, sizeof piece);
    switch (fuzz_random(seed, 8)) {
    case 0: /* another type's bytes, or a piece less */
        fuzz_splice(data, &size, max_size, p.at, WH_MIN(n, size - p.at), NULL, 0);
        return size;
    case 1: /* a piece twice */
        n = WH_MIN(n, size - p.at);
        memcpy(piece, data + p.at, n);
        fuzz_splice(data, &size, max_size, p.at, 0, piece, n);
        return size;
    case 2: /* one place's number in another */ {
        place from = w.places[fuzz_random(seed, w.n)];
        if (from.at + from.n <= size)
            fuzz_put(data + p.at, p.n, fuzz_get(data + from.at, from.n, 0), 0);
        return size;
    }
    default: fuzz_put(data + p.at, p.n, fuzz_number(seed, fuzz_get(data + p.at, p.n, 0)), 0); return size;
    }
}
