/* pool.h - a fixed set of threads that share out numbered tasks. Used by the backend for every matrix product.
 *
 * Pools are independent of each other; one pool is used by one host thread at a time. Which thread runs a task is a
 * matter of chance, so a task's result must depend on its number alone. */
#ifndef WH_POOL_H
#define WH_POOL_H

#include <pthread.h>
#include <stddef.h>

typedef struct wh_pool wh_pool;

/* Task number `task` of a call, run by worker number `worker` (0 .. threads-1; scratch memory is indexed by it). */
typedef void (*wh_task_fn)(void *context, size_t task, int worker);

#define WH_POOL_MAX_THREADS 256

/* `threads` threads in all, the caller of wh_pool_run() among them, so 1 starts none; 0 means one for each core that
 * this process may run on. Where so many cannot be started there are fewer: wh_pool_threads() says how many.
 * WHISP_ERR_ARGUMENT outside 0 .. WH_POOL_MAX_THREADS. The threads take no signals. */
int wh_pool_new(int threads, wh_pool **pool);
void wh_pool_free(wh_pool *pool);
int wh_pool_threads(const wh_pool *pool);

/* Run tasks 0 .. n-1 (n below 2^32) and return when all are done. In the child of a fork(), which has no workers, the
 * caller runs them all. */
void wh_pool_run(wh_pool *pool, size_t n, wh_task_fn fn, void *context);

/* Cores that this process may use, at most WH_POOL_MAX_THREADS. */
int wh_usable_cores(void);

/* pthread_create() with all signals blocked in the new thread: signals are the host's business. */
int wh_thread_start(pthread_t *thread, void *(*fn)(void *), void *argument);

#endif
