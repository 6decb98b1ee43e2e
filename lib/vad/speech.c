/* speech.c - probabilities of speech to spans of speech; see vad.h.
 *
 * A span begins where the probability reaches the threshold and ends where it has stayed below the lower threshold for
 * long enough. Each end is then moved outwards by the padding, or to the middle of a silence too short for two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

/* A silence of this length is where a span that grows too long is cut. */
#define CUT_SILENCE (98 * WH_VAD_RATE / 1000)

void wh_speech_init(wh_speech *s, const wh_values *v)
{
    const double ms = WH_VAD_RATE / 1000.0;
    memset(s, 0, sizeof *s);
    s->threshold = (float)v->vad_threshold;
    s->neg_threshold = (float)(isnan(v->vad_neg_threshold) ? fmax(v->vad_threshold - 0.15, 0.01)
                                                           : v->vad_neg_threshold);
    s->pad = (int64_t)v->vad_speech_pad_ms * WH_VAD_RATE / 1000;
    s->min_speech = v->vad_min_speech_duration_ms * ms;
    s->min_silence = v->vad_min_silence_duration_ms * ms;
    s->max_speech = isnan(v->vad_max_speech_duration_s)
                        ? INFINITY
                        : v->vad_max_speech_duration_s * WH_VAD_RATE - WH_VAD_CHUNK - 2 * (double)s->pad;
    s->lead = -1;
}

static int add(wh_spans *out, wh_span span)
{
    int rc = wh_grow(&out->spans, &out->capacity, out->n + 1, sizeof *out->spans);
    if (!rc)
        out->spans[out->n++] = span;
    return rc;
}

/* The span that waits gets its padding, knowing that the current one will be kept: out with it. */
static int meet_current(wh_speech *s, wh_spans *out)
{
    if (s->lead >= 0)
        return WHISP_OK;
    s->lead = s->pad;
    if (!s->has_waiting)
        return WHISP_OK;
    int64_t silence = s->current.start - s->waiting.end;
    if (silence < 2 * s->pad)
        s->lead = silence / 2;
    s->waiting.end += s->lead;
    s->has_waiting = 0;
    return add(out, s->waiting);
}

/* The current span is complete: it waits for its successor. */
static int accept(wh_speech *s, int64_t end, wh_spans *out)
{
    int rc = meet_current(s, out);
    s->waiting = (wh_span){WH_MAX(0, s->current.start - s->lead), end};
    s->has_waiting = 1;
    s->lead = -1;
    return rc;
}

static void forget_silence(wh_speech *s)
{
    s->silence = s->cut_end = s->cut_next = 0;
}

/* The current span has become too long: cut it after the last silence in it, or here. Returns whether this chunk has
 * been dealt with; *rc gets an error. */
static int cut(wh_speech *s, int64_t here, wh_spans *out, int *rc)
{
    if (!s->cut_end) {
        *rc = accept(s, here, out);
        s->in_speech = 0;
        forget_silence(s);
        return 1;
    }
    *rc = accept(s, s->cut_end, out);
    if (s->cut_next < s->cut_end)
        s->in_speech = 0; /* still the silence after it */
    else
        s->current.start = s->cut_next;
    forget_silence(s);
    return *rc != WHISP_OK;
}

/* A chunk of silence in speech: is it the end? */
static int hear_silence(wh_speech *s, int64_t here, wh_spans *out)
{
    if (!s->silence)
        s->silence = here;
    int64_t lasted = here - s->silence;
    if (lasted > CUT_SILENCE)
        s->cut_end = s->silence;
    if ((double)lasted < s->min_silence)
        return WHISP_OK;
    int rc = WHISP_OK;
    if ((double)(s->silence - s->current.start) > s->min_speech)
        rc = accept(s, s->silence, out);
    s->in_speech = 0;
    s->lead = -1;
    forget_silence(s);
    return rc;
}

static int hear(wh_speech *s, float probability, int64_t here, wh_spans *out)
{
    int is_speech = probability >= s->threshold, rc = WHISP_OK;
    if (is_speech && s->silence) {
        s->silence = 0;
        if (s->cut_next < s->cut_end)
            s->cut_next = here;
    }
    if (is_speech && !s->in_speech) {
        s->in_speech = 1;
        s->current.start = here;
        return WHISP_OK;
    }
    if (s->in_speech && (double)(here - s->current.start) > s->max_speech && cut(s, here, out, &rc))
        return rc;
    if (s->in_speech && probability < s->neg_threshold)
        return hear_silence(s, here, out);
    return rc;
}

int wh_speech_push(wh_speech *s, float probability, int64_t available, wh_spans *out)
{
    int64_t here = s->position;
    s->position += WH_VAD_CHUNK;
    int rc = hear(s, probability, here, out);
    if (rc)
        return rc;
    /* What waits need not wait longer when the current span is sure to be kept, or when the next one, wherever it
     * begins, leaves room for both paddings. */
    if (s->in_speech && !s->silence && (double)(here - s->current.start) > s->min_speech)
        return meet_current(s, out);
    if (!s->in_speech && s->has_waiting && s->position - s->waiting.end >= 2 * s->pad) {
        s->waiting.end = WH_MIN(available, s->waiting.end + s->pad);
        s->has_waiting = 0;
        return add(out, s->waiting);
    }
    return WHISP_OK;
}

int wh_speech_finish(wh_speech *s, int64_t total, wh_spans *out)
{
    int rc = WHISP_OK;
    if (s->in_speech && (double)(total - s->current.start) > s->min_speech)
        rc = accept(s, total, out);
    s->in_speech = 0;
    if (!rc && s->has_waiting) {
        s->waiting.end = WH_MIN(total, s->waiting.end + s->pad);
        s->has_waiting = 0;
        rc = add(out, s->waiting);
    }
    return rc;
}
