/* timeline.c - the recording without its silence: which samples are left, and times in it back to the recording's own;
 * see vad.h. Source: SpeechTimestampsMap in faster-whisper's vad.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vad/vad.h"

int wh_timeline_init(wh_timeline *t, wh_spans *speech)
{
    memset(t, 0, sizeof *t);
    t->speech = *speech;
    memset(speech, 0, sizeof *speech);
    t->ends = wh_calloc(t->speech.n, sizeof *t->ends);
    t->silence = wh_calloc(t->speech.n, sizeof *t->silence);
    if (!t->ends || !t->silence) {
        wh_timeline_free(t);
        return wh_fail_memory();
    }
    int64_t before = 0, end = 0;
    for (size_t i = 0; i < t->speech.n; i++) {
        const wh_span *s = &t->speech.spans[i];
        before += s->start - end;
        end = s->end;
        t->silence[i] = before;
        t->ends[i] = end - before;
    }
    return WHISP_OK;
}

void wh_timeline_free(wh_timeline *t)
{
    free(t->speech.spans);
    free(t->ends);
    free(t->silence);
    memset(t, 0, sizeof *t);
}

int64_t wh_timeline_kept(const wh_timeline *t)
{
    return t->speech.n ? t->ends[t->speech.n - 1] : 0;
}

void wh_timeline_next(const wh_timeline *t, size_t *at, int64_t position, size_t n, size_t *offset, size_t *count)
{
    const wh_spans *speech = &t->speech;
    int64_t end = position + (int64_t)n;
    *offset = *count = 0;
    while (*at < speech->n && speech->spans[*at].end <= position)
        ++*at;
    if (*at == speech->n || speech->spans[*at].start >= end)
        return;
    int64_t from = WH_MAX(speech->spans[*at].start, position), to = WH_MIN(speech->spans[*at].end, end);
    *offset = (size_t)(from - position);
    *count = (size_t)(to - from);
}

size_t wh_timeline_index(const wh_timeline *t, double time, int is_end)
{
    size_t lo = 0, hi = t->speech.n;
    if (hi == 0 || !(time > 0))
        return 0;
    double exact = time * WH_VAD_RATE;
    int64_t sample = exact < 9e15 ? (int64_t)exact : INT64_C(9000000000000000);
    /* the first span that ends after the sample */
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (t->ends[middle] > sample)
            hi = middle;
        else
            lo = middle + 1;
    }
    while (is_end && lo > 0 && t->ends[lo - 1] == sample)
        lo--;
    return WH_MIN(lo, t->speech.n - 1);
}

/* To two decimals, exactly as Python's round(): the nearest, a tie to the even one. */
static double round_hundredth(double x)
{
    double n = floor(x * 100);
    double above = fma(x, 100, -(n + 0.5)); /* its sign is exact */
    if (above > 0 || (above == 0 && fmod(n, 2) != 0))
        n += 1;
    return n / 100;
}

double wh_timeline_original_in(const wh_timeline *t, double time, size_t index)
{
    if (index >= t->speech.n)
        return round_hundredth(time);
    return round_hundredth((double)t->silence[index] / WH_VAD_RATE + time);
}

double wh_timeline_original(const wh_timeline *t, double time, int is_end)
{
    return wh_timeline_original_in(t, time, wh_timeline_index(t, time, is_end));
}
