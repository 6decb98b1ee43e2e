/* session.c - a transcription's state: made, fed with samples, reset. The windows are in window.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "transcribe/given.h"
#include "transcribe/plan.h"
#include "transcribe/session.h"

static int check_options(const whisp_model *model, whisp_options *options)
{
    wh_values *v = &options->values;
    const wh_specials *sp = wh_tokenizer_specials(model->tokenizer);
    if (!sp->multilingual) {
        if (v->translate)
            return wh_fail(WHISP_ERR_ARGUMENT,
                           "the model %s knows English only and cannot translate; use a multilingual model",
                           model->name);
        if (v->language > 0)
            wh_log(options, WHISP_LOG_WARNING, "the model %s knows English only; language %s is ignored", model->name,
                   wh_language_code(v->language));
        if (v->multilingual)
            wh_log(options, WHISP_LOG_WARNING, "the model %s knows English only; multilingual is ignored", model->name);
        if (v->languages)
            wh_log(options, WHISP_LOG_WARNING, "the model %s knows English only; languages is ignored", model->name);
        v->language = 0;
    } else if (v->language >= 0 && sp->languages[v->language] < 0) {
        return wh_fail(WHISP_ERR_ARGUMENT, "the model %s does not know the language %s", model->name,
                       wh_language_code(v->language));
    }
    for (int i = 0; v->languages && sp->multilingual && wh_language_code(i); i++)
        if (wh_options_has_language(v, i) && (i >= sp->n_languages || sp->languages[i] < 0))
            return wh_fail(WHISP_ERR_ARGUMENT, "the model %s does not know the language %s of languages", model->name,
                           wh_language_code(i));
    return WHISP_OK;
}

/* The upper half's heads are the truer ones where that was measured, in tiny and base (docs/timing.md); larger models
 * have hundreds of them. */
static int wants_upper_half(const whisp_model *m, enum wh_heads heads)
{
    return heads == WH_HEADS_UPPER || (heads == WH_HEADS_AUTO && m->n_text_layer <= 6 && m->n_text_state <= 512);
}

/* The model as the backend sees it: with other alignment heads if the options say so. */
static int choose_heads(const whisp_model *model, const wh_values *v, whisp_model *m)
{
    *m = *model;
    if (!wants_upper_half(m, v->heads))
        return WHISP_OK;
    int first = m->n_text_layer / 2;
    m->n_alignment_heads = (m->n_text_layer - first) * m->n_text_head;
    m->alignment_heads = wh_calloc((size_t)m->n_alignment_heads, sizeof *m->alignment_heads);
    for (int i = 0; m->alignment_heads && i < m->n_alignment_heads; i++)
        m->alignment_heads[i] = (wh_head){first + i / m->n_text_head, i % m->n_text_head};
    return m->alignment_heads ? WHISP_OK : wh_fail_memory();
}

void wh_session_free_heads(const whisp_model *model, whisp_model *computed)
{
    if (computed->alignment_heads != model->alignment_heads)
        free(computed->alignment_heads);
}

int wh_session_backend(const whisp_model *model, const wh_values *v, wh_backend_config *config, whisp_model *computed,
                       wh_backend **backend)
{
    config->threads = v->threads;
    config->compute = wh_compute_named(v->compute_type);
    config->device = v->device;
    int rc = choose_heads(model, v, computed);
    return rc ? rc : wh_backend_new(v->backend, computed, config, backend);
}

/* Its own, or what stands behind the view that it was given. */
static int make_backend(whisp_session *s)
{
    const wh_values *v = &s->options->values;
    wh_backend_config config = {.n_slots = wh_plan_slots(s->model, v), .least_slots = wh_search_slots(v)};
    return s->backend ? choose_heads(s->model, v, &s->computed)
                      : wh_session_backend(s->model, v, &config, &s->computed, &s->backend);
}

static int log_mel(void *backend, const float *samples, int n, float *out)
{
    return wh_backend_log_mel(backend, samples, n, out);
}

