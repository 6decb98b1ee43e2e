/* notes.h - what a listener must be told about a recording beside its samples: that something of it is missing, or was
 * changed so that it can be heard. Written while it is decoded, read by lib/transcribe and by whisp_audio_warning(). */
#ifndef WH_AUDIO_NOTES_H
#define WH_AUDIO_NOTES_H

#include "util/util.h"

#define WH_MAX_NOTES 16

/* Is anything asked for of what lies between two times? (lib/window/clips.c) */
typedef int (*wh_is_wanted)(const void *user, double from, double to);

/* Fixed in size, so that nothing can go unsaid for want of memory. What does not fit is counted in the last one. */
typedef struct wh_notes {
    int n;
    int incomplete; /* something of the recording was not heard */
    int left_out;   /* notes for which there was no room */
    struct wh_one_note {
        int incomplete;
        char text[448];
    } list[WH_MAX_NOTES];
    struct wh_missing { /* damaged places; wh_notes_settle() makes one note of them */
        int places;
        double first, seconds; /* where the first one is; how much is missing in all of them, as far as it is known */
        int is_silence;        /* what is missing became silence of the same length; 0: some of it was skipped */
        char why[96];          /* of the first one */
    } missing;
    wh_is_wanted is_wanted; /* NULL: all is */
    const void *user;       /* its */
} wh_notes;

/* A line without the recording's name; `incomplete`: part of it was not heard. The same line twice is said once. */
void wh_note(wh_notes *notes, int incomplete, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `seconds` (0: not known) from `at` on could not be decoded, and became silence or was skipped. Any number of places.
 * Nothing is told of a place that nobody wants to hear. */
void wh_note_missing(wh_notes *notes, double at, double seconds, int is_silence, const char *why);

/* Nothing is said yet; who is asked stays. */
void wh_notes_clear(wh_notes *notes);

/* Put the damaged places since the last time into words. */
void wh_notes_settle(wh_notes *notes);

/* "1:02:03" or "0:05.2" (tenths below a minute), for messages. */
const char *wh_clock(double seconds, char text[24]);

#endif
