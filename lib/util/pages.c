/* pages.c - see pages.h. A sanitizer sees the ends of what malloc() gives, so it gets that. */
#include "util/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "util/util.h"

#ifdef __has_feature
#define HAS(feature) __has_feature(feature)
#else
#define HAS(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS(address_sanitizer)
static void *take(size_t bytes)
{
    return wh_alloc_aligned(bytes, 1);
}

static void give_back(void *at, size_t bytes)
{
    (void)bytes;
    free(at);
}
#else
static void *take(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void give_back(void *at, size_t bytes)
{
    munmap(at, bytes);
}
#endif

int wh_pages_take(wh_pages *p, size_t n, size_t m)
{
    *p = (wh_pages){0};
    if (m && n > SIZE_MAX / sizeof *p->at / m)
        return wh_fail_memory();
    size_t bytes = WH_MAX(n * m, 1) * sizeof *p->at;
    if (!(p->at = take(bytes)))
        return wh_fail_memory();
    p->bytes = bytes;
    return WHISP_OK;
}

void wh_pages_give_back(wh_pages *p)
{
    if (p->at)
        give_back(p->at, p->bytes);
    *p = (wh_pages){0};
}
