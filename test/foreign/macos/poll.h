#pragma once
#define POLLIN 1
#define POLLOUT 4
struct pollfd {
    int fd;
    short events, revents;
};
int poll(struct pollfd *, unsigned, int);
