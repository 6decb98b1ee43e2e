/* satellite.h - one client of the Wyoming protocol; wyoming.c accepts them. */
#ifndef SERVER_SATELLITE_H
#define SERVER_SATELLITE_H

#include <stdatomic.h>
#include <stdint.h>

struct service;

struct satellite_terms {
    struct service *service;
    int64_t most_sound;
    int timeout;
    atomic_int *is_closing; /* nonzero: a recording more is refused */
    atomic_int *is_over;    /* nonzero: end at once; the socket is shut down, too */
};

/* Speak with the client until it goes, in the caller's thread. The socket stays open. */
void satellite_serve(const struct satellite_terms *terms, int socket);

#endif
