/* run.h - the tasks of a computation spread over the threads, which end early where somebody asks for it. Under
 * product.c, encode.c and decode.c. */
#ifndef WH_CPU_RUN_H
#define WH_CPU_RUN_H

#include "backend/cpu/state.h"

/* A computation begins, which may be stopped; and what became of it: WHISP_OK, or WHISP_ERR_CANCELLED, and then what
 * it has left behind is of no use. */
void wh_cpu_begin(wh_backend *backend);
int wh_cpu_end(const wh_backend *backend);

/* wh_pool_run(), during which the config's cancel is asked, in this thread. work: multiplications of a task, more or
 * less. Once the answer was yes no task is run any more. */
void wh_cpu_run(wh_backend *backend, size_t n, size_t work, wh_task_fn fn, void *context);

#endif
