/* pages.c - see pages.h. A sanitizer sees the ends of what malloc() gives, so it gets that. */
#include "util/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "util/util.h"

#ifdef __has_feature
#define HAS(feature) __has_feature(feature)
#else
#define HAS(feature) 0
#endif

#define LARGE (8u << 20) /* bytes that are worth pages of 2 MB */
#define LONG 1.5e-3      /* seconds: zeroing one takes a quarter of it */

#if defined(__SANITIZE_ADDRESS__) || HAS(address_sanitizer)
static void *take(size_t bytes, int is_plain)
{
    (void)is_plain;
    return wh_alloc_aligned(bytes, 1);
}

int wh_pages_large(const wh_pages *p, size_t i)
{
    (void)p;
    (void)i;
    return 1;
}

void wh_pages_fill(void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
}

void wh_pages_rest(void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
}

static void give_back(void *at, size_t bytes)
{
    (void)bytes;
    free(at);
}
#else
static void *take(size_t bytes, int is_plain)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE && !is_plain) /* faults of 4 kB each would cost more than what is computed there */
        (void)madvise(at, bytes, MADV_HUGEPAGE);
#endif
    return at;
}

/* The pages that lie wholly in bytes from `at` on. */
static void advise(void *at, size_t bytes, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)at + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)at + bytes) / page * page;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, advice);
}

void wh_pages_fill(void *at, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    advise(at, bytes, MADV_POPULATE_WRITE);
#else
    (void)at;
    (void)bytes;
#endif
}

void wh_pages_rest(void *at, size_t bytes)
{
    advise(at, bytes, MADV_DONTNEED);
}

static double thread_time(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int wh_pages_large(const wh_pages *p, size_t i)
{
    uintptr_t at = ((uintptr_t)p->at + WH_LARGE_PAGE - 1) / WH_LARGE_PAGE * WH_LARGE_PAGE + i * WH_LARGE_PAGE;
    double began = thread_time();
    if (at + WH_LARGE_PAGE > (uintptr_t)p->at + p->bytes)
        return 1;
#ifdef MADV_HUGEPAGE
    if (madvise((void *)at, WH_LARGE_PAGE, MADV_HUGEPAGE))
        return 0;
    *(volatile char *)at = 0;
#endif
    return thread_time() - began < LONG;
}

static void give_back(void *at, size_t bytes)
{
    munmap(at, bytes);
}
#endif

static int take_floats(wh_pages *p, size_t n, size_t m, int is_plain)
{
    *p = (wh_pages){0};
    if (m && n > SIZE_MAX / sizeof *p->at / m)
        return wh_fail_memory();
    size_t bytes = WH_MAX(n * m, 1) * sizeof *p->at;
    if (!(p->at = take(bytes, is_plain)))
        return wh_fail_memory();
    p->bytes = bytes;
    return WHISP_OK;
}

int wh_pages_take(wh_pages *p, size_t n, size_t m)
{
    return take_floats(p, n, m, 0);
}

int wh_pages_take_plain(wh_pages *p, size_t n, size_t m)
{
    return take_floats(p, n, m, 1);
}

void wh_pages_give_back(wh_pages *p)
{
    if (p->at)
        give_back(p->at, p->bytes);
    *p = (wh_pages){0};
}
