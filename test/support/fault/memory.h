/* memory.h - memory that fails when a test says so. A program that is linked with memory.c has its malloc() and the
 * like: the allocations of all libraries come here, not only libwhisp's; so do new threads. As a preloaded library it
 * does the same to any program (see memory.c). */
#ifndef FAULT_MEMORY_H
#define FAULT_MEMORY_H

/* What fails from now on, counted from 1: the at-th allocation (0: none), or that and all later ones. */
void memory_fails(long at, int and_later);
/* Nothing fails any more; returns how many allocations there were since memory_fails(). */
long memory_works(void);
/* Since the last memory_fails(): did one fail? */
int memory_failed(void);

/* Threads fail to start, all but the first n from now on (negative: none fails). */
void threads_fail(int n);

#endif
