/* multipart.h - multipart/form-data (RFC 7578) by its bytes, in pieces of any size: parts' heads, then what is in them.
 * libmicrohttpd's own parser wants names in quotes, which .NET's clients do not write, and a boundary that nothing stands
 * behind. Stands under form.c; knows nothing of HTTP or fields. Memory: one fixed buffer. */
#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include <stddef.h>

enum { MULTIPART_MOST_NAME = 1024 }; /* bytes of a name, with its NUL */

struct multipart;

struct multipart_head {
    const char *name;     /* of the field */
    const char *filename; /* NULL: none */
    const char *encoding; /* Content-Transfer-Encoding, or NULL */
};

/* A part begins, and some bytes of it. Anything but 0 ends all. */
struct multipart_sink {
    void *user;
    int (*part)(void *user, const struct multipart_head *head);
    int (*bytes)(void *user, const char *bytes, size_t n);
};

/* For a body of this Content-Type. NULL: it is no form with a boundary, or there is no memory. */
struct multipart *multipart_new(const char *content_type, const struct multipart_sink *sink);
/* 0, or what a sink returned, or -1: this is no such form, and multipart_problem() says why. The same again once it
 * failed. */
int multipart_feed(struct multipart *form, const char *bytes, size_t n);
/* All was given. 0, or -1: its last boundary is missing. */
int multipart_end(struct multipart *form);
const char *multipart_problem(const struct multipart *form);
void multipart_free(struct multipart *form);

#endif
