/* notes.c - see notes.h. */
#include "audio/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void wh_note(wh_notes *notes, int incomplete, const char *format, ...)
{
    char text[sizeof notes->list[0].text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    notes->incomplete |= incomplete;
    for (int i = 0; i < notes->n; i++)
        if (strcmp(notes->list[i].text, text) == 0)
            return;
    if (notes->n < WH_MAX_NOTES) {
        struct wh_one_note *note = &notes->list[notes->n++];
        note->incomplete = incomplete;
        memcpy(note->text, text, sizeof text);
        return;
    }
    struct wh_one_note *last = &notes->list[WH_MAX_NOTES - 1];
    last->incomplete |= incomplete;
    notes->left_out += notes->left_out ? 1 : 2; /* the last one makes room */
    snprintf(last->text, sizeof last->text, "%d more warnings of this recording are left out", notes->left_out);
}

void wh_note_missing(wh_notes *notes, double at, double seconds, int is_silence, const char *why)
{
    struct wh_missing *missing = &notes->missing;
    if (notes->is_wanted && !notes->is_wanted(notes->user, at, at + seconds))
        return;
    notes->incomplete = 1;
    if (missing->places++ == 0) {
        missing->first = at;
        missing->is_silence = 1;
        snprintf(missing->why, sizeof missing->why, "%s", why);
    }
    missing->seconds += seconds;
    missing->is_silence &= is_silence;
}

void wh_notes_clear(wh_notes *notes)
{
    *notes = (wh_notes){.is_wanted = notes->is_wanted, .user = notes->user};
}

const char *wh_clock(double seconds, char text[24])
{
    double tenths = seconds * 10 + 0.5;
    int64_t all = seconds > 0 && tenths < 9e15 ? (int64_t)tenths : 0, whole = all / 10;
    if (whole >= 3600)
        snprintf(text, 24, "%lld:%02d:%02d", (long long)(whole / 3600), (int)(whole / 60 % 60), (int)(whole % 60));
    else
        snprintf(text, 24, "%d:%02d.%d", (int)(whole / 60), (int)(whole % 60), (int)(all % 10));
    return text;
}

void wh_notes_settle(wh_notes *notes)
{
    struct wh_missing *missing = &notes->missing;
    char at[24], amount[64] = "", places[64] = "";
    if (!missing->places)
        return;
    if (missing->seconds > 0)
        snprintf(amount, sizeof amount, "%.1f s ", missing->seconds);
    if (missing->places > 1)
        snprintf(places, sizeof places, " and at %d other places", missing->places - 1);
    wh_note(notes, 1, "damaged at %s%s (%s): %s%s", wh_clock(missing->first, at), places, missing->why,
            amount[0] ? amount : "some sound ", missing->is_silence ? "became silence" : "could not be heard");
    missing->places = 0;
    missing->seconds = 0;
}
