/* fuzz_silero.c - whisp-convert on Silero VAD as an ONNX or a safetensors file. */
#include "fuzz.h"

FUZZ_CONVERT("silero.onnx", "silero.onnx")
