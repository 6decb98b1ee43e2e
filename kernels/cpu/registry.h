/* registry.h - which sets of instructions kernels are written for, and what this machine computes with.
 *
 * A level is a set of instructions with its tables of functions. Each architecture's folder lists its levels, from the
 * least to the best, in one array (x86/levels.c, arm/levels.c); generic, in plain C, comes before them and defines what
 * they compute. To add one: its files, a row there, a line of the Makefile with the compiler's flags. Nobody outside
 * kernels/cpu names a set of instructions. */
#ifndef WH_REGISTRY_H
#define WH_REGISTRY_H

#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"

/* What a level computes with. Immutable, static storage. */
typedef struct wh_cpu {
    const char *name; /* "avx512vnni" */
    const wh_kernels *kernels;
    const wh_gemm *gemm;
    const wh_attention_int *attention; /* NULL: in integers it would be no faster than in float32 */
    const wh_conv *conv;
    const char *blas_core; /* the name by which OpenBLAS knows the kernels for such a CPU; NULL: let it choose */
    int integers_pay;      /* products in integers are faster than in float32 */
} wh_cpu;

/* How many levels this architecture knows; level 0 is generic, later ones are better. */
int wh_cpu_levels(void);

/* The name of a level, whether the machine has it or not. */
const char *wh_cpu_level_name(int level);

/* The tables of a level. 0: this machine or build does not have it. */
int wh_cpu_get(int level, wh_cpu *cpu);

/* The best level of this CPU and operating system, capped by the environment variable WHISP_CPU=NAME. A cap that this
 * machine does not have means the next lower one. */
wh_cpu wh_cpu_best(void);

/* ---- for the architectures' folders ---- */

typedef struct wh_level {
    const char *name;
    int (*is_here)(void); /* does this CPU, with this operating system, have the instructions? Asked only when
                                           nothing better is used. NULL: always */
    /* Each returns NULL where the compiler was not told to use the level's instructions. */
    const wh_kernels *(*kernels)(void);
    const wh_gemm *(*gemm)(void);
    const wh_attention_int *(*attention)(void); /* or NULL */
    const char *blas_core;
    int integers_pay;
    const wh_conv *(*conv)(void);
} wh_level;

/* Levels from the least to the best; *n is their number, 0 on other architectures. */
const wh_level *wh_x86_levels(int *n);
const wh_level *wh_arm_levels(int *n);

#endif
