/* pages.c - see pages.h. A sanitizer sees the ends of what malloc() gives, so it gets that. */
#include "util/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"
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
    void *at = wh_platform_pages(bytes);
    if (at && bytes >= LARGE && !is_plain) /* faults of 4 kB each would cost more than what is computed there */
        (void)wh_platform_advise(at, bytes, WH_WANT_LARGE);
    return at;
}

/* The pages that lie wholly in bytes from `at` on. */
static void advise(void *at, size_t bytes, enum wh_advice advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)at + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)at + bytes) / page * page;
    if (begin < end)
        (void)wh_platform_advise((void *)begin, end - begin, advice);
}

void wh_pages_fill(void *at, size_t bytes)
{
    advise(at, bytes, WH_WILL_WRITE);
}

void wh_pages_rest(void *at, size_t bytes)
{
    advise(at, bytes, WH_NEED_NOT_KEEP);
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
    if (!wh_platform_advise((void *)at, WH_LARGE_PAGE, WH_WANT_LARGE))
        return 0;
    *(volatile char *)at = 0;
    return thread_time() - began < LONG;
}

static void give_back(void *at, size_t bytes)
{
    wh_platform_unmap(at, bytes);
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
