/* joins.c - segments that reach over silence, parted between their words.
 *
 * Whisper's segments are sentences, wherever the pauses are. Two options need more: with vad_filter a segment may hold
 * the end of one stretch of speech and the beginning of another, minutes later in the recording; with split_stereo the
 * other speaker's answer belongs into the pause. The words' times say where to part. Where the option word_timestamps is
 * off they are found for such windows alone: a pass of the decoder over the window's text. The last step of a window;
 * what is heard, and the next window's prompt, do not depend on it. Called by window.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/session.h"

#define NUDGE 0.001 /* seconds from a join, so that rounding does not cross it */
#define PAUSE 15    /* blocks without a voice between two of a speaker's segments, at least */
#define EDGE 5      /* blocks by which a segment may be longer than its speech */
#define LEAD 1      /* blocks before a voice, */
#define TRAIL 2     /* and after it, that belong to a segment */

static double to_seconds(int64_t frames)
{
    return (double)frames * WH_HOP / WH_SAMPLE_RATE;
}

static int is_stereo(const whisp_session *s)
{
    return (s->whole ? s->whole : s)->channel >= 0;
}

/* ---- vad_filter ---- */

/* Which stretch of speech a time of the session belongs to. */
static size_t stretch_of(const whisp_session *s, double time, int is_end)
{
    const wh_timeline *timeline = &(s->whole ? s->whole : s)->timeline;
    return wh_timeline_index(timeline, time + to_seconds(s->origin), is_end);
}

static double stretch_end(const whisp_session *s, size_t i)
{
    const wh_timeline *timeline = &(s->whole ? s->whole : s)->timeline;
    return (double)timeline->ends[i] / WH_SAMPLE_RATE - to_seconds(s->origin) - NUDGE;
}

static int ends_with_mark(const whisp_word *word)
{
    size_t n = strlen(word->text);
    return n > 0 && strchr(".,;:!?", word->text[n - 1]) != NULL;
}

/* A word that lies in two stretches belongs to one. The alignment begins a word in the silence before it rather than
 * ending it in the one after it, so that is the later one, unless punctuation says that a sentence ends with the word. */
static void settle_word(const whisp_session *s, size_t i)
{
    whisp_word *word = &s->words[i];
    size_t first = stretch_of(s, word->start, 0), last = stretch_of(s, word->end, 1);
    if (first >= last)
        return;
    int before = i > 0 && ends_with_mark(word - 1), after = ends_with_mark(word);
    size_t middle = stretch_of(s, (word->start + word->end) / 2, 0);
    size_t own = after && !before ? first : before == after && after ? middle : last;
    if (own > first)
        word->start = stretch_end(s, own - 1) + 2 * NUDGE;
    if (own < last)
        word->end = stretch_end(s, own);
}

static size_t word_stretch(const whisp_session *s, const whisp_word *word)
{
    return stretch_of(s, (word->start + word->end) / 2, 0);
}

/* ---- split_stereo ---- */

static int is_spoken(const wh_voice *v, int i)
{
    return v->has_voice ? v->voiced[i] : v->active[i];
}

static int block_of(const whisp_session *s, double time)
{
    double block = (time - to_seconds(s->window_seek)) / to_seconds(WH_VOICE_BLOCK);
    return (int)fmin(fmax(floor(block), 0), s->voice->blocks);
}

/* The longest run of blocks from .. to - 1 in which the speaker is silent. */
static int longest_pause(const wh_voice *v, int from, int to)
{
    int longest = 0, run = 0;
    for (int i = from; i < to; i++) {
        run = is_spoken(v, i) ? 0 : run + 1;
        longest = WH_MAX(longest, run);
    }
    return longest;
}

/* Move a segment's ends to where the speaker is heard, where they are far from it. */
static void trim(whisp_session *s, wh_cut *cut)
{
    const wh_voice *v = s->voice;
    int from = block_of(s, cut->start), to = block_of(s, cut->end), first = from, last = to;
    while (first < to && !is_spoken(v, first))
        first++;
    if (first == to)
        return; /* heard by the model alone: its times are all there is */
    while (last > first && !is_spoken(v, last - 1))
        last--;
    double window = to_seconds(s->window_seek), block = to_seconds(WH_VOICE_BLOCK);
    if (first - from > EDGE)
        cut->start = window + (first - LEAD) * block;
    if (to - last > EDGE)
        cut->end = window + (last + TRAIL) * block;
    for (size_t i = cut->first_word; i < cut->first_word + cut->n_words; i++) {
        whisp_word *word = &s->words[i];
        word->start = fmin(fmax(word->start, cut->start), cut->end);
        word->end = fmin(fmax(word->end, word->start), cut->end);
    }
}

/* ---- both ---- */

