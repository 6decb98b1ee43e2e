/* write.c - a GGUF file written front to back: values and descriptions are collected, then tensor data stream through.
 *
 * Last step of whisp-convert. A regular file appears under its name only when it is whole: until then it has a
 * temporary name in the same folder, and is on the disk then. A device or pipe is written directly. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/file.h"
#include "util/write.h"

#define ALIGNMENT 64

struct wh_gguf_writer {
    char *path, *temporary; /* temporary is NULL where path is written directly */
    FILE *file;
    wh_buf values, tensors; /* the head's two lists, as they stand in the file */
    uint64_t n_values, n_tensors;
    uint64_t next_offset; /* in the data section, for the next tensor declared */
    size_t *sizes;        /* [n_tensors] bytes of each tensor's data */
    size_t sizes_capacity;
    int begun;
    uint64_t current; /* tensor whose data are being written */
    size_t written;   /* bytes of it */
};

static void put_u32(wh_buf *buf, uint32_t x)
{
    const unsigned char b[4] = {(unsigned char)x, (unsigned char)(x >> 8), (unsigned char)(x >> 16),
                                (unsigned char)(x >> 24)};
    wh_buf_append(buf, b, 4);
}

static void put_u64(wh_buf *buf, uint64_t x)
{
    put_u32(buf, (uint32_t)x);
    put_u32(buf, (uint32_t)(x >> 32));
}

static void put_bytes(wh_buf *buf, const char *text, size_t length)
{
    put_u64(buf, length);
    wh_buf_append(buf, text, length);
}

static int status(const wh_buf *buf)
{
    return buf->failed ? wh_fail_memory() : WHISP_OK;
}

static int write_error(const wh_gguf_writer *w)
{
    return wh_fail(WHISP_ERR_IO, "%s: cannot be written: %s", w->path, strerror(errno ? errno : EIO));
}

