/* source.c - see source.h. */
#include "audio/source.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST_SAVED (64 << 20) /* bytes of a pipe before its sound */

/* What is read as it comes. */
static int init_pipe(wh_source *source)
{
    source->size = WH_SOURCE_UNKNOWN;
    source->saves = 1;
    source->window = wh_calloc(WH_SOURCE_WINDOW, 1);
    return source->window ? WHISP_OK : wh_fail_memory();
}

/* What can be read anywhere: `all` bytes from `begin` on. */
static void init_file(wh_source *source, int64_t begin, int64_t all)
{
    source->is_file = 1;
    source->begin = begin;
    source->all = WH_MAX(all, 0);
    wh_source_rewind(source);
}

int wh_source_init(wh_source *source, int fd)
{
    struct stat st;
    memset(source, 0, sizeof *source);
    source->fd = fd;
    source->opening = 1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return init_pipe(source);
    off_t here = WH_MAX(lseek(fd, 0, SEEK_CUR), 0);
    init_file(source, here, (int64_t)st.st_size - here);
    return WHISP_OK;
}

void wh_source_init_memory(wh_source *source, const void *bytes, size_t n)
{
    static const unsigned char none[1];
    memset(source, 0, sizeof *source);
    source->fd = -1;
    source->memory = n ? bytes : none;
    init_file(source, 0, (int64_t)WH_MIN(n, (size_t)INT64_MAX));
}

int wh_source_init_reader(wh_source *source, const whisp_reader *reader)
{
    memset(source, 0, sizeof *source);
    source->fd = -1;
    source->reader = *reader;
    source->reader_at = -1;
    source->opening = 1;
    if (!reader->seek)
        return init_pipe(source);
    int64_t here = reader->tell(reader->user);
    int64_t end = here < 0 || reader->seek(reader->user, 0, SEEK_END) ? -1 : reader->tell(reader->user);
    if (end < here || here < 0)
        return wh_fail(WHISP_ERR_IO, "the reader cannot tell its length; leave `seek` NULL where it cannot seek");
    init_file(source, here, end - here);
    return WHISP_OK;
}

void wh_source_free(wh_source *source)
{
    if (source->kept)
        fclose(source->kept);
    wh_buf_free(&source->saved);
    free(source->window);
    source->window = NULL;
    source->kept = NULL;
}

void wh_source_rewind(wh_source *source)
{
    source->origin = source->begin;
    source->size = source->all;
    source->position = 0;
    source->opening = 1;
    source->error = source->ran_dry = source->tell_end = source->past_end = 0;
}

/* ---- reading ---- */

/* The caller's functions: as read() or, with an offset of at least 0, pread(). */
static ssize_t read_reader(wh_source *source, int64_t offset, unsigned char *bytes, size_t n)
{
    const whisp_reader *reader = &source->reader;
    if (offset >= 0 && offset != source->reader_at && reader->seek(reader->user, offset, SEEK_SET)) {
        source->reader_at = -1;
        errno = ESPIPE;
        return -1;
    }
    int64_t got = reader->read(reader->user, bytes, n);
    source->reader_at = offset >= 0 && got >= 0 ? offset + got : -1;
    if (got >= 0 && got <= (int64_t)n)
        return (ssize_t)got;
    errno = EIO;
    return -1;
}

static ssize_t read_some(wh_source *source, int64_t offset, unsigned char *bytes, size_t n)
{
    if (source->memory) {
        memcpy(bytes, source->memory + offset, n);
        return (ssize_t)n;
    }
    if (source->reader.read)
        return read_reader(source, offset, bytes, n);
    return offset >= 0 ? pread(source->fd, bytes, n, (off_t)offset) : read(source->fd, bytes, n);
}

/* read() or, with an offset of at least 0, pread(), until n bytes, the end or an error. What is asked for of a file
 * lies within it. */
static size_t read_fully(wh_source *source, int64_t offset, unsigned char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = read_some(source, offset >= 0 ? offset + (int64_t)done : -1, bytes + done, n - done);
        if (got == 0)
            break;
        if (got > 0) {
            done += (size_t)got;
        } else if (source->fd >= 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd wait = {.fd = source->fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR) {
                source->error = errno;
                break;
            }
        } else if (source->fd < 0 || errno != EINTR) {
            source->error = errno;
            break;
        }
    }
    return done;
}

/* ---- pipes ---- */

/* The window's first n bytes go; as long as nothing was read for good they are kept elsewhere. */
static void drop(wh_source *source, size_t n)
{
    if (source->saves && source->saved.length + n <= MOST_SAVED)
        wh_buf_append(&source->saved, source->window, n);
    else
        wh_source_let_go(source);
    source->window_length -= n;
    memmove(source->window, source->window + n, source->window_length);
}

void wh_source_let_go(wh_source *source)
{
    source->saves = 0;
    wh_buf_free(&source->saved);
}

/* Read on in a pipe until the window reaches `end` or the pipe ends. What is older than half a window may go. */
static void fill_window(wh_source *source, int64_t end)
{
    while (!source->at_end && source->window_start + (int64_t)source->window_length < end) {
        if (source->window_length == WH_SOURCE_WINDOW) {
            drop(source, WH_SOURCE_WINDOW / 2);
            source->window_start += WH_SOURCE_WINDOW / 2;
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
        if (done < n && !source->error) /* it has become shorter, or the reader told too much */
            source->size = offset + (int64_t)done;
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
        drop(source, (size_t)step);
        n -= step;
    }
}

static int write_kept(wh_source *source, const void *bytes, size_t n)
{
    return n == 0 || fwrite(bytes, 1, n, source->kept) == n;
}

/* What follows the window in the pipe, to the end. */
static int copy_rest(wh_source *source, int (*check)(const void *user), const void *user)
{
    unsigned char block[16384];
    size_t n;
    do {
        int rc = check(user);
        if (rc)
            return rc;
        n = source->at_end ? 0 : read_fully(source, -1, block, sizeof block);
        if (source->error)
            return wh_fail(WHISP_ERR_IO, "it cannot be read: %s", strerror(source->error));
        if (!write_kept(source, block, n))
            return wh_fail(WHISP_ERR_IO, "the temporary file cannot be written: %s", strerror(errno));
    } while (n == sizeof block);
    return WHISP_OK;
}

int wh_source_keep(wh_source *source, int (*check)(const void *user), const void *user)
{
    if (!source->saves || source->saved.failed)
        return wh_fail(WHISP_ERR_IO, "its beginning is too long to be kept");
    if (!(source->kept = tmpfile()))
        return wh_fail(WHISP_ERR_IO, "there can be none: %s", strerror(errno));
    if (!write_kept(source, source->saved.data, source->saved.length) ||
        !write_kept(source, source->window, source->window_length))
        return wh_fail(WHISP_ERR_IO, "the temporary file cannot be written: %s", strerror(errno));
    int rc = copy_rest(source, check, user);
    if (!rc && fflush(source->kept) != 0)
        rc = wh_fail(WHISP_ERR_IO, "the temporary file cannot be written: %s", strerror(errno));
    if (rc)
        return rc;
    wh_source_let_go(source);
    free(source->window);
    source->window = NULL;
    source->reader = (whisp_reader){0};
    source->fd = fileno(source->kept);
    init_file(source, 0, (int64_t)ftello(source->kept));
    return WHISP_OK;
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

/* Nothing is written: libsndfile asks for that only where it was opened to write. */
const SF_VIRTUAL_IO wh_source_io = {.get_filelen = io_length, .seek = io_seek, .read = io_read, .tell = io_tell};
