/* multipart.c - a window of bytes over the body, in which heads and boundaries are looked for; what is surely no boundary
 * is handed on at once. */
#include "multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MOST_BOUNDARY = 256, /* the standard has 70 */
    WINDOW = 16384       /* bytes of a part's head at most; a boundary and its line are far shorter */
};

struct multipart {
    struct multipart_sink sink;
    enum { BEFORE, HEAD, INSIDE, BEHIND } state;
    int failed;
    const char *problem;
    size_t n, n_border; /* bytes of the window; of the border: CR LF, two dashes, the boundary */
    char border[MOST_BOUNDARY + 5];
    char window[WINDOW];
};

/* ---- parameters: ; name=value; name="value" ---- */

static int is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* A value at `at`, which ends before `end`, into `to` (as far as it has room); where it ends. In quotes a backslash stands
 * before a quote or another one only: some browsers write folders of Windows as they are. */
static const char *read_value(const char *at, const char *end, char *to, size_t room, size_t *length)
{
    int is_quoted = at < end && *at == '"';
    size_t n = 0;
    for (at += is_quoted; at < end && (is_quoted ? *at != '"' : *at != ';' && !is_space(*at)); at++) {
        if (is_quoted && *at == '\\' && at + 1 < end && (at[1] == '"' || at[1] == '\\'))
            at++;
        if (n + 1 < room)
            to[n] = *at;
        n++;
    }
    to[n < room ? n : room - 1] = '\0';
    *length = n;
    return at;
}

/* The value of a parameter behind the first ';'. 1: it is there; 0: it is not; -1: it does not fit, or has a NUL. */
static int find_parameter(const char *at, const char *end, const char *name, char *value, size_t room)
{
    size_t n_name = strlen(name), length;
    char passed[2] = "";
    while (at < end && *at != ';')
        at++;
    while (at < end) {
        while (at < end && (*at == ';' || is_space(*at)))
            at++;
        const char *key = at;
        while (at < end && *at != '=' && *at != ';')
            at++;
        if (at == end || *at == ';')
            continue;
        size_t n_key = (size_t)(at++ - key);
        int is_it = n_key == n_name && strncasecmp(key, name, n_name) == 0;
        at = read_value(at, end, is_it ? value : passed, is_it ? room : sizeof passed, &length);
        if (is_it)
            return length < room && strlen(value) == length ? 1 : -1;
        while (at < end && *at != ';')
            at++;
    }
    return 0;
}

struct multipart *multipart_new(const char *content_type, const struct multipart_sink *sink)
{
    static const char kind[] = "multipart/form-data";
    char boundary[MOST_BOUNDARY + 1];
    if (strncasecmp(content_type, kind, sizeof kind - 1) != 0 ||
        find_parameter(content_type, content_type + strlen(content_type), "boundary", boundary, sizeof boundary) != 1 ||
        !*boundary)
        return NULL;
    struct multipart *form = malloc(sizeof *form);
    if (!form)
        return NULL;
    *form = (struct multipart){.sink = *sink, .n = 2, .n_border = 4 + strlen(boundary)};
    memcpy(form->border, "\r\n--", 4);
    memcpy(form->border + 4, boundary, form->n_border - 4);
    memcpy(form->window, "\r\n", 2); /* the first border may be the first line */
    return form;
}

/* ---- the body ---- */

static int fail(struct multipart *form, const char *problem)
{
    form->problem = problem;
    return form->failed = -1;
}

