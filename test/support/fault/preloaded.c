/* preloaded.c - memory.c for any program, by LD_PRELOAD: WHISP_FAULT_AT=N lets its N-th allocation fail (N+: all later
 * ones, too), the file WHISP_FAULT_COUNT gets how many there were. */
#include "support/fault/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("WHISP_FAULT_AT");
    memory_fails(at ? strtol(at, NULL, 10) : 0, at && strchr(at, '+'));
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("WHISP_FAULT_COUNT");
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", memory_works());
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd >= 0) {
        (void)!write(fd, text, (size_t)n);
        close(fd);
    }
}
