/* fuzz_wave.c - recordings: WAV and its family (RIFF, RIFX, RF64, W64), AIFF, CAF, AU, 8SVX. */
#include "fuzz.h"

FUZZ_AUDIO