/* Does a segment perhaps have to be parted? */
static int may_part(const whisp_session *s, const wh_cut *cut)
{
    if (cut->cleared)
        return 0;
    if (wh_filter_is_on(s))
        return stretch_of(s, cut->start, 0) != stretch_of(s, cut->end, 1);
    return longest_pause(s->voice, block_of(s, cut->start), block_of(s, cut->end)) >= PAUSE;
}

/* Is there a place to part between two neighbouring words? */
static int is_join(const whisp_session *s, const whisp_word *before, const whisp_word *after)
{
    if (wh_filter_is_on(s))
        return word_stretch(s, before) != word_stretch(s, after);
    return longest_pause(s->voice, block_of(s, (before->start + before->end) / 2),
                         block_of(s, (after->start + after->end) / 2) + 1) >= PAUSE;
}

/* Where a piece of words first .. end - 1 begins and ends: where its segment does, unless that is in another stretch. */
static void piece_times(const whisp_session *s, const wh_cut *whole, size_t first, size_t end, double *start,
                        double *stop)
{
    const whisp_word *words = s->words + whole->first_word;
    *start = first ? words[first].start : whole->start;
    *stop = end < whole->n_words ? words[end - 1].end : whole->end;
    if (!wh_filter_is_on(s))
        return;
    size_t own = word_stretch(s, &words[first]);
    if (stretch_of(s, *start, 0) != own)
        *start = words[first].start;
    if (stretch_of(s, *stop, 1) != own)
        *stop = words[end - 1].end > *start ? words[end - 1].end : stretch_end(s, own);
}

/* Words first .. end - 1 of a segment become one of their own, with the tokens from the first word's on. */
static int add_piece(whisp_session *s, const wh_cut *whole, size_t first, size_t end)
{
    const whisp_word *words = s->words + whole->first_word;
    size_t from = first ? words[first].first_token : 0,
           to = end < whole->n_words ? words[end].first_token : whole->n_tokens;
    double start, stop;
    piece_times(s, whole, first, end, &start, &stop);
    int rc = wh_session_add_cut(s, start, fmax(start, stop), whole->first_token + from, to - from);
    if (rc)
        return rc;
    wh_cut *cut = &s->cuts[s->n_cuts - 1];
    cut->first_word = whole->first_word + first;
    cut->n_words = end - first;
    for (size_t i = cut->first_word; i < cut->first_word + cut->n_words; i++)
        s->words[i].first_token -= from;
    return WHISP_OK;
}

/* Add a segment, or its pieces. */
static int add_parted(whisp_session *s, const wh_cut *whole)
{
    size_t first = 0;
    int rc = WHISP_OK;
    for (size_t i = 1; i < whole->n_words && !rc && may_part(s, whole); i++) {
        const whisp_word *word = &s->words[whole->first_word + i];
        if (!is_join(s, word - 1, word))
            continue;
        rc = add_piece(s, whole, first, i);
        first = i;
    }
    if (first || (whole->n_words && wh_filter_is_on(s) && may_part(s, whole)))
        return rc ? rc : add_piece(s, whole, first, whole->n_words);
    if (!rc && !(rc = wh_grow(&s->cuts, &s->cuts_capacity, s->n_cuts + 1, sizeof *s->cuts)))
        s->cuts[s->n_cuts++] = *whole;
    return rc;
}

static int part_all(whisp_session *s)
{
    size_t n = s->n_cuts;
    wh_cut *old = wh_calloc(n, sizeof *old);
    if (!old)
        return wh_fail_memory();
    memcpy(old, s->cuts, n * sizeof *old);
    s->n_cuts = 0;
    for (size_t i = 0; i < s->n_words && wh_filter_is_on(s); i++)
        settle_word(s, i);
    int rc = WHISP_OK;
    for (size_t c = 0; c < n && !rc; c++)
        rc = add_parted(s, &old[c]);
    free(old);
    return rc;
}

int wh_session_part_segments(whisp_session *s, int64_t segment_size)
{
    const wh_values *v = &s->options->values;
    int filtered = wh_filter_is_on(s), any = 0, rc;
    if ((!filtered && !is_stereo(s)) || s->n_cuts == 0)
        return WHISP_OK;
    if (!filtered) {
        wh_voice_listen(s->voice, s->window, segment_size, s->model->n_mels);
        if ((rc = wh_voice_find(s, s->window_seek, segment_size)) < 0)
            return rc;
    }
    for (size_t c = 0; c < s->n_cuts; c++)
        any |= may_part(s, &s->cuts[c]);
    if (any && !v->word_timestamps && !v->confidence && (rc = wh_session_find_words(s, segment_size)))
        return rc;
    if (any && (rc = part_all(s)))
        return rc;
    for (size_t c = 0; c < s->n_cuts && !filtered; c++)
        if (!s->cuts[c].cleared)
            trim(s, &s->cuts[c]);
    return WHISP_OK;
}
