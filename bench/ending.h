/* ending.h - files that are whole or not there, however whisp-bench ends. */
#ifndef BENCH_ENDING_H
#define BENCH_ENDING_H

#include <stdio.h>

/* From now on SIGINT, SIGTERM and SIGHUP end the program at once, with 128 and their number as its status, and take away
 * what is half-written or was only for now; unless whoever started it wants them ignored. */
void ending_catch(void);

/* A file for writing that gets its name when it is closed and nothing has failed. NULL: errno says why. */
FILE *ending_open(const char *path);
/* 0, or -1 with errno. */
int ending_close(FILE *file, const char *path);

/* A file that goes with the program; NULL: that one has gone. One at a time. */
void ending_forget(const char *path);

#endif
