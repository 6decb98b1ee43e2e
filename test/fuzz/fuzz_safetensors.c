/* fuzz_safetensors.c - whisp-convert on a Hugging Face folder: model.safetensors or shards, the configuration, the tokenizer's files. */
#include "fuzz.h"

FUZZ_CONVERT(".", "model.safetensors")
