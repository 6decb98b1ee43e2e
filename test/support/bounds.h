/* bounds.h - what crafted input may cost, measured: 100 ms of the processor, and 64 MB of memory plus four times the
 * input. In this process between bounds_begin() and bounds_end(), or of a command.
 *
 * Processor time does not depend on what else the machine does but for its caches. What took longer than 100 ms is tried
 * again, and the best of three counts; then a factor of 2.5 is allowed, for busy machines, and of 20 under sanitizers, which
 * need memory of their own, too: that is not looked at there. At its end the program says what took longest. */
#ifndef TEST_BOUNDS_H
#define TEST_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#include "util/util.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUNDS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define BOUNDS_SANITIZED 1
#endif
#endif
#ifndef BOUNDS_SANITIZED
#define BOUNDS_SANITIZED 0
#endif

typedef struct bounds {
    double started; /* of the processor */
    size_t limit;   /* bytes of private memory that the process might have before, or RLIM_INFINITY */
} bounds;

/* From here to bounds_end() allocations fail beyond what an input of so many bytes may cost. */
bounds bounds_begin(size_t input);
/* Seconds of the processor since then. */
double bounds_end(const bounds *b);

/* Call f(user) within the bounds; fails the test with `what` if none of three calls was fast enough. f must not leave
 * things behind. */
void within_bounds(const char *what, size_t input, void (*f)(void *user), void *user);

/* Run a command: its exit status (-1: a signal ended it, or 20 s were too few), what it said on both outputs appended to
 * *said. Fails the test if it takes more than an input of so many bytes may cost. Its standard input is empty. */
int run_bounded(const char *const *arguments, size_t input, wh_buf *said);

/* The same of what may take as long as it needs. */
int run_unbounded(const char *const *arguments, wh_buf *said);

/* The program of that name that lies in the build of this test. Static storage. */
const char *program_path(const char *name);

/* The number that a test's chance begins with: $WHISP_SEED, or a new one each time. It is printed. */
uint64_t test_seed(void);

#endif
