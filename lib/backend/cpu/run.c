/* run.c - see run.h.
 *
 * A window of a large model takes a slow core minutes, a product of its seconds. So it is not between products that
 * cancel is asked but between tasks, by the caller's thread, and not by the number of tasks, of which a small model's
 * take microseconds, but by the clock; and at that only after so much work that looking at it costs nothing. */
#include "backend/cpu/run.h"

/* Multiplications after which the thread looks at the clock: 20 ms of a core that does 1e9 in a second. */
#define STRIDE ((size_t)20 << 20)
/* Seconds between two questions: who is asked may have to wait for an interpreter's lock. */
#define INTERVAL 0.05

typedef struct run {
    wh_backend *backend;
    size_t work;
    wh_task_fn fn;
    void *context;
} run;

static int is_stopped(const wh_backend *b)
{
    return atomic_load_explicit(&b->stopped, memory_order_relaxed);
}

static void ask(wh_backend *b)
{
    const wh_backend_config *config = &b->config;
    double now = wh_now();
    b->work = 0;
    if (now - b->asked < (config->cancel_interval > 0 ? config->cancel_interval : INTERVAL))
        return;
    b->asked = now;
    if (config->cancel(config->cancel_user))
        atomic_store(&b->stopped, 1);
}

static void run_task(void *context, size_t task, int worker)
{
    const run *r = context;
    if (is_stopped(r->backend))
        return;
    r->fn(r->context, task, worker);
    if (worker == 0 && (r->backend->work += r->work) >= STRIDE)
        ask(r->backend);
}

void wh_cpu_run(wh_backend *backend, size_t n, size_t work, wh_task_fn fn, void *context)
{
    run r = {backend, work, fn, context};
    if (!backend->config.cancel)
        wh_pool_run(backend->pool, n, fn, context);
    else if (!is_stopped(backend))
        wh_pool_run(backend->pool, n, run_task, &r);
}

void wh_cpu_begin(wh_backend *backend)
{
    atomic_store(&backend->stopped, 0);
}

int wh_cpu_end(const wh_backend *backend)
{
    return is_stopped(backend) ? wh_fail(WHISP_ERR_CANCELLED, "cancelled") : WHISP_OK;
}
