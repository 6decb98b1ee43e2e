/* online.h - who speaks, told while they speak: a passing view, for live transcriptions, which the diarizer's at the end
 * takes the place of.
 *
 * A stretch of 1.5 s every half second in which somebody speaks is embedded as soon as it is complete, and is whose voice
 * it is most like: one of a table that grows, at first of those that are known by name. Memory does not grow. */
#ifndef WH_ONLINE_H
#define WH_ONLINE_H

#include "speakers/who.h"

/* Turns are known for this long: samples. */
#define WH_ONLINE_REACH (128 * WH_SPEAKERS_RATE)

typedef struct wh_online wh_online;

/* `who` (the nets, the voice activity model, known voices, the most speakers) must outlive it. */
int wh_online_new(const wh_who *who, wh_online **online);
void wh_online_free(wh_online *online);

/* The recording's next samples, finite ones. How they are cut changes nothing. */
int wh_online_push(wh_online *online, const float *samples, size_t n);

/* Who speaks between two seconds of the recording, as it is known now: *turns[*n] by their starts, which do not overlap and
 * live until the next call. Speakers are numbered from 1 on by first appearance. */
int wh_online_turns(wh_online *online, double start, double end, const whisp_turn **turns, size_t *n);
/* Who speaks most of that time, or, where nobody is heard, nearest to it; 0: nobody is known to. */
int wh_online_speaker(const wh_online *online, double start, double end);
/* What they are called, [*n]; the list grows, names stay as they are. Until the next push. */
const char *const *wh_online_names(const wh_online *online, size_t *n);

#endif
