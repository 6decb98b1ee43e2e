/* report.h - whisp-bench --report. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

/* argv as main has it; returns the exit status: 1 also where a kernel is wrong. */
int report_main(int argc, char **argv);

#endif
