/* cutter.c - reads as far ahead as the next cut needs (cut.h), and pushes each part's samples (see cutter.h). */
#include "transcribe/cutter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "whisp_live.h"

#define WH_LATEST_PART ((int64_t)1 << 46) /* samples: 139 years, in which times are still exact */

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

/* What the caller says of the next part: 0 (it is transcribed), 1 (left out), or a code. */
static int ask(const whisp_options *options, whisp_part *part)
{
    int answer = options->part ? options->part(options->part_user, part) : 0;
    if (answer < 0)
        return wh_fail(WHISP_ERR_CANCELLED, "cancelled");
    if (part->at < 0 || part->at % WH_HOP || part->at > WH_LATEST_PART || isnan(part->loudest))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_part: begins at sample %lld, after a loudness of %g",
                       (long long)part->at, part->loudest);
    return answer > 0;
}

/* The samples from c->at to `end` are a part. Also of one that is left out it is known how loud it is. */
static int fill(wh_cutter *c, whisp_session *part, int64_t end, int *left_out)
{
    whisp_part p = {.samples = c->ahead,
                    .n = (size_t)(end - c->at),
                    .at = c->at,
                    .loudest = c->at ? (double)c->loudest : -INFINITY,
                    .is_last = c->at_end && end == c->levels.samples};
    int rc = *left_out = ask(part->whole->options, &p);
    if (rc >= 0)
        rc = wh_session_begin_part(part, p.at, p.is_last);
    if (!rc)
        rc = wh_session_push_all(part, c->ahead, p.n);
    if (!rc)
        rc = wh_session_end_part(part, (float)p.loudest, &c->loudest);
    return rc;
}

int wh_cutter_fill(wh_cutter *c, whisp_session *part)
{
    int64_t end;
    int rc, left_out = 0;
    do {
        if ((rc = find_end(c, part->options, &end)) || end == c->at)
            return rc;
        rc = fill(c, part, end, &left_out);
        size_t n = (size_t)(end - c->at);
        c->n_ahead -= n;
        memmove(c->ahead, c->ahead + n, c->n_ahead * sizeof *c->ahead);
        c->at = end;
    } while (!rc && left_out);
    if (c->at_end && c->n_ahead == 0) { /* megabytes that the parts may use, which are still to be heard */
        free(c->ahead);
        c->ahead = NULL;
        c->ahead_capacity = 0;
    }
    return rc ? rc : 1;
}

void wh_cutter_free(wh_cutter *c)
{
    wh_levels_free(&c->levels);
    free(c->ahead);
}
