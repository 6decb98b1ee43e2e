/* util.c - errors with a text, checked allocation, growing byte buffers, wall time. Used by every room. */
#include "util/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Thread_local char last_error[1024];

void wh_tame(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 32 || *p == 127)
            *p = '?';
}

int wh_fail(int code, const char *format, ...)
{
    char text[sizeof last_error]; /* first beside it: an argument may be the last error itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wh_tame(text);
    memcpy(last_error, text, sizeof last_error);
    return code;
}

int wh_fail_memory(void)
{
    return wh_fail(WHISP_ERR_MEMORY, "out of memory");
}

const char *whisp_last_error(void)
{
    return last_error;
}

const char *whisp_error_name(int code)
{
    static const char *const names[] = {"WHISP_OK",          "WHISP_ERR_ARGUMENT",  "WHISP_ERR_MEMORY",
                                        "WHISP_ERR_IO",      "WHISP_ERR_AUDIO",     "WHISP_ERR_MODEL",
                                        "WHISP_ERR_BACKEND", "WHISP_ERR_CANCELLED", "WHISP_ERR_STATE",
                                        "WHISP_ERR_OUTPUT"};
    if (code > 0 || code <= -(int)WH_COUNT(names))
        return "unknown error";
    return names[-code];
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *whisp_version(void)
{
    return STRING(WHISP_VERSION_MAJOR) "." STRING(WHISP_VERSION_MINOR) "." STRING(WHISP_VERSION_PATCH);
}

void *wh_calloc(size_t n, size_t size)
{
    return calloc(n ? n : 1, size ? size : 1);
}

void *wh_alloc_aligned(size_t n, size_t size)
{
    if (size && n > (SIZE_MAX - 64) / size)
        return NULL;
    size_t bytes = n * size;
    return aligned_alloc(64, (bytes ? bytes + 63 : 64) / 64 * 64);
}

int wh_grow(void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return 0;
    size_t want = *capacity ? *capacity : 16;
    while (want < need) {
        if (want > SIZE_MAX / 2)
            return wh_fail_memory();
        want *= 2;
    }
    if (want > SIZE_MAX / size)
        return wh_fail_memory();
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, want * size);
    if (!grown)
        return wh_fail_memory();
    memcpy(array, &grown, sizeof grown);
    *capacity = want;
    return 0;
}

void wh_buf_append(wh_buf *buf, const void *bytes, size_t n)
{
    if (buf->failed)
        return;
    if (n >= SIZE_MAX - buf->length || wh_grow(&buf->data, &buf->capacity, buf->length + n + 1, 1)) {
        buf->failed = 1;
        return;
    }
    if (n)
        memcpy(buf->data + buf->length, bytes, n);
    buf->length += n;
    buf->data[buf->length] = 0;
}

void wh_buf_puts(wh_buf *buf, const char *text)
{
    wh_buf_append(buf, text, strlen(text));
}

void wh_buf_printf(wh_buf *buf, const char *format, ...)
{
    char text[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof text) {
        wh_buf_append(buf, text, (size_t)n);
    } else if (n >= 0) {
        char *longer = malloc((size_t)n + 1);
        if (longer) {
            vsnprintf(longer, (size_t)n + 1, format, again);
            wh_buf_append(buf, longer, (size_t)n);
            free(longer);
        } else {
            buf->failed = 1;
        }
    }
    va_end(again);
}

void wh_buf_clear(wh_buf *buf)
{
    buf->length = 0;
    buf->failed = 0;
}

void wh_buf_free(wh_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

double wh_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
