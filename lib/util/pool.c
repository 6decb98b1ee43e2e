/* pool.c - a fixed set of threads that share out numbered tasks (see pool.h).
 *
 * A call to wh_pool_run() is a job. `ticket` holds the job's number in its upper half and the next task in its lower
 * half; a task is taken by adding 1 with compare-and-swap, so a worker that wakes up late, still holding an old job's
 * description, cannot take a task of the next one. Idle workers spin for some microseconds, because decoder steps
 * follow each other closely, then sleep. */
#include "util/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"
#include "util/util.h"

#define SPINS 400 /* of some 10 to 40 ns each */

typedef struct job {
    uint32_t number;
    size_t n;
    wh_task_fn fn;
    void *context;
} job;

typedef struct worker {
    wh_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct wh_pool {
    pthread_mutex_t mutex; /* guards job and stop */
    pthread_cond_t started, finished;
    job job;
    int stop;
    _Atomic uint32_t number; /* of the latest job, to spin on */
    _Atomic uint64_t ticket;
    _Atomic size_t done; /* tasks of the latest job */
    int threads, n_started;
    pid_t pid; /* the process in which the workers live */
    worker workers[WH_POOL_MAX_THREADS];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* `yield` is nothing on most cores; this waits for what was begun */
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* Take and run tasks of `j` until none is left. Returns 1 if this thread finished the job's last task. */
static int work(wh_pool *pool, const job *j, int index)
{
    int last = 0;
    uint64_t ticket = atomic_load(&pool->ticket);
    while (ticket >> 32 == j->number && (uint32_t)ticket < j->n) {
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1))
            continue;
        j->fn(j->context, (uint32_t)ticket, index);
        last = atomic_fetch_add(&pool->done, 1) + 1 == j->n;
        ticket = atomic_load(&pool->ticket);
    }
    return last;
}

static void *worker_main(void *argument)
{
    worker *self = argument;
    wh_pool *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&pool->number, memory_order_relaxed) == seen; i++)
            relax();
        pthread_mutex_lock(&pool->mutex);
        while (pool->job.number == seen && !pool->stop)
            pthread_cond_wait(&pool->started, &pool->mutex);
        job j = pool->job;
        int stop = pool->stop;
        pthread_mutex_unlock(&pool->mutex);
        if (stop)
            return NULL;
        seen = j.number;
        if (work(pool, &j, self->index)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

void wh_pool_run(wh_pool *pool, size_t n, wh_task_fn fn, void *context)
{
    if (n <= 1 || pool->threads == 1 || getpid() != pool->pid) {
        for (size_t i = 0; i < n; i++)
            fn(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->job = (job){.number = pool->job.number + 1, .n = n, .fn = fn, .context = context};
    job j = pool->job;
    atomic_store(&pool->done, 0);
    atomic_store(&pool->ticket, (uint64_t)j.number << 32);
    atomic_store(&pool->number, j.number);
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->mutex);

    work(pool, &j, 0);
    for (int i = 0; i < SPINS && atomic_load(&pool->done) < n; i++)
        relax();
    if (atomic_load(&pool->done) < n) {
        pthread_mutex_lock(&pool->mutex);
        while (atomic_load(&pool->done) < n)
            pthread_cond_wait(&pool->finished, &pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
    }
}

int wh_usable_cores(void)
{
    int cores = wh_platform_cores();
    return WH_MAX(1, WH_MIN(cores, WH_POOL_MAX_THREADS));
}

/* Where a limit counts threads, one that was joined may count for a moment longer: EAGAIN is asked again, for a fifth
 * of a second in all. */
#define START_TRIES 20

/* Signals are the host's business, but those that a thread brings on itself: blocked, they end the process without a
 * word, and a host's handler (or the command's, of a model that is cut off) would not be asked. */
static void block_signals(sigset_t *old)
{
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < WH_COUNT(own); i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_SETMASK, &set, old);
}

int wh_thread_start(pthread_t *thread, void *(*fn)(void *), void *argument)
{
    sigset_t old;
    int failed = 0;
    block_signals(&old);
    for (int tries = 0; tries < START_TRIES; tries++) {
        failed = pthread_create(thread, NULL, fn, argument);
        if (failed != EAGAIN)
            break;
        nanosleep(&(struct timespec){.tv_nsec = (tries + 1) * 1000000L}, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

/* As many as the machine gives: fewer do the same, the caller alone if need be. */
static void start_workers(wh_pool *pool, int threads)
{
    int failed = 0;
    while (!failed && pool->n_started < threads - 1) {
        worker *w = &pool->workers[pool->n_started];
        *w = (worker){.pool = pool, .index = pool->n_started + 1};
        failed = wh_thread_start(&w->thread, worker_main, w);
        pool->n_started += !failed;
    }
    pool->threads = pool->n_started + 1;
}

int wh_pool_new(int threads, wh_pool **pool)
{
    *pool = NULL;
    if (threads < 0 || threads > WH_POOL_MAX_THREADS)
        return wh_fail(WHISP_ERR_ARGUMENT, "%d threads: give 1 to %d, or 0 for one a core", threads,
                       WH_POOL_MAX_THREADS);
    wh_pool *p = wh_calloc(1, sizeof *p);
    if (!p)
        return wh_fail_memory();
    p->pid = getpid();
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->started, NULL);
    pthread_cond_init(&p->finished, NULL);
    start_workers(p, threads ? threads : wh_usable_cores());
    *pool = p;
    return WHISP_OK;
}

void wh_pool_free(wh_pool *pool)
{
    if (!pool)
        return;
    if (getpid() == pool->pid) {
        pthread_mutex_lock(&pool->mutex);
        pool->stop = 1;
        pthread_cond_broadcast(&pool->started);
        pthread_mutex_unlock(&pool->mutex);
        for (int i = 0; i < pool->n_started; i++)
            pthread_join(pool->workers[i].thread, NULL);
        pthread_cond_destroy(&pool->started);
        pthread_cond_destroy(&pool->finished);
        pthread_mutex_destroy(&pool->mutex);
    } /* else: copies of what a vanished worker may have held; only their memory is ours */
    free(pool);
}

int wh_pool_threads(const wh_pool *pool)
{
    return pool->threads;
}
