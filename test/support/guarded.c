/* guarded.c - see guarded.h. */
#include "support/guarded.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/bounds.h"
#include "support/testing.h"

#define MOST_BLOCKS 8192
#define FILL 0xa5

static struct block {
    char *room, *map; /* what was asked for; all of it, guard pages included */
    size_t size, mapped;
} blocks[MOST_BLOCKS];
static int n_blocks;
int guarded_at_start;
static pthread_mutex_t blocks_mutex = PTHREAD_MUTEX_INITIALIZER;

void *__wrap_wh_alloc_aligned(size_t n, size_t size);
void __wrap_free(void *room);
void __real_free(void *room) __attribute__((weak)); /* only in programs that are linked so */

static void *guarded(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (size + page - 1) / page * page;
    char *map = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + page, inside, PROT_READ | PROT_WRITE))
        return NULL;
    memset(map + page, FILL, inside); /* not zeros: nothing may count on them */
    char *room = guarded_at_start ? map + page : map + page + (inside - size) / 64 * 64;
    pthread_mutex_lock(&blocks_mutex);
    assert_true(n_blocks < MOST_BLOCKS);
    blocks[n_blocks++] = (struct block){room, map, size, inside + 2 * page};
    pthread_mutex_unlock(&blocks_mutex);
    return room;
}

void *__wrap_wh_alloc_aligned(size_t n, size_t size)
{
    void *room;
    assert_true(!size || n <= SIZE_MAX / size);
    size_t bytes = n && size ? n * size : 1;
    if (!BOUNDS_SANITIZED)
        return guarded(bytes);
    return posix_memalign(&room, 64, bytes) ? NULL : room;
}

void __wrap_free(void *room)
{
    pthread_mutex_lock(&blocks_mutex);
    int i = n_blocks - 1;
    while (i >= 0 && blocks[i].room != room)
        i--;
    struct block b = i >= 0 && room ? blocks[i] : (struct block){0};
    if (b.map)
        blocks[i] = blocks[--n_blocks];
    pthread_mutex_unlock(&blocks_mutex);
    if (!b.map) {
        __real_free(room);
        return;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const char *inside = b.map + page, *end = b.map + b.mapped - page;
    for (const char *p = inside; p < end; p++)
        if ((p < b.room || p >= b.room + b.size) && *p != (char)FILL)
            fail_msg("%td bytes from a block of %zu bytes something was written", p - b.room, b.size);
    munmap(b.map, b.mapped);
}
