/* window.c - the loop of transcribe() in openai-whisper's transcribe.py, turned inside out: samples are pushed, hear() hears
 * one window, take() gives its segments. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window/notes.h"

/* ---- making ---- */

static int log_mel(void *backend, const float *samples, int n, float *out)
{
    return wh_backend_log_mel(backend, samples, n, out);
}

/* Sound and voices are judged for the guard, to detect a language, and to part segments at pauses. */
static int make_voice(wh_window *w)
{
    const wh_window_config *c = &w->config;
    int detects = w->specials->multilingual && w->values->language < 0 && !w->values->detects_at_start;
    if (!w->values->hallucination_guard && !detects && !c->parts_at_pauses)
        return WHISP_OK;
    return wh_voice_new(c->options, c->vad_path, c->frames * WH_HOP, c->whole ? c->whole->voice : NULL, &w->voice);
}

static int make(wh_window *w)
{
    const wh_window_config *c = &w->config;
    const whisp_model *m = c->model;
    int rc;
    if ((rc = wh_history_init(&w->history, m, w->values)) || (rc = make_voice(w)) ||
        (rc = wh_search_new(m, c->options, c->backend, c->timings, &w->search)) ||
        (rc = wh_mel_new(m->n_mels, m->mel_filters, WH_MAX(c->frames, WH_STORE_FRAMES), &w->mel)))
        return rc;
    if (w->values->confidence && (rc = wh_notes_open(w)))
        return rc;
    int mel_frames = wh_backend_mel_frames(c->backend);
    if (mel_frames && (rc = wh_mel_delegate(w->mel, mel_frames, log_mel, c->backend)))
        return rc;
    /* of a part all samples are there at once; the frames would be as much again */
    if (c->frames > WH_STORE_FRAMES && wh_voice_has_samples(w->voice) &&
        (rc = wh_mel_hear_again(w->mel, wh_voice_samples, w->voice)))
        return rc;
    if ((rc = wh_clips_init(&w->clips, w->values->clip_timestamps)) || (rc = wh_language_init(w)))
        return rc;
    w->input = wh_alloc_aligned(wh_window_input_size(w), sizeof(float));
    return w->input ? wh_window_reset(w) : wh_fail_memory();
}

int wh_window_new(const wh_window_config *config, wh_window **window)
{
    wh_window *w = *window = wh_calloc(1, sizeof *w);
    if (!w)
        return wh_fail_memory();
    w->config = *config;
    w->model = config->model;
    w->specials = wh_tokenizer_specials(config->model->tokenizer);
    w->values = &config->options->values;
    int rc = make(w);
    if (rc) {
        wh_window_free(w);
        *window = NULL;
    }
    return rc;
}

void wh_window_free(wh_window *w)
{
    if (!w)
        return;
    wh_voice_free(w->voice);
    wh_search_free(w->search);
    wh_mel_free(w->mel);
    wh_segments_free(&w->segments);
    wh_history_free(&w->history);
    wh_language_free(&w->language);
    wh_clips_free(&w->clips);
    wh_heard_words_free(&w->words);
    wh_doubts_free(w->doubts);
    wh_notes_free(w->notes);
    wh_recall_free(&w->recall);
    free(w->input);
    free(w);
}

int wh_window_reset(wh_window *w)
{
    wh_mel_reset(w->mel);
    wh_voice_reset(w->voice);
    wh_search_forget(w->search);
    wh_segments_clear(&w->segments);
    wh_history_reset(&w->history);
    wh_language_reset(w);
    wh_clips_reset(&w->clips);
    wh_heard_words_reset(&w->words);
    w->origin = 0;
    w->is_last = 1;
    w->timeline = NULL;
    w->follows = NULL;
    wh_window_set_journal(w, NULL, 0);
    w->finished = w->only_mel = 0;
    w->length = -1;
    w->begin = w->frames = 0;
    w->gap = (wh_gap){0, 0};
    w->unsound_told = 0;
    w->next_id = 0;
    w->seek = wh_clips_settle(&w->clips, 0);
    return WHISP_OK;
}

void wh_window_place(wh_window *w, int64_t origin, int is_last)
{
    w->origin = origin;
    w->is_last = is_last;
}

void wh_window_set_timeline(wh_window *w, const wh_timeline *timeline)
{
    w->timeline = timeline;
}

void wh_window_follow(wh_window *w, const wh_window_text *text)
{
    w->follows = text;
}

/* ---- samples ---- */

size_t wh_window_push(wh_window *w, const float *samples, size_t n)
{
    double t0 = wh_now();
    size_t taken = wh_mel_push(w->mel, samples, n);
    wh_voice_push(w->voice, samples, taken);
    w->config.timings->mel += wh_now() - t0;
    return taken;
}

void wh_window_give_mel(wh_window *w, const float *mel, size_t frames)
{
    wh_mel_give(w->mel, mel, frames, (int64_t)WH_MIN(frames, (size_t)WH_WINDOW_FRAMES));
    w->finished = w->only_mel = 1;
}

void wh_window_finish(wh_window *w)
{
    wh_mel_finish(w->mel);
    w->finished = 1;
}

