/* transfer.h - an answer of a host over HTTP, whatever stands between: redirects, broken connections, hosts that are busy.
 * libcurl is known to transfer.c and address.c only.
 *
 * A token goes to the host that it is for, not to where that one redirects; nor over a connection that is not encrypted,
 * unless to this machine. */
#ifndef GET_TRANSFER_H
#define GET_TRANSFER_H

#include <stdint.h>

#include "get/get.h"

/* The head of an answer. */
struct reply {
    long status;
    int64_t length;          /* bytes that follow; -1: not told */
    int64_t first, total;    /* Content-Range; -1 */
    char type[64];           /* Content-Type */
    char encoding[32];       /* Content-Encoding */
    char next[MOST_ADDRESS]; /* Link: <...>; rel="next" */
    char reason[200];        /* X-Error-Message: the host's own words */
    char host[256];          /* who said so */
};

/* Where the bytes go. `have`: so many are there, the others are asked for. begin() is called once for each try that
 * brings an answer, 200, 206 or 416; take() for each piece. Both fail by wh_fail(), and that ends it. */
struct sink {
    int64_t (*have)(void *user);
    int (*begin)(void *user, const struct reply *reply);
    int (*take)(void *user, const void *bytes, size_t n);
    void *user;
};

/* `agent` is what the hosts are told; a connection that brings less than a thousand bytes a second for `timeout` seconds is
 * broken. */
int transfer_open(const char *agent, int most_tries, int timeout, struct transferrer **transferrer);
void transfer_close(struct transferrer *transferrer);
/* The token for the host of this address, from now on; NULL: none. Says when it will not be sent. */
int transfer_trust(struct transferrer *transferrer, const char *url, const char *token);
/* Get an address. `what` is what it is in words, for messages; `plain`: it may not be compressed on the way. */
int transfer(struct transferrer *transferrer, const char *url, const char *what, int plain, const struct sink *sink,
             struct bar *bar);

/* address.c */

/* scheme://host:port, in small letters, or "". */
void address_origin(const char *url, char origin[512]);

/* An address as it may be shown: without name, password and query. */
const char *shown_address(const char *url, char text[MOST_ADDRESS]);

/* Whether two addresses are of the same scheme, host and port. */
int same_origin(const char *a, const char *b);

/* An address with a path behind it. 0: too long. */
int join_address(char *out, size_t capacity, const char *base, const char *path);
/* A part of one, in which nothing but letters, digits and -._~ stays as it is. 0: too long. */
int escape_address(char *out, size_t capacity, const char *text);

/* reply.c */
void reply_line(struct reply *reply, const char *line, size_t n);

#endif
