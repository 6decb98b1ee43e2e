/* outbox.c - what waits for its turn to be told (see outbox.h). */
#include "transcribe/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "output/result.h"

int wh_outbox_add(wh_outbox *box, const whisp_segment *segment, int cleared)
{
    int rc = box->result ? WHISP_OK : wh_result_new(&box->result);
    size_t n = wh_result_about(box->result).n_segments;
    if (!rc)
        rc = wh_grow(&box->cleared, &box->cleared_capacity, n + 1, 1);
    if (!rc)
        rc = wh_result_add(box->result, segment, cleared);
    if (!rc)
        box->cleared[n] = (unsigned char)cleared;
    return rc;
}

void wh_outbox_log(wh_outbox *box, int level, const char *text)
{
    int rc = wh_grow(&box->lines, &box->lines_capacity, box->n_lines + 1, sizeof *box->lines);
    char *copy = rc ? NULL : strdup(text);
    if (copy)
        box->lines[box->n_lines++] = (struct wh_line){level, copy};
}

void wh_outbox_tell(wh_outbox *box, const whisp_options *o)
{
    for (size_t i = 0; i < box->n_lines; i++) {
        if (o->log)
            o->log(o->log_user, box->lines[i].level, box->lines[i].text);
        free(box->lines[i].text);
    }
    box->n_lines = 0;
}

int wh_outbox_give(wh_outbox *box, int (*emit)(void *user, const whisp_segment *segment, int cleared), void *user)
{
    int rc = WHISP_OK;
    for (; !rc && box->given < wh_result_about(box->result).n_segments; box->given++)
        rc = emit(user, whisp_result_segment(box->result, box->given), box->cleared[box->given]);
    return rc;
}

void wh_outbox_free(wh_outbox *box)
{
    for (size_t i = 0; i < box->n_lines; i++)
        free(box->lines[i].text);
    free(box->lines);
    whisp_result_free(box->result);
    free(box->cleared);
    *box = (wh_outbox){.done = box->done};
}
