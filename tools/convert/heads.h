/* heads.h - a model's name, and its alignment heads where the source does not say. */
#ifndef CONVERT_HEADS_H
#define CONVERT_HEADS_H

#include "source.h"

/* The name of the published model with these dimensions, `name` itself if given, else the source's own or its file's
 * name. Fills out[capacity]. */
void heads_name(const struct source *source, const char *name, char *out, size_t capacity);

/* Complete source->heads: from `list` ("L.H,L.H,..." or "None") if not NULL, else keep those of the source's that there
 * are, else from the table of published models. Says on `log` when none are known, or some left out. */
int heads_complete(struct source *source, const char *list, const char *name, FILE *log);

#endif