void wh_window_jump(wh_window *w, int64_t frame)
{
    wh_mel_jump(w->mel, frame);
    wh_voice_jump(w->voice, wh_mel_samples(w->mel));
}

int wh_window_is_finished(const wh_window *w)
{
    return w->finished;
}

int64_t wh_window_samples(const wh_window *w)
{
    return wh_mel_samples(w->mel);
}

int64_t wh_window_content(const wh_window *w)
{
    return wh_mel_content(w->mel);
}

size_t wh_window_bad_samples(const wh_window *w)
{
    return wh_mel_bad_samples(w->mel);
}

float wh_window_loudest(const wh_window *w)
{
    return wh_mel_loudest(w->mel, wh_mel_content(w->mel));
}

void wh_window_set_loudest(wh_window *w, float loudest)
{
    wh_mel_set_loudest(w->mel, loudest);
}

void wh_window_set_length(wh_window *w, int64_t frames)
{
    w->length = frames;
}

/* ---- numbers that are not finite ---- */

void wh_window_tell_unsound(wh_window *w, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (w->unsound_told)
        return;
    w->unsound_told = 1;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (w->config.incomplete)
        w->config.incomplete(w->config.user, text);
}

/* In the model's weights, or computed in this window. Nothing is written for it then. Said once a recording, of the
 * weights by its first piece; what is computed by each piece. 1: so it is in this window. */
static int is_unsound(wh_window *w)
{
    int here = !wh_window_is_sound(w);
    double at = WH_SECONDS(w->origin + w->begin);
    const char *weights = w->config.unsound;
    if (weights && w->origin > 0)
        return here;
    if (weights)
        wh_window_tell_unsound(w,
                               "model %s: the weights %s hold numbers that are not finite; its words cannot be trusted "
                               "from the window at %.2f s on%s",
                               w->model->name, weights, at, here ? ", and there it has none" : "");
    else if (here)
        wh_window_tell_unsound(
            w, "model %s: numbers that are not finite in the window at %.2f s: nothing is written there",
            w->model->name, at);
    return here;
}

/* ---- one window ---- */

int wh_window_open(wh_window *w)
{
    int64_t limit = WH_MIN(wh_clips_end(&w->clips), wh_gap_limit(&w->gap, w->seek));
    wh_segments_clear(&w->segments);
    wh_heard_words_clear(&w->words);
    w->begin = w->seek;
    w->frames = WH_MIN(WH_MIN(WH_WINDOW_FRAMES, wh_mel_content(w->mel) - w->seek), limit - w->seek);
    if (wh_language_encoded(w))
        return WHISP_OK;
    wh_mel_window(w->mel, w->begin, w->frames, WH_PAD_MEL, w->input);
    wh_recall_listen(w, w->begin, w->frames);
    return wh_check_cancel(w->config.options);
}

/* The decoding becomes segments: cut, guarded, their words timed, remembered for the next window's prompt. *advance is where
 * that begins; *unheard: it may be this one again. */
static int write_window(wh_window *w, int64_t *advance, int *unheard)
{
    const wh_values *v = w->values;
    int rc = wh_segments_cut(w, advance), again = 0;
    if (rc)
        return rc;
    if (w->follows) {
        rc = w->follows->align(w->follows->user, w);
    } else {
        if ((*unheard = wh_guard_window(w, advance)) < 0)
            return *unheard;
        int64_t settled = *advance; /* by the guard, which has the last word */
        if (wh_options_time_words(v) && w->segments.n)
            rc = again = wh_heard_words_time(w, *unheard ? &settled : advance);
    }
    if (rc < 0)
        return rc;
    wh_segments_empty(&w->segments);
    if (!again && (rc = wh_history_remember(w)))
        return rc;
    wh_language_heard(w);
    return w->follows ? WHISP_OK : wh_joins_part(w);
}

/* To where the next window begins: over a silence that was found, and into the next clip. */
static void move_on(wh_window *w, int64_t advance)
{
    w->seek = wh_clips_settle(&w->clips, wh_gap_pass(&w->gap, w->seek + advance));
    wh_mel_discard(w->mel, w->seek);
    wh_voice_forget(w->voice, w->seek);
}

/* A text that is given: is the window dealt with, without being heard? */
static int follow(wh_window *w)
{
    const wh_window_text *text = w->follows;
    int rc = text ? text->opened(text->user, w) : 0;
    if (rc <= 0)
        return rc;
    is_unsound(w);
    w->seek += w->frames;
    return (rc = text->align_all(text->user, w)) ? rc : 1;
}

/* Transcribe the window at w->seek; w->segments holds its segments then, none if it is silent. */
static int run_window(wh_window *w)
{
    int rc, unheard = 0;
    if ((rc = wh_window_open(w)))
        return rc;
    w->config.timings->n_windows++;
    if ((rc = wh_language_of_window(w)) < 0 || (rc = follow(w)))
        return WH_MIN(rc, 0);
    if ((rc = wh_window_decode(w)))
        return rc;
    int64_t advance = w->frames;
    if (is_unsound(w)) {
        ; /* said, and passed over */
    } else if (!wh_window_is_silent(w)) {
        if ((rc = write_window(w, &advance, &unheard)))
            return rc;
    } else if (!w->follows && (rc = wh_guard_silent(w, &advance))) {
        return rc;
    }
    /* a window that does not advance would be heard forever */
    move_on(w, advance > 0 || unheard ? advance : w->frames);
    return WHISP_OK;
}

