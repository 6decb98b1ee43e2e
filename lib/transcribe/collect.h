/* collect.h - a recording's segments gathered into a whisp_result: between the sessions and whole.c, batch.c. */
#ifndef WH_COLLECT_H
#define WH_COLLECT_H

#include "transcribe/session.h"

typedef struct wh_collected {
    whisp_result *result;
    int32_t *ids; /* [n] tokens of all segments so far, from which the whole text is decoded at the end */
    size_t n, capacity;
} wh_collected;

int wh_collect_begin(wh_collected *c);
int wh_collect_add(wh_collected *c, const whisp_segment *segment, int cleared);
/* As wh_collect_add(), and shows the segment to whom `options` name. */
int wh_collect_show(wh_collected *c, const whisp_options *options, const whisp_segment *segment, int cleared);
/* Hand over the result: its language is an index, its duration in seconds. */
int wh_collect_end(wh_collected *c, const whisp_model *model, int language, double total, whisp_result **result);
/* The work stopped midway, for the reason of the last error: hand over what was final until then, which says so, if there
 * is anything. The last error stays. */
void wh_collect_stop(wh_collected *c, const whisp_model *model, int language, const char *name, whisp_result **result);
/* Drop what was not handed over. */
void wh_collect_free(wh_collected *c);

#endif
