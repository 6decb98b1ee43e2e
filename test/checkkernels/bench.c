/* bench.c - times for checkkernels --bench: calls, ceilings and shares.
 *
 * A ceiling of arithmetic is the best of three unrolled loops, or clock times rate times the operations of an
 * instruction if that is more: the clock from a chain of dependent additions, the rate from the loop's instructions
 * a cycle, rounded to whole ports, or cycles where an instruction takes several. A loop that falls short is said aloud. The ceiling of reading is two threads that
 * add up 64 MiB each. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkkernels/ceilings.h"
#include "cpu/x86/x86.h"

#define MAX_LEVELS 16

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double check_time(check_call call, void *context)
{
    double best = 1e9, begin = now();
    for (int i = 0; i < 5 || (now() - begin < 0.1 && i < 100000); i++) {
        double start = now();
        call(context);
        best = fmin(best, now() - start);
    }
    return best;
}

typedef struct timed {
    check_call call;
    void *context;
    pthread_barrier_t *barrier;
    int times;
    double *begin, *end; /* [times] */
} timed;

static void *timed_thread(void *argument)
{
    const timed *t = argument;
    for (int i = 0; i < t->times; i++) {
        pthread_barrier_wait(t->barrier);
        t->begin[i] = now();
        t->call(t->context);
        t->end[i] = now();
    }
    return NULL;
}

double check_time_threads(check_call call, void *const *contexts, int threads)
{
    enum { TIMES = 60, MOST = 8 };
    pthread_t ids[MOST];
    timed list[MOST];
    pthread_barrier_t barrier;
    double best = 1e9, begin[MOST][TIMES], end[MOST][TIMES];
    threads = threads < MOST ? threads : MOST;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        list[i] = (timed){call, contexts[i], &barrier, TIMES, begin[i], end[i]};
        if (pthread_create(&ids[i], NULL, timed_thread, &list[i]))
            abort();
    }
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    for (int n = 0; n < TIMES; n++) { /* from the first that begins to the last that ends */
        double first = begin[0][n], last = end[0][n];
        for (int i = 1; i < threads; i++) {
            first = fmin(first, begin[i][n]);
            last = fmax(last, end[i][n]);
        }
        best = fmin(best, last - first);
    }
    pthread_barrier_destroy(&barrier);
    return best;
}

/* ---- ceilings ---- */

typedef struct loop_call {
    check_loop loop;
    int chains;
} loop_call;

#define LOOP_COUNT 480000

static void run_loop(void *context)
{
    const loop_call *c = context;
    c->loop(c->chains, LOOP_COUNT);
}

static void add_chain(void *context)
{
    uint64_t x = 1, n = LOOP_COUNT / 8;
    (void)context;
#if defined(__x86_64__)
    for (; n; n--)
        __asm__ volatile("add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
                         "add %1, %0\n\tadd %1, %0"
                         : "+r"(x)
                         : "r"(n));
#else
    for (; n; n--) /* no level there has a ceiling yet */
        __asm__ volatile("" : "+r"(x));
#endif
}

typedef struct read_call {
    const uint64_t *data;
    size_t n;
    uint64_t sum;
} read_call;

static void read_all(void *context)
{
    read_call *c = context;
    typedef uint64_t v8 __attribute__((vector_size(64)));
    v8 a = {0}, b = {0};
    for (size_t i = 0; i + 16 <= c->n; i += 16) {
        v8 x, y;
        memcpy(&x, c->data + i, sizeof x);
        memcpy(&y, c->data + i + 8, sizeof y);
        a ^= x;
        b ^= y;
    }
    a ^= b;
    for (int i = 0; i < 8; i++)
        c->sum ^= a[i];
    __asm__ volatile("" ::"r"(c->sum));
}

/* GB/s of `threads` (1 or 2) threads that read `bytes` each. */
static double read_speed(size_t bytes, int threads)
{
    read_call calls[2];
    void *contexts[2] = {&calls[0], &calls[1]};
    for (int i = 0; i < 2; i++) {
        uint64_t *data = aligned_alloc(64, bytes);
        if (!data)
            abort();
        memset(data, i + 1, bytes);
        calls[i] = (read_call){data, bytes / 8, 0};
    }
    double seconds = check_time_threads(read_all, contexts, threads);
    free((void *)calls[0].data);
    free((void *)calls[1].data);
    return 1e-9 * threads * (double)bytes / seconds;
}

