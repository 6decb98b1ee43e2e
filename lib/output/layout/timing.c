/* timing.c - when each cue comes and goes: with its words, but longer where it could not be read, into the silence
 * behind it, the silence before it, and, so far as the style lets it, the time of the next, which then comes later. */
#include "output/layout/layout.h"

#define AT_LEAST 40 /* ms: a cue that words without any time leave nothing for */

int64_t wh_layout_needs(const wh_layout_style *style, int cells)
{
    int64_t needs = ((int64_t)cells * 1000 + style->rate - 1) / style->rate;
    return WH_MIN(WH_MAX(needs, style->least), style->most);
}

typedef struct timing {
    const wh_unit *units;
    const wh_layout_style *style;
    wh_laid_cue *cues;
    size_t n;
} timing;

/* When the words of cue i begin; far away where there is none. */
static int64_t begins(const timing *t, size_t i)
{
    return i < t->n ? t->units[t->cues[i].first].start : INT64_MAX / 4;
}

static int64_t ends(const timing *t, size_t i)
{
    return t->units[t->cues[i].end - 1].end;
}

/* Cue i, those before it being done: as long as it takes to read it. */
static void place(const timing *t, size_t i)
{
    const wh_layout_style *style = t->style;
    wh_laid_cue *cue = &t->cues[i];
    int64_t free_from = i ? cue[-1].stop + style->gap : 0, needs = wh_layout_needs(style, cue->cells);
    int64_t limit = begins(t, i + 1) - style->gap;
    cue->start = WH_MAX(begins(t, i), free_from);
    int64_t lacks = cue->start + needs - limit;
    if (lacks > 0) {
        int64_t lead = WH_MIN(lacks, WH_MIN(style->lead, cue->start - free_from));
        cue->start -= WH_MAX(lead, 0);
    }
    int64_t stop = cue->start + needs;
    if (stop > limit)
        stop = WH_MIN(stop, WH_MAX(limit + style->lag, cue->start));
    stop = WH_MAX(stop, WH_MIN(ends(t, i), limit));
    stop = WH_MIN(stop, cue->start + style->most);
    cue->stop = WH_MAX(stop, cue->start + AT_LEAST);
}

/* Cue i stays for a moment where nothing follows, and up to the next one where that comes soon. */
static void stretch(const timing *t, size_t i)
{
    const wh_layout_style *style = t->style;
    wh_laid_cue *cue = &t->cues[i];
    int64_t most = cue->start + style->most, next = i + 1 < t->n ? cue[1].start - style->gap : INT64_MAX / 4;
    int64_t stop = WH_MAX(cue->stop, WH_MIN(ends(t, i) + style->linger, next));
    if (next - stop < style->close - style->gap)
        stop = next;
    cue->stop = WH_MAX(cue->stop, WH_MIN(stop, most));
    /* It may not stay so long: then the next one comes a little earlier. */
    int64_t apart = next - cue->stop;
    if (i + 1 < t->n && apart > 0 && apart < style->close - style->gap &&
        cue[1].stop - (cue->stop + style->gap) <= style->most)
        cue[1].start = cue->stop + style->gap;
}

void wh_layout_time(const wh_units *units, const wh_layout_style *style, wh_laid_cue *cues, size_t n)
{
    timing t = {units->list, style, cues, n};
    for (size_t i = 0; i < n; i++)
        place(&t, i);
    for (size_t i = 0; i < n; i++)
        stretch(&t, i);
}
