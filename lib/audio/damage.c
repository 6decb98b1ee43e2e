/* damage.c - see damage.h. */
#include "audio/damage.h"

#define MARGIN 4.0         /* a damaged stretch may be quieter, thus denser, than the rest */
#define USUAL_BYTES 4000.0 /* a second, where nothing was decoded before the damage */
#define FREE_SECONDS 1.0   /* of silence that need no bytes */

void wh_progress_heard(wh_progress *progress, double seconds, int64_t bytes)
{
    progress->seconds += seconds;
    progress->heard += seconds;
    progress->bytes += bytes;
}

int wh_progress_missing(wh_progress *progress, double seconds, int64_t damaged, const char *why)
{
    double density = progress->bytes > 0 && progress->heard > 0 ? progress->heard / (double)progress->bytes
                                                                : 1.0 / USUAL_BYTES;
    double by_bytes = MARGIN * (double)WH_MAX(damaged, 0) * density;
    double rest = WH_MAX(0.0, seconds - by_bytes);
    int believed = rest <= progress->heard + FREE_SECONDS - progress->silence;
    wh_note_missing(progress->notes, progress->seconds, believed ? seconds : 0.0, believed && seconds > 0, why);
    if (!believed)
        return 0;
    progress->silence += rest;
    progress->seconds += seconds;
    return 1;
}
