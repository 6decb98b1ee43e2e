/* platform.c - see platform.h. Each group has Linux's branch first, then macOS's, then what POSIX has.
 *
 * macOS's branch is written with care and untried: nobody has run it, and it was compiled only against headers that were
 * written for that (test/foreign/macos). */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <sys/random.h>
#include <sys/sysctl.h>
#endif

/* ---- the CPU ---- */

static int cores_online(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < 1 << 16 ? (int)online : 0;
}

#if defined(__linux__)
int wh_platform_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : cores_online(); /* more than the set holds */
}

/* Bits of AT_HWCAP and AT_HWCAP2 (Linux, arch/arm64/include/uapi/asm/hwcap.h); old headers have not all names. */
int wh_platform_has_arm(enum wh_arm_feature feature)
{
#if defined(__aarch64__)
    switch (feature) {
    case WH_ARM_DOTPROD: return (getauxval(AT_HWCAP) & 1ul << 20) != 0;
    case WH_ARM_I8MM: return (getauxval(AT_HWCAP2) & 1ul << 13) != 0;
    case WH_ARM_BF16: return (getauxval(AT_HWCAP2) & 1ul << 14) != 0;
    }
#endif
    (void)feature;
    return 0;
}

/* arch_prctl(2). A kernel that does not know the call, or refuses because a thread's signal stack is too small, leaves us
 * without. From then on the process's signal stacks must have room for the tiles. */
int wh_platform_ask_for_tiles(void)
{
#if defined(__x86_64__)
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return 0;
#endif
}
#elif defined(__APPLE__)
static int number(const char *name)
{
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

/* The fast ones, where there are two kinds. A process cannot be kept from some of them. */
int wh_platform_cores(void)
{
    int fast = number("hw.perflevel0.logicalcpu");
    return fast > 0 ? fast : cores_online();
}

int wh_platform_has_arm(enum wh_arm_feature feature)
{
    static const char *const names[] = {
        "hw.optional.arm.FEAT_DotProd",
        "hw.optional.arm.FEAT_I8MM",
        "hw.optional.arm.FEAT_BF16",
    };
    return number(names[feature]) != 0;
}

int wh_platform_ask_for_tiles(void)
{
    return 0;
}
#else
int wh_platform_cores(void)
{
    return cores_online();
}

/* Nothing is believed that nobody says. */
int wh_platform_has_arm(enum wh_arm_feature feature)
{
    (void)feature;
    return 0;
}

int wh_platform_ask_for_tiles(void)
{
    return 0;
}
#endif

/* ---- memory ---- */

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

void *wh_platform_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

const void *wh_platform_map(int fd, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

void wh_platform_unmap(const void *at, size_t bytes)
{
    munmap((void *)(uintptr_t)at, bytes);
}

#if defined(__linux__)
int wh_platform_advise(void *at, size_t bytes, enum wh_advice advice)
{
    switch (advice) {
#ifdef MADV_HUGEPAGE
    case WH_WANT_LARGE: return madvise(at, bytes, MADV_HUGEPAGE) == 0;
#endif
#ifdef MADV_POPULATE_WRITE
    case WH_WILL_WRITE: return madvise(at, bytes, MADV_POPULATE_WRITE) == 0;
#endif
    case WH_NEED_NOT_KEEP:
    case WH_NEED_NOT_READ: return madvise(at, bytes, MADV_DONTNEED) == 0;
    default: return 0;
    }
}
#elif defined(__APPLE__)
int wh_platform_advise(void *at, size_t bytes, enum wh_advice advice)
{
    switch (advice) {
    case WH_NEED_NOT_KEEP: return madvise(at, bytes, MADV_FREE) == 0;
    case WH_NEED_NOT_READ: return madvise(at, bytes, MADV_DONTNEED) == 0;
    default: return 0;
    }
}
#else
int wh_platform_advise(void *at, size_t bytes, enum wh_advice advice)
{
    return advice == WH_NEED_NOT_READ && posix_madvise(at, bytes, POSIX_MADV_DONTNEED) == 0;
}
#endif

/* ---- chance ---- */

#if defined(__linux__)
int wh_platform_random(unsigned char *bytes)
{
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    if (random)
        memcpy(bytes, random, 16);
    return random != NULL;
}
#elif defined(__APPLE__)
int wh_platform_random(unsigned char *bytes)
{
    return getentropy(bytes, 16) == 0;
}
#else
int wh_platform_random(unsigned char *bytes)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    int there = fd >= 0 && read(fd, bytes, 16) == 16;
    if (fd >= 0)
        close(fd);
    return there;
}
#endif

/* ---- waiting, signals ---- */

static struct timespec seconds_of(double seconds)
{
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    return t;
}

#if defined(__APPLE__)
void wh_platform_condition_init(pthread_cond_t *condition)
{
    pthread_cond_init(condition, NULL);
}

int wh_platform_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, double seconds)
{
    struct timespec t = seconds_of(seconds);
    return pthread_cond_timedwait_relative_np(condition, mutex, &t);
}

void wh_platform_drop_signal(int signal)
{
    sigset_t one, pending;
    int taken;
    sigemptyset(&one);
    sigaddset(&one, signal);
    if (sigpending(&pending) == 0 && sigismember(&pending, signal) == 1)
        sigwait(&one, &taken);
}
#else
void wh_platform_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int wh_platform_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, double seconds)
{
    struct timespec now, t;
    clock_gettime(CLOCK_MONOTONIC, &now);
    t = seconds_of((double)now.tv_sec + 1e-9 * (double)now.tv_nsec + seconds);
    return pthread_cond_timedwait(condition, mutex, &t);
}

void wh_platform_drop_signal(int signal)
{
    sigset_t one;
    struct timespec now = {0, 0};
    sigemptyset(&one);
    sigaddset(&one, signal);
    while (sigtimedwait(&one, NULL, &now) < 0 && errno == EINTR)
        ;
}
#endif

/* ---- files ---- */

#if defined(__linux__)
int wh_platform_open_nameless(const char *folder)
{
    return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
}

int wh_platform_give_name(int fd, const char *name)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) ? errno : 0;
}
#else
int wh_platform_open_nameless(const char *folder)
{
    (void)folder;
    return -1;
}

int wh_platform_give_name(int fd, const char *name)
{
    (void)fd;
    (void)name;
    return ENOTSUP;
}
#endif

#if defined(__APPLE__)
/* There fsync() leaves it to the disk when it writes. */
int wh_platform_sync(int fd)
{
    return fcntl(fd, F_FULLFSYNC) == 0 ? 0 : fsync(fd);
}

struct timespec wh_platform_changed(const struct stat *file)
{
    return file->st_mtimespec;
}
#else
int wh_platform_sync(int fd)
{
    return fsync(fd);
}

struct timespec wh_platform_changed(const struct stat *file)
{
    return file->st_mtim;
}
#endif
