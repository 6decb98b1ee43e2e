/* pipes.c - recordings that come through a pipe and that only ffmpeg decodes (M4A, films, ...): looked at without taking
 * anything out of the pipe, so that the library finds all of the others there, and kept in a file, because ffmpeg seeks.
 * Between inputs.c and ffmpeg.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum {
    FIRST_BYTES = 65536, /* of what stands in the pipe, as much as is looked at */
    ENOUGH = 600,        /* to know any format by */
    TRIES = 100,         /* to get as many, 10 ms from one to the next */
};

int pipe_is(const char *name)
{
    struct stat status;
    int rc = strcmp(name, "-") == 0 ? fstat(STDIN_FILENO, &status) : stat(name, &status);
    return rc == 0 && S_ISFIFO(status.st_mode);
}

int pipe_open(const char *name)
{
    return strcmp(name, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(name, O_RDONLY | O_CLOEXEC);
}

/* Wait for bytes. 0: there are some, or there will be none; 1: a signal asks to end. */
static int wait_for(int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    while (!signals_stop() && poll(&in, 1, 200) <= 0)
        ;
    return signals_stop() != 0;
}

/* What stands in the pipe, up to n bytes; it stays there. */
static size_t look(int fd, unsigned char *bytes, size_t n)
{
    int copy[2];
    ssize_t got = 0;
    for (int tries = 0; tries < TRIES && got < ENOUGH && !signals_stop(); tries++) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        if (tries > 0)
            poll(NULL, 0, 10);
        if (pipe2(copy, O_CLOEXEC) != 0)
            return 0;
        got = tee(fd, copy[1], n, SPLICE_F_NONBLOCK);
        if (got > 0)
            got = read(copy[0], bytes, (size_t)got);
        close(copy[0]);
        close(copy[1]);
        if (poll(&in, 1, 0) > 0 && (in.revents & POLLHUP)) /* that is all */
            break;
    }
    return got > 0 ? (size_t)got : 0;
}

int pipe_needs_ffmpeg(int fd)
{
    static unsigned char bytes[FIRST_BYTES];
    whisp_audio *audio = NULL;
    if (wait_for(fd))
        return 0;
    size_t n = look(fd, bytes, sizeof bytes);
    int error = n > 0 ? whisp_audio_open_memory(bytes, n, &audio) : WHISP_OK;
    whisp_audio_free(audio);
    return error == WHISP_ERR_AUDIO && strstr(whisp_last_error(), " is not decoded here; let ffmpeg do it") != NULL;
}

int pipe_keep(int fd, int file)
{
    char block[65536];
    for (;;) {
        if (wait_for(fd))
            return 1;
        ssize_t n = read(fd, block, sizeof block);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
        for (ssize_t at = 0, done; at < n; at += done) {
            done = write(file, block + at, (size_t)(n - at));
            if (done < 0 && errno != EINTR)
                return -1;
            done = done < 0 ? 0 : done;
        }
    }
}
