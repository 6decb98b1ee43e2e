/* words.c - the words of a window: aligned with its sound, given to its segments, and what follows for the seek.
 *
 * add_word_timestamps() in openai-whisper's timing.py, and the part of transcribe() that word timestamps switch on. The
 * window's encoding is still in slot 0. */
#include <math.h>
#include <string.h>

#include "transcribe/session.h"

#define SECONDS(frames) ((double)(frames)*WH_HOP / WH_SAMPLE_RATE)
#define FRAMES(seconds) ((int64_t)nearbyint((seconds) * (WH_SAMPLE_RATE / WH_HOP)))
#define SLOW_FRAMES 20  /* a window that moves the seek by less is slow: */
#define SLOW_WINDOWS 10 /* so many in a row, and the next one is left as a whole */

static double to_hundredths(double seconds)
{
    return nearbyint(seconds * 100) / 100;
}

/* The text tokens of all cuts, one after the other; *n is their number. */
static int collect_tokens(whisp_session *s, size_t *n)
{
    *n = 0;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        int rc = wh_grow(&s->text_tokens, &s->text_capacity, *n + cut->n_tokens, sizeof *s->text_tokens);
        if (!rc)
            rc = wh_grow(&s->text_index, &s->index_capacity, *n + cut->n_tokens, sizeof *s->text_index);
        if (rc)
            return rc;
        for (size_t i = cut->first_token; i < cut->first_token + cut->n_tokens; i++)
            if (s->tokens[i].id < s->specials->eot) {
                s->text_index[*n] = i;
                s->text_tokens[(*n)++] = s->tokens[i].id;
            }
    }
    return WHISP_OK;
}

/* Room for all timed words and copies of their texts, so that pointers to these stay good. */
static int copy_texts(whisp_session *s)
{
    int rc = wh_grow(&s->words, &s->words_capacity, s->timed.n + 1, sizeof *s->words);
    s->word_text.length = 0;
    wh_buf_puts(&s->word_text, "");
    for (size_t i = 0; i < s->timed.n; i++) {
        const wh_word *word = &s->timed.list[i];
        wh_buf_append(&s->word_text, s->timed.text.data + word->text, word->length);
        wh_buf_append(&s->word_text, "", 1);
    }
    return rc ? rc : s->word_text.failed ? wh_fail_memory() : WHISP_OK;
}

static size_t count_text_tokens(const whisp_session *s, const wh_cut *cut)
{
    size_t n = 0;
    for (size_t i = cut->first_token; i < cut->first_token + cut->n_tokens; i++)
        n += s->tokens[i].id < s->specials->eot;
    return n;
}

/* Give each cut the words that its tokens make, and bring its times and theirs into line. */
static void share_words(whisp_session *s, double median)
{
    double offset = SECONDS(s->window_seek), last_speech = s->last_speech;
    size_t next = 0, text = 0;
    s->n_words = 0;
    for (size_t c = 0; c < s->n_cuts; c++) {
        wh_cut *cut = &s->cuts[c];
        size_t n_text = count_text_tokens(s, cut), last = cut->first_token + cut->n_tokens;
        double start = cut->start, end = cut->end;
        cut->first_word = s->n_words;
        for (size_t taken = 0; next < s->timed.n && taken < n_text; next++) {
            const wh_word *word = &s->timed.list[next];
            taken += word->n_tokens;
            if (word->length > 0) {
                size_t first = WH_MIN(s->text_index[word->first_token], last) - cut->first_token;
                s->words[s->n_words++] = (whisp_word){
                    .text = s->word_text.data + text,
                    .start = to_hundredths(offset + word->start),
                    .end = to_hundredths(offset + word->end),
                    .probability = word->probability,
                    .first_token = first,
                    .n_tokens = WH_MIN(word->n_tokens, cut->n_tokens - first),
                };
            }
            text += word->length + 1;
        }
        cut->n_words = s->n_words - cut->first_word;
        if (cut->n_words)
            last_speech = wh_words_fit_segment(s->words + cut->first_word, cut->n_words, median, last_speech, &start,
                                               &end);
        if (s->options->values.word_timestamps) {
            cut->start = start;
            cut->end = end;
        }
    }
}

/* Where the last word, or without words the last segment, ends. 0 if there is none. */
static int find_end(const whisp_session *s, double *end)
{
    for (size_t c = s->n_cuts; c-- > 0;)
        if (s->cuts[c].n_words) {
            *end = s->words[s->cuts[c].first_word + s->cuts[c].n_words - 1].end;
            return 1;
        }
    if (s->n_cuts)
        *end = s->cuts[s->n_cuts - 1].end;
    return s->n_cuts > 0;
}

/* ---- words that may be imagined ---- */

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

static int is_anomaly(const whisp_session *s, const wh_cut *cut)
{
    static const char punctuation[] = "\"'“¿([{-\"'.。,，!！?？:：”)]}、";
    double score = 0;
    int n = 0;
    if (!cut || !cut->n_words)
        return 0;
    for (size_t i = cut->first_word; i < cut->first_word + cut->n_words && n < 8; i++) {
        const whisp_word *word = &s->words[i];
        if (wh_is_part(word->text, strlen(word->text), punctuation))
            continue;
        score += anomaly(word);
        n++;
    }
    return score >= 3 || score + 0.01 >= n;
}

/* The first cut from c on that has words, or NULL. */
static const wh_cut *next_with_words(const whisp_session *s, size_t c)
{
    for (; c < s->n_cuts; c++)
        if (s->cuts[c].n_words)
            return &s->cuts[c];
    return NULL;
}

