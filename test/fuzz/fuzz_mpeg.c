/* fuzz_mpeg.c - recordings: MPEG audio of all layers, with tags. */
#include "fuzz.h"

FUZZ_AUDIO
