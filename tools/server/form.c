/* form.c - fields of what multipart.c reads. Memory is bounded: what has a file's name, and the sound in
 * known_speaker_references[] (data URLs), goes to temporary files. */
#include "form.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data_url.h"
#include "multipart.h"

enum {
    MOST_FIELDS = 256,    /* each of at least a line */
    MOST_VALUES = 262144, /* bytes of all values that are no files */
    MOST_FILES = 18       /* the recording and references */
};

struct field {
    char *name, *value, *filename; /* value NULL: a file */
    size_t n, capacity;
    struct upload *upload;
    struct data_url *url; /* what decodes into the upload */
};

struct form {
    struct multipart *parser;
    struct field fields[MOST_FIELDS];
    size_t n_fields, n_bytes, n_files;
    int is_raw; /* files are samples */
    int status; /* of an error */
    char problem[256], problem_field[64];
};

static int fail(struct form *form, int status, const char *field, const char *text)
{
    if (!form->status) {
        form->status = status;
        snprintf(form->problem, sizeof form->problem, "%s", text);
        snprintf(form->problem_field, sizeof form->problem_field, "%s", field ? field : "");
    }
    return form->status;
}

static int fail_memory(struct form *form)
{
    return fail(form, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "out of memory");
}

/* "keywords[]" is "keywords"; what is in the brackets otherwise belongs to the name. */
static int is_name(const char *key, const char *name)
{
    size_t n = strlen(name);
    return strncmp(key, name, n) == 0 &&
           (!key[n] || strcmp(key + n, "[]") == 0 || (key[n] == '[' && key[n + 1] >= '0' && key[n + 1] <= '9'));
}

static int is_recording(const char *key)
{
    return strcmp(key, "file") == 0 || strcmp(key, "audio_file") == 0;
}

static int has_field(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->n_fields; i++)
        if (strcmp(form->fields[i].name, name) == 0)
            return 1;
    return 0;
}

/* ---- as it comes ---- */

static struct field *add_field(struct form *form, const char *key, const char *filename)
{
    int is_url = is_name(key, "known_speaker_references");
    int is_file = filename || is_url || is_recording(key);
    if (is_recording(key) && has_field(form, key)) {
        fail(form, MHD_HTTP_BAD_REQUEST, key, "the form has two recordings; one is transcribed by a request");
        return NULL;
    }
    if (form->n_fields == MOST_FIELDS || form->n_files + (size_t)is_file > MOST_FILES) {
        fail(form, MHD_HTTP_BAD_REQUEST, NULL, "the form has too many fields");
        return NULL;
    }
    struct field *field = &form->fields[form->n_fields++];
    *field = (struct field){.name = strdup(key), .filename = filename ? strdup(filename) : NULL};
    form->n_files += (size_t)is_file;
    if (!field->name || (filename && !field->filename)) {
        fail_memory(form);
    } else if (is_file && !(field->upload = upload_new())) {
        char text[128];
        int is_full = errno == EMFILE || errno == ENFILE || errno == ENOSPC; /* which passes */
        snprintf(text, sizeof text, "a temporary file cannot be made: %s", strerror(errno));
        fail(form, is_full ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, text);
    } else if (is_file && form->is_raw && upload_begin_raw(field->upload) != 0) {
        fail(form, MHD_HTTP_SERVICE_UNAVAILABLE, key, "there is no room for more uploads now; try again later");
    } else if (is_url && !(field->url = data_url_new(field->upload))) {
        fail_memory(form);
    } else if (!is_file && !(field->value = calloc(1, field->capacity = 64))) {
        fail_memory(form);
    }
    return form->status ? NULL : field;
}

static int keep(struct form *form, struct field *field, const char *bytes, size_t n)
{
    form->n_bytes += n;
    if (form->n_bytes > MOST_VALUES)
        return fail(form, MHD_HTTP_CONTENT_TOO_LARGE, field->name, "the form's fields are too long");
    if (memchr(bytes, '\0', n))
        return fail(form, MHD_HTTP_BAD_REQUEST, field->name, "a NUL byte in a field");
    if (field->n + n + 1 > field->capacity) {
        size_t capacity = 2 * (field->n + n + 1);
        char *larger = realloc(field->value, capacity);
        if (!larger)
            return fail_memory(form);
        field->value = larger;
        field->capacity = capacity;
    }
    memcpy(field->value + field->n, bytes, n);
    field->n += n;
    field->value[field->n] = '\0';
    return 0;
}

