/* window.c - one 30-second window after the other: prompt, decoding with fallback, cutting into segments, the seek.
 *
 * This is the loop of transcribe() in openai-whisper's transcribe.py, turned inside out: each pull runs windows until
 * there is a segment to give. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "transcribe/given.h"
#include "transcribe/guard.h"
#include "util/text.h"

#define SECONDS(frames) ((double)(frames)*WH_HOP / WH_SAMPLE_RATE)
#define STRIDE 2                                             /* frames a timestamp step */
#define PRECISION (STRIDE * (double)WH_HOP / WH_SAMPLE_RATE) /* seconds a timestamp step: 0.02 */
#define HISTORY_KEPT 4096                                    /* tokens; the decoder's context is far smaller */

int wh_session_encode(whisp_session *s)
{
    const float *mel = s->window;
    static const int slot = 0;
    int rc = wh_check_cancel(s->options);
    if (rc)
        return rc;
    double t0 = wh_now();
    rc = wh_backend_encode(s->backend, 1, &mel, &slot);
    s->timings.encode += wh_now() - t0;
    s->timings.n_encode++;
    return rc;
}

/* The tokens that stand before the window: what was written, or what the user wants there. */
static int make_prompt(whisp_session *s, const int32_t **prompt, size_t *n)
{
    const wh_values *v = &s->options->values;
    const int32_t *tail = s->history;
    size_t n_tail = s->n_history;
    int with_initial = v->carry_initial_prompt || !s->was_reset;
    if (v->carry_initial_prompt) {
        /* room beside the initial prompt; where there is none, the reference's slice [-0:] or [+k:] is taken */
        int64_t room = (int64_t)s->model->n_text_ctx / 2 - 1 - (int64_t)s->n_initial;
        size_t skip = room > 0 ? (n_tail > (size_t)room ? n_tail - (size_t)room : 0) : WH_MIN((size_t)-room, n_tail);
        tail += skip;
        n_tail -= skip;
    }
    *n = n_tail + (with_initial ? s->n_initial : 0);
    int rc = wh_grow(&s->prompt, &s->prompt_capacity, *n + 1, sizeof *s->prompt);
    if (rc)
        return rc;
    if (with_initial && s->n_initial)
        memcpy(s->prompt, s->initial, s->n_initial * sizeof *s->prompt);
    if (n_tail)
        memcpy(s->prompt + *n - n_tail, tail, n_tail * sizeof *s->prompt);
    *prompt = s->prompt;
    return WHISP_OK;
}

/* A decoding failed when it repeats itself or is too improbable, unless the window is silent. */
static int needs_fallback(const wh_values *v, const wh_decoding *d)
{
    int improbable = !isnan(v->logprob_threshold) && d->avg_logprob < v->logprob_threshold;
    int repeats = !isnan(v->compression_ratio_threshold) && d->compression_ratio > v->compression_ratio_threshold;
    if (!isnan(v->no_speech_threshold) && d->no_speech_prob > v->no_speech_threshold && improbable)
        return 0;
    return improbable || repeats;
}

static int decode_with_fallback(whisp_session *s)
{
    double temperatures[WH_MAX_TEMPERATURES];
    int n = wh_options_temperatures(&s->options->values, temperatures);
    for (int i = 0; i < n; i++) {
        int rc = wh_search_decode(s->search, temperatures[i], s->origin + s->seek, &s->decoding);
        if (rc)
            return rc;
        if (!wh_search_is_sound(s->search))
            break; /* no temperature mends that */
        if (!needs_fallback(&s->options->values, &s->decoding) && (i + 1 == n || !wh_guard_loops(s)))
            break;
        if (i + 1 < n)
            s->timings.n_fallbacks++;
    }
    return WHISP_OK;
}

static int is_silent(const wh_values *v, const wh_decoding *d)
{
    if (isnan(v->no_speech_threshold) || !(d->no_speech_prob > v->no_speech_threshold))
        return 0;
    return isnan(v->logprob_threshold) || !(d->avg_logprob > v->logprob_threshold);
}

int wh_session_add_cut(whisp_session *s, double start, double end, size_t first, size_t n)
{
    int rc = wh_grow(&s->cuts, &s->cuts_capacity, s->n_cuts + 1, sizeof *s->cuts);
    if (rc)
        return rc;
    wh_cut cut = {.start = start, .end = end, .text = s->window_text.length, .first_token = first, .n_tokens = n};
    int32_t *ids = wh_calloc(n, sizeof *ids);
    if (!ids)
        return wh_fail_memory();
    for (size_t i = 0; i < n; i++)
        ids[i] = s->tokens[first + i].id;
    rc = wh_tokenizer_decode(s->model->tokenizer, ids, n, s->specials->eot, &s->window_text);
    free(ids);
    if (rc || s->window_text.failed)
        return rc ? rc : wh_fail_memory();
    wh_buf_append(&s->window_text, "", 1); /* the closing NUL becomes part of the pool */
    if (s->window_text.failed)
        return wh_fail_memory();
    s->cuts[s->n_cuts++] = cut;
    return WHISP_OK;
}

