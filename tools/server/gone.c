/* gone.c - libmicrohttpd does not look at a suspended connection's socket. Here an epoll of our own does: it tells of
 * the end of what a client sends (a client that only closes its sending half counts as gone: nobody who waits for an
 * answer by HTTP does that), and of errors. What the descriptor stands for the caller finds under a lock of his own, so
 * an event that comes late does no harm. */
#include "gone.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct gone {
    int epoll;
    atomic_int is_over;
    pthread_t thread;
    void (*gone)(void *user, int fd);
    void (*tick)(void *user);
    void *user;
};

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void *run(void *argument)
{
    struct gone *g = argument;
    struct epoll_event events[64];
    time_t ticked = seconds();
    while (!atomic_load(&g->is_over)) {
        int n = epoll_wait(g->epoll, events, 64, 500);
        for (int i = 0; i < n; i++)
            g->gone(g->user, events[i].data.fd);
        if (seconds() != ticked) {
            ticked = seconds();
            g->tick(g->user);
        }
    }
    return NULL;
}

struct gone *gone_start(void (*gone)(void *user, int fd), void (*tick)(void *user), void *user)
{
    struct gone *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    *g = (struct gone){.epoll = epoll_create1(EPOLL_CLOEXEC), .gone = gone, .tick = tick, .user = user};
    int problem = g->epoll < 0 ? errno : pthread_create(&g->thread, NULL, run, g);
    if (problem) {
        if (g->epoll >= 0)
            close(g->epoll);
        free(g);
        errno = problem;
        return NULL;
    }
    return g;
}

int gone_watch(struct gone *g, int fd)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.fd = fd};
    return epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST ? 0 : errno;
}

void gone_forget(struct gone *g, int fd)
{
    epoll_ctl(g->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void gone_stop(struct gone *g)
{
    if (!g)
        return;
    atomic_store(&g->is_over, 1);
    pthread_join(g->thread, NULL);
    close(g->epoll);
    free(g);
}
