/* outbox.h - what a part of a recording, or one of many files, has to say before it is its turn: log lines, segments,
 * progress. Filled by the thread that transcribes it, handed out in order by the caller's; who uses it has the lock. */
#ifndef WH_OUTBOX_H
#define WH_OUTBOX_H

#include "options/options.h"

typedef struct wh_outbox {
    whisp_result *result;   /* its segments so far; NULL before the first and after the last */
    unsigned char *cleared; /* [its segments] */
    size_t cleared_capacity;
    size_t given; /* of the segments, to the caller */
    double done;  /* seconds */
    struct wh_line {
        int level;
        char *text;
    } * lines; /* [n_lines] of the log, not yet handed out */
    size_t n_lines, lines_capacity;
} wh_outbox;

int wh_outbox_add(wh_outbox *box, const whisp_segment *segment, int cleared);
/* A line that there is no memory for is lost. */
void wh_outbox_log(wh_outbox *box, int level, const char *text);

/* Hand out the lines to whom `options` name; or the segments that are new. */
void wh_outbox_tell(wh_outbox *box, const whisp_options *options);
int wh_outbox_give(wh_outbox *box, int (*emit)(void *user, const whisp_segment *segment, int cleared), void *user);

/* What was not handed out is dropped. */
void wh_outbox_free(wh_outbox *box);

#endif
