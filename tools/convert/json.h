/* json.h - JSON files through jansson, with errors that name the file. */
#ifndef CONVERT_JSON_H
#define CONVERT_JSON_H

#include <jansson.h>

#include "source.h"

/* The document in n bytes, which `path` names in errors; flags are jansson's. Refused if in memory it would be out of
 * proportion to its text, as a list of millions of empty lists is. */
int json_parse(const char *path, const char *text, size_t n, size_t flags, json_t **root);

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
