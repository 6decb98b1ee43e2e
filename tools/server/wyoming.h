/* wyoming.h - the Wyoming protocol, which Home Assistant speaks, on a port of its own: what is said to it becomes a task of
 * the service, and the task's text goes back. No keys: the protocol has none. */
#ifndef SERVER_WYOMING_H
#define SERVER_WYOMING_H

#include <stdint.h>

struct service;
struct wyoming;

struct wyoming_settings {
    int most_clients;
    int64_t most_sound; /* bytes of one recording */
    int timeout;        /* seconds without a byte amid a recording; twenty times as long between them */
};

/* Serve on a listening socket, which is closed at the end. NULL and errno. */
struct wyoming *wyoming_start(struct service *service, const struct wyoming_settings *settings, int socket);
/* No new clients, and no new recordings of those that are there. */
void wyoming_close(struct wyoming *wyoming);
/* End those that are left, wait, release. Before service_free(). */
void wyoming_free(struct wyoming *wyoming);

#endif