int wh_window_hear(wh_window *w)
{
    for (;;) {
        int64_t content = wh_mel_content(w->mel);
        int asked = wh_window_knows_where(w);
        if (!w->finished && content < (asked ? w->seek : w->language.ask_at) + WH_WINDOW_FRAMES) {
            if (asked) /* before a clip */
                wh_mel_discard(w->mel, w->seek);
            return 0;
        }
        int rc = wh_window_detect(w);
        if (!rc && !w->finished && (!wh_window_knows_where(w) || content < w->seek + WH_WINDOW_FRAMES))
            continue;
        if (!rc && w->seek >= content) {
            wh_window_settle_language(w);
            return WHISP_END;
        }
        return !rc && !(rc = run_window(w)) ? 1 : rc;
    }
}

/* ---- segments ---- */

void wh_window_original(const wh_timeline *timeline, double *start, double *end)
{
    if (!timeline)
        return;
    *start = wh_timeline_original(timeline, *start, 0);
    *end = WH_MAX(*start, wh_timeline_original(timeline, *end, 1)); /* both may lie where two parts meet */
}

/* The same for a word, both of whose ends belong to the part of speech that its middle is in. */
static void original_word(const wh_timeline *timeline, double *start, double *end)
{
    if (!timeline)
        return;
    size_t index = wh_timeline_index(timeline, (*start + *end) / 2, 0);
    *start = wh_timeline_original_in(timeline, *start, index);
    *end = WH_MAX(*start, wh_timeline_original_in(timeline, *end, index));
}

/* Times become the recording's. The model may put an end behind the last frame, where the next piece has begun; and
 * silence may have been taken out, over which a segment must not reach. */
static void place(wh_window *w, const wh_segment *from, whisp_segment *segment)
{
    double offset = WH_SECONDS(w->origin), end = INFINITY;
    if (!w->is_last)
        end = WH_SECONDS(w->origin + wh_mel_content(w->mel));
    segment->seek += w->origin;
    segment->start = fmin(segment->start + offset, end);
    segment->end = fmin(segment->end + offset, end);
    wh_window_original(w->timeline, &segment->start, &segment->end);
    for (size_t i = 0; i < segment->n_words && segment->words; i++) {
        const whisp_word *word = segment->words[i];
        double word_start = fmin(word->start + offset, end), word_end = fmin(word->end + offset, end);
        original_word(w->timeline, &word_start, &word_end);
        wh_heard_words_move(&w->words, from->first_word + i, word_start, word_end);
        if (w->timeline) {
            segment->start = i ? segment->start : word_start;
            segment->end = word_end;
        }
    }
}

int wh_window_take(wh_window *w, whisp_segment *segment, int *cleared)
{
    const wh_segment *next = wh_segments_next(&w->segments);
    const wh_values *v = w->values;
    if (!next)
        return 0;
    int with_words = wh_options_time_words(v);
    const whisp_word *const *words = wh_heard_words_hand(&w->words, next->first_word, with_words ? next->n_words : 0);
    if (!words)
        return WHISP_ERR_MEMORY;
    *cleared = next->cleared;
    *segment = (whisp_segment){
        .id = w->next_id++,
        .seek = w->begin,
        .start = next->start,
        .end = next->end,
        .text = w->segments.text.data + next->text,
        .tokens = w->segments.tokens ? w->segments.tokens + next->first_token : NULL,
        .n_tokens = next->n_tokens,
        .temperature = w->decoding.temperature,
        .avg_logprob = w->decoding.avg_logprob,
        .compression_ratio = w->decoding.compression_ratio,
        .no_speech_prob = w->decoding.no_speech_prob,
        .words = with_words ? words : NULL,
        .n_words = next->n_words,
        .confidence = v->confidence ? wh_doubts_mean(wh_heard_words_at(&w->words, next->first_word), next->n_words) : 0,
        .language = wh_language_code(w->language.window),
    };
    place(w, next, segment);
    return 1;
}

int wh_window_has_more(const wh_window *w)
{
    return w->segments.next < w->segments.n;
}

/* ---- asked from outside ---- */

int64_t wh_window_seek(const wh_window *w)
{
    return w->seek;
}

double wh_window_done(const wh_window *w)
{
    return WH_SECONDS(WH_MIN(w->seek, wh_mel_content(w->mel)));
}

int wh_window_is_past(const wh_window *w, int knows_end)
{
    return w->clips.at >= w->clips.n || (w->seek >= w->length && knows_end);
}

double wh_window_begin(const wh_window *w)
{
    return WH_SECONDS(w->begin);
}

int wh_window_is_all(const wh_window *w)
{
    return w->finished && w->begin == 0 && w->frames == wh_mel_content(w->mel);
}
