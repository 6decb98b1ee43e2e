/* audio.h - what the rest of the library may ask a whisp_audio beyond the public header. */
#ifndef WH_AUDIO_H
#define WH_AUDIO_H

#include "util/util.h"

/* How messages call it: the file's name, "standard input", ... Lives as long as the handle. */
const char *wh_audio_name(const whisp_audio *audio);

#endif