/* Empty the segments that last no time or say nothing, words and all. */
static void clear_cuts(whisp_session *s)
{
    for (size_t c = 0; c < s->n_cuts; c++) {
        wh_cut *cut = &s->cuts[c];
        const char *text = s->window_text.data + cut->text;
        size_t length = strlen(text);
        wh_strip(&text, &length);
        if (cut->start != cut->end && length > 0)
            continue;
        cut->cleared = 1;
        cut->n_tokens = cut->n_words = 0;
        s->window_text.data[cut->text] = 0;
    }
}

/* Cut the decoding into segments at pairs of timestamps and say where the next window begins: at the last complete
 * segment's end, or after the whole window. */
static int cut_window(whisp_session *s, int64_t segment_size, int64_t *advance)
{
    const whisp_token *t = s->tokens;
    size_t n = s->decoding.n;
    int begin = s->specials->timestamp_begin, rc;
    double offset = SECONDS(s->seek);
    int single_ending = n >= 2 && t[n - 1].id >= begin && t[n - 2].id < begin;
    size_t last = 0;
    *advance = segment_size;
    for (size_t i = 1; i <= n; i++) {
        int pair = i < n && t[i - 1].id >= begin && t[i].id >= begin;
        int at_end = i == n && single_ending && last > 0;
        if (!pair && !at_end)
            continue;
        if ((rc = wh_session_add_cut(s, offset + (t[last].id - begin) * PRECISION,
                                     offset + (t[i - 1].id - begin) * PRECISION, last, i - last)))
            return rc;
        last = i;
    }
    if (last > 0) {
        if (!single_ending) /* what follows the last pair is incomplete: heard again from there */
            *advance = (int64_t)(t[last - 1].id - begin) * STRIDE;
        return WHISP_OK;
    }
    double duration = SECONDS(segment_size);
    for (size_t i = n; i-- > 0;)
        if (t[i].id >= begin) {
            if (t[i].id != begin)
                duration = (t[i].id - begin) * PRECISION;
            break;
        }
    return wh_session_add_cut(s, offset, offset + duration, 0, n);
}

void wh_session_forget_text(whisp_session *s)
{
    s->n_history = 0;
    s->was_reset = 1;
}

/* Remember what was heard, for the next window's prompt: without terms of the vocabulary that took its place. */
static int remember(whisp_session *s)
{
    for (size_t c = 0; c < s->n_cuts; c++) {
        const wh_cut *cut = &s->cuts[c];
        size_t n = wh_search_heard(s->search, s->tokens, cut->first_token, cut->n_tokens, NULL);
        int rc = wh_grow(&s->history, &s->history_capacity, s->n_history + n, sizeof *s->history);
        if (rc)
            return rc;
        wh_search_heard(s->search, s->tokens, cut->first_token, cut->n_tokens, s->history + s->n_history);
        s->n_history += n;
    }
    if (!s->options->values.condition_on_previous_text || s->decoding.temperature > 0.5) {
        wh_session_forget_text(s);
    } else if (s->n_history > HISTORY_KEPT) { /* far more than any prompt takes: the initial prompt is out of reach */
        size_t keep = HISTORY_KEPT / 2;
        memmove(s->history, s->history + s->n_history - keep, keep * sizeof *s->history);
        s->n_history = keep;
        s->was_reset = 1;
    }
    return WHISP_OK;
}

/* Numbers that are not finite: in the model's weights, or computed in this window. Nothing is written for it then. Said
 * once a recording, of the weights by its first part; what is computed by each part. 1: so it is in this window. */
static int is_unsound(whisp_session *s)
{
    int here = !wh_search_is_sound(s->search);
    int64_t frame = s->origin + s->window_seek;
    if (s->unsound_told || (s->unsound && frame > 0 && s->whole))
        return here;
    if (s->unsound)
        wh_session_incomplete(s,
                              "model %s: the weights %s hold numbers that are not finite; its words cannot be trusted "
                              "from the window at %.2f s on%s",
                              s->model->name, s->unsound, SECONDS(frame), here ? ", and there it has none" : "");
    else if (here)
        wh_session_incomplete(s,
                              "model %s: numbers that are not finite in the window at %.2f s: nothing is written there",
                              s->model->name, SECONDS(frame));
    s->unsound_told = s->unsound || here;
    return here;
}

