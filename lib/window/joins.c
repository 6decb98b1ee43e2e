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

#include "window/state.h"

#define NUDGE 0.001 /* seconds from a join, so that rounding does not cross it */
#define PAUSE 15    /* blocks without a voice between two of a speaker's segments, at least */
#define EDGE 5      /* blocks by which a segment may be longer than its speech */
#define LEAD 1      /* blocks before a voice that belong to a segment */
#define TRAIL 2     /* blocks after a voice that belong to a segment */

/* ---- vad_filter ---- */

/* Which stretch of speech a time of the window belongs to. */
static size_t stretch_of(const wh_window *w, double time, int is_end)
{
    return wh_timeline_index(w->timeline, time + WH_SECONDS(w->origin), is_end);
}

static double stretch_end(const wh_window *w, size_t i)
{
    return (double)w->timeline->ends[i] / WH_SAMPLE_RATE - WH_SECONDS(w->origin) - NUDGE;
}

static int ends_with_mark(const whisp_word *word)
{
    size_t n = strlen(word->text);
    return n > 0 && strchr(".,;:!?", word->text[n - 1]) != NULL;
}

/* A word that lies in two stretches belongs to one. The alignment begins a word in the silence before it rather than
 * ending it in the one after it, so that is the later one, unless punctuation says that a sentence ends with the word. */
static void settle_word(wh_window *w, size_t i)
{
    const whisp_word *word = &w->words.list[i];
    size_t first = stretch_of(w, word->start, 0), last = stretch_of(w, word->end, 1);
    if (first >= last)
        return;
    int before = i > 0 && ends_with_mark(word - 1), after = ends_with_mark(word);
    size_t middle = stretch_of(w, (word->start + word->end) / 2, 0);
    size_t own = after && !before ? first : before == after && after ? middle : last;
    wh_heard_words_move(&w->words, i, own > first ? stretch_end(w, own - 1) + 2 * NUDGE : word->start,
                        own < last ? stretch_end(w, own) : word->end);
}

static size_t word_stretch(const wh_window *w, const whisp_word *word)
{
    return stretch_of(w, (word->start + word->end) / 2, 0);
}

/* ---- split_stereo ---- */

static int is_spoken(const wh_voice *v, int i)
{
    return v->has_voice ? v->voiced[i] : v->active[i];
}

