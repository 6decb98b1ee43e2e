/* sending.c - bytes to a socket, within a time. See sending.h. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "sending.h"

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int send_all(int socket, const void *bytes, size_t n, int milliseconds)
{
    const char *at = bytes;
    int64_t until = now() + milliseconds;
    while (n > 0) {
        ssize_t sent = send(socket, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            n -= (size_t)sent;
            continue;
        }
        int64_t left = until - now();
        struct pollfd room = {.fd = socket, .events = POLLOUT};
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (left <= 0 || (poll(&room, 1, (int)left) < 0 && errno != EINTR))
            return -1;
    }
    return 0;
}
