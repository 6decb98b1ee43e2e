/* talk.h - one live transcription on an open WebSocket; live.c opens them. */
#ifndef SERVER_TALK_H
#define SERVER_TALK_H

#include <stddef.h>

#include "service.h"

/* What the client asked for. */
struct talk_request {
    struct service *service;
    char *model;            /* its name; talk_request_clear() frees both */
    whisp_options *options; /* the callbacks are the talk's */
    int rate, channels;     /* of the samples; what begins as a known file does says that itself */
};

void talk_request_clear(struct talk_request *request);

struct talk;

/* A talk on a connected socket; `early`: bytes of it that were read already. Begins two threads; `over` is called once, in
 * one of them, when nothing touches the socket any more. NULL: no memory or no threads, and `over` is not called. The
 * request is taken over, and the talk releases itself. */
struct talk *talk_begin(struct talk_request *request, int socket, const void *early, size_t n_early,
                        void (*over)(void *user), void *user);
/* Before `over` was called: hear nothing more; say what is left, then that the server goes away. */
void talk_end(struct talk *talk);
/* The same, within a step. */
void talk_cancel(struct talk *talk);

#endif
