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

/* "alignment_heads": [[layer, head], ...] of a configuration. */
int json_heads(const json_t *object, struct source *source);

/* What a configuration of Hugging Face's says of the special tokens, into source->told and source->multilingual: places
 * that are known already stay. */
void json_specials(const json_t *object, struct source *source);

#endif
