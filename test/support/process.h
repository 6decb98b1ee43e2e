/* process.h - what a test's own process holds: memory, descriptors, threads. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stddef.h>

/* Bytes that are allocated and not released, by everybody in the process. */
size_t bytes_in_use(void);
/* Are they the sanitizer's to count? It keeps what is released, so that what is resident says nothing. */
int is_sanitized(void);

int open_files(void);
/* Threads; where there are more than expected it waits a moment: one that was joined may still be seen. */
int threads_alive(int expected);

#endif
