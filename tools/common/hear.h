/* hear.h - sound that comes as it is spoken goes into a stream (whisp_live.h), and its words are asked for as they
 * settle. */
#ifndef COMMON_HEAR_H
#define COMMON_HEAR_H

#include "whisp_live.h"

struct hearing {
    whisp_stream *stream;
    whisp_audio *audio; /* by whisp_audio_open_live() */
    /* Where its bytes come from: where more of them wait and words have fallen behind the clock, a pass takes all that
     * there is. -1: a file, which is heard step by step, with the same words on every machine. */
    int fd;
    void *user;
    int (*settle)(void *user);  /* pull what has settled. WHISP_OK, or an error, which ends it */
    int (*stopped)(void *user); /* nonzero: nothing more is to be heard */
    double heard;               /* seconds of sound so far */
};

/* Until the sound ends or `stopped` says so; after the end, what is left has settled, too. WHISP_OK or an error. */
int hear(struct hearing *hearing);

#endif