/* Sound and voices are judged for the guard, to detect a language, and for speakers' times. */
static int make_voice(whisp_session *s)
{
    const wh_values *v = &s->options->values;
    s->guards = v->hallucination_guard;
    int detects = s->specials->multilingual && v->language < 0 && !v->detects_at_start;
    int stereo = v->split_stereo || (s->whole && s->whole->channel >= 0);
    return s->guards || detects || stereo ? wh_voice_new(s, &s->voice) : WHISP_OK;
}

static int make_session(whisp_session *s)
{
    const whisp_model *m = s->model;
    const wh_values *v = &s->options->values;
    size_t frames = WH_MAX(s->part_frames, WH_STORE_FRAMES);
    int rc;
    if ((rc = wh_options_check(v)) || (rc = check_options(m, s->options)) ||
        (rc = wh_prompt_initial(m, v, &s->initial, &s->n_initial, &s->initial_capacity)) || (rc = wh_filter_load(s)) ||
        (rc = make_voice(s)) || (rc = make_backend(s)) ||
        (rc = wh_search_new(m, s->options, s->backend, &s->timings, &s->search)) ||
        (rc = wh_mel_new(m->n_mels, m->mel_filters, frames, &s->mel)))
        return rc;
    int mel_frames = wh_backend_mel_frames(s->backend);
    if (mel_frames && (rc = wh_mel_delegate(s->mel, mel_frames, log_mel, s->backend)))
        return rc;
    if ((rc = wh_session_make_clips(s)) || (rc = wh_session_warn(s)))
        return rc;
    s->window = wh_alloc_aligned((size_t)WH_WINDOW_FRAMES * (size_t)m->n_mels, sizeof(float));
    s->language_probs = wh_calloc((size_t)s->specials->n_languages + 1, sizeof(float));
    s->window_probs = wh_calloc((size_t)s->specials->n_languages + 1, sizeof(float));
    if (!s->window || !s->language_probs || !s->window_probs)
        return wh_fail_memory();
    s->unsound = wh_model_unsound(m);
    wh_log(s->options, WHISP_LOG_INFO, "%s", wh_backend_describe(s->backend));
    return whisp_session_reset(s);
}

/* `view`, which is the session's from now on, or NULL: a backend is made. */
static int new_session(const whisp_model *model, const whisp_options *options, wh_backend *view,
                       const struct wh_company *company, whisp_session **session)
{
    whisp_session *s = wh_calloc(1, sizeof *s);
    if (!s) {
        wh_backend_free(view);
        return wh_fail_memory();
    }
    s->model = model;
    s->backend = view;
    s->company = company;
    s->channel = -1;
    s->specials = wh_tokenizer_specials(model->tokenizer);
    s->options = wh_options_copy(options);
    int rc = s->options ? make_session(s) : WHISP_ERR_MEMORY;
    if (rc) {
        whisp_session_free(s);
        return rc;
    }
    *session = s;
    return WHISP_OK;
}

int whisp_session_new(const whisp_model *model, const whisp_options *options, whisp_session **session)
{
    if (!session)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_new: session is NULL");
    *session = NULL;
    if (!model)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_new: model is NULL");
    return new_session(model, options, NULL, NULL, session);
}

int wh_session_join(const whisp_model *model, const whisp_options *options, wh_backend *view,
                    const struct wh_company *company, whisp_session **session)
{
    *session = NULL;
    return new_session(model, options, view, company, session);
}

int wh_session_new_part(const whisp_session *whole, wh_backend *backend, size_t frames, whisp_session **session)
{
    whisp_session *s = *session = wh_calloc(1, sizeof *s);
    if (!s) {
        wh_backend_free(backend);
        return wh_fail_memory();
    }
    s->model = whole->model;
    s->specials = whole->specials;
    s->whole = whole;
    s->backend = backend;
    s->part_frames = frames;
    s->recording = -1;
    s->channel = -1;
    s->options = wh_options_copy(whole->options);
    int rc = s->options ? WHISP_OK : WHISP_ERR_MEMORY;
    if (!rc) {
        whisp_options_on(s->options, NULL); /* what options say was said when `whole` was made */
        s->options->values.vad_filter = s->options->values.split_stereo = 0;
        s->options->values.cut_off = 1;
        rc = make_session(s);
    }
    if (rc) {
        whisp_session_free(s);
        *session = NULL;
    }
    return rc;
}

