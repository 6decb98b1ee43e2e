/* upload.c - temporary files without a name for what clients send, with a bound on all of them together. */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAV_HEADER = 44 };

struct upload {
    int fd;
    int64_t bytes;
    char path[32];
};

static int64_t most_bytes; /* 0: no bound */
static _Atomic int64_t all_bytes;

void uploads_limit(int64_t bytes)
{
    most_bytes = bytes;
}

int64_t uploads_bytes(void)
{
    return atomic_load(&all_bytes);
}

/* Not every file system has files that never had a name. */
static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if (!folder || !*folder)
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    if (snprintf(path, sizeof path, "%s/whisp-XXXXXX", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

struct upload *upload_new(void)
{
    struct upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return NULL;
    upload->fd = open_file();
    if (upload->fd < 0) {
        int problem = errno;
        free(upload);
        errno = problem;
        return NULL;
    }
    snprintf(upload->path, sizeof upload->path, "/proc/self/fd/%d", upload->fd);
    return upload;
}

int upload_write(struct upload *upload, const void *bytes, size_t n)
{
    int64_t all = atomic_fetch_add(&all_bytes, (int64_t)n) + (int64_t)n;
    size_t written = 0;
    int problem = most_bytes > 0 && all > most_bytes ? ENOSPC : 0;
    while (!problem && written < n) {
        ssize_t done = write(upload->fd, (const char *)bytes + written, n - written);
        if (done > 0)
            written += (size_t)done;
        else if (done == 0 || errno != EINTR)
            problem = done == 0 ? ENOSPC : errno;
    }
    upload->bytes += (int64_t)written;
    atomic_fetch_sub(&all_bytes, (int64_t)(n - written));
    return problem;
}

int64_t upload_size(const struct upload *upload)
{
    return upload->bytes;
}

int upload_fd(const struct upload *upload)
{
    return upload->fd;
}

const char *upload_path(const struct upload *upload)
{
    return upload->path;
}

int upload_adopt(struct upload *upload, struct upload *other)
{
    int problem = dup3(other->fd, upload->fd, O_CLOEXEC) < 0 ? errno : 0;
    if (!problem) {
        atomic_fetch_sub(&all_bytes, upload->bytes);
        upload->bytes = other->bytes;
        other->bytes = 0;
    }
    upload_free(other);
    return problem;
}

void upload_free(struct upload *upload)
{
    if (!upload)
        return;
    close(upload->fd);
    atomic_fetch_sub(&all_bytes, upload->bytes);
    free(upload);
}

/* ---- raw samples ---- */

int upload_begin_raw(struct upload *upload)
{
    static const char nothing[WAV_HEADER];
    return upload_write(upload, nothing, sizeof nothing);
}

static void put(unsigned char *at, uint32_t value, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

int upload_end_raw(struct upload *upload, int rate, int channels)
{
    int64_t data = upload->bytes - WAV_HEADER;
    if (data < 0 || data > UINT32_MAX - WAV_HEADER)
        return EFBIG;
    unsigned char header[WAV_HEADER] = "RIFF....WAVEfmt ....................data....";
    put(header + 4, (uint32_t)data + WAV_HEADER - 8, 4);
    put(header + 16, 16, 4); /* bytes of "fmt " */
    put(header + 20, 1, 2);  /* PCM */
    put(header + 22, (uint32_t)channels, 2);
    put(header + 24, (uint32_t)rate, 4);
    put(header + 28, (uint32_t)rate * (uint32_t)channels * 2, 4);
    put(header + 32, (uint32_t)channels * 2, 2);
    put(header + 34, 16, 2);
    put(header + 40, (uint32_t)data, 4);
    ssize_t done = pwrite(upload->fd, header, sizeof header, 0);
    return done == (ssize_t)sizeof header ? 0 : done < 0 ? errno : EIO;
}