/* The value of a header's line, or NULL: it is another one. */
static const char *header_value(const char *line, const char *end, const char *name)
{
    size_t n = strlen(name);
    if ((size_t)(end - line) <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    for (line += n + 1; line < end && is_space(*line); line++)
        ;
    return line;
}

struct strings {
    char name[MULTIPART_MOST_NAME], filename[MULTIPART_MOST_NAME], encoding[32];
};

/* Content-Disposition: where both are, filename is what filename* is, in plainer letters. */
static int read_disposition(struct multipart *form, const char *at, const char *end, struct strings *strings,
                            struct multipart_head *head)
{
    int name = find_parameter(at, end, "name", strings->name, sizeof strings->name);
    int file = find_parameter(at, end, "filename", strings->filename, sizeof strings->filename);
    if (file == 0)
        file = find_parameter(at, end, "filename*", strings->filename, sizeof strings->filename);
    if (name < 0 || file < 0)
        return fail(form, "a name in the form is too long, or has a NUL byte");
    if (name)
        head->name = strings->name;
    if (file)
        head->filename = strings->filename;
    return 0;
}

/* A part's head, whose lines all end in CR LF. */
static int read_head(struct multipart *form, const char *at, const char *end)
{
    struct strings strings;
    struct multipart_head head = {0};
    const char *line_end;
    size_t length;
    for (; at < end; at = line_end + 2) {
        for (line_end = at; line_end[0] != '\r' || line_end[1] != '\n'; line_end++)
            ;
        const char *value;
        if ((value = header_value(at, line_end, "Content-Disposition"))) {
            if (read_disposition(form, value, line_end, &strings, &head) != 0)
                return form->failed;
        } else if ((value = header_value(at, line_end, "Content-Transfer-Encoding"))) {
            read_value(value, line_end, strings.encoding, sizeof strings.encoding, &length);
            head.encoding = strings.encoding;
        }
    }
    if (!head.name)
        return fail(form, "a part of the form has no name");
    return form->failed = form->sink.part(form->sink.user, &head);
}

/* The first n bytes of the window are done with: what is in a part goes on. */
static int pass(struct multipart *form, size_t n, int is_content)
{
    if (is_content && n > 0 && form->state == INSIDE)
        form->failed = form->sink.bytes(form->sink.user, form->window, n);
    form->n -= n;
    memmove(form->window, form->window + n, form->n);
    return form->failed;
}

/* What stands behind the border at `at`: bytes up to the next line, 0: it is no border, -1: more has to be there. */
static ptrdiff_t border_length(const struct multipart *form, size_t at, int *is_last)
{
    size_t i = at + form->n_border;
    *is_last = 0;
    if (form->n - i >= 2 && form->window[i] == '-' && form->window[i + 1] == '-') {
        *is_last = 1;
        return (ptrdiff_t)(form->n_border + 2);
    }
    if (form->n - i == 1 && form->window[i] == '-')
        return -1;
    while (i < form->n && is_space(form->window[i]))
        i++;
    if (form->n - i >= 2)
        return form->window[i] == '\r' && form->window[i + 1] == '\n' ? (ptrdiff_t)(i + 2 - at) : 0;
    if (form->n - i == 1 && form->window[i] != '\r')
        return 0;
    return form->n - at == WINDOW ? 0 : -1; /* a line of spaces without an end */
}

/* Up to the next border and over it. 1: the state is another one; 0: more is needed; -1: it failed. */
static int step_content(struct multipart *form)
{
    size_t from = 0;
    const char *found;
    while ((found = memchr(form->window + from, '\r', form->n - from))) {
        size_t at = (size_t)(found - form->window), rest = form->n - at;
        int is_last = 0;
        ptrdiff_t length = 0;
        if (memcmp(found, form->border, rest < form->n_border ? rest : form->n_border) == 0)
            length = rest < form->n_border ? -1 : border_length(form, at, &is_last);
        if (length < 0)
            return pass(form, at, 1) == 0 ? 0 : -1;
        if (length > 0) {
            if (pass(form, at, 1) != 0 || pass(form, (size_t)length, 0) != 0)
                return -1;
            form->state = is_last ? BEHIND : HEAD;
            return 1;
        }
        from = at + 1;
    }
    return pass(form, form->n, 1) == 0 ? 0 : -1;
}

static int step_head(struct multipart *form)
{
    if (form->n >= 2 && memcmp(form->window, "\r\n", 2) == 0) {
        fail(form, "a part of the form has no name");
        return -1;
    }
    for (size_t i = 0; i + 4 <= form->n; i++)
        if (memcmp(form->window + i, "\r\n\r\n", 4) == 0) {
            if (read_head(form, form->window, form->window + i + 2) != 0)
                return -1;
            form->state = INSIDE;
            pass(form, i + 4, 0);
            return 1;
        }
    if (form->n == WINDOW)
        fail(form, "a part's head in the form is too long");
    return form->failed ? -1 : 0;
}

int multipart_feed(struct multipart *form, const char *bytes, size_t n)
{
    while (n > 0 && !form->failed && form->state != BEHIND) {
        size_t some = WINDOW - form->n < n ? WINDOW - form->n : n;
        int more = 1;
        memcpy(form->window + form->n, bytes, some);
        form->n += some;
        bytes += some;
        n -= some;
        while (more > 0 && form->state != BEHIND)
            more = form->state == HEAD ? step_head(form) : step_content(form);
    }
    return form->failed;
}

int multipart_end(struct multipart *form)
{
    if (!form->failed && form->state == BEFORE)
        fail(form, "the form has no part: its boundary is not found");
    else if (!form->failed && form->state != BEHIND)
        fail(form, "the form is cut off: its last boundary is missing");
    return form->failed;
}

const char *multipart_problem(const struct multipart *form)
{
    return form->problem ? form->problem : "";
}

void multipart_free(struct multipart *form)
{
    free(form);
}
