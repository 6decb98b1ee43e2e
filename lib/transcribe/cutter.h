/* cutter.h - a long recording handed out part by part, as it is read: between whole.c, which reads, and batch.c. */
#ifndef WH_CUTTER_H
#define WH_CUTTER_H

#include "transcribe/cut.h"
#include "transcribe/session.h"

typedef struct wh_cutter {
    double seconds; /* of a part, as the option cut has it */
    /* The next samples of the recording: how many, 0 at the end, or a code. */
    int64_t (*read)(void *user, const float **samples);
    void *read_user;

    /* zero at first */
    wh_levels levels; /* of all that was read */
    float *ahead;     /* [n_ahead] read, and not yet given to a part */
    size_t n_ahead, ahead_capacity;
    int64_t at;    /* where the next part begins */
    int at_end;    /* all was read */
    float loudest; /* log-Mel value so far */
} wh_cutter;

/* Give `part` (wh_session_new_part()) the next part's samples and finish it. 1, or 0 when there are no more, or a code. */
int wh_cutter_fill(wh_cutter *cutter, whisp_session *part);
void wh_cutter_free(wh_cutter *cutter);

#endif
