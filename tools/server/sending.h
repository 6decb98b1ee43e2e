/* sending.h - all of some bytes to a socket whose client may be slow. */
#ifndef SERVER_SENDING_H
#define SERVER_SENDING_H

#include <stddef.h>

/* 0; or -1: the client is gone, or has not taken all within so many milliseconds. */
int send_all(int socket, const void *bytes, size_t n, int milliseconds);

#endif
