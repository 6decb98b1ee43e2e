/* fuzz_pt.c - whisp-convert on torch.save's archives: the zip as it is, or its entries (fuzz.h), of which data.pkl is a pickle. */
#include "fuzz.h"

FUZZ_CONVERT("model.pt", "model.pt")
