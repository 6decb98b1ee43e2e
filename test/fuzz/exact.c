/* exact.c - memory whose last byte is the last one that was asked for, so that AddressSanitizer sees the first byte
 * that is read or written behind it: the linker puts these in place of the library's aligned allocation, which rounds
 * up, and of mmap(), whose pages end where no file does. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

void *__wrap_wh_alloc_aligned(size_t n, size_t size);
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t n);
int __wrap_munmap(void *at, size_t n);
int __real_madvise(void *at, size_t n, int advice);
int __wrap_madvise(void *at, size_t n, int advice);

void *__wrap_wh_alloc_aligned(size_t n, size_t size)
{
    void *room;
    if (size && n > SIZE_MAX / size)
        return NULL;
    return posix_memalign(&room, 64, n && size ? n * size : 1) ? NULL : room;
}

/* The copies that stand for mappings. */
static struct copy {
    void *at;
    size_t n;
} copies[64];

static struct copy *find(const void *at, size_t n)
{
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        if (copies[i].at == at && (!at || copies[i].n == n))
            return &copies[i];
    return NULL;
}

void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    struct copy *copy = fd >= 0 && protection == PROT_READ && n ? find(NULL, 0) : NULL;
    if (!copy || posix_memalign(&copy->at, 4096, n))
        return __real_mmap(at, n, protection, flags, fd, offset);
    copy->n = n;
    for (size_t got = 0; got < n;) {
        ssize_t some = pread(fd, (char *)copy->at + got, n - got, offset + (off_t)got);
        FUZZ_CHECK(some > 0);
        got += (size_t)some;
    }
    return copy->at;
}

int __wrap_munmap(void *at, size_t n)
{
    struct copy *copy = at ? find(at, n) : NULL;
    if (!copy)
        return __real_munmap(at, n);
    free(at);
    copy->at = NULL;
    return 0;
}

int __wrap_madvise(void *at, size_t n, int advice)
{
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        if (copies[i].at && (char *)at >= (char *)copies[i].at && (char *)at < (char *)copies[i].at + copies[i].n)
            return 0; /* the system must not drop what it cannot bring back */
    return __real_madvise(at, n, advice);
}
