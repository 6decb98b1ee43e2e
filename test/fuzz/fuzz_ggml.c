/* fuzz_ggml.c - whisp-convert on whisper.cpp's files. */
#include "fuzz.h"

FUZZ_CONVERT("ggml.bin", "ggml.bin")
