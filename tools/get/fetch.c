/* fetch.c - one file into the work folder: under NAME.part until all of it is there and has the hash that it must have.
 * What an earlier run has left is hashed and gone on from. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "get/transfer.h"

struct fetch {
    const struct wanted *file;
    const char *folder;
    char path[4096], part[4096];
    int fd;
    int64_t have, size; /* size -1: unknown yet */
    struct sha256_ctx sha256;
    struct sha1_ctx sha1;
    struct bar *bar;
};

static int fail_write(const struct fetch *f, const char *what)
{
    int error = errno;
    return wh_fail(WHISP_ERR_OUTPUT, "%s: %s: %s%s", f->part, what, strerror(error),
                   error == ENOSPC || error == EDQUOT
                       ? "; make room and give the same command, which goes on from there (--remove takes it away)"
                       : "");
}

static int join(char path[4096], const char *folder, const char *name, const char *end)
{
    if (snprintf(path, 4096, "%s/%s%s", folder, name, end) < 4096)
        return WHISP_OK;
    return wh_fail(WHISP_ERR_ARGUMENT, "%s: the path is too long", name);
}

static void hash(struct fetch *f, const void *bytes, size_t n)
{
    if (*f->file->sha256)
        sha256_update(&f->sha256, n, bytes);
    else
        sha1_update(&f->sha1, n, bytes);
}

static void hash_nothing(struct fetch *f)
{
    char head[40];
    int n = snprintf(head, sizeof head, "blob %lld", (long long)f->file->size);
    sha256_init(&f->sha256);
    sha1_init(&f->sha1);
    sha1_update(&f->sha1, (size_t)n + 1, (const uint8_t *)head); /* with its NUL */
}

static int is_right(struct fetch *f, char hex[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t n = *f->file->sha256 ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE;
    if (*f->file->sha256)
        sha256_digest(&f->sha256, n, digest);
    else
        sha1_digest(&f->sha1, n, digest);
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return strcmp(hex, *f->file->sha256 ? f->file->sha256 : f->file->sha1) == 0;
}

/* All that is in a file; 0 where it cannot be read. */
static int hash_file(struct fetch *f, int fd)
{
    enum { PIECE = 1 << 20 };
    uint8_t *bytes = malloc(PIECE);
    ssize_t n = -1;
    hash_nothing(f);
    f->have = 0;
    while (bytes && (n = read(fd, bytes, PIECE)) > 0) {
        hash(f, bytes, (size_t)n);
        f->have += n;
    }
    free(bytes);
    return n == 0;
}

static int forget(struct fetch *f)
{
    hash_nothing(f);
    f->have = 0;
    if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) != 0)
        return fail_write(f, "cannot be written");
    return WHISP_OK;
}

/* ---- what transfer() asks ---- */

static int64_t sink_have(void *user)
{
    return ((struct fetch *)user)->have;
}

static int64_t most_bytes(const struct fetch *f)
{
    return f->file->most ? f->file->most : MOST_BYTES_UNTOLD;
}

/* The size is known now: is there room? */
static int learn_size(struct fetch *f, int64_t size)
{
    if (f->size >= 0 || size < 0)
        return WHISP_OK;
    if (size > (f->file->most ? f->file->most : MOST_BYTES))
        return wh_fail(GET_NETWORK, "%s: %lld bytes, which no such model has", f->file->name, (long long)size);
    f->size = size;
    return shelf_space(f->folder, size - f->have + size, f->file->name);
}

static int sink_begin(void *user, const struct reply *reply)
{
    struct fetch *f = user;
    const char *name = f->file->name;
    int is_page = strncasecmp(reply->type, "text/html", 9) == 0, rc = WHISP_OK;
    if (reply->status == 416)
        return forget(f);
    if (*reply->encoding && strcasecmp(reply->encoding, "identity") != 0)
        return wh_fail(GET_NETWORK, "%s: %s sends it compressed (%s), though asked not to; another mirror may not",
                       name, reply->host, reply->encoding);
    if (reply->status == 206 && reply->first != f->have)
        return wh_fail(GET_NETWORK, "%s: %s sends another part of it than was asked for", name, reply->host);
    if (reply->status == 200 && f->have > 0 && (rc = forget(f)) != 0) /* all of it again */
        return rc;
    int64_t all = reply->status == 206 && reply->total >= 0 ? reply->total
                  : reply->length >= 0                      ? WH_MIN(reply->length, MOST_BYTES + 1) + f->have
                                                            : -1;
    if ((f->size >= 0 && all >= 0 && all != f->size) || (is_page && f->size < 0))
        return wh_fail(
            GET_NETWORK,
            "%s: %s sends something else (%s, %lld bytes%s): a page of a proxy or a login, or a mirror that is out "
            "of date",
            name, reply->host, *reply->type ? reply->type : "of no type", (long long)all,
            f->size >= 0 ? "" : ", or of no length");
    if ((rc = learn_size(f, all)) != 0)
        return rc;
    bar_begin(f->bar, f->file->name, f->have, f->size);
    return WHISP_OK;
}

