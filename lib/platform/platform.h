/* platform.h - what Linux, macOS and plain POSIX do differently. No other file of lib and kernels asks what system it is
 * compiled for, or calls what only one of them has (test/check-platform), so a port to another system is a branch of
 * platform.c. Lowest of all: it knows nothing of the library, not even its errors.
 *
 * Any thread may call any of them. */
#ifndef WH_PLATFORM_H
#define WH_PLATFORM_H

#include <pthread.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#if defined(__APPLE__)
#include <xlocale.h> /* newlocale() and strtod_l(), which others have in locale.h and stdlib.h */
#endif

/* ---- the CPU ---- */

/* Cores that this process may run on; 0: the system does not say. */
int wh_platform_cores(void);

/* ARM's features that are no part of every 64-bit CPU. */
enum wh_arm_feature { WH_ARM_DOTPROD, WH_ARM_I8MM, WH_ARM_BF16 };
int wh_platform_has_arm(enum wh_arm_feature feature);

/* Ask for the registers of x86's tiles (AMX); all the process's threads have them then, and asking again changes nothing.
 * 0: they are not given. */
int wh_platform_ask_for_tiles(void);

/* ---- memory ---- */

/* Pages of zeros from the system, or NULL; wh_platform_unmap() gives them back. */
void *wh_platform_pages(size_t bytes);
/* A file's first bytes, to be read; NULL: errno says why not. */
const void *wh_platform_map(int fd, size_t bytes);
void wh_platform_unmap(const void *at, size_t bytes);

enum wh_advice {
    WH_WANT_LARGE,    /* large pages, where there are some */
    WH_WILL_WRITE,    /* take the pages together now, which is cheaper than one by one */
    WH_NEED_NOT_KEEP, /* the process's own memory goes back to the system; zeros, or what was there, is found later */
    WH_NEED_NOT_READ, /* a mapped file's, likewise; what the file has is found later */
};
/* Of whole pages. 0 where the system has no such thing or refused; nothing is wrong then. */
int wh_platform_advise(void *at, size_t bytes, enum wh_advice advice);

/* ---- chance ---- */

/* Bytes that nobody can guess: `bytes` has room for 16. 0: the system gives none. */
int wh_platform_random(unsigned char *bytes);

/* ---- waiting, signals ---- */

/* A condition whose time nobody sets; wait for it, with the mutex held, at most `seconds`. 0, or ETIMEDOUT. */
void wh_platform_condition_init(pthread_cond_t *condition);
int wh_platform_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, double seconds);

/* Take a signal away that waits for this thread, which blocks it; nothing where none waits. */
void wh_platform_drop_signal(int signal);

/* ---- files ---- */

/* A file to write in a folder ("." for this one) that has no name, so that nothing is left of it where the process ends;
 * -1 where there can be none. Then give it a name that nothing has yet: 0 or an errno value. */
int wh_platform_open_nameless(const char *folder);
int wh_platform_give_name(int fd, const char *name);

/* As fsync(), down to the disk. */
int wh_platform_sync(int fd);

/* When the file was last changed. */
struct timespec wh_platform_changed(const struct stat *file);

#endif
