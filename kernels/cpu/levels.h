/* levels.h - the tables that kernels/cpu/vec_....c make, for cpu.c. Each function is always there; it returns NULL
 * where the compiler was not told to use the level's instructions. */
#ifndef WH_LEVELS_H
#define WH_LEVELS_H

#include "cpu/kernels.h"

const wh_kernels *wh_kernels_generic(void);
const wh_kernels *wh_kernels_avx2(void);
const wh_kernels *wh_kernels_avx512(void);

/* Whether the CPU has AVX512_BF16. */
int wh_cpu_has_bf16(void);

#endif
