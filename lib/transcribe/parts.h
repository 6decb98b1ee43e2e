/* parts.h - a long recording cut into parts that are transcribed side by side. Called by whole.c. */
#ifndef WH_PARTS_H
#define WH_PARTS_H

#include "transcribe/session.h"

typedef struct wh_part_job {
    whisp_session *session;     /* reset; what the parts have in common. Its total may be known, and is at the end */
    /* The next samples of the recording: how many, 0 at the end, or a code. Called in a thread of its own. */
    int64_t (*read)(void *user, const float **samples);
    /* A segment, final and in order, in the caller's thread. */
    int (*emit)(void *user, const whisp_segment *segment, int cleared);
    void *read_user, *emit_user;
} wh_part_job;

/* How many slots the backend of a session with these options needs, so that parts can share it. */
int wh_parts_slots(const whisp_model *model, const wh_values *values);

/* Cut what `read` gives (cut.h), one pass over it, and transcribe. */
int wh_parts_run(const wh_part_job *job);

#endif
