/* speakers.h - the nets that tell speakers apart, beside the speech models. */
#ifndef CONVERT_SPEAKERS_H
#define CONVERT_SPEAKERS_H

#include "source.h"

/* Whether a file is one of the two by its name; whether a folder holds one of them. */
int speakers_recognise(const char *path);
int speakers_recognise_folder(const char *folder);

/* Fill `source` from a folder that holds both: tensors by the names of their state dicts behind "embedding." and
 * "segmentation.". Sets `kind`. */
int read_speakers(struct source *source, const char *folder);

/* Write the tensors to a GGUF file of the architecture "speakers", all float32. There is no file on
 * failure. */
int speakers_write(struct source *source, const char *path, const char *model_name);

#endif