/* A file beside `path` that nobody else has, or path itself where it is a device or a pipe. */
static int open_output(wh_gguf_writer *w)
{
    struct stat st;
    int fd;
    if (stat(w->path, &st) == 0 && S_ISDIR(st.st_mode))
        return wh_fail(WHISP_ERR_IO, "%s: is a folder; name the file to write", w->path);
    if (stat(w->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        fd = open(w->path, O_WRONLY | O_CLOEXEC);
    } else {
        size_t n = strlen(w->path) + 32;
        if (!(w->temporary = malloc(n)))
            return wh_fail_memory();
        int tries = 0;
        do {
            snprintf(w->temporary, n, "%s.%ld.%d.tmp", w->path, (long)getpid(), tries);
            fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (fd < 0 && errno == EEXIST && ++tries < 100);
    }
    if (fd < 0) {
        int rc = write_error(w);
        free(w->temporary);
        w->temporary = NULL;
        return rc;
    }
    w->file = fdopen(fd, "wb");
    if (!w->file) {
        close(fd);
        return wh_fail_memory();
    }
    return WHISP_OK;
}

int wh_gguf_writer_new(const char *path, wh_gguf_writer **writer)
{
    *writer = NULL;
    wh_gguf_writer *w = wh_calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) {
        free(w);
        return wh_fail_memory();
    }
    int rc = open_output(w);
    if (!rc)
        rc = wh_gguf_put_u32(w, "general.alignment", ALIGNMENT);
    if (rc)
        wh_gguf_writer_abort(w);
    else
        *writer = w;
    return rc;
}

static wh_buf *put_key(wh_gguf_writer *w, const char *key, uint32_t type)
{
    put_bytes(&w->values, key, strlen(key));
    put_u32(&w->values, type);
    w->n_values++;
    return &w->values;
}

int wh_gguf_put_u32(wh_gguf_writer *w, const char *key, uint32_t value)
{
    put_u32(put_key(w, key, GGUF_U32), value);
    return status(&w->values);
}

int wh_gguf_put_bool(wh_gguf_writer *w, const char *key, int value)
{
    wh_buf_append(put_key(w, key, GGUF_BOOL), value ? "\1" : "\0", 1);
    return status(&w->values);
}

int wh_gguf_put_string(wh_gguf_writer *w, const char *key, const char *text, size_t length)
{
    put_bytes(put_key(w, key, GGUF_STRING), text, length);
    return status(&w->values);
}

static wh_buf *put_array(wh_gguf_writer *w, const char *key, uint32_t type, size_t n)
{
    wh_buf *buf = put_key(w, key, GGUF_ARRAY);
    put_u32(buf, type);
    put_u64(buf, n);
    return buf;
}

int wh_gguf_put_i32_array(wh_gguf_writer *w, const char *key, const int32_t *values, size_t n)
{
    wh_buf *buf = put_array(w, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        put_u32(buf, (uint32_t)values[i]);
    return status(buf);
}

int wh_gguf_put_string_array(wh_gguf_writer *w, const char *key, const char *const *texts, const size_t *lengths,
                             size_t n)
{
    wh_buf *buf = put_array(w, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_bytes(buf, texts[i], lengths[i]);
    return status(buf);
}

int wh_gguf_declare(wh_gguf_writer *w, const char *name, wh_type type, int n_dims, const int64_t *shape)
{
    if (w->begun)
        return wh_fail(WHISP_ERR_STATE, "%s: tensor %s declared after the head was written", w->path, name);
    size_t bytes = n_dims < 1 || n_dims > WH_MAX_DIMS ? 0 : wh_type_row_size(type, shape[n_dims - 1]);
    for (int i = 0; bytes && i < n_dims - 1; i++)
        bytes = shape[i] < 1 || (uint64_t)shape[i] > SIZE_MAX / 2 / bytes ? 0 : bytes * (size_t)shape[i];
    if (!bytes)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: tensor %s has a shape that its type cannot have", w->path, name);
    if (wh_grow(&w->sizes, &w->sizes_capacity, (size_t)w->n_tensors + 1, sizeof *w->sizes))
        return WHISP_ERR_MEMORY;
    w->sizes[w->n_tensors++] = bytes;
    put_bytes(&w->tensors, name, strlen(name));
    put_u32(&w->tensors, (uint32_t)n_dims);
    for (int i = n_dims - 1; i >= 0; i--)
        put_u64(&w->tensors, (uint64_t)shape[i]);
    put_u32(&w->tensors, (uint32_t)type);
    put_u64(&w->tensors, w->next_offset);
    w->next_offset += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return status(&w->tensors);
}

static int write_bytes(wh_gguf_writer *w, const void *bytes, size_t n)
{
    errno = 0;
    return n == 0 || fwrite(bytes, 1, n, w->file) == n ? WHISP_OK : write_error(w);
}

/* Zeros after `n` bytes up to the next multiple of the alignment. */
static int write_padding(wh_gguf_writer *w, uint64_t n)
{
    static const char zeros[ALIGNMENT];
    return write_bytes(w, zeros, (size_t)((ALIGNMENT - n % ALIGNMENT) % ALIGNMENT));
}

int wh_gguf_writer_begin(wh_gguf_writer *w)
{
    if (w->begun)
        return wh_fail(WHISP_ERR_STATE, "%s: the head was written already", w->path);
    w->begun = 1;
    wh_buf head = {0};
    wh_buf_puts(&head, "GGUF");
    put_u32(&head, 3);
    put_u64(&head, w->n_tensors);
    put_u64(&head, w->n_values);
    int rc = status(&head);
    if (!rc && !(rc = write_bytes(w, head.data, head.length)) &&
        !(rc = write_bytes(w, w->values.data, w->values.length)) &&
        !(rc = write_bytes(w, w->tensors.data, w->tensors.length)))
        rc = write_padding(w, (uint64_t)head.length + w->values.length + w->tensors.length);
    wh_buf_free(&head);
    return rc;
}

int wh_gguf_write(wh_gguf_writer *w, const void *data, size_t bytes)
{
    const char *p = data;
    while (bytes > 0) {
        if (!w->begun || w->current >= w->n_tensors)
            return wh_fail(WHISP_ERR_STATE, "%s: more data than the declared tensors hold", w->path);
        size_t size = w->sizes[w->current], part = WH_MIN(bytes, size - w->written);
        int rc = write_bytes(w, p, part);
        if (rc)
            return rc;
        p += part;
        bytes -= part;
        w->written += part;
        if (w->written == size) {
            if ((rc = write_padding(w, size)))
                return rc;
            w->current++;
            w->written = 0;
        }
    }
    return WHISP_OK;
}

const char *wh_gguf_writer_temporary(const wh_gguf_writer *w)
{
    return w->temporary;
}

int wh_gguf_writer_finish(wh_gguf_writer *w)
{
    int rc = WHISP_OK;
    if (!w->begun || w->current < w->n_tensors)
        rc = wh_fail(WHISP_ERR_STATE, "%s: the data of %llu tensors were not written", w->path,
                     (unsigned long long)(w->n_tensors - w->current));
    if (!rc) {
        FILE *file = w->file;
        w->file = NULL;
        int error = 0;
        errno = 0;
        if (fflush(file) != 0 || (w->temporary && (error = wh_write_through(fileno(file)))))
            error = error ? error : errno ? errno : EIO;
        if (fclose(file) != 0 && !error)
            error = errno ? errno : EIO;
        if (!error && w->temporary && rename(w->temporary, w->path) != 0)
            error = errno;
        errno = error;
        if (error)
            rc = write_error(w);
        else if (w->temporary)
            wh_write_folder(w->path);
    }
    if (!rc) {
        free(w->temporary);
        w->temporary = NULL;
    }
    wh_gguf_writer_abort(w);
    return rc;
}

void wh_gguf_writer_abort(wh_gguf_writer *w)
{
    if (!w)
        return;
    if (w->file)
        fclose(w->file);
    if (w->temporary)
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    free(w->sizes);
    wh_buf_free(&w->values);
    wh_buf_free(&w->tensors);
    free(w);
}
