/* parts.h - parts of a long recording, or many short recordings, transcribed side by side. Called by whole.c, many.c. */
#ifndef WH_PARTS_H
#define WH_PARTS_H

#include "transcribe/session.h"

/* What became of a part. */
typedef struct wh_part_end {
    int rc;
    const char *problem;    /* what was wrong, where rc is not WHISP_OK */
    int language;           /* -1 where it is not known */
    double total;           /* its seconds */
    const char *incomplete; /* why its text is not of all that it holds; NULL: it is */
} wh_part_end;

typedef struct wh_part_job {
    whisp_session *session; /* reset; what the parts have in common. Its total may be known, for progress */
    size_t longest;         /* samples that a part may have */
    /* Give `part` its samples, from wh_session_begin_part() to wh_session_end_part(). 1, or 0 when there are no more
     * parts, or a code, which ends everything. Called in a thread of its own, one part after the other. */
    int (*fill)(void *user, whisp_session *part, int *unreadable);
    /* A segment, final and in order, in the caller's thread. */
    int (*emit)(void *user, const whisp_segment *segment, int cleared);
    /* NULL: the parts are one recording's, and the first one says which language it is. Else each is a recording of its
     * own, fill may set *unreadable to the code of an error that is this part's alone, and this is called after a part's
     * last segment. */
    int (*end)(void *user, const wh_part_end *end);
    void *user;
} wh_part_job;

/* How many slots the backend of a session with these options needs, so that parts can share it. */
int wh_parts_slots(const whisp_model *model, const wh_values *values);

int wh_parts_run(const wh_part_job *job);

#endif
