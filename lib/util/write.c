/* write.c - bytes to a descriptor and to its disk (see write.h). Under all that writes files: documents, models,
 * journals. */
#include "util/write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/platform.h"
#include "util/util.h"

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, WH_MIN(n, (size_t)1 << 30));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        if (written == 0)
            return EIO;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

/* The signals are held back in this thread, and taken away if they came from here. */
int wh_write_quietly(int fd, const void *bytes, size_t n)
{
    sigset_t signals, before, pending;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGXFSZ);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    int error = write_all(fd, bytes, n);
    int raised = error == EPIPE ? SIGPIPE : error == EFBIG ? SIGXFSZ : 0;
    if (raised && !sigismember(&pending, raised))
        wh_platform_drop_signal(raised);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int wh_write_through(int fd)
{
    int rc;
    do
        rc = wh_platform_sync(fd);
    while (rc != 0 && errno == EINTR);
    return rc != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT) ? errno : 0;
}

void wh_write_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!wh_platform_sync(fd);
        close(fd);
    }
    free(folder);
}