/* Drop segments that may be imagined and have silence, or more of their kind, on both sides, with all that follows. */
static void drop_imagined(whisp_session *s, int64_t segment_size, double threshold, int64_t *advance)
{
    double offset = SECONDS(s->window_seek), window_end = SECONDS(s->window_seek + WH_WINDOW_FRAMES);
    double last_end = s->last_speech;
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        if (!cut->n_words)
            continue;
        if (is_anomaly(s, cut)) {
            const wh_cut *next = next_with_words(s, c + 1);
            double next_start = next ? s->words[next->first_word].start : offset + SECONDS(segment_size);
            int silence_before = cut->start - last_end > threshold || cut->start < threshold || cut->start - offset < 2;
            int silence_after = next_start - cut->end > threshold || is_anomaly(s, next) || window_end - cut->end < 2;
            if (silence_before && silence_after) {
                *advance = FRAMES(fmax(offset + 1, cut->start)) - s->window_seek;
                int64_t content = segment_size < WH_WINDOW_FRAMES ? wh_mel_content(s->mel) : s->measured_frames;
                if (content >= 0 && SECONDS(content) - cut->end < threshold)
                    *advance = content - s->window_seek;
                s->n_cuts = c;
                return;
            }
        }
        last_end = cut->end;
    }
}

/* 1: nothing of this window counts, the silence before the first words is skipped. */
static int skip_silence(whisp_session *s, int64_t segment_size, int single_ending, int64_t *advance)
{
    double threshold = s->options->values.hallucination_silence_threshold, end;
    double offset = SECONDS(s->window_seek), window_end = SECONDS(s->window_seek + WH_WINDOW_FRAMES);
    if (isnan(threshold))
        return 0;
    if (!single_ending && find_end(s, &end) && end > offset)
        *advance = window_end - end > threshold ? FRAMES(end) - s->window_seek : segment_size;
    const wh_cut *first = next_with_words(s, 0);
    if (first && is_anomaly(s, first) && first->start - offset > threshold) {
        *advance = FRAMES(first->start - offset);
        s->n_cuts = 0;
        return 1;
    }
    drop_imagined(s, segment_size, threshold, advance);
    return 0;
}

/* The reference's adjustments can, in rare cases, make neighbours overlap a little. Here words follow one another. */
static void put_in_order(whisp_session *s)
{
    for (size_t c = 0; c < s->n_cuts; c++)
        for (size_t i = s->cuts[c].first_word; i < s->cuts[c].first_word + s->cuts[c].n_words; i++) {
            whisp_word *word = &s->words[i];
            word->start = fmax(word->start, s->last_word);
            word->end = fmax(word->end, word->start);
            s->last_word = word->end;
        }
}

int wh_session_find_words(whisp_session *s, int64_t segment_size)
{
    const wh_values *v = &s->options->values;
    size_t n_text;
    double t0 = wh_now();
    wh_alignment alignment = {.model = &s->computed,
                              .backend = s->backend,
                              .slot = 0,
                              .language = s->window_language,
                              .translate = v->translate,
                              .frames = segment_size};
    int rc = collect_tokens(s, &n_text);
    if (!rc)
        rc = wh_align(&alignment, s->text_tokens, n_text, s->options->cancel, s->options->cancel_user, &s->timed);
    if (!rc) {
        double median = wh_words_shorten(&s->timed);
        wh_words_merge_punctuation(&s->timed, v->prepend_punctuations, v->append_punctuations);
        if (!(rc = copy_texts(s)))
            share_words(s, median);
    }
    s->timings.words += wh_now() - t0;
    return rc;
}

static int time_words(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    const wh_values *v = &s->options->values;
    const whisp_token *t = s->tokens;
    int begin = s->specials->timestamp_begin;
    size_t n = s->decoding.n, n_text;
    int single_ending = n >= 2 && t[n - 1].id >= begin && t[n - 2].id < begin;
    int rc = collect_tokens(s, &n_text);
    wh_alignment alignment = {.model = &s->computed,
                              .backend = s->backend,
                              .slot = 0,
                              .language = s->window_language,
                              .translate = v->translate,
                              .frames = segment_size};
    if (!rc && v->confidence)
        rc = wh_session_listen_again(s, n_text, &alignment.evidence);
    if (rc ||
        (rc = wh_align(&alignment, s->text_tokens, n_text, s->options->cancel, s->options->cancel_user, &s->timed)))
        return rc;
    double median = wh_words_shorten(&s->timed), end;
    wh_words_merge_punctuation(&s->timed, v->prepend_punctuations, v->append_punctuations);
    if ((rc = copy_texts(s)))
        return rc;
    share_words(s, median);
    if (v->confidence && (rc = wh_session_judge(s)))
        return rc;
    if (!v->word_timestamps) { /* the words are wanted, but the transcript stays as it is */
        if (find_end(s, &end))
            s->last_speech = end;
        put_in_order(s);
        return WHISP_OK;
    }
    if (!single_ending && find_end(s, &end) && end > SECONDS(s->window_seek))
        *advance = FRAMES(end) - s->window_seek;
    if (skip_silence(s, segment_size, single_ending, advance))
        return 1;
    if (find_end(s, &end))
        s->last_speech = end;
    put_in_order(s);
    return WHISP_OK;
}

int wh_session_time_words(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    double t0 = wh_now();
    int rc = time_words(s, segment_size, advance);
    s->timings.words += wh_now() - t0;
    if (!s->options->values.word_timestamps)
        return rc;
    /* the same second heard over and over would take hours */
    s->slow_windows = *advance < WH_MIN(SLOW_FRAMES, segment_size) ? s->slow_windows + 1 : 0;
    if (s->slow_windows > SLOW_WINDOWS) {
        *advance = segment_size;
        s->slow_windows = 0;
    }
    return rc;
}
