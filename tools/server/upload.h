/* upload.h - what a client sends, in a temporary file that has no name: memory does not grow with it, and its space is
 * given back when it is closed, however the program ends. One thread at a time. */
#ifndef SERVER_UPLOAD_H
#define SERVER_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

struct upload;

/* So many bytes in all uploads together at most; 0: no bound. Once, before the first. */
void uploads_limit(int64_t bytes);
/* How many bytes there are in all uploads now. */
int64_t uploads_bytes(void);

/* A new one in TMPDIR; NULL: errno says why not. */
struct upload *upload_new(void);
/* Append. 0, or an errno: ENOSPC also where uploads_limit() says so. */
int upload_write(struct upload *upload, const void *bytes, size_t n);
int64_t upload_size(const struct upload *upload);
/* Its descriptor, and the path under which this process can open it: "/proc/self/fd/7". As long as the upload. */
int upload_fd(const struct upload *upload);
const char *upload_path(const struct upload *upload);
/* `upload` becomes what `other` is, under the same descriptor and path; `other` is released. 0 or an errno. */
int upload_adopt(struct upload *upload, struct upload *other);
void upload_free(struct upload *upload);

/* For raw samples, 16 bits, little endian: make a WAV file of them. Begin before the first write, end after the last; 0
 * or an errno. */
int upload_begin_raw(struct upload *upload);
int upload_end_raw(struct upload *upload, int rate, int channels);

#endif
