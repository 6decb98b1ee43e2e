/* place.c - see place.h. A lock is the descriptor's (flock), so it ends with the process, however that ends. */
#include "journal/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/util.h"

#define HOW (O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
#define TRIES 8 /* a name may be given to another file between opening it and locking it */

/* Is it a journal, be it an empty one? Anything else is not ours to write to. 0, or an errno value. */
static int check(int fd)
{
    struct stat st;
    char first[sizeof WH_JOURNAL_MAGIC - 1];
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EEXIST;
    size_t n = (size_t)WH_MIN(st.st_size, (off_t)sizeof first);
    ssize_t got = pread(fd, first, n, 0);
    while (got < 0 && errno == EINTR)
        got = pread(fd, first, n, 0);
    if (got < 0)
        return errno;
    return (size_t)got == n && memcmp(first, WH_JOURNAL_MAGIC, n) == 0 ? 0 : EEXIST;
}

/* 0, or EWOULDBLOCK. Where there are no locks all go on without. */
static int lock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return EWOULDBLOCK;
        if (errno != EINTR)
            return 0;
    }
    return 0;
}

/* Does the name still mean this file? */
static int is_at(int fd, const char *path, int64_t *size)
{
    struct stat here, there;
    if (fstat(fd, &here) != 0 || lstat(path, &there) != 0)
        return 0;
    *size = here.st_size;
    return here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

wh_place wh_place_take(const char *path)
{
    wh_place place = {.fd = -1, .error = EWOULDBLOCK};
    for (int i = 0; i < TRIES; i++) {
        int fd = open(path, HOW);
        if (fd < 0) {
            place.error = errno;
            if (errno == EINTR)
                continue;
            break;
        }
        int error = check(fd);
        if (!error)
            error = lock(fd);
        int here = !error && is_at(fd, path, &place.size);
        if (here && place.size < (int64_t)sizeof WH_JOURNAL_MAGIC - 1) {
            here = 0; /* of a run that was killed before its first line was written: it holds nothing, and goes */
            error = unlink(path) != 0 ? errno : 0;
        }
        if (here) {
            place.fd = fd;
            place.error = 0;
            break;
        }
        close(fd);
        place.error = error ? error : EWOULDBLOCK;
        if (error)
            break;
    }
    return place;
}

void wh_place_give_back(wh_place *place)
{
    if (place->fd >= 0)
        close(place->fd);
    place->fd = -1;
}

/* What stands under the name gets out of the way. A place with an error, if any. */
static wh_place set_aside(const char *path, const char *old)
{
    wh_place here = wh_place_take(path), there = {.fd = -1}, done = {.fd = -1};
    if (here.fd < 0) {
        done.error = here.error == ENOENT ? 0 : here.error;
        return done;
    }
    there = wh_place_take(old);
    done.is_old = there.fd < 0 && there.error != ENOENT;
    if (done.is_old)
        done.error = there.error;
    else if ((there.fd >= 0 && there.size > here.size ? unlink(path) : rename(path, old)) != 0)
        done.error = errno;
    wh_place_give_back(&there);
    wh_place_give_back(&here);
    return done;
}

wh_place wh_place_make(const char *path, const char *old)
{
    wh_place place = set_aside(path, old);
    if (place.error)
        return place;
    place.fd = open(path, HOW | O_CREAT | O_EXCL, 0666);
    if (place.fd < 0) {
        place.error = errno == EEXIST ? EWOULDBLOCK : errno; /* it has come there just now */
    } else if (lock(place.fd) || !is_at(place.fd, path, &place.size)) {
        wh_place_give_back(&place); /* another run took it for one that was left */
        place.error = EWOULDBLOCK;
    }
    return place;
}

const char *wh_place_problem(int error)
{
    return error == EEXIST        ? "something else is there"
           : error == ELOOP       ? "a symbolic link is there"
           : error == EWOULDBLOCK ? "another run is writing it"
                                  : strerror(error);
}
