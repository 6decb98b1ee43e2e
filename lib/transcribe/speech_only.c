/* speech_only.c - vad_filter: before a whole recording is transcribed, find where speech is; what lies between is left out,
 * and times are given in the recording's own time. Called by session.c and by the flow of a recording;
 * lib/window gets the timeline. */
#include <string.h>

#include "transcribe/session.h"

/* The model that the options name; without a name silero-vad, first beside the speech model. */
int wh_speech_only_model(const whisp_session *s, char *path, size_t capacity)
{
    const char *name = s->options->values.vad_model;
    return name ? whisp_model_find(name, NULL, path, capacity)
                : wh_model_find_beside(s->model->file, "silero-vad", path, capacity);
}

/* A model that is asked for and cannot be had is a model that is not there, whatever was wrong with its file. */
int wh_speech_only_load_model(const whisp_session *s, whisp_vad **vad)
{
    char path[4096];
    int rc = wh_speech_only_model(s, path, sizeof path);
    if (!rc)
        rc = whisp_vad_load(path, vad);
    return rc == WHISP_ERR_IO || rc == WHISP_ERR_MODEL
               ? wh_fail(WHISP_ERR_MODEL, "option %s: %s", s->options->values.vad_model ? "vad_model" : "vad_filter",
                         whisp_last_error())
               : rc;
}

/* One that is named must be there even where only the guard has a use for it, which does without when it finds none. */
static int check_named(const whisp_session *s)
{
    whisp_vad *vad = NULL;
    int rc = s->options->values.vad_model && !s->part_frames ? wh_speech_only_load_model(s, &vad) : WHISP_OK;
    whisp_vad_free(vad);
    return rc;
}

int wh_speech_only_load(whisp_session *s)
{
    if (!s->options->values.vad_filter)
        return check_named(s);
    if (strcmp(whisp_options_get(s->options, "clip_timestamps"), "0") != 0) { /* as in faster-whisper */
        wh_log(s->options, WHISP_LOG_WARNING, "vad_filter is not used together with clip_timestamps");
        return check_named(s);
    }
    return wh_speech_only_load_model(s, &s->vad);
}

void wh_speech_only_reset(whisp_session *s)
{
    wh_window_set_timeline(s->window, NULL);
    wh_timeline_free(&s->timeline);
    s->recording = -1;
}

void wh_speech_only_free(whisp_session *s)
{
    wh_timeline_free(&s->timeline);
    whisp_vad_free(s->vad);
    s->vad = NULL;
}

int wh_speech_only_find(whisp_session *s, wh_vad_read_fn read, void *user)
{
    wh_spans spans = {0};
    int64_t total;
    int rc = wh_vad_find(s->vad, s->options, read, user, &spans, &total, NULL, NULL);
    if (rc || (rc = wh_timeline_init(&s->timeline, &spans)))
        return rc;
    s->recording = total;
    wh_window_set_timeline(s->window, &s->timeline);
    wh_log(s->options, WHISP_LOG_INFO, "vad_filter: %.2f of %.2f seconds are speech, in %zu parts",
           (double)wh_timeline_kept(&s->timeline) / WH_SAMPLE_RATE, (double)total / WH_SAMPLE_RATE,
           s->timeline.speech.n);
    return WHISP_OK;
}

int wh_speech_only_check(const whisp_session *s)
{
    if (s->vad && s->recording < 0)
        return wh_fail(WHISP_ERR_STATE, "vad_filter works on whole recordings; give a file or all samples at once, or "
                                        "set vad_filter to False");
    return WHISP_OK;
}

double wh_speech_only_total(const whisp_session *s, int64_t samples)
{
    return (double)(s->recording >= 0 ? s->recording : samples) / WH_SAMPLE_RATE;
}

const wh_timeline *wh_speech_only_timeline(const whisp_session *s)
{
    return s->recording >= 0 ? &s->timeline : NULL;
}

void wh_speech_only_times(const whisp_session *s, double *start, double *end)
{
    wh_window_original(wh_speech_only_timeline(s), start, end);
}
