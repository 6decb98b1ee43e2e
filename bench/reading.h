/* reading.h - whisp-bench --reading. */
#ifndef BENCH_READING_H
#define BENCH_READING_H

/* argv as main has it; returns the exit status. */
int reading_main(int argc, char **argv);

#endif
