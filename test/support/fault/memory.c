/* memory.c - see memory.h. The C library's allocator, or the sanitizer's, behind functions that can fail. */
#include "support/fault/memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer's functions stand in front of the C library's; both have them under a second name. */
#define REAL_FUNCTION(type, name, parameters, arguments)                                                               \
    type __interceptor_##name parameters __attribute__((weak));                                                        \
    type __libc_##name parameters;                                                                                     \
    static type real_##name parameters                                                                                 \
    {                                                                                                                  \
        return __interceptor_##name ? __interceptor_##name arguments : __libc_##name arguments;                        \
    }
REAL_FUNCTION(void *, malloc, (size_t n), (n))
REAL_FUNCTION(void *, calloc, (size_t n, size_t size), (n, size))
REAL_FUNCTION(void *, realloc, (void *old, size_t n), (old, n))
REAL_FUNCTION(void *, memalign, (size_t alignment, size_t n), (alignment, n))

static atomic_long calls, fail_at, did_fail;
static atomic_int all_later, is_counting;
static atomic_int threads_left = -1;

void memory_fails(long at, int and_later)
{
    calls = 0;
    did_fail = 0;
    all_later = and_later;
    fail_at = at;
    is_counting = 1;
}

long memory_works(void)
{
    fail_at = 0;
    is_counting = 0;
    return calls;
}

int memory_failed(void)
{
    return did_fail > 0;
}

void threads_fail(int n)
{
    threads_left = n;
}

/* What libraries allocate that do not look whether they got it: in Debian 12 libvorbis (everywhere), libsndfile (some
 * of its codecs) and glibc's regcomp(), which frees twice what it could not finish. docs/security.md names them. */
static _Thread_local int excused;

static int is_excused(const void *caller)
{
    Dl_info info;
    return excused || (dladdr(caller, &info) && info.dli_fname &&
                       (strstr(info.dli_fname, "/libvorbis") || strstr(info.dli_fname, "/libsndfile")));
}

static int fails(const void *caller)
{
    if (!is_counting || is_excused(caller))
        return 0;
    long n = atomic_fetch_add(&calls, 1) + 1, at = fail_at;
    if (at == 0 || (all_later ? n < at : n != at))
        return 0;
    atomic_fetch_add(&did_fail, 1);
    errno = ENOMEM;
    return 1;
}

/* What the compiler knows of these names ("never returns its argument", "must not be NULL") is of no use here. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wnonnull-compare"
#define CALLER __builtin_return_address(0)
#define EXPORTED __attribute__((visibility("default"), noinline))

EXPORTED void *malloc(size_t n)
{
    return fails(CALLER) ? NULL : real_malloc(n);
}

EXPORTED void *calloc(size_t n, size_t size)
{
    return fails(CALLER) ? NULL : real_calloc(n, size);
}

EXPORTED void *realloc(void *old, size_t n)
{
    return fails(CALLER) ? NULL : real_realloc(old, n);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t n)
{
    return fails(CALLER) ? NULL : real_memalign(alignment, n);
}

EXPORTED void *memalign(size_t alignment, size_t n)
{
    return fails(CALLER) ? NULL : real_memalign(alignment, n);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t n)
{
    void *p = fails(CALLER) ? NULL : real_memalign(alignment, n);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

/* Memory by the page is an allocation, too (lib/util/pages.c; under a sanitizer that is malloc()). The C library's own
 * mappings, for large blocks and threads' stacks, do not come by here. Of a file: see calls.c. */
#if defined(SYS_mmap) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
EXPORTED void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (flags & MAP_ANONYMOUS && fails(CALLER))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}
#endif

/* A sanitizer's own would not come by malloc(). */
static char *copy_of(const char *text, size_t n, const void *caller)
{
    size_t length = strnlen(text, n);
    char *copy = fails(caller) ? NULL : real_malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

EXPORTED char *strndup(const char *text, size_t n)
{
    return copy_of(text, n, CALLER);
}

EXPORTED char *strdup(const char *text)
{
    return copy_of(text, SIZE_MAX - 1, CALLER);
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

/* A sanitizer asks for every new thread, and ends the program when it gets no answer. */
EXPORTED int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    int (*real)(pthread_t, pthread_attr_t *);
    void *found = next("pthread_getattr_np");
    memcpy(&real, &found, sizeof real);
    excused++;
    int rc = real(thread, attributes);
    excused--;
    return rc;
}

EXPORTED int regcomp(regex_t *regex, const char *pattern, int flags)
{
    int (*real)(regex_t *, const char *, int);
    void *found = next("regcomp");
    memcpy(&real, &found, sizeof real);
    excused++;
    int rc = real(regex, pattern, flags);
    excused--;
    return rc;
}

EXPORTED int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *argument)
{
    static int (*_Atomic real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    for (int left = threads_left; left >= 0;) {
        if (left == 0)
            return EAGAIN;
        if (atomic_compare_exchange_weak(&threads_left, &left, left - 1))
            break;
    }
    if (!real) {
        void *found = next("pthread_create");
        int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
        memcpy(&create, &found, sizeof create);
        real = create;
    }
    return real(thread, attributes, fn, argument);
}