int wh_session_begin_part(whisp_session *s, int64_t at, int last)
{
    int rc = whisp_session_reset(s);
    s->origin = at / WH_HOP;
    s->last_part = last;
    return rc;
}

int wh_session_push_all(whisp_session *s, const float *samples, size_t n)
{
    for (size_t done = 0; done < n;) {
        int64_t taken = whisp_session_push(s, samples + done, n - done);
        if (taken <= 0)
            return taken < 0 ? (int)taken : wh_fail(WHISP_ERR_STATE, "a part is longer than parts may be");
        done += (size_t)taken;
    }
    return WHISP_OK;
}

int wh_session_end_part(whisp_session *s, float before, float *loudest)
{
    int rc = whisp_session_finish(s);
    s->measured_frames = wh_mel_content(s->mel);
    *loudest = fmaxf(before, wh_mel_loudest(s->mel, s->measured_frames));
    wh_mel_set_loudest(s->mel, *loudest);
    return rc;
}

void whisp_session_free(whisp_session *s)
{
    if (!s)
        return;
    wh_filter_free(s);
    wh_voice_free(s->voice);
    wh_search_free(s->search);
    wh_backend_free(s->backend);
    wh_mel_free(s->mel);
    wh_mel_free(s->measuring);
    free(s->window);
    free(s->language_probs);
    free(s->window_probs);
    free(s->initial);
    free(s->history);
    free(s->prompt);
    free(s->cuts);
    free(s->tokens);
    wh_session_free_heads(s->model, &s->computed);
    wh_given_free(s->given);
    free(s->clips);
    free(s->text_tokens);
    free(s->text_index);
    free(s->words);
    free(s->handed);
    wh_doubts_free(s->doubts);
    wh_words_free(&s->timed);
    wh_buf_free(&s->word_text);
    wh_buf_free(&s->window_text);
    whisp_options_free(s->options);
    free(s);
}

int whisp_session_reset(whisp_session *s)
{
    if (!s)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_reset: session is NULL");
    wh_mel_reset(s->mel);
    wh_mel_free(s->measuring);
    s->measuring = NULL;
    memset(&s->timings, 0, sizeof s->timings);
    wh_filter_reset(s);
    wh_voice_reset(s->voice);
    s->finished = s->failed = 0;
    s->seek = s->window_seek = 0;
    s->total = -1;
    s->total_is_known = 0;
    s->measured_frames = -1;
    s->bad_samples = 0;
    s->incomplete[0] = '\0';
    s->unsound_told = 0;
    s->language = s->options->values.language;
    s->guess = -1;
    s->detected = s->doubt_told = s->text_stayed = 0;
    s->detect_at = 0;
    s->gap_start = s->gap_end = 0;
    s->encoded_first = 0;
    s->was_reset = 0;
    s->n_history = 0;
    wh_search_forget(s->search);
    s->n_cuts = s->next_cut = 0;
    s->next_id = 0;
    s->n_words = 0;
    s->last_speech = s->last_word = 0;
    s->slow_windows = 0;
    wh_given_free(s->given);
    s->given = NULL;
    s->clip = 0;
    wh_session_settle(s);
    return WHISP_OK;
}

