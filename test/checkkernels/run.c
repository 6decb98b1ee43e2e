/* run.c - what runs checks and benches: their list, failures, random numbers and guarded memory (see check.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkkernels/check.h"

static const check_kernel *const kernels[] = {&check_layouts,   &check_quantize,      &check_tile,  &check_bf16,
                                              &check_amx,       &check_amx_attention, &check_store, &check_f32,
                                              &check_attention, &check_conv};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct {
    const char *kernel, *level;
    uint32_t seed, random;
} current;

/* ---- failures ---- */

static void fail(const char *what)
{
    printf("FAILED: %s at %s, seed %u: %s\n", current.kernel, current.level, current.seed, what);
    exit(1);
}

void check_that(int is_true, const char *what)
{
    if (!is_true)
        fail(what);
}

void check_same(const void *want, const void *got, size_t bytes, const char *what)
{
    if (memcmp(want, got, bytes))
        fail(what);
}

void check_close(const float *want, const float *got, size_t n, double tolerance, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)want[i] - got[i]) <= tolerance) && !(isnan(want[i]) && isnan(got[i])) && want[i] != got[i]) {
            printf("element %zu of %zu: %.9g, not %.9g\n", i, n, got[i], want[i]);
            fail(what);
        }
}

/* ---- random numbers ---- */

uint32_t check_random(void)
{
    current.random = current.random * 1664525u + 1013904223u;
    uint32_t x = current.random;
    x ^= x >> 16;
    x *= 0x45d9f3bu;
    return x ^ x >> 16;
}

size_t check_size(size_t lo, size_t hi)
{
    switch (check_random() % 8) {
    case 0: return lo;
    case 1: return hi;
    case 2: return lo + check_random() % (hi - lo < 8 ? hi - lo + 1 : 8);
    default: return lo + check_random() % (hi - lo + 1);
    }
}

void check_fill(float *x, size_t n, float spread, int special)
{
    static const float odd[] = {0.0f, -0.0f, 1e-42f, -1e-42f, 1e-38f, 3e-31f, 1e30f, -1e30f};
    for (size_t i = 0; i < n; i++)
        x[i] = special && check_random() % 32 == 0 ? odd[check_random() % COUNT(odd)]
                                                   : spread * ((float)check_random() / 2147483648.0f - 1);
}

/* ---- guarded memory ---- */

#define MAX_BLOCKS 64
#define FRONT 64 /* bytes of pattern before a block */

static struct block {
    unsigned char *map, *data;
    size_t size; /* of the mapping */
} blocks[MAX_BLOCKS];
static size_t n_blocks;

void *check_alloc(size_t n, size_t align)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), gap = (align - n % align) % align;
    size_t inside = (n + gap + FRONT + page - 1) / page * page;
    check_that(n_blocks < MAX_BLOCKS, "too many blocks");
    struct block *b = &blocks[n_blocks++];
    b->size = inside + 2 * page;
    b->map = mmap(NULL, b->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->map == MAP_FAILED || mprotect(b->map + page, inside, PROT_READ | PROT_WRITE)) {
        perror("checkkernels: mmap");
        exit(1);
    }
    memset(b->map + page, 0xa5, inside);
    b->data = b->map + page + inside - gap - n;
    return b->data;
}

void check_free_all(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < n_blocks; i++) {
        for (unsigned char *p = blocks[i].map + page; p < blocks[i].data; p++)
            check_that(*p == 0xa5, "wrote before the beginning");
        munmap(blocks[i].map, blocks[i].size);
    }
    n_blocks = 0;
}

/* ---- the run ---- */

static int is_wanted(const char *name, char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strstr(name, names[i]))
            return 1;
    return n == 0;
}

static void check_one(const check_kernel *kernel, const check_level *level, uint32_t seed, int times)
{
    current.kernel = kernel->name;
    current.level = level->name;
    for (int i = 0; i < times; i++) {
        current.seed = seed + (uint32_t)i;
        current.random = current.seed * 2654435761u + 1;
        kernel->check(level);
        check_free_all();
    }
}

int check_run(const check_level *level, const check_asked *asked)
{
    int passed = 0;
    for (size_t i = 0; i < COUNT(kernels); i++)
        if (is_wanted(kernels[i]->name, asked->names, asked->n_names)) {
            check_one(kernels[i], level, asked->seed, asked->times);
            printf("ok      %-10s %-11s %d times\n", kernels[i]->name, level->name, asked->times);
            passed++;
        }
    return passed;
}

void check_bench(const check_level *level, const check_asked *asked)
{
    for (size_t i = 0; i < COUNT(kernels); i++)
        if (kernels[i]->bench && is_wanted(kernels[i]->name, asked->names, asked->n_names))
            kernels[i]->bench(level);
}
