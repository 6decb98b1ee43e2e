/* stages.h - whisp-bench --stages and --invent. */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

/* argv as main has it; returns the exit status. */
int stages_main(int argc, char **argv);

#endif
