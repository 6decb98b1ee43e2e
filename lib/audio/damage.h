/* damage.h - what the decoders of compressed streams share: where they stand, and how much silence a damaged place may
 * become. Used by lib/audio only. */
#ifndef WH_AUDIO_DAMAGE_H
#define WH_AUDIO_DAMAGE_H

#include "audio/notes.h"

typedef struct wh_progress {
    wh_notes *notes;
    double seconds; /* given out so far, with the silence: the time of what comes next */
    double heard;   /* of these, decoded */
    double silence; /* of these, silence that no damaged bytes account for */
    int64_t bytes;  /* that were decoded into `heard` */
} wh_progress;

/* So much was decoded, of so many bytes. */
void wh_progress_heard(wh_progress *progress, double seconds, int64_t bytes);

/* The stream says that `seconds` are missing here, and `damaged` bytes could not be decoded. Nonzero where that is
 * believed: then the seconds are to be given as silence and are counted as given. A number in a stream can be
 * anything, so it never brings more silence than four times what the damaged bytes would hold at the recording's own
 * bytes a second, plus, in the whole recording, as much as was really heard. Notes the missing place either way. */
int wh_progress_missing(wh_progress *progress, double seconds, int64_t damaged, const char *why);

#endif
