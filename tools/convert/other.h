/* other.h - what the models that are no Whisper's share when they are written: silero.c and speakers.c. */
#ifndef CONVERT_OTHER_H
#define CONVERT_OTHER_H

#include "source.h"

/* SHA-256 of n mapped files one after the other, in hexadecimal. */
void other_checksum(const struct mapping *mappings, size_t n, char hex[65]);

int other_put_text(wh_gguf_writer *writer, const char *key, const char *text);

/* A tensor's values as float32, all of which must be finite; it was declared. */
int other_write_tensor(wh_gguf_writer *writer, struct source *source, struct tensor *tensor);

#endif