/* The decoding becomes segments: cut, guarded, their words timed, remembered for the next window's prompt. *advance is where
 * that begins; *unheard: it may be this one again. */
static int write_window(whisp_session *s, int64_t segment_size, int64_t *advance, int *unheard)
{
    const wh_values *v = &s->options->values;
    int rc = wh_grow(&s->tokens, &s->tokens_capacity, s->decoding.n, sizeof *s->tokens), again = 0;
    if (rc)
        return rc;
    if (s->decoding.n)
        memcpy(s->tokens, s->decoding.tokens, s->decoding.n * sizeof *s->tokens);
    if ((rc = cut_window(s, segment_size, advance)))
        return rc;
    if (s->given) {
        rc = wh_session_align_window(s, segment_size);
    } else {
        if ((*unheard = wh_guard_window(s, segment_size, advance)) < 0)
            return *unheard;
        if ((v->word_timestamps || v->confidence) && s->n_cuts)
            rc = again = wh_session_time_words(s, segment_size, *unheard ? &(int64_t){*advance} : advance);
    }
    if (rc < 0)
        return rc;
    clear_cuts(s);
    if (!again && (rc = remember(s)))
        return rc;
    wh_session_heard(s);
    return s->given ? WHISP_OK : wh_session_part_segments(s, segment_size);
}

/* To where the next window begins: over a silence that was found, and into the next clip. */
static void move_on(whisp_session *s, int64_t advance)
{
    s->seek += advance;
    if (s->gap_end && s->seek >= s->gap_start) {
        s->seek = WH_MAX(s->seek, s->gap_end);
        s->gap_start = s->gap_end = 0;
    }
    wh_session_settle(s);
    wh_mel_discard(s->mel, s->seek);
}

/* Encode the window at s->seek, unless the detection of the language left it in slot 0; and say which language it is, or a
 * negative code. */
static int open_window(whisp_session *s, int64_t segment_size)
{
    int rc;
    s->n_cuts = s->next_cut = s->n_words = 0;
    s->window_text.length = 0;
    s->window_seek = s->seek;
    if (!(s->encoded_first && s->seek == 0 && segment_size == WH_WINDOW_FRAMES)) {
        wh_mel_window(s->mel, s->seek, segment_size, WH_PAD_MEL, s->window);
        if ((rc = wh_session_encode(s)))
            return rc;
    }
    s->encoded_first = 0;
    s->timings.n_windows++;
    return s->window_language = wh_session_window_language(s, segment_size);
}

/* Transcribe the window at s->seek; s->cuts holds its segments then, none if it is silent. */
static int run_window(whisp_session *s, int64_t segment_size)
{
    const int32_t *prompt;
    size_t n_prompt;
    int rc, language = open_window(s, segment_size), unheard = 0;
    if (language < 0)
        return language;
    if (s->given) {
        if ((rc = wh_given_prepare(s)))
            return rc;
        if (wh_given_fits(s, segment_size)) { /* no need to know what is heard */
            is_unsound(s);
            s->seek += segment_size;
            return wh_given_align_all(s, segment_size);
        }
    }
    wh_search_first_window(s->search, s->origin + s->seek == 0);
    if ((rc = make_prompt(s, &prompt, &n_prompt)) || (rc = wh_search_begin(s->search, prompt, n_prompt, language)) ||
        (rc = decode_with_fallback(s)) || (rc = wh_search_correct(s->search, s->seek, &s->decoding)))
        return rc;
    int64_t advance = segment_size;
    if (is_unsound(s)) {
        ; /* said, and passed over */
    } else if (!is_silent(&s->options->values, &s->decoding)) {
        if ((rc = write_window(s, segment_size, &advance, &unheard)))
            return rc;
    } else if (!s->given && (rc = wh_guard_silent(s, segment_size, &advance))) {
        return rc;
    }
    /* a window that does not advance would be heard forever */
    move_on(s, advance > 0 || unheard ? advance : segment_size);
    return WHISP_OK;
}

static void report_progress(whisp_session *s)
{
    if (!s->options->progress)
        return;
    double seconds = SECONDS(WH_MIN(s->seek, wh_mel_content(s->mel))), end = seconds;
    if (!s->whole) /* of a part batch.c does it */
        wh_filter_times(s, &seconds, &end);
    s->options->progress(s->options->progress_user, end, s->total);
}

