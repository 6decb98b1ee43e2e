/* admit.h - the beginning of a request: which route it takes, and whether it may. Between http.c and the handlers. */
#ifndef SERVER_ADMIT_H
#define SERVER_ADMIT_H

#include "http.h"

/* What requests are held to. */
struct admission {
    const struct route *const *tables; /* NULL behind the last */
    int64_t most_body;
    const char *origin; /* of pages that may ask; NULL: none */
};

/* The headers are there: find the route and begin, or answer why not. */
void admit(struct exchange *exchange, const struct admission *rules);
/* The body is too long. */
void admit_fail_size(struct exchange *exchange, const struct admission *rules);
/* May an answer that is there already wait until the body was read, and thrown away? A client that does not ask before it
 * sends reads no answer before it has sent, and where the connection is closed then, never. What is more than twice too
 * long is closed all the same. */
int admit_may_read_on(struct exchange *exchange, const struct admission *rules);

#endif
