/* check.h - checkkernels: every kernel of kernels/cpu at every level this machine has, against its plain C definition,
 * and with --bench timed, as a share of what the machine can do.
 *
 * To add a kernel: write `static void check(const check_level *level)` and, if it is worth timing, `bench` likewise in
 * a file here, put both into a `const check_kernel NAME = {...}`, and name it in the list in run.c. In `check`:
 *   - sizes and values come from check_random(), check_size(), check_fill(); the seed is printed when something fails;
 *   - memory that the kernel reads or writes comes from check_alloc(): its last byte stands before a page that may not
 *     be touched, its first behind a pattern that is looked at afterwards (check_freed all at the end of the check);
 *   - the same call with the definition's table (level->reference) gives the expected values; compare with
 *     check_same() for equal bits or check_close() for equality up to rounding.
 * In `bench`: check_time() runs a call until its time is settled and returns seconds; print with check_report(). */
#ifndef CHECK_H
#define CHECK_H

#include "cpu/registry.h"

typedef struct check_level {
    int level; /* 0: generic, the reference */
    const char *name;
    const wh_kernels *kernels, *kernels_reference;
    const wh_gemm *gemm, *gemm_reference;
    const wh_attention_int *attention, *attention_reference;
    const wh_conv *conv;
} check_level;

typedef struct check_kernel {
    const char *name;
    void (*check)(const check_level *level);
    void (*bench)(const check_level *level); /* or NULL */
} check_kernel;

/* ---- for who runs them (run.c) ---- */

typedef struct check_asked {
    uint32_t seed;
    int times;
    char *const *names; /* parts of kernels' names */
    int n_names;        /* 0: all kernels */
} check_asked;

/* The checks that are asked for, each with a line of output; how many. One that fails says so and ends the process with 1. */
int check_run(const check_level *level, const check_asked *asked);
void check_bench(const check_level *level, const check_asked *asked);

/* ---- for checks ---- */

uint32_t check_random(void);
/* lo .. hi, odd ones and ends as likely as the whole range */
size_t check_size(size_t lo, size_t hi);
/* Uniform in +-spread; with `special` now and then a zero, a denormal, a very large or very small value. */
void check_fill(float *x, size_t n, float spread, int special);
/* n bytes between guards, not zeroed, of the alignment that the end demands: a multiple of `align` bytes before it. */
void *check_alloc(size_t n, size_t align);
/* Free all, after a look at the patterns. */
void check_free_all(void);
void check_same(const void *want, const void *got, size_t bytes, const char *what);
void check_close(const float *want, const float *got, size_t n, double tolerance, const char *what);
void check_that(int is_true, const char *what);

/* Attention in integers of random sizes: `fast` as `plain`, within a tolerance. */
void check_attention_int(const wh_attention_int *plain, const wh_attention_int *fast, double tolerance);

/* ---- for benches ---- */

typedef void (*check_call)(void *context);
double check_time(check_call call, void *context);
/* `threads` threads doing the same, each with its own context; seconds for all to do it once. */
double check_time_threads(check_call call, void *const *contexts, int threads);

/* The level's tables beside generic's; 0: this machine does not have it. */
int check_level_get(int level, check_level *out);

typedef enum check_ceiling { CHECK_F32, CHECK_INT8, CHECK_BF16, CHECK_READ, CHECK_CEILINGS } check_ceiling;
/* A line: what, Gop/s or GB/s, share of the ceiling (of one thread's arithmetic, of two threads' reading). */
void check_report(const check_level *level, const char *what, double amount, double seconds, check_ceiling ceiling);

/* Products as the encoder has them (CHECK_F32, CHECK_INT8, CHECK_BF16), all of `threads` (at most 8) doing one: Gop/s. */
double check_product_speed(const check_level *level, check_ceiling type, int threads);
/* One row of integers by weights that no cache holds, as the decoder has them: GB/s. */
double check_row_speed(const check_level *level, int threads);

/* The ceiling itself for 1 or 2 threads, measured now, in Gop/s or GB/s; 0: the level has no such loop. */
double check_ceiling_speed(const check_level *level, check_ceiling what, int threads);

/* ---- ceilings (ceiling_....c): loops of nothing but the instruction ---- */

/* Run `count` (a multiple of 1000) instructions of the level's multiply-add; the operations of one are in *ops (0: the
 * level has no such loop). `chains` independent sums of 8, 12 or 16. */
typedef void (*check_loop)(int chains, long count);
check_loop check_loop_get(const char *level, check_ceiling what, int *ops);

extern const check_kernel check_f32, check_quantize, check_tile, check_bf16, check_amx, check_amx_attention,
    check_store, check_layouts, check_attention, check_conv;

#endif
