/* silero.h - Silero VAD, the voice activity model, beside the speech models. */
#ifndef CONVERT_SILERO_H
#define CONVERT_SILERO_H

#include "source.h"

/* Whether a file holds Silero VAD's weights (safetensors) or is an ONNX model, which is tried as one. */
int silero_recognise(const char *path);

/* Fill `source` from such a file: tensors by the names that silero_vad_16k.safetensors gives them. Sets `kind`. */
int read_silero(struct source *source);

/* Write the tensors to a GGUF file of the architecture "silero-vad", all float32. There is no file on failure. */
int silero_write(struct source *source, const char *path, const char *model_name);

#endif
