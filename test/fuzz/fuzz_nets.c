/* fuzz_nets.c - whisp-convert on the folder of the two state dicts that tell speakers apart: zips as they are, or their
 * entries (fuzz.h). */
#include "fuzz.h"

FUZZ_CONVERT(".", "campplus_cn_en_common.pt")
