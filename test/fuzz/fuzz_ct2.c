/* fuzz_ct2.c - whisp-convert on a CTranslate2 folder: model.bin, config.json, a vocabulary. */
#include "fuzz.h"

FUZZ_CONVERT(".", "model.bin")
