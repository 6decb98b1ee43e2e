/* data_url.h - "data:audio/wav;base64,UklGR..." as it comes, into an upload. */
#ifndef SERVER_DATA_URL_H
#define SERVER_DATA_URL_H

#include "upload.h"

struct data_url;

/* Decodes into `upload`, which must outlive it. NULL: no memory. */
struct data_url *data_url_new(struct upload *upload);
/* 0, EINVAL where it is no such URL, or what upload_write() says. */
int data_url_write(struct data_url *url, const char *bytes, size_t n);
/* 0, or EINVAL: it ends too early. */
int data_url_end(const struct data_url *url);
void data_url_free(struct data_url *url);

#endif
