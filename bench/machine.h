/* machine.h - what machine this is, in words. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

/* Lines "machine: ...", "CPU: ...", and so on: what the system says; a line that it says nothing for is left out. */
void machine_print(void);

/* The clock of the first core that is used now, MHz; 0: the system does not say. A small machine that gets hot is slower later. */
int machine_clock(void);

#endif
