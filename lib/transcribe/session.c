/* session.c - a transcription's state: made and reset, for a recording or a part of one. What is pushed and pulled is in
 * feed.c, the loop of windows in lib/window. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    if (v->heads == WH_HEADS_AUTO) { /* characters are told apart by fewer (characters.c) */
        m->named_heads = model->alignment_heads;
        m->n_named_heads = model->n_alignment_heads;
    }
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
    config->padding = (enum wh_encoder_padding)v->padding;
    int rc = choose_heads(model, v, computed);
    return rc ? rc : wh_backend_new(v->backend, computed, config, backend);
}

/* Its own, or what stands behind the view that it was given. */
static int make_backend(whisp_session *s)
{
    const wh_values *v = &s->options->values;
    const whisp_options *o = s->options;
    wh_backend_config config = {.n_slots = wh_plan_slots(s->model, v),
                                .least_slots = wh_search_slots(v),
                                .cancel = o->cancel,
                                .cancel_user = o->cancel_user};
    return s->backend ? choose_heads(s->model, v, &s->computed)
                      : wh_session_backend(s->model, v, &config, &s->computed, &s->backend);
}

/* The text is not of all that the recording holds, as the window says: a line that names the recording, and remembered
 * for the result. */
static void be_incomplete(void *user, const char *why)
{
    whisp_session *s = user;
    wh_session_remember_incomplete(s, why);
    wh_log(s->options, WHISP_LOG_WARNING, "%s", why);
}

static int make_window(whisp_session *s)
{
    char vad[4096];
    int has_vad = !wh_speech_only_model(s, vad, sizeof vad) && access(vad, R_OK) == 0;
    const whisp_session *whole = s->whole ? s->whole : s;
    const wh_window_config config = {.model = &s->computed,
                                     .options = s->options,
                                     .backend = s->backend,
                                     .timings = &s->timings,
                                     .frames = s->part_frames,
                                     .vad_path = has_vad ? vad : NULL,
                                     .whole = s->whole ? s->whole->window : NULL,
                                     .parts_at_pauses = whole->options->values.split_stereo,
                                     .unsound = wh_model_unsound(s->model),
                                     .incomplete = be_incomplete,
                                     .user = s};
    return wh_window_new(&config, &s->window);
}

static int make_session(whisp_session *s)
{
    const whisp_model *m = s->model;
    const wh_values *v = &s->options->values;
    int rc;
    if ((rc = wh_options_check(v)) || (rc = check_options(m, s->options)) || (rc = wh_speech_only_load(s)) ||
        (rc = wh_speaking_load(s)) || (rc = make_backend(s)) || (rc = make_window(s)) || (rc = wh_session_warn(s)))
        return rc;
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
    wh_window_place(s->window, at / WH_HOP, last);
    wh_window_set_timeline(s->window, wh_speech_only_timeline(s->whole));
    wh_window_set_journal(s->window, s->whole->journal, WH_MAX(s->whole->channel, 0));
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
    *loudest = fmaxf(before, wh_window_loudest(s->window));
    wh_window_set_length(s->window, wh_window_content(s->window));
    wh_window_set_loudest(s->window, *loudest);
    return rc;
}

void whisp_session_free(whisp_session *s)
{
    if (!s)
        return;
    wh_speech_only_free(s);
    wh_speaking_free(s);
    wh_align_text_free(s->align_text);
    wh_window_free(s->window);
    wh_backend_free(s->backend);
    wh_mel_free(s->measuring);
    wh_session_free_heads(s->model, &s->computed);
    whisp_options_free(s->options);
    free(s);
}

int whisp_session_reset(whisp_session *s)
{
    if (!s)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_session_reset: session is NULL");
    wh_align_text_free(s->align_text);
    s->align_text = NULL;
    wh_mel_free(s->measuring);
    s->measuring = NULL;
    memset(&s->timings, 0, sizeof s->timings);
    wh_speech_only_reset(s);
    s->failed = 0;
    s->total = -1;
    s->total_is_known = 0;
    s->bad_samples_told = 0;
    s->incomplete[0] = '\0';
    return wh_window_reset(s->window);
}
