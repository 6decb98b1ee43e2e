/* fuzz_regguf.c - whisp-convert on GGUF files, read by whisp-convert to be written anew. */
#include "fuzz.h"

FUZZ_CONVERT("model.gguf", "model.gguf")