/* A part's times become the recording's. The model may put an end behind the part's, where the next part has begun. */
static void move_to_recording(whisp_session *s, const wh_cut *cut)
{
    double offset = SECONDS(s->origin), end = s->last_part ? INFINITY : SECONDS(s->origin + wh_mel_content(s->mel));
    s->segment.seek += s->origin;
    s->segment.start = fmin(s->segment.start + offset, end);
    s->segment.end = fmin(s->segment.end + offset, end);
    for (size_t i = cut->first_word; i < cut->first_word + cut->n_words; i++) {
        s->words[i].start = fmin(s->words[i].start + offset, end);
        s->words[i].end = fmin(s->words[i].end + offset, end);
    }
}

/* The frame at which the window must end: a clip's end, or a silence at which it is parted. */
static int64_t window_limit(const whisp_session *s)
{
    int64_t clip = s->clips[s->clip].end;
    return s->gap_start > s->seek ? WH_MIN(s->gap_start, clip) : clip;
}

int wh_hand_words(const whisp_word ***list, size_t *capacity, const whisp_word *words, size_t n)
{
    int rc = wh_grow(list, capacity, n + 1, sizeof **list);
    for (size_t i = 0; i < n && !rc; i++)
        (*list)[i] = &words[i];
    return rc;
}

int wh_session_next(whisp_session *s, int *cleared)
{
    if (s->failed)
        return wh_fail(WHISP_ERR_STATE, "the session failed before; reset it first");
    while (s->next_cut == s->n_cuts) {
        int64_t content = wh_mel_content(s->mel);
        int asked = s->language >= 0 || s->detected;
        if (!s->finished && content < (asked ? s->seek : s->detect_at) + WH_WINDOW_FRAMES) {
            if (asked) /* before a clip */
                wh_mel_discard(s->mel, s->seek);
            return 0;
        }
        int rc = wh_session_detect(s);
        if (!rc && !s->finished && ((s->language < 0 && !s->detected) || content < s->seek + WH_WINDOW_FRAMES))
            continue;
        if (!rc && s->seek >= content) {
            wh_session_settle_language(s);
            return WHISP_END;
        }
        if (!rc)
            rc = run_window(s, WH_MIN(WH_MIN(WH_WINDOW_FRAMES, content - s->seek), window_limit(s) - s->seek));
        if (rc) {
            s->failed = 1;
            return rc;
        }
        report_progress(s);
    }
    const wh_cut *cut = &s->cuts[s->next_cut++];
    const wh_values *v = &s->options->values;
    int with_words = v->word_timestamps || v->confidence;
    *cleared = cut->cleared;
    if (wh_hand_words(&s->handed, &s->handed_capacity, s->words + cut->first_word, with_words ? cut->n_words : 0)) {
        s->failed = 1;
        return WHISP_ERR_MEMORY;
    }
    s->segment = (whisp_segment){
        .id = s->next_id++,
        .seek = s->window_seek,
        .start = cut->start,
        .end = cut->end,
        .text = s->window_text.data + cut->text,
        .tokens = s->tokens + cut->first_token,
        .n_tokens = cut->n_tokens,
        .temperature = s->decoding.temperature,
        .avg_logprob = s->decoding.avg_logprob,
        .compression_ratio = s->decoding.compression_ratio,
        .no_speech_prob = s->decoding.no_speech_prob,
        .words = with_words ? s->handed : NULL,
        .n_words = cut->n_words,
        .confidence = v->confidence ? wh_segment_confidence(s->words + cut->first_word, cut->n_words) : 0,
        .language = wh_language_code(s->window_language),
    };
    if (s->whole)
        move_to_recording(s, cut);
    wh_filter_times(s, &s->segment.start, &s->segment.end);
    for (size_t i = 0; i < cut->n_words && with_words; i++) {
        whisp_word *word = &s->words[cut->first_word + i];
        wh_filter_word_times(s, &word->start, &word->end);
        if (wh_filter_is_on(s)) { /* a segment must not reach over silence that was taken out */
            s->segment.start = i ? s->segment.start : word->start;
            s->segment.end = word->end;
        }
    }
    if (s->options->segment && !s->given)
        s->options->segment(s->options->segment_user, &s->segment);
    return 1;
}

int whisp_session_pull(whisp_session *s, const whisp_segment **segment)
{
    int cleared;
    if (!s || !segment)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_pull: an argument is NULL");
    int rc = wh_session_next(s, &cleared);
    if (rc == 1)
        *segment = &s->segment;
    return rc;
}