/* Of a file whose size nobody tells, `n` more bytes: neither more than it can have, nor until the disk is full. */
static int check_untold(struct fetch *f, size_t n)
{
    enum { STEP = 64 << 20 };
    int64_t before = f->have / STEP, after = (f->have + (int64_t)n) / STEP;
    int rc = WHISP_OK;
    if (f->have + (int64_t)n > most_bytes(f))
        rc = wh_fail(GET_NETWORK,
                     "%s: the host sends more than %lld bytes, which no such model has; nothing of it is kept",
                     f->file->name, (long long)most_bytes(f));
    else if (f->have == 0 || after > before)
        rc = shelf_space(f->folder, STEP + f->have, f->file->name);
    if (rc)
        unlink(f->part);
    return rc;
}

static int sink_take(void *user, const void *bytes, size_t n)
{
    struct fetch *f = user;
    const char *at = bytes;
    int rc = f->size < 0 ? check_untold(f, n) : WHISP_OK;
    if (rc)
        return rc;
    if (f->size >= 0 && (int64_t)n > f->size - f->have) {
        unlink(f->part);
        return wh_fail(GET_NETWORK, "%s: the host sends more than it has bytes; nothing of it is kept", f->file->name);
    }
    hash(f, bytes, n);
    while (n) {
        ssize_t done = write(f->fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail_write(f, "cannot be written");
        at += done;
        n -= (size_t)done;
        f->have += done;
    }
    bar_move(f->bar, f->have);
    return WHISP_OK;
}

/* ---- a file ---- */

/* 1: it is there already, and right. */
static int is_there(struct fetch *f)
{
    char hex[65];
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int is = fd >= 0 && hash_file(f, fd) && (f->size < 0 || f->have == f->size) && is_right(f, hex);
    if (fd >= 0)
        close(fd);
    if (!is)
        unlink(f->path);
    return is;
}

static int open_part(struct fetch *f)
{
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (f->fd < 0)
        return fail_write(f, "cannot be opened");
    if (!hash_file(f, f->fd))
        return fail_write(f, "cannot be read");
    return f->size >= 0 && f->have > f->size ? forget(f) : WHISP_OK;
}

/* An answer that ends too early and does not know it is asked for the rest, as long as it goes forward. */
static int get_all(struct fetch *f, struct transferrer *transferrer)
{
    const struct sink sink = {sink_have, sink_begin, sink_take, f};
    enum { MOST_ANSWERS = 1000 };
    int rc = WHISP_OK;
    int64_t before = -1;
    for (int n = 0; !rc && (f->size < 0 || f->have < f->size); n++) {
        if (f->have == before || n == MOST_ANSWERS)
            return wh_fail(GET_NETWORK, "%s: its host has only %lld of its %lld bytes", f->file->name,
                           (long long)f->have, (long long)f->size);
        before = f->have;
        rc = transfer(transferrer, f->file->url, f->file->name, 1, &sink, f->bar);
        if (!rc && f->size < 0)
            break; /* the hash says whether that was all */
    }
    return rc;
}

static int finish(struct fetch *f)
{
    char hex[65];
    if (!is_right(f, hex)) {
        unlink(f->part);
        return wh_fail(
            GET_CONTENT,
            "%s: its %s is %s, not %s; nothing of it is kept. Try again; if it stays so, the host does not have "
            "what it says, and must not be trusted",
            f->file->name, *f->file->sha256 ? "SHA-256" : "SHA-1 (git's)", hex,
            *f->file->sha256 ? f->file->sha256 : f->file->sha1);
    }
    if (rename(f->part, f->path) != 0)
        return fail_write(f, "cannot be renamed");
    return WHISP_OK;
}

int fetch_file(struct transferrer *transferrer, const struct wanted *file, const char *folder, struct bar *bar)
{
    struct fetch f = {.file = file, .folder = folder, .fd = -1, .size = file->size, .bar = bar};
    int rc;
    if ((rc = join(f.path, folder, file->name, "")) || (rc = join(f.part, folder, file->name, ".part")))
        return rc;
    if (is_there(&f))
        return WHISP_OK;
    if (!(rc = open_part(&f)) && !(rc = get_all(&f, transferrer)))
        rc = finish(&f);
    bar_end(bar);
    if (f.fd >= 0)
        close(f.fd);
    return rc;
}

int64_t fetch_have(const struct wanted *file, const char *folder)
{
    char path[4096];
    struct stat st;
    if ((join(path, folder, file->name, "") == WHISP_OK && stat(path, &st) == 0) ||
        (join(path, folder, file->name, ".part") == WHISP_OK && stat(path, &st) == 0))
        return st.st_size;
    return 0;
}
