/* format.c - POST /v1/format: a transcript as JSON (openai-whisper's, which the page at / keeps) in any format that the
 * library writes. The page needs no writers of its own so, and its files are the command's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "routes.h"
#include "upload.h"
#include "whisp.h"

enum { MOST = 4 << 20 /* bytes: two hours with all words; more would keep the daemon's thread for too long */ };

static const struct type {
    const char *format, *type;
} types[] = {
    {"srt", "application/x-subrip; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"tsv", "text/tab-separated-values; charset=utf-8"},
    {"json", "application/json"},
    {"html", "text/html; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"ass", "text/x-ssa; charset=utf-8"},
};

static const char *type_of(const char *format)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].format, format) == 0)
            return types[i].type;
    return "text/plain; charset=utf-8";
}

static void begin(struct exchange *exchange)
{
    struct upload *upload = upload_new();
    if (upload)
        exchange_set_state(exchange, upload);
    else
        exchange_fail(exchange, 500, NULL, NULL, "no temporary file: %s", strerror(errno));
}

static void body(struct exchange *exchange, const char *bytes, size_t n)
{
    struct upload *upload = exchange_state(exchange);
    if (upload_size(upload) + (int64_t)n > MOST) {
        exchange_fail(exchange, 413, NULL, NULL, "a transcript has at most %d bytes here", MOST);
        return;
    }
    int error = upload_write(upload, bytes, n);
    if (error)
        exchange_fail(exchange, 500, NULL, NULL, "the transcript cannot be kept: %s", strerror(error));
}

/* All bytes of it, to be freed; NULL: no memory, or they cannot be read. */
static char *read_all(const struct upload *upload, size_t *n)
{
    *n = (size_t)upload_size(upload);
    char *bytes = malloc(*n + 1);
    for (size_t done = 0; bytes && done < *n;) {
        ssize_t more = pread(upload_fd(upload), bytes + done, *n - done, (off_t)done);
        if (more == 0 || (more < 0 && errno != EINTR)) {
            free(bytes);
            return NULL;
        }
        done += more > 0 ? (size_t)more : 0;
    }
    return bytes;
}

/* WHISP_OK and *text, or an error. */
static int rewrite(const struct upload *upload, const char *format, const char *name, char **text, size_t *length)
{
    const whisp_writer_options layout = {.size = sizeof layout, .recording = name};
    size_t n;
    whisp_result *result = NULL;
    char *json = read_all(upload, &n);
    if (!json)
        return WHISP_ERR_MEMORY;
    int rc = whisp_result_read(json, n, &result);
    if (rc == WHISP_OK)
        rc = whisp_result_format(result, format, &layout, text, length);
    whisp_result_free(result);
    free(json);
    return rc;
}

static void end(struct exchange *exchange)
{
    const char *format = exchange_query(exchange, "format");
    char *text;
    size_t length;
    if (!format) {
        exchange_fail(exchange, 400, "format", NULL, "which format? /v1/format?format=srt");
        return;
    }
    int rc = rewrite(exchange_state(exchange), format, exchange_query(exchange, "name"), &text, &length);
    if (rc != WHISP_OK) {
        exchange_fail(exchange, rc == WHISP_ERR_ARGUMENT ? 400 : 500, NULL, NULL, "%s",
                      rc == WHISP_ERR_MEMORY ? "out of memory" : whisp_last_error());
        return;
    }
    exchange_answer(exchange, 200, type_of(format), text, length);
    whisp_string_free(text);
}

static void drop(void *state)
{
    upload_free(state);
}

const struct route format_routes[] = {
    {.method = "POST", .path = "/v1/format", .begin = begin, .body = body, .end = end, .drop = drop},
    {.method = NULL},
};
