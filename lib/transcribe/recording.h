/* recording.h - the samples of a whole recording, as often as they are wanted: from a file that is opened again, from
 * what was kept of it, from a copy of what came through a pipe, or from an array. Between lib/audio and whole.c, which
 * transcribes, and detect.c. Private to lib/transcribe. */
#ifndef WH_RECORDING_H
#define WH_RECORDING_H

#include <stdio.h>

#include "audio/ahead.h"
#include "transcribe/session.h"

#define WH_RECORDING_BLOCK 16384 /* samples read at a time: one second */

/* Where the samples of a recording come from: an open file, a copy of a pipe's samples, or an array. */
typedef struct wh_recording {
    whisp_audio *audio; /* or NULL */
    wh_ahead *ahead;    /* the thread that reads it, once started; NULL: it is read here */
    int reads_ahead;    /* audio is a file, whose reading does not wait for anybody */
    FILE *copy;         /* float samples as they are in memory, or NULL */
    int64_t position;   /* of the next block in the recording, with vad_filter */
    size_t span;        /* where it stands in the timeline */
    int16_t *kept;      /* [n_kept] all samples of a short recording, from the first pass; else NULL */
    size_t n_kept, kept_capacity, at_kept;
    int keeps, from_kept; /* the first pass fills it; the second reads it, then what follows in the file */
    int dropped;          /* what was read could not be kept after all */
    int64_t heard;        /* samples given out since the start, or left out */
    int jumps;            /* only the clips are read (see below) */
    const float *samples;
    size_t n, at;
    const float *rest; /* [left] what was read and not yet given out */
    size_t left;
    float block[WH_RECORDING_BLOCK];
} wh_recording;

/* All zeros but for `samples` and `n`, where it is an array; NULL: memory is short, which is said. Also when the array is
 * all there is, release it with wh_recording_free(). */
wh_recording *wh_recording_new(const float *samples, size_t n);
void wh_recording_free(wh_recording *in);

/* How messages call what `path` names. */
const char *wh_recording_name(const char *path);

/* Open `path` for the pass that counts. What can be read twice is measured before, unless it is cut: *in_parts says
 * whether it may be, and becomes whether it is. */
int wh_recording_open(whisp_session *session, const char *path, wh_recording *in, int *in_parts);
/* Is the recording, which can be read twice, so long that it is cut? Where only reading tells, what was read is kept. */
int wh_recording_is_long(whisp_session *session, wh_recording *in, int *answer);

/* The next samples to be transcribed: how many, 0 at the end, or a code. */
int64_t wh_recording_read(whisp_session *session, wh_recording *in, const float **samples);
/* The next samples, speech or not. */
int64_t wh_recording_read_any(whisp_session *session, wh_recording *in, const float **samples);
/* Back to the first sample of an array or a copy; a file is opened again. */
void wh_recording_rewind(wh_recording *in);

/* With vad_filter: find the speech in what `in` gives from its start; `copy` (or NULL) gets all samples. */
int wh_recording_find_speech(whisp_session *session, wh_recording *in, FILE *copy);
/* Show the session the whole recording, so that it knows the loudest frame and the duration. */
int wh_recording_measure(whisp_session *session, wh_recording *in);

/* It was read to its end: pass on what is to be said about it. */
void wh_recording_hear_warnings(whisp_session *session, wh_recording *in);

/* ---- jump.c: from clip to clip ---- */

/* Is `in` so long, and are so few parts of it asked for, that the rest need not be heard? Its length must be known. */
int wh_recording_may_jump(const whisp_session *session, const wh_recording *in, double *seconds);
/* The first pass over the clips alone: their loudest frame stands for the recording's. */
int wh_recording_measure_clips(whisp_session *session, wh_recording *in, double seconds);
/* Before the next block is read for the session: leave out what lies before the next clip. 1: no clip follows. */
int wh_recording_jump(whisp_session *session, wh_recording *in);

#endif
