/* cutter.c - reads as far ahead as the next cut needs (cut.h), and pushes each part's samples (see cutter.h). */
#include "transcribe/cutter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Read until it is known where the part that begins at c->at ends. */
static int find_end(wh_cutter *c, const whisp_options *options, int64_t *end)
{
    while (!wh_cut_next(&c->levels, c->at, c->seconds, c->at_end, end)) {
        const float *samples;
        int64_t n = c->read(c->read_user, &samples);
        int rc = n < 0 ? (int)n : wh_levels_add(&c->levels, samples, (size_t)n);
        if (rc || (rc = wh_check_cancel(options)) ||
            (rc = wh_grow(&c->ahead, &c->ahead_capacity, c->n_ahead + (size_t)n, sizeof *c->ahead)))
            return rc;
        c->at_end = n == 0;
        if (n)
            memcpy(c->ahead + c->n_ahead, samples, (size_t)n * sizeof *samples);
        c->n_ahead += (size_t)n;
    }
    *end = WH_MIN(*end, c->levels.samples);
    return WHISP_OK;
}

int wh_cutter_fill(wh_cutter *c, whisp_session *part)
{
    int64_t end;
    int rc = find_end(c, part->options, &end);
    if (rc || end == c->at)
        return rc;
    size_t n = (size_t)(end - c->at);
    float before = c->at ? c->loudest : -INFINITY;
    rc = wh_session_begin_part(part, c->at, c->at_end && end == c->levels.samples);
    if (!rc)
        rc = wh_session_push_all(part, c->ahead, n);
    if (!rc)
        rc = wh_session_end_part(part, before, &c->loudest);
    c->n_ahead -= n;
    memmove(c->ahead, c->ahead + n, c->n_ahead * sizeof *c->ahead);
    c->at = end;
    return rc ? rc : 1;
}

void wh_cutter_free(wh_cutter *c)
{
    wh_levels_free(&c->levels);
    free(c->ahead);
}
