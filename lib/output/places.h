/* places.h - the places of a recording where a person should listen again: doubtful words, each with a breath around it.
 *
 * Made of a result whose words have a confidence (option confidence); read by the writers of lists and of the review page. */
#ifndef WH_PLACES_H
#define WH_PLACES_H

#include "util/util.h"

typedef struct wh_spot {
    size_t first, last; /* its words, counted from 0 through all segments */
    double start, end;  /* seconds to hear: those words and a breath on both sides */
    double chance;      /* that its least certain word is right */
    double errors;      /* wrong words that may be expected in it */
} wh_spot;

typedef struct wh_spots {
    const whisp_word **words; /* [n_words] all of the result's, in order */
    unsigned char *doubtful;  /* [n_words] is it in one of the places for its own sake? */
    size_t n_words;
    size_t n_doubtful, n_judged; /* words; those that have a confidence */
    double errors;               /* wrong words that may be expected in all */
    wh_spot *list;               /* [n] */
    size_t n;
    double seconds; /* to hear them all */
} wh_spots;

/* Zero *spots first. The places of the least certain words, `share` of all that were judged (0: a tenth), at least one
 * of them; none that is as good as certain. In the order of time. WHISP_ERR_MEMORY. */
int wh_spots_find(const whisp_result *result, double share, wh_spots *spots);
/* The same for a person who listens as long as it pays: those places first where a second of listening finds most errors.
 * share 0: every place that may be worth it. */
int wh_spots_walk(const whisp_result *result, double share, wh_spots *spots);
void wh_spots_free(wh_spots *spots);

#endif
