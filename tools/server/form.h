/* form.h - multipart/form-data as it comes: files into uploads, other fields into memory, as far as they are short. In the
 * order of the client; the file may be last. */
#ifndef SERVER_FORM_H
#define SERVER_FORM_H

#include <microhttpd.h>

#include "upload.h"

struct form;

/* For a request's body; NULL: it is no form (415), or there is no memory. */
struct form *form_new(struct MHD_Connection *connection);
/* Before any of the body: files are raw samples, which upload_end_raw() makes recordings of. */
void form_expect_raw(struct form *form);
/* Some of the body. 0, or the status of an answer, with form_problem() as text. */
int form_feed(struct form *form, const char *bytes, size_t n);
/* All is there. Likewise. */
int form_end(struct form *form);
const char *form_problem(const struct form *form);
const char *form_problem_field(const struct form *form); /* NULL: none in particular */

/* The value of a field (the last one), or NULL. */
const char *form_get(const struct form *form, const char *name);
/* Value i of all whose name is `name` or `name[]`; NULL behind the last. */
const char *form_list(const struct form *form, const char *name, size_t i);
/* File i of a field `name` or `name[]`, which is the caller's now; NULL: there is none. */
struct upload *form_take(struct form *form, const char *name, size_t i);
/* What the client calls the file of that field; NULL. */
const char *form_filename(const struct form *form, const char *name);
void form_free(struct form *form);

#endif
