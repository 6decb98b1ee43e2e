/* fuzz_bin.c - whisp-convert on a Hugging Face folder whose weights are pytorch_model.bin, or shards of it and their index. */
#include "fuzz.h"

FUZZ_CONVERT(".", "pytorch_model.bin")
