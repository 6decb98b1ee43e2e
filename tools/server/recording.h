/* recording.h - from what a client sent to what the library can hear. Takes as long as it takes: in a task's thread. */
#ifndef SERVER_RECORDING_H
#define SERVER_RECORDING_H

#include "problem.h"
#include "told.h"

/* An open recording, and what it stands on. */
struct recording {
    whisp_audio *audio;
    struct upload *decoded; /* what ffmpeg made of it; NULL: the library decodes it */
    double duration;        /* seconds; 0: not known */
    char *incomplete;       /* why ffmpeg did not hear all of it; NULL */
};

/* So many ffmpegs at a time; once, before the first recording. Is there one in PATH? */
int recording_setup(int most_children);
/* Open. `stop` is asked whether nobody needs it any more. 0 or the problem's code. */
int recording_open(struct recording *recording, const struct upload *upload, int (*stop)(void *user), void *user,
                   struct problem *problem);
/* A recording beside another: what ffmpeg makes of it takes its place, where the library does not decode it. What ffmpeg
 * did not hear of it is told. Likewise. */
int recording_beside(struct upload *upload, int (*stop)(void *user), void *user, struct told *told,
                     struct problem *problem);
/* Release all that is left; the queue's audio is its own (NULL here then). */
void recording_close(struct recording *recording);

#endif
