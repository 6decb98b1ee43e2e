/* batch.h - the parts of a long recording, transcribed side by side. Called by whole.c. */
#ifndef WH_BATCH_H
#define WH_BATCH_H

#include "transcribe/session.h"

typedef struct wh_batch_job {
    whisp_session *session; /* reset; what the parts have in common. Its total may be known, for progress */
    size_t longest;         /* samples that a part may have */
    /* Give `part` its samples, from wh_session_begin_part() to wh_session_end_part(). 1, or 0 when there are no more
     * parts, or a code, which ends everything. Called in a thread of its own, one part after the other. */
    int (*fill)(void *user, whisp_session *part);
    /* A segment, final and in order, in the caller's thread. */
    int (*emit)(void *user, const whisp_segment *segment, int cleared);
    void *user;
} wh_batch_job;

int wh_batch_run(const wh_batch_job *job);

#endif
