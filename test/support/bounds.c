/* bounds.c - see bounds.h. */
#include "support/bounds.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/testing.h"

#define PROMISED 0.1                           /* seconds, of the best of three calls */
#define FACTOR (BOUNDS_SANITIZED ? 20.0 : 2.5) /* on a busy machine with two cores */
#define MOST_SECONDS (PROMISED * FACTOR)
#define MOST_BYTES ((size_t)64 << 20)
#define TIMES_INPUT 4
#define TRIES 3
#define TIMEOUT 20 /* seconds of a command, by the clock */

static double slowest;
static char slowest_what[200];

static void tell_slowest(void)
{
    printf("slowest: %.3f s of the processor: %s\n", slowest, slowest_what);
}

static void note_time(const char *what, double took)
{
    if (!slowest_what[0])
        atexit(tell_slowest);
    if (took >= slowest) {
        slowest = took;
        snprintf(slowest_what, sizeof slowest_what, "%s", what);
    }
}

/* ---- in this process ---- */

static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Private memory that the process has: what RLIMIT_DATA counts. */
static size_t private_memory(void)
{
    unsigned long size, resident, shared, text, library, data;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu %lu %lu %lu %lu", &size, &resident, &shared, &text, &library, &data), 6);
    fclose(file);
    return data * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
}

bounds bounds_begin(size_t input)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
    if (!BOUNDS_SANITIZED)
        limit_memory(private_memory() + MOST_BYTES + TIMES_INPUT * input);
    return (bounds){.started = processor_time(), .limit = limit.rlim_cur};
}

double bounds_end(const bounds *b)
{
    double took = processor_time() - b->started;
    limit_memory(b->limit);
    return took;
}

void within_bounds(const char *what, size_t input, void (*f)(void *user), void *user)
{
    double best = 1e9;
    for (int i = 0; i < TRIES && best > PROMISED; i++) {
        bounds b = bounds_begin(input);
        f(user);
        double took = bounds_end(&b);
        best = took < best ? took : best;
    }
    note_time(what, best);
    if (best > MOST_SECONDS)
        fail_msg("%s: it takes %.3f s of the processor", what, best);
}

/* ---- a command ---- */

/* Everything that comes until the end, or until time is up: then 0. */
static int read_all(int fd, wh_buf *said, double until)
{
    char bytes[4096];
    ssize_t n;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n > 0 && said->length < 1 << 20)
            wh_buf_append(said, bytes, (size_t)n);
        if (n < 0)
            usleep(500);
        if (wh_now() > until)
            return 0;
    }
    return 1;
}

static int run_once(const char *const *arguments, wh_buf *said, struct rusage *usage)
{
    int ends[2], status;
    said->length = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, 0);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    if (!read_all(ends[0], said, wh_now() + TIMEOUT))
        kill(child, SIGKILL);
    close(ends[0]);
    assert_int_equal(wait4(child, &status, 0, usage), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

int run_bounded(const char *const *arguments, size_t input, wh_buf *said)
{
    size_t most = MOST_BYTES + TIMES_INPUT * input;
    double best = 1e9;
    int status = -1;
    for (int i = 0; i < TRIES && best > PROMISED; i++) {
        struct rusage usage;
        status = run_once(arguments, said, &usage);
        double took = seconds(&usage);
        best = took < best ? took : best;
        if (!BOUNDS_SANITIZED && (size_t)usage.ru_maxrss * 1024 > most)
            fail_msg("%s with an input of %zu bytes: it takes %ld kB of memory: %s", arguments[0], input,
                     usage.ru_maxrss, said->data ? said->data : "");
    }
    note_time(said->data ? said->data : arguments[0], best);
    if (best > MOST_SECONDS)
        fail_msg("%s with an input of %zu bytes: it takes %.3f s of the processor: %s", arguments[0], input, best,
                 said->data ? said->data : "");
    return status;
}

int run_unbounded(const char *const *arguments, wh_buf *said)
{
    struct rusage usage;
    return run_once(arguments, said, &usage);
}

const char *program_path(const char *name)
{
    static char path[4200];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    for (int i = 0; i < 2; i++) { /* BUILD/test/test_NAME */
        char *slash = strrchr(self, '/');
        assert_non_null(slash);
        *slash = 0;
    }
    snprintf(path, sizeof path, "%s/%s", self, name);
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there: make all", path);
    return path;
}

uint64_t test_seed(void)
{
    const char *given = getenv("WHISP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
    printf("WHISP_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}
