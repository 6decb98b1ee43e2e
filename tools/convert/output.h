/* output.h - a completed source to a GGUF file. */
#ifndef CONVERT_OUTPUT_H
#define CONVERT_OUTPUT_H

#include "source.h"

/* Write source, whose vocabulary and heads are complete, to `path`; matrices get `type`. `model_name` becomes
 * general.name. There is no file on failure. */
int output_write(struct source *source, const char *path, wh_type type, const char *model_name);

/* A type by its name ("f16", "int8", ...); 0: there is none. */
int output_parse_type(const char *text, wh_type *type);
/* The number that general.file_type has for matrices of a type. */
uint32_t output_file_type(wh_type type);

#endif
