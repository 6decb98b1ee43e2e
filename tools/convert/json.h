/* json.h - JSON files through jansson, with errors that name the file. */
#ifndef CONVERT_JSON_H
#define CONVERT_JSON_H

#include <jansson.h>

#include "source.h"

/* Read FOLDER/NAME (or NAME alone if folder is NULL). *root is the caller's reference. A file that is not there gives
 * WHISP_OK and *root NULL. */
int json_read(const char *folder, const char *name, json_t **root);

/* object[key] as an integer; 0 if it is not one or does not fit. */
int json_int(const json_t *object, const char *key);

/* "alignment_heads": [[layer, head], ...] of a configuration; the dimensions must be known. */
int json_heads(const json_t *object, struct source *source);

#endif