int64_t whisp_session_push(whisp_session *s, const float *samples, size_t n)
{
    if (!s || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_push: an argument is NULL");
    if (s->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_session_push: the session is finished; reset it first");
    int rc = wh_filter_check(s);
    if (rc || (rc = wh_channels_check(s)))
        return rc;
    double t0 = wh_now();
    size_t taken = wh_mel_push(s->mel, samples, n);
    wh_voice_push(s->voice, samples, taken);
    s->timings.mel += wh_now() - t0;
    if (wh_mel_bad_samples(s->mel) && !s->bad_samples) {
        s->bad_samples = wh_mel_bad_samples(s->mel);
        wh_log(s->options, WHISP_LOG_WARNING, "some samples are not finite numbers; they count as silence");
    }
    return (int64_t)taken;
}

int whisp_session_finish(whisp_session *s)
{
    if (!s)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_finish: session is NULL");
    if (s->finished)
        return wh_fail(WHISP_ERR_STATE, "whisp_session_finish: the session is finished already");
    wh_mel_finish(s->mel);
    s->finished = 1;
    if (!s->total_is_known)
        s->total = wh_filter_total(s, (int64_t)wh_mel_samples(s->mel));
    wh_session_warn_clips(s);
    return WHISP_OK;
}

static int begin_measuring(whisp_session *s)
{
    return s->measuring ? WHISP_OK
                        : wh_mel_new(s->model->n_mels, s->model->mel_filters, WH_STORE_FRAMES, &s->measuring);
}

int whisp_session_measure(whisp_session *s, const float *samples, size_t n)
{
    if (!s || (!samples && n))
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_measure: an argument is NULL");
    if (s->finished || wh_mel_samples(s->mel))
        return wh_fail(WHISP_ERR_STATE, "whisp_session_measure: samples were pushed already; reset the session first");
    int rc = wh_filter_check(s);
    if (rc)
        return rc;
    double t0 = wh_now();
    if ((rc = begin_measuring(s)))
        return rc;
    for (size_t done = 0; done < n;) {
        done += wh_mel_push(s->measuring, samples + done, n - done);
        wh_mel_discard(s->measuring, wh_mel_ready(s->measuring));
    }
    if (n == 0) {
        wh_mel_finish(s->measuring);
        wh_mel_set_loudest(s->mel, wh_mel_loudest(s->measuring, wh_mel_content(s->measuring)));
        s->total = wh_filter_total(s, (int64_t)wh_mel_samples(s->measuring));
        s->measured_frames = wh_mel_content(s->measuring);
        wh_mel_free(s->measuring);
        s->measuring = NULL;
    }
    s->timings.mel += wh_now() - t0;
    return WHISP_OK;
}

void wh_session_jump(whisp_session *s, int64_t frame)
{
    wh_mel_jump(s->mel, frame);
    wh_voice_jump(s->voice, wh_mel_samples(s->mel));
}

int wh_session_measure_jump(whisp_session *s, int64_t frame)
{
    int rc = begin_measuring(s);
    if (!rc)
        wh_mel_jump(s->measuring, frame);
    return rc;
}

void wh_session_known_total(whisp_session *s, double seconds)
{
    s->total = seconds;
    s->total_is_known = 1;
    s->measured_frames = (int64_t)(seconds * WH_SAMPLE_RATE) / WH_HOP;
}

void wh_session_remember_incomplete(whisp_session *s, const char *why)
{
    size_t length = strlen(s->incomplete);
    if (!strstr(s->incomplete, why))
        if (snprintf(s->incomplete + length, sizeof s->incomplete - length, "%s%s", length ? "; " : "", why) >=
            (int)(sizeof s->incomplete - length))
            memcpy(s->incomplete + sizeof s->incomplete - 4, "...", 4);
}

void wh_session_incomplete(whisp_session *s, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    wh_session_remember_incomplete(s, text);
    wh_log(s->options, WHISP_LOG_WARNING, "%s", text);
}

void wh_session_hear_warnings(whisp_session *s, whisp_audio *audio)
{
    const char *text;
    int incomplete;
    for (size_t i = 0; audio && (text = whisp_audio_warning(audio, i, &incomplete)); i++) {
        char line[1024];
        snprintf(line, sizeof line, "%s: %s", wh_audio_name(audio), text);
        if (incomplete)
            wh_session_remember_incomplete(s, line);
        if (s->channel <= 0) /* with split_stereo the second pass has the same */
            wh_log(s->options, WHISP_LOG_WARNING, "%s", line);
    }
}

const char *wh_session_why_incomplete(const whisp_session *s)
{
    return s->incomplete[0] ? s->incomplete : NULL;
}

int whisp_session_describe(const whisp_session *s, whisp_session_info *info)
{
    if (!s || !info || info->size < sizeof info->size)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_describe: an argument is NULL, or info->size is not set");
    const whisp_session_info all = {.size = info->size,
                                    .language = wh_language_code(wh_session_spoken(s)),
                                    .incomplete = wh_session_why_incomplete(s),
                                    .backend = wh_backend_describe(s->backend),
                                    .timings = &s->timings};
    memcpy(info, &all, WH_MIN(info->size, sizeof all));
    return WHISP_OK;
}
