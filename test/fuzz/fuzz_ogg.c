/* fuzz_ogg.c - recordings: Ogg with Vorbis, Opus or FLAC in it. */
#include "fuzz.h"

FUZZ_AUDIO