static int store(struct form *form, struct field *field, const char *bytes, size_t n)
{
    if (!field->upload)
        return keep(form, field, bytes, n);
    field->n += n;
    int problem = field->url ? data_url_write(field->url, bytes, n) : upload_write(field->upload, bytes, n);
    if (problem == EINVAL)
        return fail(form, MHD_HTTP_BAD_REQUEST, field->name, "a data URL is expected: data:audio/wav;base64,...");
    if (problem == ENOSPC || problem == EFBIG)
        return fail(form, MHD_HTTP_SERVICE_UNAVAILABLE, field->name,
                    "there is no room for more uploads now; try again later");
    if (problem)
        return fail(form, MHD_HTTP_INTERNAL_SERVER_ERROR, field->name, strerror(problem));
    return 0;
}

/* A part begins. */
static int on_part(void *user, const struct multipart_head *head)
{
    struct form *form = user;
    const char *encoding = head->encoding;
    if (encoding && strcasecmp(encoding, "binary") != 0 && strcasecmp(encoding, "8bit") != 0 &&
        strcasecmp(encoding, "7bit") != 0)
        return fail(form, MHD_HTTP_BAD_REQUEST, head->name, "a Content-Transfer-Encoding in a form is not known here");
    return add_field(form, head->name, head->filename) ? 0 : form->status;
}

static int on_bytes(void *user, const char *bytes, size_t n)
{
    struct form *form = user;
    return store(form, &form->fields[form->n_fields - 1], bytes, n);
}

struct form *form_new(struct MHD_Connection *connection)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct form *form = type ? calloc(1, sizeof *form) : NULL;
    if (form && !(form->parser = multipart_new(type, &(struct multipart_sink){form, on_part, on_bytes}))) {
        free(form);
        form = NULL;
    }
    return form;
}

void form_expect_raw(struct form *form)
{
    form->is_raw = 1;
}

int form_feed(struct form *form, const char *bytes, size_t n)
{
    if (!form->status && multipart_feed(form->parser, bytes, n) < 0)
        fail(form, MHD_HTTP_BAD_REQUEST, NULL, multipart_problem(form->parser));
    return form->status;
}

int form_end(struct form *form)
{
    if (!form->status && multipart_end(form->parser) < 0)
        fail(form, MHD_HTTP_BAD_REQUEST, NULL, multipart_problem(form->parser));
    for (size_t i = 0; i < form->n_fields && !form->status; i++) {
        const struct field *field = &form->fields[i];
        json_t *text = field->value ? json_stringn(field->value, field->n) : NULL;
        if (field->value && !text)
            fail(form, MHD_HTTP_BAD_REQUEST, field->name, "a field is not UTF-8 text");
        if (field->url && data_url_end(field->url) != 0)
            fail(form, MHD_HTTP_BAD_REQUEST, field->name,
                 "a data URL is cut off, or none: data:audio/wav;base64,... is expected");
        json_decref(text);
    }
    return form->status;
}

const char *form_problem(const struct form *form)
{
    return form->problem;
}

const char *form_problem_field(const struct form *form)
{
    return *form->problem_field ? form->problem_field : NULL;
}

/* ---- what it says ---- */

const char *form_get(const struct form *form, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < form->n_fields; i++)
        if (form->fields[i].value && strcmp(form->fields[i].name, name) == 0)
            value = form->fields[i].value;
    return value;
}

const char *form_list(const struct form *form, const char *name, size_t i)
{
    for (size_t k = 0; k < form->n_fields; k++)
        if (form->fields[k].value && is_name(form->fields[k].name, name) && i-- == 0)
            return form->fields[k].value;
    return NULL;
}

struct upload *form_take(struct form *form, const char *name, size_t i)
{
    for (size_t k = 0; k < form->n_fields; k++) {
        struct upload *upload = form->fields[k].upload;
        if (!upload || !is_name(form->fields[k].name, name) || i-- > 0)
            continue;
        form->fields[k].upload = NULL;
        return upload;
    }
    return NULL;
}

const char *form_filename(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->n_fields; i++)
        if (form->fields[i].filename && is_name(form->fields[i].name, name))
            return form->fields[i].filename;
    return NULL;
}

void form_free(struct form *form)
{
    if (!form)
        return;
    multipart_free(form->parser);
    for (size_t i = 0; i < form->n_fields; i++) {
        free(form->fields[i].name);
        free(form->fields[i].value);
        free(form->fields[i].filename);
        data_url_free(form->fields[i].url);
        upload_free(form->fields[i].upload);
    }
    free(form);
}
