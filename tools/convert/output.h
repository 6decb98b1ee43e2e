/* output.h - a completed source to a GGUF file. */
#ifndef CONVERT_OUTPUT_H
#define CONVERT_OUTPUT_H

#include "source.h"

/* Write source, whose vocabulary and heads are complete, to `path`; matrices get `type`. `model_name` becomes
 * general.name. There is no file on failure. */
int output_write(struct source *source, const char *path, wh_type type, const char *model_name);

#endif
