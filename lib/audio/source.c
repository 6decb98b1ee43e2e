/* source.c - see source.h. */
#include "audio/source.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

int wh_source_init(wh_source *source, int fd)
{
    struct stat st;
    memset(source, 0, sizeof *source);
    source->fd = fd;
    source->size = WH_SOURCE_UNKNOWN;
    source->opening = 1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        off_t here = lseek(fd, 0, SEEK_CUR);
        source->is_file = 1;
        source->origin = here > 0 ? here : 0;
        source->size = WH_MAX((int64_t)st.st_size - source->origin, 0);
        return WHISP_OK;
    }
    source->window = wh_calloc(WH_SOURCE_WINDOW, 1);
    return source->window ? WHISP_OK : wh_fail_memory();
}

void wh_source_free(wh_source *source)
{
    free(source->window);
    source->window = NULL;
}

/* read() or, with an offset of at least 0, pread(), until n bytes, the end or an error. */
static size_t read_fully(wh_source *source, int64_t offset, unsigned char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = offset >= 0 ? pread(source->fd, bytes + done, n - done, (off_t)(offset + (int64_t)done))
                                  : read(source->fd, bytes + done, n - done);
        if (got == 0)
            break;
        if (got > 0) {
            done += (size_t)got;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd wait = {.fd = source->fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR) {
                source->error = errno;
                break;
            }
        } else if (errno != EINTR) {
            source->error = errno;
            break;
        }
    }
    return done;
}

/* Read on in a pipe until the window reaches `end` or the pipe ends. What is older than half a window may go. */
static void fill_window(wh_source *source, int64_t end)
{
    while (!source->at_end && source->window_start + (int64_t)source->window_length < end) {
        if (source->window_length == WH_SOURCE_WINDOW) {
            size_t kept = WH_SOURCE_WINDOW / 2;
            memmove(source->window, source->window + source->window_length - kept, kept);
            source->window_start += (int64_t)(source->window_length - kept);
            source->window_length = kept;
        }
        int64_t missing = end - source->window_start - (int64_t)source->window_length;
        size_t room = WH_SOURCE_WINDOW - source->window_length;
        size_t n = missing < (int64_t)room ? (size_t)missing : room;
        size_t got = read_fully(source, -1, source->window + source->window_length, n);
        source->window_length += got;
        if (got < n)
            source->at_end = 1;
    }
}

static size_t read_pipe(wh_source *source, int64_t offset, unsigned char *bytes, size_t n)
{
    size_t done = 0;
    /* While the format is being recognised a far jump forward (over the sound, to look for more headers) must not use
     * up the sound: it finds the end there. A near one is looked at; the window still holds what was before. */
    int64_t end = source->window_start + (int64_t)source->window_length;
    if (source->opening && offset > end && offset + (int64_t)n > source->window_start + WH_SOURCE_WINDOW)
        return 0;
    while (done < n) {
        int64_t at = offset + (int64_t)done;
        size_t piece = WH_MIN(n - done, WH_SOURCE_WINDOW / 4);
        if (at < source->window_start)
            break; /* gone */
        fill_window(source, at + (int64_t)piece);
        end = source->window_start + (int64_t)source->window_length;
        if (at >= end)
            break;
        piece = (size_t)WH_MIN((int64_t)piece, end - at);
        memcpy(bytes + done, source->window + (at - source->window_start), piece);
        done += piece;
    }
    return done;
}

size_t wh_source_peek(wh_source *source, int64_t offset, void *bytes, size_t n)
{
    size_t done;
    if (offset < 0)
        return 0;
    if (source->whole && offset < source->size) {
        n = (size_t)WH_MIN((int64_t)n, source->size - offset);
        done = wh_source_peek(source->whole, source->origin + offset, bytes, n);
        source->error = source->whole->error;
    } else if (!source->is_file && !source->whole) {
        done = read_pipe(source, offset, bytes, n);
    } else if (offset >= source->size) {
        done = 0;
    } else {
        n = (size_t)WH_MIN((int64_t)n, source->size - offset);
        done = read_fully(source, source->origin + offset, bytes, n);
    }
    return done;
}

void wh_source_part(wh_source *whole, int64_t at, int64_t length, wh_source *part)
{
    int64_t there = whole->is_file ? WH_MAX(whole->size - at, 0) : WH_SOURCE_UNKNOWN;
    *part = (wh_source){.fd = -1,
                        .path = whole->path,
                        .is_live = whole->is_live,
                        .is_file = whole->is_file,
                        .origin = at,
                        .size = length < 0 ? there : WH_MIN(length, there),
                        .whole = whole};
}

void wh_source_skip(wh_source *source, int64_t n)
{
    if (source->is_file) {
        n = WH_MIN(n, source->size);
        source->origin += n;
        source->size -= n;
        return;
    }
    while (n > 0) {
        int64_t step = WH_MIN(n, WH_SOURCE_WINDOW / 2);
        fill_window(source, source->window_start + step);
        step = WH_MIN(step, (int64_t)source->window_length);
        if (step == 0)
            break;
        source->window_length -= (size_t)step;
        memmove(source->window, source->window + step, source->window_length);
        n -= step;
    }
}

int wh_source_reaches(wh_source *source, int64_t offset)
{
    unsigned char last;
    return offset <= 0 || wh_source_peek(source, offset - 1, &last, 1) == 1;
}

int64_t wh_source_end(const wh_source *source)
{
    if (source->is_file)
        return source->size;
    return source->at_end ? source->window_start + (int64_t)source->window_length : WH_SOURCE_UNKNOWN;
}

static sf_count_t io_length(void *user)
{
    return ((wh_source *)user)->size;
}

static sf_count_t io_tell(void *user)
{
    const wh_source *source = user;
    return source->opening && source->tell_end && source->past_end ? source->size : source->position;
}

static sf_count_t io_seek(sf_count_t offset, int whence, void *user)
{
    wh_source *source = user;
    int64_t from = whence == SEEK_CUR ? source->position : whence == SEEK_END ? source->size : 0;
    if (whence == SEEK_END && !source->is_file)
        return -1;
    if (offset > INT64_MAX - from || from + offset < 0)
        return -1;
    source->position = from + offset;
    source->past_end = 0;
    return source->position;
}

static sf_count_t io_read(void *bytes, sf_count_t n, void *user)
{
    wh_source *source = user;
    if (n <= 0)
        return 0;
    size_t got = wh_source_peek(source, source->position, bytes, (size_t)n);
    source->position += (int64_t)got;
    source->ran_dry |= (sf_count_t)got < n;
    source->past_end = got == 0;
    return (sf_count_t)got;
}

static sf_count_t io_write(const void *bytes, sf_count_t n, void *user)
{
    (void)bytes, (void)n, (void)user;
    return 0;
}

const SF_VIRTUAL_IO wh_source_io = {
    .get_filelen = io_length, .seek = io_seek, .read = io_read, .write = io_write, .tell = io_tell};
