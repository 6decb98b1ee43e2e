/* recording.h - the samples of a whole recording, as often as they are wanted: from a whisp_audio that is read again, or
 * from what was kept of it. Between lib/audio and the passes over a recording (passes.c, jump.c, whole.c, detect.c).
 * Private to lib/transcribe. */
#ifndef WH_RECORDING_H
#define WH_RECORDING_H

#include "audio/ahead.h"
#include "transcribe/session.h"

#define WH_RECORDING_BLOCK 16384 /* samples read at a time: one second */

typedef struct wh_recording {
    whisp_session *session; /* whose timeline says, with vad_filter, what is speech; and whose timings count */
    whisp_audio *audio;     /* the caller's */
    int rewinds;            /* it can be read again */
    int reads_ahead;        /* it is read by a thread of its own, whose reading waits for nobody */
    wh_ahead *ahead;        /* that thread, once it was started */
    int64_t position;       /* of the next block in the recording, with vad_filter */
    size_t span;            /* where it stands in the timeline */
    int16_t *kept;          /* [n_kept] the recording's first samples, behind which the audio stands; or NULL */
    size_t n_kept, kept_capacity, at_kept;
    int keeps;         /* what is read is added to them, as long as they are few */
    int64_t heard;     /* samples given out since the start, or left out */
    int jumps;         /* only the clips are read (jump.c) */
    const float *rest; /* [left] what was read and not yet given out */
    size_t left;
    float block[WH_RECORDING_BLOCK];
} wh_recording;

/* A recording at its beginning, wherever the audio stands; with split_stereo of the channel that the session hears now.
 * WHISP_ERR_STATE for a pipe of which something was read. Release it with wh_recording_free(), which leaves the audio. */
int wh_recording_new(whisp_session *session, whisp_audio *audio, wh_recording **in);
void wh_recording_free(wh_recording *in);

/* The next samples to be transcribed: how many, 0 at the end, or a code. */
int64_t wh_recording_read(wh_recording *in, const float **samples);
/* The next samples, speech or not. */
int64_t wh_recording_read_any(wh_recording *in, const float **samples);
/* Back to the first sample, and keep no more than is kept. A pipe can go back as long as all that was read is kept. */
int wh_recording_rewind(wh_recording *in);
/* Let the next block begin with sample `at`: by jumping or, where the decoder cannot, by reading. 0, also where the
 * recording ends before it; or a code. */
int wh_recording_skip_to(wh_recording *in, int64_t at);

/* It was read to its end: pass on what is to be said about it. */
void wh_recording_hear_warnings(wh_recording *in);

#endif
