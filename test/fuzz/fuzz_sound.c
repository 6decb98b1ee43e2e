/* fuzz_sound.c - recordings: what only libsndfile decodes, and what is no recording at all. */
#include "fuzz.h"

FUZZ_AUDIO
