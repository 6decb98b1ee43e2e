/* view.h - a file that is shown to libsndfile instead of the one there is: a header made here, then bytes of the
 * source. */
#ifndef WH_AUDIO_VIEW_H
#define WH_AUDIO_VIEW_H

#include "audio/source.h"

typedef struct wh_view {
    wh_source *source;
    struct {
        const unsigned char *bytes; /* [n], or NULL: the source's from `at` on */
        int64_t at, n;
    } parts[4];
    int n_parts;
    int64_t position; /* in the view */
    int ran_dry;      /* more was asked for than there was */
} wh_view;

/* Add n bytes at the end: those at `bytes`, which must stay, or the source's. */
void wh_view_add(wh_view *view, const unsigned char *bytes, int64_t at, int64_t n);

/* Callbacks for sf_open_virtual(); its user data is the view. */
extern const SF_VIRTUAL_IO wh_view_io;

#endif
