/* util.h - what every room uses: errors with a text, checked allocation, growing byte buffers, wall time.
 *
 * Names: wh_ is the library's inside (hidden in the shared library), whisp_ is the public header's. */
#ifndef WH_UTIL_H
#define WH_UTIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "whisp.h"

#if defined(__GNUC__)
#define WH_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define WH_PRINTF(a, b)
#endif

/* Remember an error's text for whisp_last_error() in this thread and return `code`, so that a function can end with
 * `return wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));`. Control characters from file
 * names and file contents are shown as '?', and the text is cut at about 1,000 bytes. */
int wh_fail(int code, const char *format, ...) WH_PRINTF(2, 3);

/* Control characters become '?': what stands in a file would do something to the terminal that it is shown on. */
void wh_tame(char *text);

/* wh_fail(WHISP_ERR_MEMORY, ...) with a standard text. */
int wh_fail_memory(void);

/* Zeroed array of n elements; NULL when out of memory or when n * size overflows. Free with free(). Never NULL for
 * n == 0 unless out of memory. */
void *wh_calloc(size_t n, size_t size);
/* 64-byte aligned, not zeroed; free with free(). */
void *wh_alloc_aligned(size_t n, size_t size);
/* Make room for `need` elements in *array, doubling *capacity. 0 or WHISP_ERR_MEMORY (array untouched then). */
int wh_grow(void *array, size_t *capacity, size_t need, size_t size);

/* A byte string that grows. All calls keep `data` NUL-terminated once something was appended. After a failure to
 * allocate, `failed` is set and further appends do nothing, so it is enough to check once at the end. */
typedef struct wh_buf {
    char *data;
    size_t length, capacity;
    int failed;
} wh_buf;
void wh_buf_append(wh_buf *buf, const void *bytes, size_t n);
void wh_buf_puts(wh_buf *buf, const char *text);
void wh_buf_printf(wh_buf *buf, const char *format, ...) WH_PRINTF(2, 3);
/* Empty again, the memory kept; a failure before is forgotten. */
void wh_buf_clear(wh_buf *buf);
void wh_buf_free(wh_buf *buf);

/* Monotonic wall time in seconds. */
double wh_now(void);

#define WH_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WH_MIN(a, b) ((a) < (b) ? (a) : (b))
#define WH_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
