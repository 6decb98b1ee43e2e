/* fuzz_flac.c - recordings: FLAC. */
#include "fuzz.h"

FUZZ_AUDIO
