/* silence.c - a window with a long silence in it, where the model's times and words go astray (hallucination_guard).
 *
 * Whisper likes to begin a segment where the window begins, though the sound comes half a minute later; it repeats there
 * what was said before the silence, or squeezes the beginning of what comes after it into a few wrong words. Such a
 * segment shows: its time begins in the silence, or holds far too little sound for so many words. The window is then
 * heard again, parted at the silence: what stands before it by itself, and what comes after it from its beginning. So
 * nothing is lost by it, whatever the segment was. Called by guard.c. */
#include <math.h>

#include "window/state.h"

#define QUIET 20    /* blocks of silence in which a segment must not begin */
#define HOLE 30     /* blocks of silence in a segment with too many words */
#define RATE 12.0   /* text tokens a second: nobody speaks faster */
#define SLACK 0.3   /* seconds of sound more than was found */
#define AFTER 3     /* blocks of silence that stay behind a sound */
#define BEFORE 5    /* blocks of silence that stay before a sound */
#define UNCLAIMED 5 /* blocks of a voice that are worth hearing by themselves */

/* Blocks from .. to - 1 of the window. */
typedef struct span {
    int from, to;
} span;

static int block_of(const wh_window *w, double time, int up)
{
    double block = (time - (double)w->begin * WH_HOP / WH_SAMPLE_RATE) * WH_SAMPLE_RATE / (WH_HOP * WH_VOICE_BLOCK);
    return (int)fmin(fmax(up ? ceil(block - 1e-6) : floor(block + 1e-6), 0), w->voice->blocks);
}

/* The silence around a dead block. */
static span silence_at(const wh_voice *v, int i)
{
    span s = {i, i + 1};
    while (s.from > 0 && wh_voice_is_dead(v, s.from - 1))
        s.from--;
    while (s.to < v->blocks && wh_voice_is_dead(v, s.to))
        s.to++;
    return s;
}

/* The longest silence that begins or goes on in blocks from .. to - 1. */
static span longest_silence(const wh_voice *v, int from, int to)
{
    span longest = {from, from};
    for (int i = from; i < to; i++) {
        if (!wh_voice_is_dead(v, i))
            continue;
        span found = silence_at(v, i);
        if (found.to - found.from > longest.to - longest.from)
            longest = found;
        i = found.to;
    }
    return longest;
}

/* The silence that shows that a segment's words are not where its times are; an empty one if none does. */
static span find_silence(const wh_window *w, const wh_segment *segment)
{
    const wh_voice *v = w->voice;
    const span none = {0, 0};
    int from = block_of(w, segment->start, 0), to = block_of(w, segment->end, 1);
    size_t n_text = wh_segment_text_tokens(w, segment);
    if (n_text == 0 || from >= v->blocks)
        return none;
    if (wh_voice_is_dead(v, from)) {
        span at = silence_at(v, from);
        if (at.to - from >= QUIET)
            return at;
    }
    span hole = longest_silence(v, from, to);
    double sound = wh_voice_count(v, from, to) * (double)WH_VOICE_BLOCK * WH_HOP / WH_SAMPLE_RATE;
    return hole.to - hole.from >= HOLE && (double)n_text > RATE * (sound + SLACK) ? hole : none;
}

int64_t wh_gap_limit(const wh_gap *gap, int64_t seek)
{
    return gap->start > seek ? gap->start : INT64_MAX;
}

int64_t wh_gap_pass(wh_gap *gap, int64_t seek)
{
    if (!gap->end || seek < gap->start)
        return seek;
    seek = WH_MAX(seek, gap->end);
    *gap = (wh_gap){0, 0};
    return seek;
}

int wh_guard_part(wh_window *w, int64_t *advance)
{
    const wh_voice *v = w->voice;
    size_t c = 0;
    span silence = {0, 0};
    while (c < w->segments.n && (silence = find_silence(w, &w->segments.list[c])).to == 0)
        c++;
    if (c == w->segments.n)
        return 0;
    int begin = c ? block_of(w, w->segments.list[c - 1].end, 1) : 0, last = silence.to == v->blocks;
    int unclaimed = wh_voice_count(v, begin, silence.from) >= UNCLAIMED && silence.from + AFTER < silence.to;
    int64_t resume = last ? w->frames : (int64_t)WH_MAX(silence.to - BEFORE, silence.from) * WH_VOICE_BLOCK;
    for (size_t i = c; i < w->segments.n; i++)
        if (wh_answer_is_echo(w, &w->segments.list[i])) { /* ends: without history there is no echo */
            wh_history_forget(&w->history);
            break;
        }
    wh_segments_keep(&w->segments, c);
    if (unclaimed) { /* between the segments that stay and the silence somebody speaks, too */
        *advance = (int64_t)begin * WH_VOICE_BLOCK;
        w->gap.start = w->begin + (int64_t)(silence.from + AFTER) * WH_VOICE_BLOCK;
        w->gap.end = WH_MAX(w->begin + resume, w->gap.start);
        return 1;
    }
    *advance = resume;
    return resume > 0 && resume < w->frames;
}
