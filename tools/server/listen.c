/* listen.c - sockets of our own, or those that systemd opened (sd_listen_fds(3): from descriptor 3 on, LISTEN_FDS of
 * them), and its notifications (sd_notify(3)). */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

static void describe(int fd, char *name, size_t capacity)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[64], port[16];
    snprintf(name, capacity, "a socket");
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(name, capacity, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int try_address(const struct addrinfo *address)
{
    int yes = 1, problem;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

int listen_open(const char *host, int port, char *name, size_t capacity)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    char service[16];
    int fd = -1;
    snprintf(service, sizeof service, "%d", port);
    int problem = getaddrinfo(host, service, &hints, &list);
    if (problem) {
        log_error("--host %s: %s", host, gai_strerror(problem));
        return -1;
    }
    for (const struct addrinfo *address = list; address && fd < 0; address = address->ai_next)
        fd = try_address(address);
    problem = errno;
    freeaddrinfo(list);
    if (fd < 0)
        log_error("%s port %d cannot be listened on: %s%s", host, port, strerror(problem),
                  problem == EADDRINUSE ? "; --port names another" : "");
    else
        describe(fd, name, capacity);
    return fd;
}

int listen_inherited(int i, char *name, size_t capacity)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    int fd = 3 + i;
    if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid() || i >= strtol(n, NULL, 10))
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    describe(fd, name, capacity);
    return fd;
}

void listen_notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (*path == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}