int check_level_get(int level, check_level *out)
{
    wh_cpu cpu, generic;
    if (!wh_cpu_get(level, &cpu) || !wh_cpu_get(0, &generic))
        return 0;
    *out = (check_level){level,        cpu.name,      cpu.kernels,       generic.kernels, cpu.gemm,
                         generic.gemm, cpu.attention, generic.attention, cpu.conv};
    return 1;
}

/* Loops of a level, and of those whose instructions it has, too, from the best. */
static const struct {
    const char *level;
    check_loop (*loops[3])(check_ceiling what, int *ops);
} loops_of[] = {
    {"avx2", {check_loop_avx2}},
    {"avxvnni", {check_loop_avxvnni, check_loop_avx2}},
    {"avx512", {check_loop_avx512, check_loop_avx2}},
    {"avx512vnni", {check_loop_avx512vnni, check_loop_avx512, check_loop_avx2}},
    {"amx", {check_loop_amx, check_loop_avx512, check_loop_avx2}},
};

check_loop check_loop_get(const char *level, check_ceiling what, int *ops)
{
    check_loop loop = NULL;
    *ops = 0;
    if (what == CHECK_BF16 && !strcmp(level, "avx512vnni") && wh_x86_has_bf16())
        loop = check_loop_avx512bf16(ops);
    if (!loop && what == CHECK_BF16 && strcmp(level, "amx") != 0) /* by fused multiply-add */
        what = CHECK_F32;
    for (size_t i = 0; i < sizeof loops_of / sizeof loops_of[0]; i++)
        for (int k = 0; k < 3 && !loop && !strcmp(level, loops_of[i].level) && loops_of[i].loops[k]; k++)
            loop = loops_of[i].loops[k](what, ops);
    return loop;
}

static double arithmetic(const check_level *level, check_ceiling what, int says)
{
    int ops;
    loop_call call = {.loop = check_loop_get(level->name, what, &ops)};
    if (!call.loop)
        return 0;
    double best = 1e9, clock = LOOP_COUNT / check_time(add_chain, NULL);
    for (call.chains = 8; call.chains <= 16; call.chains += 4)
        best = fmin(best, check_time(run_loop, &call));
    double a_cycle = LOOP_COUNT / best / clock, rate = a_cycle > 0.75 ? round(a_cycle) : 1 / round(1 / a_cycle);
    double measured = 1e-9 * LOOP_COUNT * ops / best, counted = 1e-9 * clock * rate * ops;
    if (what == CHECK_INT8 && ops == 64 && strcmp(level->name, "avxvnni"))
        counted = 0; /* four instructions of different ports */
    if (says)
        printf("%-11s %-5s ceiling %7.1f Gop/s a thread: loop %.1f (%.2f instructions a cycle at %.2f GHz)%s\n",
               level->name,
               what == CHECK_F32    ? "f32"
               : what == CHECK_BF16 ? "bf16"
                                    : "int8",
               fmax(measured, counted), measured, a_cycle, clock * 1e-9,
               counted && fabs(a_cycle - rate) > 0.1 * rate
                   ? "; not whole ports: the machine was busy or the loop is poor"
                   : "");
    return fmax(measured, counted);
}

static double ceiling(const check_level *level, check_ceiling what)
{
    static double found[MAX_LEVELS][CHECK_CEILINGS]; /* 0: not yet */
    double *at = &found[what == CHECK_READ ? 0 : level->level][what];
    if (!*at && what == CHECK_READ) {
        printf("reading, two threads:");
        for (size_t mib = 4; mib <= 64; mib *= 4)
            printf(" %zu MiB each %.1f GB/s;", mib, *at = read_speed(mib << 20, 2));
        printf(" the last one is the ceiling\n");
    } else if (!*at) {
        *at = arithmetic(level, what, 1);
    }
    return *at;
}

double check_ceiling_speed(const check_level *level, check_ceiling what, int threads)
{
    return what == CHECK_READ ? read_speed(64 << 20, threads) : threads * arithmetic(level, what, 0);
}

void check_report(const check_level *level, const char *what, double amount, double seconds, check_ceiling which)
{
    double most = ceiling(level, which), speed = 1e-9 * amount / seconds;
    printf("%-11s %-44s %9.1f us %8.1f %s", level->name, what, seconds * 1e6, speed,
           which == CHECK_READ ? "GB/s " : "Gop/s");
    if (most > 0)
        printf(" %4.0f%%", 100 * speed / most);
    putchar('\n');
}
