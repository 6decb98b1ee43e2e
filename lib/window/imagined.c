/* imagined.c - words that their times give away (hallucination_silence_threshold): improbable ones, far too short or too
 * long, with silence around. The second half of what word timestamps switch on in openai-whisper's transcribe(); called by
 * words.c. */
#include <math.h>
#include <string.h>

#include "window/state.h"

#define FRAMES(seconds) ((int64_t)nearbyint((seconds) * (WH_SAMPLE_RATE / WH_HOP)))

int wh_imagined_end(const wh_window *w, double *end)
{
    for (size_t c = w->segments.n; c-- > 0;) {
        const wh_segment *segment = &w->segments.list[c];
        if (segment->n_words) {
            *end = w->words.list[segment->first_word + segment->n_words - 1].end;
            return 1;
        }
    }
    if (w->segments.n)
        *end = w->segments.list[w->segments.n - 1].end;
    return w->segments.n > 0;
}

/* Improbable, very short and very long words count. */
static double anomaly(const whisp_word *word)
{
    double duration = word->end - word->start, score = word->probability < 0.15 ? 1 : 0;
    if (duration < 0.133)
        score += (0.133 - duration) * 15;
    if (duration > 2)
        score += duration - 2;
    return score;
}

static int is_anomaly(const wh_window *w, const wh_segment *segment)
{
    static const char punctuation[] = "\"'“¿([{-\"'.。,，!！?？:：”)]}、";
    double score = 0;
    int n = 0;
    if (!segment || !segment->n_words)
        return 0;
    for (size_t i = segment->first_word; i < segment->first_word + segment->n_words && n < 8; i++) {
        const whisp_word *word = &w->words.list[i];
        if (wh_is_part(word->text, strlen(word->text), punctuation))
            continue;
        score += anomaly(word);
        n++;
    }
    return score >= 3 || score + 0.01 >= n;
}

/* The first segment from c on that has words, or NULL. */
static const wh_segment *next_with_words(const wh_window *w, size_t c)
{
    for (; c < w->segments.n; c++)
        if (w->segments.list[c].n_words)
            return &w->segments.list[c];
    return NULL;
}

/* Drop segments that may be imagined and have silence, or more of their kind, on both sides, with all that follows. */
static void drop_imagined(wh_window *w, double threshold, int64_t *advance)
{
    double offset = WH_SECONDS(w->begin), window_end = WH_SECONDS(w->begin + WH_WINDOW_FRAMES);
    double last_end = w->words.last_speech;
    for (size_t c = 0; c < w->segments.n; c++) {
        const wh_segment *segment = &w->segments.list[c];
        if (!segment->n_words)
            continue;
        if (is_anomaly(w, segment)) {
            const wh_segment *next = next_with_words(w, c + 1);
            double next_start = next ? w->words.list[next->first_word].start : offset + WH_SECONDS(w->frames);
            int silence_before = segment->start - last_end > threshold || segment->start < threshold ||
                                 segment->start - offset < 2;
            int silence_after = next_start - segment->end > threshold || is_anomaly(w, next) ||
                                window_end - segment->end < 2;
            if (silence_before && silence_after) {
                *advance = FRAMES(fmax(offset + 1, segment->start)) - w->begin;
                int64_t content = w->frames < WH_WINDOW_FRAMES ? wh_mel_content(w->mel) : w->length;
                if (content >= 0 && WH_SECONDS(content) - segment->end < threshold)
                    *advance = content - w->begin;
                wh_segments_keep(&w->segments, c);
                return;
            }
        }
        last_end = segment->end;
    }
}

int wh_imagined_skip(wh_window *w, int single_ending, int64_t *advance)
{
    double threshold = w->values->hallucination_silence_threshold, end;
    double offset = WH_SECONDS(w->begin), window_end = WH_SECONDS(w->begin + WH_WINDOW_FRAMES);
    if (isnan(threshold))
        return 0;
    if (!single_ending && wh_imagined_end(w, &end) && end > offset)
        *advance = window_end - end > threshold ? FRAMES(end) - w->begin : w->frames;
    const wh_segment *first = next_with_words(w, 0);
    if (first && is_anomaly(w, first) && first->start - offset > threshold) {
        *advance = FRAMES(first->start - offset);
        wh_segments_keep(&w->segments, 0);
        return 1;
    }
    drop_imagined(w, threshold, advance);
    return 0;
}
