/* ceilings.h - what checkkernels/ceiling_....c give to bench.c. */
#ifndef CHECK_CEILINGS_H
#define CHECK_CEILINGS_H

#include "checkkernels/check.h"

check_loop check_loop_avx2(check_ceiling what, int *ops);
check_loop check_loop_avxvnni(check_ceiling what, int *ops);
check_loop check_loop_avx512(check_ceiling what, int *ops);
check_loop check_loop_avx512vnni(check_ceiling what, int *ops);
check_loop check_loop_avx512bf16(int *ops);
check_loop check_loop_amx(check_ceiling what, int *ops);

#endif
