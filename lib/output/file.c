/* file.c - a document into a file, all or nothing, also after a power cut: written beside it under another name, brought
 * to the disk, then renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/writers.h"
#include "platform/platform.h"
#include "util/write.h"

#define MAX_LINKS 40

/* Functions here return 0 or an errno value; this is what the user can do about it. */
static const char *advice(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "free some space or write to another place";
    case ENOENT:
    case ENOTDIR: return "create its folder first";
    case EACCES:
    case EPERM:
    case EROFS: return "choose a place that you may write to";
    case EISDIR: return "name a file in it";
    case EPIPE: return "its reader has gone away";
    default: return "choose another place";
    }
}

/* Devices, pipes and the like cannot be replaced by a file. */
static int write_directly(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno;
    int error = wh_write_quietly(fd, text, length);
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

/* The folder that a path is in, with its closing slash; "" for the current one. */
static void put_folder(wh_buf *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    wh_buf_append(out, path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* Where a path leads if it is a symbolic link, or a link to a link: renaming there keeps the links. */
static int follow_links(const char *path, wh_buf *target)
{
    wh_buf_puts(target, path);
    for (int i = 0; i < MAX_LINKS && !target->failed; i++) {
        char link[4096];
        ssize_t n = readlink(target->data, link, sizeof link);
        if (n < 0)
            return 0; /* not a link, or nothing there yet */
        if (n == (ssize_t)sizeof link)
            return ENAMETOOLONG;
        wh_buf next = {0};
        if (link[0] != '/')
            put_folder(&next, target->data);
        wh_buf_append(&next, link, (size_t)n);
        wh_buf_free(target);
        *target = next;
    }
    return target->failed ? ENOMEM : ELOOP;
}

/* A name that nothing has yet in the target's folder: `make` makes a file of it, or fails with EEXIST. */
static int find_name(const char *target, int (*make)(const char *name, int *fd), int *fd, wh_buf *name)
{
    for (int i = 0; i < 1000; i++) {
        wh_buf_clear(name);
        put_folder(name, target);
        wh_buf_printf(name, ".whisp-%ld-%d.tmp", (long)getpid(), i);
        if (name->failed)
            return ENOMEM;
        int error = make(name->data, fd);
        if (error != EEXIST)
            return error;
    }
    return EEXIST;
}

static int create(const char *name, int *fd)
{
    *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return *fd < 0 ? errno : 0;
}

/* The file that *fd stands for, which has no name, gets one. */
static int give_name(const char *name, int *fd)
{
    return wh_platform_give_name(*fd, name);
}

/* A file in the target's folder that has no name, so that nothing is left of it where the process ends before it is
 * whole. (Between its name and the target's, a moment, it has a temporary one.) -1: where there can be none. */
static int open_nameless(const char *target)
{
    wh_buf folder = {0};
    put_folder(&folder, target);
    wh_buf_puts(&folder, folder.length ? "" : ".");
    int fd = folder.failed ? -1 : wh_platform_open_nameless(folder.data);
    wh_buf_free(&folder);
    return fd;
}

/* The document and, if there is an old one, its mode; on the disk. */
static int fill(int fd, const struct stat *old, const char *text, size_t length)
{
    int error = wh_write_quietly(fd, text, length);
    if (old)
        (void)!fchmod(fd, old->st_mode & 0777); /* some file systems have no modes */
    return error ? error : wh_write_through(fd);
}

/* The document in a file beside the target, whose name is *name when there is no error. */
static int write_beside(const char *target, const struct stat *old, const char *text, size_t length, wh_buf *name)
{
    int fd = open_nameless(target);
    if (fd >= 0) {
        int error = fill(fd, old, text, length), unnamed = error ? error : find_name(target, give_name, &fd, name);
        close(fd);
        if (!unnamed || error)
            return unnamed;
    }
    int error = find_name(target, create, &fd, name);
    if (error)
        return error;
    error = fill(fd, old, text, length);
    if (close(fd) != 0 && !error)
        error = errno;
    if (error)
        unlink(name->data);
    return error;
}

/* Put a new file in the target's place. `old` describes the file there now, or is NULL. */
static int replace(const char *target, const struct stat *old, const char *text, size_t length)
{
    wh_buf name = {0};
    if (old && access(target, W_OK) != 0)
        return errno;
    int error = write_beside(target, old, text, length, &name);
    if (!error && rename(name.data, target) != 0) {
        error = errno;
        unlink(name.data);
    } else if (!error) {
        wh_write_folder(target);
    }
    wh_buf_free(&name);
    return error;
}

static int write_document(const char *path, const char *text, size_t length)
{
    struct stat st;
    int exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return errno;
    if (exists && S_ISDIR(st.st_mode))
        return EISDIR;
    if (exists && !S_ISREG(st.st_mode))
        return write_directly(path, text, length);
    wh_buf target = {0};
    int error = follow_links(path, &target);
    if (!error)
        error = replace(target.data, exists ? &st : NULL, text, length);
    wh_buf_free(&target);
    return error;
}

int whisp_result_write(const whisp_result *result, const char *format, const whisp_writer_options *layout,
                       const char *path)
{
    char *text;
    size_t length;
    if (!path)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_write() needs a path");
    int rc = whisp_result_format(result, format, layout, &text, &length);
    if (rc != WHISP_OK)
        return rc;
    int error = write_document(path, text, length);
    whisp_string_free(text);
    if (error == ENOMEM)
        return wh_fail_memory();
    if (error)
        return wh_fail(WHISP_ERR_IO, "cannot write %s: %s; %s", path, strerror(error), advice(error));
    return WHISP_OK;
}
