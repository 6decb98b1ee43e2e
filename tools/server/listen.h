/* listen.h - sockets to listen on, and what systemd wants to know. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

/* A listening socket at an address; `name` becomes "127.0.0.1:8080". -1: it was told why not. */
int listen_open(const char *host, int port, char *name, size_t capacity);
/* Socket number i that systemd gave, or -1. */
int listen_inherited(int i, char *name, size_t capacity);
/* Tell systemd ("READY=1"), where it asked for it. */
void listen_notify(const char *state);

#endif
