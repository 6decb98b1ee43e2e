/* recording.c - the recording's file for a review page: its size, a hash that a page can compute of a file that somebody
 * chooses, and the whole of a short one in base64. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/recording.h"

#define END ((size_t)1 << 20) /* bytes of each end that are summed: reading ten hours would take long in a browser */

static int fail(const char *path, int error)
{
    return wh_fail(WHISP_ERR_IO,
                   "cannot read the recording %s for its page: %s; leave it in its place until the page is written",
                   path, error ? strerror(error) : "it became shorter");
}

/* n bytes from `at` on. 0, or an errno value; EIO also where they are not there. */
static int read_at(int fd, void *bytes, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t more = pread(fd, (char *)bytes + done, n - done, (off_t)(at + done));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return more < 0 ? errno : EIO;
        done += (size_t)more;
    }
    return 0;
}

/* A file's descriptor and size; -1: failed. */
static int open_file(const char *path, uint64_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = errno;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *size = (uint64_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    fail(path, fd >= 0 ? EINVAL : error);
    return -1;
}

int wh_recording_look(const char *path, wh_recording_file *file)
{
    int fd = open_file(path, &file->size);
    if (fd < 0)
        return WHISP_ERR_IO;
    unsigned char *bytes = malloc(END);
    size_t first = (size_t)WH_MIN(file->size, END), last = (size_t)WH_MIN(file->size - first, END);
    char size[24];
    wh_sha256 sum;
    int error = bytes ? read_at(fd, bytes, first, 0) : 0;
    wh_sha256_begin(&sum);
    if (bytes && !error) {
        wh_sha256_add(&sum, bytes, first);
        error = read_at(fd, bytes, last, file->size - last);
    }
    if (bytes && !error)
        wh_sha256_add(&sum, bytes, last);
    wh_sha256_add(&sum, size, (size_t)snprintf(size, sizeof size, "%" PRIu64, file->size));
    wh_sha256_end(&sum, file->hash);
    int rc = !bytes ? wh_fail_memory() : error ? fail(path, error) : WHISP_OK;
    free(bytes);
    close(fd);
    return rc;
}

static void put_base64(wh_buf *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char four[4];
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t x = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        for (int k = 0; k < 4; k++)
            four[k] = digits[x >> (18 - 6 * k) & 63];
        if (left < 3)
            four[3] = '=';
        if (left < 2)
            four[2] = '=';
        wh_buf_append(out, four, 4);
    }
}

int wh_recording_embed(const char *path, wh_buf *out)
{
    uint64_t size;
    int fd = open_file(path, &size);
    if (fd < 0)
        return WHISP_ERR_IO;
    if (size > WH_EMBED_MOST) {
        close(fd);
        return wh_fail(
            WHISP_ERR_ARGUMENT,
            "%s has %.0f MB, and a page holds a recording of %zu MB at most: leave it beside the page (without "
            "embed_audio), or make it smaller, say by ffmpeg -i %s -ac 1 -b:a 32k smaller.mp3",
            path, (double)size / (1 << 20), WH_EMBED_MOST >> 20, path);
    }
    unsigned char *bytes = malloc((size_t)size + 1);
    int error = bytes ? read_at(fd, bytes, (size_t)size, 0) : 0, rc = WHISP_OK;
    if (!bytes)
        rc = wh_fail_memory();
    else if (error)
        rc = fail(path, error);
    else
        put_base64(out, bytes, (size_t)size);
    free(bytes);
    close(fd);
    return rc;
}