static int block_of(const wh_window *w, double time)
{
    double block = (time - WH_SECONDS(w->begin)) / WH_SECONDS(WH_VOICE_BLOCK);
    return (int)fmin(fmax(floor(block), 0), w->voice->blocks);
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
static void trim(wh_window *w, size_t s)
{
    const wh_voice *v = w->voice;
    const wh_segment *segment = &w->segments.list[s];
    int from = block_of(w, segment->start), to = block_of(w, segment->end), first = from, last = to;
    while (first < to && !is_spoken(v, first))
        first++;
    if (first == to)
        return; /* heard by the model alone: its times are all there is */
    while (last > first && !is_spoken(v, last - 1))
        last--;
    double window = WH_SECONDS(w->begin), block = WH_SECONDS(WH_VOICE_BLOCK);
    wh_segments_set_times(&w->segments, s, first - from > EDGE ? window + (first - LEAD) * block : segment->start,
                          to - last > EDGE ? window + (last + TRAIL) * block : segment->end);
    for (size_t i = segment->first_word; i < segment->first_word + segment->n_words; i++) {
        const whisp_word *word = &w->words.list[i];
        double start = fmin(fmax(word->start, segment->start), segment->end);
        wh_heard_words_move(&w->words, i, start, fmin(fmax(word->end, start), segment->end));
    }
}

/* ---- both ---- */

/* Does a segment perhaps have to be parted? */
static int may_part(const wh_window *w, const wh_segment *segment)
{
    if (segment->cleared)
        return 0;
    if (w->timeline)
        return stretch_of(w, segment->start, 0) != stretch_of(w, segment->end, 1);
    return longest_pause(w->voice, block_of(w, segment->start), block_of(w, segment->end)) >= PAUSE;
}

/* Is there a place to part between two neighbouring words? */
static int is_join(const wh_window *w, const whisp_word *before, const whisp_word *after)
{
    if (w->timeline)
        return word_stretch(w, before) != word_stretch(w, after);
    return longest_pause(w->voice, block_of(w, (before->start + before->end) / 2),
                         block_of(w, (after->start + after->end) / 2) + 1) >= PAUSE;
}

/* Where a piece of words first .. end - 1 begins and ends: where its segment does, unless that is in another stretch. */
static void piece_times(const wh_window *w, const wh_segment *whole, size_t first, size_t end, double *start,
                        double *stop)
{
    const whisp_word *words = wh_heard_words_at(&w->words, whole->first_word);
    *start = first ? words[first].start : whole->start;
    *stop = end < whole->n_words ? words[end - 1].end : whole->end;
    if (!w->timeline)
        return;
    size_t own = word_stretch(w, &words[first]);
    if (stretch_of(w, *start, 0) != own)
        *start = words[first].start;
    if (stretch_of(w, *stop, 1) != own)
        *stop = words[end - 1].end > *start ? words[end - 1].end : stretch_end(w, own);
}

/* Words first .. end - 1 of a segment become one of their own, with the tokens from the first word's on. */
static int add_piece(wh_window *w, const wh_segment *whole, size_t first, size_t end)
{
    const whisp_word *words = wh_heard_words_at(&w->words, whole->first_word);
    size_t from = first ? words[first].first_token : 0,
           to = end < whole->n_words ? words[end].first_token : whole->n_tokens;
    double start, stop;
    piece_times(w, whole, first, end, &start, &stop);
    const wh_segment piece = {.start = start,
                              .end = fmax(start, stop),
                              .first_token = whole->first_token + from,
                              .n_tokens = to - from,
                              .first_word = whole->first_word + first,
                              .n_words = end - first};
    int rc = wh_segments_add(w, &piece);
    for (size_t i = piece.first_word; i < piece.first_word + piece.n_words && !rc; i++)
        wh_heard_words_shift(&w->words, i, from);
    return rc;
}

/* Add a segment, or its pieces. */
static int add_parted(wh_window *w, const wh_segment *whole)
{
    size_t first = 0;
    int rc = WHISP_OK;
    for (size_t i = 1; i < whole->n_words && !rc && may_part(w, whole); i++) {
        const whisp_word *word = &w->words.list[whole->first_word + i];
        if (!is_join(w, word - 1, word))
            continue;
        rc = add_piece(w, whole, first, i);
        first = i;
    }
    if (first || (whole->n_words && w->timeline && may_part(w, whole)))
        return rc ? rc : add_piece(w, whole, first, whole->n_words);
    return rc ? rc : wh_segments_append(&w->segments, whole);
}

static int part_all(wh_window *w)
{
    size_t n = w->segments.n;
    wh_segment *old = wh_calloc(n, sizeof *old);
    if (!old)
        return wh_fail_memory();
    memcpy(old, w->segments.list, n * sizeof *old);
    wh_segments_keep(&w->segments, 0);
    for (size_t i = 0; i < w->words.n && w->timeline; i++)
        settle_word(w, i);
    int rc = WHISP_OK;
    for (size_t c = 0; c < n && !rc; c++)
        rc = add_parted(w, &old[c]);
    free(old);
    return rc;
}

int wh_joins_part(wh_window *w)
{
    const wh_values *v = w->values;
    int filtered = w->timeline != NULL, any = 0, rc;
    if ((!filtered && !w->config.parts_at_pauses) || w->only_mel || w->segments.n == 0)
        return WHISP_OK;
    if (!filtered) {
        wh_voice_listen(w->voice, w->input, w->frames, w->model->n_mels);
        if ((rc = wh_voice_find(w->voice, w->begin, w->frames)) < 0)
            return rc;
    }
    for (size_t c = 0; c < w->segments.n; c++)
        any |= may_part(w, &w->segments.list[c]);
    if (any && !wh_options_time_words(v) && (rc = wh_heard_words_find(w)))
        return rc;
    if (any && (rc = part_all(w)))
        return rc;
    for (size_t c = 0; c < w->segments.n && !filtered; c++)
        if (!w->segments.list[c].cleared)
            trim(w, c);
    return WHISP_OK;
}
