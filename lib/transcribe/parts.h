/* parts.h - a long recording cut into parts that are transcribed side by side. Called by whole.c. */
#ifndef WH_PARTS_H
#define WH_PARTS_H

#include "transcribe/session.h"

typedef struct wh_part_job {
    whisp_session *session;     /* reset and measured: what the parts have in common */
    const int64_t *cuts;        /* [n] where parts begin, in samples, as wh_cut_choose() gives them; n >= 2 */
    size_t n;
    /* The next samples of the recording: how many, 0 at the end, or a code. Called in a thread of its own. */
    int64_t (*read)(void *user, const float **samples);
    /* A segment, final and in order, in the caller's thread. */
    int (*emit)(void *user, const whisp_segment *segment, int cleared);
    void *read_user, *emit_user;
} wh_part_job;

/* How many slots the backend of a session with these options needs, so that parts can share it. */
int wh_parts_slots(const whisp_model *model, const wh_values *values);

int wh_parts_run(const wh_part_job *job);

#endif
